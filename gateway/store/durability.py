"""What this Redis can lose, what it must be able to do, and whether it can take more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.core.errors import ConfigError, StoreError
from gateway.store.connection import UNCONFIRMED, Client, Confirmation, run_everywhere

OLDEST: Final = (6, 2)


async def check_server(client: Client, confirmation: Confirmation = UNCONFIRMED) -> list[str]:
    """Return what an operator should know, loudest first; empty when all is well.

    Asks every primary of a cluster. Raises ConfigError when one of them is too old, StoreError when
    one does not answer.
    """
    found: list[str] = []
    for info in await run_everywhere(client, "INFO"):
        _check_version(info)
        # Each once: what one node lacks, mostly all of them lack.
        found += [each for each in _weaknesses(info, confirmation) if each not in found]
    return found


async def check_room(client: Client) -> None:
    """Return when every primary answers and can take more. Raises StoreError."""
    for info in await run_everywhere(client, "INFO", "memory"):
        most, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
        # What Redis itself leaves out before it refuses: buffers of replicas and of the log.
        if 0 < most <= used - int(info.get("mem_not_counted_for_evict", 0)):
            raise StoreError(
                f"Redis is full ({used} of {most} bytes): nothing is acknowledged until there is "
                "room; what is queued is delivered"
            )


def _check_version(info: Mapping[str, Any]) -> None:
    version = str(info.get("redis_version", "0.0"))
    # Valkey reports a Redis version that it is compatible with.
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise ConfigError(f"REDIS_URL: this server is Redis {version}; {needed} or newer is needed")


def _weaknesses(info: Mapping[str, Any], confirmation: Confirmation) -> list[str]:
    found = []
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        found.append(
            f"maxmemory-policy is {policy}: Redis may throw queued messages away; set noeviction"
        )
    if str(info.get("aof_enabled", "1")) == "0":
        found.append(
            "appendonly is off: what was acknowledged is lost when Redis restarts; set it to yes"
        )
    if str(info.get("role", "master")) != "master":
        found.append("this server is a replica: nothing can be stored until it is promoted")
    replicas = int(info.get("connected_slaves", 0))
    if replicas < confirmation.replicas:
        found.append(
            f"GATEWAY_COMMIT_REPLICAS is {confirmation.replicas}, but this server has {replicas}: "
            "nothing can be acknowledged until it has enough"
        )
    return found
