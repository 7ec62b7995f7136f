"""The composition root: opens what the house stands on, in order, and runs what it is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from adapters.registry import SlackOptions, open_adapters
from gateway.bridging import Outgoing
from gateway.core.errors import StoreError
from gateway.core.ids import Platform
from gateway.house import House
from gateway.installing import open_installing
from gateway.settings import Role, Settings
from gateway.stages import run_stages
from gateway.store.durability import check_server
from gateway.stores import Stores, open_stores
from gateway.supervisor import Supervisor
from gateway.telemetry.metrics import Metrics
from gateway.web.agent_api import AgentApi
from gateway.web.ops import Ops
from gateway.web.server import listening
from plugin_bridge.health import open_health_probe
from plugin_bridge.opening import open_transport

log = structlog.get_logger()

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the gateway can be reached."""

    agent_api: str
    ops: str
    public: str = ""
    """Where platforms call, when one does."""


Announce = Callable[[Listening], None]


async def serve(settings: Settings, *, stop: asyncio.Event, announce: Announce) -> None:
    """Run the gateway until `stop` is set. Raises ConfigError before anything is accepted."""
    settings.checked_for_serving()
    metrics, supervisor = Metrics(), Supervisor()
    stores_trouble: dict[str, str | None] = {"stores": "not opened yet"}
    health: list[Callable[[], dict[str, str | None]]] = [lambda: stores_trouble, supervisor.health]
    ops = Ops(lambda: {name: why for part in health for name, why in part().items()}, metrics)
    async with AsyncExitStack() as stack:
        ops_port = await stack.enter_async_context(
            listening(
                ops.application(), settings.ops_host, settings.ops_port, setting="GATEWAY_OPS_PORT"
            )
        )
        stores = await _open_stores_patiently(settings, stack, stores_trouble, stop)
        if stores is None:
            return
        installing = await stack.enter_async_context(open_installing(settings, stores, metrics))
        house = House(settings, stores, metrics, installing)
        adapters = await stack.enter_async_context(
            open_adapters(_options(settings), metrics, house.forms(), stores.budget)
        )
        outgoing = Outgoing(
            transport=await stack.enter_async_context(
                open_transport(settings.transport, per_host=settings.in_flight)
            ),
            probe=await stack.enter_async_context(open_health_probe(stores.seal.open)),
        )
        api_port = await _listen_to_agents(settings, stack, house.agent_api(adapters))
        directory = house.directory(adapters)
        stack.push_async_callback(directory.close)
        stages = house.stages(adapters, outgoing, directory)
        public = await house.listen_to_platforms(stack)
        health.append(house.health)
        announce(
            Listening(
                agent_api=f"http://{settings.host}:{api_port}" if api_port else "",
                ops=f"http://{settings.ops_host}:{ops_port}",
                public=public,
            )
        )
        await run_stages(stages, supervisor, stop)


async def _listen_to_agents(settings: Settings, stack: AsyncExitStack, api: AgentApi) -> int | None:
    if Role.EGRESS not in settings.roles:
        return None
    return await stack.enter_async_context(
        listening(api.application(), settings.host, settings.port, setting="GATEWAY_PORT")
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
