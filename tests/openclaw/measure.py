"""What the gateway adds to a turn: `python -m tests.openclaw.measure [turns]`.

Two relays stand beside the container, one on its way in and one on its way out, and note when what
passes. So each turn tells for itself which part of it was the gateway's: from the platform to the
container, and from the container's answer to the platform. What OpenClaw and its model do in
between, and how much that varies, does not count. The relays' own millisecond does.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from gateway.embedded import embedded_servers
from tests.openclaw.install import default_cache, installed
from tests.openclaw.program import EVENTS, PATIENCE_S
from tests.openclaw.relay import Relay, open_relay
from tests.openclaw.stage import Stage, open_stage
from tests.support.servers import reachable_temp_dir
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM

CONVERSATIONS = 10


@dataclass(frozen=True, slots=True)
class Turn:
    """The parts of one turn, in ms."""

    inward: float
    agent: float
    outward: float

    @property
    def added(self) -> float:
        """What is the gateway's."""
        return self.inward + self.outward


async def measure(turns: int) -> list[Turn]:
    """Run so many turns, one after the other, in direct messages."""
    with reachable_temp_dir() as folder:
        async with (
            embedded_servers(folder / "data", redis=True, postgres=True) as servers,
            open_stage(
                servers.redis_url or "",
                servers.database_url or "",
                installed(default_cache()),
                folder,
            ) as stage,
            open_relay(f"http://127.0.0.1:{stage.gateway_port}") as outward,
            open_relay(stage.acme.url) as inward,
        ):
            await _stand_between(stage, inward, outward)
            for number in range(CONVERSATIONS):  # sessions and caches of a container just started
                await _turn(stage, inward, outward, number)
            return [await _turn(stage, inward, outward, number) for number in range(turns)]


async def _stand_between(stage: Stage, inward: Relay, outward: Relay) -> None:
    provisioning = stage.world.stores.provisioning
    secret = await provisioning.rotate_signing_secret(ACME, timedelta(0))
    await provisioning.edit_tenant(
        ACME, lambda spec: msgspec.structs.replace(spec, endpoint_url=f"{inward.url}{EVENTS}")
    )
    stage.acme.configure(gatewayUrl=outward.url, webhookSecrets=[secret], streaming=False)
    await stage.acme.reloaded()


async def _turn(stage: Stage, inward: Relay, outward: Relay, number: int) -> Turn:
    # Slack takes one message a second in a conversation, and the gateway keeps to that.
    place = stage.side.direct(ACME_TEAM, f"MEASURE{number % CONVERSATIONS}")
    before = len(stage.side.seen(place))
    said = time.time()
    stage.side.say(place, "do:echo hello")
    await eventually(lambda: len(stage.side.seen(place)) > before, timeout_s=PATIENCE_S)
    posted = stage.world.slack.bot_messages(place.workspace, place.channel)[-1].at.timestamp()
    delivered = inward.since(f"POST {EVENTS}", said)
    answered = outward.since("POST /v1/messages", said)
    assert delivered is not None
    assert answered is not None
    await stage.settled()
    return Turn(*(1000 * s for s in (delivered - said, answered - delivered, posted - answered)))


def percentile(values: list[float], share: float) -> float:
    """By the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    """Print the figures."""
    turns = asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 60))
    lines = [f"{len(turns)} turns, ms        p50     p95     max"]
    for name in ("inward", "agent", "outward", "added"):
        values = [float(getattr(turn, name)) for turn in turns]
        shown = (percentile(values, 0.5), percentile(values, 0.95), max(values))
        lines.append(f"{name:16}" + "".join(f"{each:8.1f}" for each in shown))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
