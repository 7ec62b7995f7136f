"""The composition root: opens what the house stands on, in order, and runs what it is made of.

`serve` is a gateway of one process, `run` what each process does, be it the only one or a worker
(see gateway/workers).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import structlog

from adapters.registry import SlackOptions, open_adapters
from gateway import heap
from gateway.bridging import Outgoing
from gateway.core.errors import StoreError
from gateway.core.ids import Platform
from gateway.house import House
from gateway.installing import open_installing
from gateway.listeners import agents_address, ops_address, public_address
from gateway.settings import Role, Settings
from gateway.stages import StageEnded, at_once, run_stages
from gateway.store.durability import check_server
from gateway.stores import Stores, open_stores
from gateway.supervisor import Supervisor
from gateway.telemetry.metrics import Metrics
from gateway.web.agent_api import AgentApi
from gateway.web.ops import Ops
from gateway.web.server import Announce, Listening, listening
from plugin_bridge.health import open_health_probe
from plugin_bridge.opening import open_transport

log = structlog.get_logger()

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0


@dataclass(frozen=True, slots=True)
class Doors:
    """Sockets that are bound already and that others may serve too; none, and they are opened."""

    agents: tuple[socket.socket, ...] = ()
    public: tuple[socket.socket, ...] = ()


class Health:
    """Gathers what every part of a process says of itself."""

    def __init__(self) -> None:
        self._parts: list[Callable[[], dict[str, str | None]]] = []

    def add(self, part: Callable[[], dict[str, str | None]]) -> None:
        """Ask this one too."""
        self._parts.append(part)

    def gathered(self) -> dict[str, str | None]:
        """Per part: None, or its trouble."""
        return {name: why for part in self._parts for name, why in part().items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a process is run in: when it stops, whom it tells, what it listens on."""

    stop: asyncio.Event
    announce: Announce
    metrics: Metrics = field(default_factory=Metrics)
    health: Health = field(default_factory=Health)
    doors: Doors = Doors()
    stage_ended: StageEnded = at_once


async def serve(settings: Settings, *, stop: asyncio.Event, announce: Announce) -> None:
    """Run a gateway of one process until `stop` is set. Raises ConfigError before anything is
    accepted.
    """
    settings.checked_for_serving()
    metrics, health = Metrics(), Health()
    ops_pages = Ops(health.gathered, metrics.scrape).application()
    async with listening(ops_pages, ops_address(settings)) as port:
        ops = f"http://{settings.ops_host}:{port}"
        around = Surroundings(
            stop=stop,
            announce=lambda heard: announce(replace(heard, ops=ops)),
            metrics=metrics,
            health=health,
        )
        await run(settings, around)


async def run(settings: Settings, around: Surroundings) -> None:
    """Be one process of a gateway until it is told to stop. Raises ConfigError as `serve` does."""
    metrics, supervisor = around.metrics, Supervisor()
    stores_trouble: dict[str, str | None] = {"stores": "not opened yet"}
    around.health.add(lambda: stores_trouble)
    around.health.add(supervisor.health)
    async with AsyncExitStack() as stack:
        stores = await _open_stores_patiently(settings, stack, stores_trouble, around.stop)
        if stores is None:
            return
        installing = await stack.enter_async_context(open_installing(settings, stores, metrics))
        public_door = replace(public_address(settings), sockets=around.doors.public)
        house = House(settings, stores, metrics, installing, public_door)
        adapters = await stack.enter_async_context(
            open_adapters(_options(settings), metrics, house.forms(), stores.budget)
        )
        outgoing = Outgoing(
            transport=await stack.enter_async_context(
                open_transport(settings.transport, per_host=settings.in_flight)
            ),
            probe=await stack.enter_async_context(open_health_probe(stores.seal.open)),
        )
        api_port = await _listen_to_agents(settings, stack, house.agent_api(adapters), around)
        directory = house.directory(adapters)
        stack.push_async_callback(directory.close)
        stages = house.stages(adapters, outgoing, directory)
        public = await house.listen_to_platforms(stack)
        around.health.add(house.health)
        agent_api = f"http://{settings.host}:{api_port}" if api_port else ""
        around.announce(Listening(agent_api=agent_api, public=public))
        heap.settle()
        await run_stages(stages, supervisor, around.stop, around.stage_ended)


async def _listen_to_agents(
    settings: Settings, stack: AsyncExitStack, api: AgentApi, around: Surroundings
) -> int | None:
    if Role.EGRESS not in settings.roles:
        return None
    return await stack.enter_async_context(
        listening(api.application(), replace(agents_address(settings), sockets=around.doors.agents))
    )


async def _open_stores_patiently(
    settings: Settings,
    stack: AsyncExitStack,
    trouble: dict[str, str | None],
    stop: asyncio.Event,
) -> Stores | None:
    wait_s = _FIRST_WAIT_S
    while not stop.is_set():
        try:
            stores = await stack.enter_async_context(open_stores(settings))
            weaknesses = await check_server(stores.redis, stores.confirmation)
        except StoreError as exc:
            trouble["stores"] = str(exc)
            log.warning("stores.unreachable", error=str(exc), next_try_s=wait_s)
        else:
            trouble["stores"] = None
            for weakness in weaknesses:
                log.warning("redis.weakness", detail=weakness)
            return stores
        try:
            async with asyncio.timeout(wait_s):
                await stop.wait()
        except TimeoutError:
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
    return None


def _options(settings: Settings) -> dict[Platform, SlackOptions]:
    if Platform.SLACK not in settings.platforms:
        return {}
    token = settings.slack_app_token
    return {
        Platform.SLACK: SlackOptions(
            app_token=token.get_secret_value() if token else "",
            api_base_url=settings.slack_api_base_url,
            signing_secrets=tuple(
                each.get_secret_value() for each in settings.slack_signing_secrets
            ),
            command_reply=settings.slack_command_reply,
            agent_view=settings.slack_agent_view,
            listens=settings.slack_mode != "http",
            is_called=settings.slack_mode != "socket",
        )
    }
