"""The composition root: the only file that knows every class. It wires, and decides nothing."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import structlog

from adapters.registry import Adapter, SlackOptions, open_adapters
from gateway.archive.connection import fetch_one
from gateway.archivist import Archivist
from gateway.core.deliveries import Direction
from gateway.core.errors import StoreError
from gateway.core.ids import Platform
from gateway.egress.inline import InlineReplies
from gateway.egress.outbox import Outbox
from gateway.egress.pace import Pace
from gateway.egress.submit import Submit
from gateway.engine.capacity import Capacity
from gateway.engine.ownership import MakeWorker, Ownership
from gateway.engine.worker import Attempt, ShardWorker, Workshop
from gateway.gauges import QueueGauges
from gateway.ingress import Ingress
from gateway.monitor import EndpointMonitor
from gateway.pulse import Pulse
from gateway.registry_watch import RegistryWatch
from gateway.retention import Retention
from gateway.settings import Role, Settings
from gateway.stages import Stage, run_stages
from gateway.store.auditlog import AuditLog
from gateway.store.connection import run_everywhere
from gateway.store.deliveries import DeliveryStore
from gateway.store.durability import check_server
from gateway.store.leases import ARCHIVE, BRIDGE, EGRESS, MONITOR, LeaseStore
from gateway.store.wake import wakes
from gateway.stores import Stores, open_stores
from gateway.supervisor import Run, Supervisor
from gateway.telemetry.metrics import Metrics
from gateway.web.agent_api import AgentApi
from gateway.web.messages import MessageOperations
from gateway.web.ops import Ops
from gateway.web.server import listening
from plugin_bridge.bridge import Bridge
from plugin_bridge.health import HealthProbe, open_health_probe
from plugin_bridge.opening import open_transport
from plugin_bridge.transport import Transport
from plugin_bridge.wire import encode

log = structlog.get_logger()

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the gateway can be reached."""

    agent_api: str
    ops: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """How containers are reached."""

    transport: Transport
    probe: HealthProbe


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
        house = _House(settings, stores, metrics)
        adapters = await stack.enter_async_context(open_adapters(_options(settings), metrics))
        outgoing = Outgoing(
            transport=await stack.enter_async_context(
                open_transport(settings.transport, per_host=settings.in_flight)
            ),
            probe=await stack.enter_async_context(open_health_probe()),
        )
        api_port = await _listen_to_agents(settings, stack, house.agent_api(adapters))
        stages = house.stages(adapters, outgoing)
        health.append(house.health)
        announce(
            Listening(
                agent_api=f"http://{settings.host}:{api_port}" if api_port else "",
                ops=f"http://{settings.ops_host}:{ops_port}",
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
        )
    }


class _House:
    """Makes the rooms out of the stores. Constructor arguments are the only wiring."""

    def __init__(self, settings: Settings, stores: Stores, metrics: Metrics) -> None:
        self._settings = settings
        self._stores = stores
        self._metrics = metrics
        self._deliveries = DeliveryStore(
            stores.redis, settings.shards, confirmation=stores.confirmation
        )
        # New at every start: a restarted process must not own what its past self held.
        owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._leases = LeaseStore(stores.redis, owner=owner, ttl_s=settings.lease_s)
        self._ownerships: dict[str, Ownership] = {}
        self._pulse = Pulse({"redis": self._ping_redis, "postgres": self._ping_postgres}, metrics)
        self._sources: dict[str, Adapter] = {}

    def health(self) -> dict[str, str | None]:
        """Gather what every room says of itself."""
        return {
            **self._pulse.health(),
            **{f"leases of {role}": each.health() for role, each in self._ownerships.items()},
            **{name: each.source.health() for name, each in self._sources.items()},
        }

    def submit(self, adapters: dict[Platform, Adapter]) -> Submit:
        """Make what takes agents' messages."""
        outlets = {platform: each.outlet for platform, each in adapters.items()}
        return Submit(self._stores.lookup.resolve, self._deliveries, outlets, self._metrics)

    def agent_api(self, adapters: dict[Platform, Adapter]) -> AgentApi:
        """Make the agents' listener."""
        messages = MessageOperations(self.submit(adapters))
        return AgentApi(
            self._stores.lookup.tenant_of_key,
            lambda _: None,
            messages.operations(),
            self._metrics,
        )

    def stages(self, adapters: dict[Platform, Adapter], outgoing: Outgoing) -> Sequence[Stage]:
        """Make every worker of this process's roles, in the order in which they stop."""
        make = {
            Role.INGRESS: lambda: self._intake(adapters),
            Role.BRIDGE: lambda: self._bridge(adapters, outgoing),
            Role.EGRESS: lambda: self._egress(adapters),
        }
        roles = [role for role in Role if role in self._settings.roles]
        return [*(make[role]() for role in roles), self._archive(), self._upkeep()]

    def _intake(self, adapters: dict[Platform, Adapter]) -> Stage:
        ingress = Ingress(self._stores.lookup.resolve, self._deliveries, encode, self._metrics)
        self._sources = {platform.value: each for platform, each in adapters.items()}
        return {
            name: partial(each.source.run, ingress.accept) for name, each in self._sources.items()
        }

    def _bridge(self, adapters: dict[Platform, Adapter], outgoing: Outgoing) -> Stage:
        replies = InlineReplies(self.submit(adapters))
        bridge = Bridge(outgoing.transport, self._stores.seal.open, replies)
        breakers = self._stores.breakers
        run_monitor = self._own(
            MONITOR,
            lambda lease: EndpointMonitor(lease, breakers, outgoing.probe, self._metrics),
        )
        run_bridge = self._own(BRIDGE, self._shard_workers(bridge.attempt))
        return {"bridge": run_bridge, "monitor": run_monitor}

    def _egress(self, adapters: dict[Platform, Adapter]) -> Stage:
        outlets = {platform: each.outlet for platform, each in adapters.items()}
        pace = Pace(self._settings.slack_posts_per_s)
        stores = self._stores
        outbox = Outbox(stores.lookup, stores.seal, outlets, pace, self._metrics)
        return {"egress": self._own(EGRESS, self._shard_workers(outbox.attempt))}

    def _archive(self) -> Stage:
        audit_log, archive = AuditLog(self._stores.redis), self._stores.archive
        run_archive = self._own(
            ARCHIVE, lambda lease: Archivist(lease, audit_log, archive, self._metrics)
        )
        return {"archive": run_archive}

    def _upkeep(self) -> Stage:
        stores, settings = self._stores, self._settings
        return {
            "wake": self._pass_wakes_on,
            "pulse": self._pulse.run,
            "gauges": QueueGauges(stores.redis, settings.shards, self._metrics).run,
            "retention": Retention(stores.pool, settings.retention_months).run,
            "registry": RegistryWatch(stores.lookup, stores.provisioning).run,
        }

    def _own(self, role: str, make_worker: MakeWorker) -> Run:
        self._ownerships[role] = Ownership(
            self._leases,
            make_worker,
            self._metrics,
            role=role,
            shards=self._settings.shards,
            lease_s=self._settings.lease_s,
        )
        return self._ownerships[role].run

    def _shard_workers(self, attempt: Attempt) -> MakeWorker:
        workshop = Workshop(
            store=self._deliveries,
            attempt=attempt,
            capacity=Capacity(self._settings.in_flight),
            metrics=self._metrics,
            stop_deadline_s=self._settings.stop_deadline_s,
        )
        return lambda lease: ShardWorker(lease, workshop)

    async def _pass_wakes_on(self) -> None:
        roles = {Direction.INBOUND: BRIDGE, Direction.OUTBOUND: EGRESS}
        for owner in self._ownerships.values():
            owner.wake_all()
        async for direction, shard in wakes(self._stores.redis):
            ours = self._ownerships.get(roles[direction])
            if ours is not None:
                ours.wake(shard)

    async def _ping_redis(self) -> None:
        await run_everywhere(self._stores.redis, "PING")

    async def _ping_postgres(self) -> None:
        await fetch_one(self._stores.pool, "SELECT 1")
