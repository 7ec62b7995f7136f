"""A gateway of several workers, from its start to its end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack

from gateway.core.errors import ConfigError
from gateway.listeners import agents_address, ops_address, public_address
from gateway.settings import Role, Settings
from gateway.store_urls import store_urls
from gateway.web.ops import Ops
from gateway.web.server import Announce, Listening, bound, listening
from gateway.workers.crew import Crew
from gateway.workers.process import Plan


async def serve(
    settings: Settings, *, stop: asyncio.Event, at_once: asyncio.Event, announce: Announce
) -> int:
    """Run the workers until `stop` is set; `at_once` ends them in the middle of their stop.

    Returns the exit code: 0 when all ended well, 1 when one did not. Raises ConfigError.
    """
    settings.checked_for_serving()
    async with AsyncExitStack() as stack:
        agents, public = await _open_doors(settings, stack)
        urls = await store_urls(settings, stack)
        crew = Crew(_plans(settings, urls, agents, public))
        ops_port = await stack.enter_async_context(
            listening(Ops(crew.health, crew.scrape, crew.life).application(), ops_address(settings))
        )
        watching = [
            asyncio.create_task(_then(crew.misconfigured, stop.set)),
            asyncio.create_task(_then(at_once, crew.kill)),
            # Closed here first: the port goes with the last worker that serves it.
            asyncio.create_task(_then(stop, lambda: _close([*agents, *public]))),
            asyncio.create_task(
                _then(crew.all_up, lambda: announce(_where(settings, crew, ops_port)))
            ),
        ]
        try:
            code = await crew.run(stop)
        finally:
            for each in watching:
                each.cancel()
            await asyncio.wait(watching)
        if crew.misconfigured.is_set():
            raise ConfigError("a worker cannot work with these settings: see what it said above")
        return code


async def _open_doors(
    settings: Settings, stack: AsyncExitStack
) -> tuple[list[socket.socket], list[socket.socket]]:
    agents: list[socket.socket] = []
    public: list[socket.socket] = []
    if Role.EGRESS in settings.roles:
        agents = await bound(agents_address(settings))
        stack.callback(_close, agents)
    if settings.is_called:
        public = await bound(public_address(settings))
        stack.callback(_close, public)
    return agents, public


def _plans(
    settings: Settings,
    urls: tuple[str, str],
    agents: list[socket.socket],
    public: list[socket.socket],
) -> list[Plan]:
    """The first worker alone is `ingress`: conversations keep their order because one process hears
    all that platforms send, and an app may open few sockets (10 for Slack,
    https://docs.slack.dev/apis/events-api/using-socket-mode/).
    """
    plans = []
    for number in range(1, settings.workers + 1):
        hears = number == 1
        roles = [role for role in settings.roles if hears or role is not Role.INGRESS]
        env = {
            "REDIS_URL": urls[0],
            "DATABASE_URL": urls[1],
            "GATEWAY_WORKERS": "1",
            "GATEWAY_ROLES": ",".join(roles),
        }
        plans.append(Plan(number, env, agents=agents, public=public if hears else ()))
    return plans


def _where(settings: Settings, crew: Crew, ops_port: int) -> Listening:
    agent_api, public = crew.addresses()
    ops = f"http://{settings.ops_host}:{ops_port}"
    return Listening(agent_api=agent_api, ops=ops, public=public)


def _close(sockets: list[socket.socket]) -> None:
    for each in sockets:
        each.close()


async def _then(event: asyncio.Event, do: Callable[[], None]) -> None:
    await event.wait()
    do()
