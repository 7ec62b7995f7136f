"""The rooms of the gateway, each made of the classes that it needs. Wires, and decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

from adapters.registry import Adapter
from gateway.archive.connection import fetch_one
from gateway.archive.files import FileStore
from gateway.archivist import Archivist
from gateway.bridging import Outgoing
from gateway.core.clock import utc_now
from gateway.core.deliveries import Direction
from gateway.core.ids import Platform
from gateway.core.ports import Accept, People, Source
from gateway.core.retry import RetryPolicy
from gateway.egress.desk import Desk, Ground
from gateway.egress.inline import InlineReplies
from gateway.egress.outbox import EDITS_PER_S, OUTBOUND_RETRY, Paces
from gateway.egress.pace import Pace
from gateway.engine.capacity import Capacity
from gateway.engine.ownership import MakeWorker, Ownership
from gateway.engine.worker import Attempt, ShardWorker, Workshop
from gateway.files import AttachmentTokens, Files
from gateway.forms import KeptForms
from gateway.gauges import QueueGauges
from gateway.ingress import Ingress
from gateway.installing import Installing
from gateway.missed import Memory
from gateway.people import Directory
from gateway.pulse import Pulse
from gateway.recovery import Recovery, Ways
from gateway.registry_watch import RegistryWatch
from gateway.retention import Retention
from gateway.scoped_tokens import LABEL as REPLY_TOKENS
from gateway.scoped_tokens import ScopedTokens
from gateway.settings import Role, Settings
from gateway.stages import Stage
from gateway.store.auditlog import AuditLog
from gateway.store.cursors import Cursors
from gateway.store.deliveries import DeliveryStore
from gateway.store.durability import check_room
from gateway.store.leases import ARCHIVE, BRIDGE, EGRESS, MONITOR, Lease, LeaseStore, new_owner
from gateway.store.ledger import Ledger
from gateway.store.places import PlaceNotes
from gateway.store.wake import wakes
from gateway.stores import Stores
from gateway.supervisor import Run
from gateway.telemetry.metrics import Metrics
from gateway.web.agent_api import AgentApi
from gateway.web.files import FileOperations
from gateway.web.messages import MessageOperations
from gateway.web.operations import Caller
from gateway.web.presence import PresenceOperations
from gateway.web.public import PublicListener
from gateway.web.server import Address
from gateway.web.streams import StreamOperations
from plugin_bridge.wire import encode


class House:
    """Makes the rooms out of the stores. Constructor arguments are the only wiring."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        metrics: Metrics,
        installing: Installing,
        public: Address,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._metrics = metrics
        self._installing = installing
        self._deliveries = DeliveryStore(
            stores.redis, settings.shards, confirmation=stores.confirmation
        )
        self._leases = LeaseStore(stores.redis, owner=new_owner(), ttl_s=settings.lease_s)
        self._ownerships: dict[str, Ownership] = {}
        self._pulse = Pulse(
            {
                "redis": lambda: check_room(stores.redis),
                "postgres": lambda: fetch_one(stores.pool, "SELECT 1"),
            },
            metrics,
        )
        self._sources: dict[str, Source] = {}
        self._public: PublicListener | None = None
        self._public_address = public
        self._made_desk: Desk | None = None
        self._tokens = ScopedTokens(stores.pepper.derived(REPLY_TOKENS))
        self._encode = partial(encode, name_file=AttachmentTokens(stores.seal).token)

    def health(self) -> dict[str, str | None]:
        """Gather what every room says of itself."""
        return {
            **self._pulse.health(),
            **{f"leases of {role}": each.health() for role, each in self._ownerships.items()},
            **{name: each.health() for name, each in self._sources.items()},
        }

    def desk(self, adapters: dict[Platform, Adapter]) -> Desk:
        """Make what takes agents' requests: one of them, for what is shown of an agent's typing
        ends with what is posted.
        """
        if self._made_desk is None:
            stores = self._stores
            ground = Ground(
                redis=stores.redis,
                shards=self._settings.shards,
                lookup=stores.lookup,
                seal=stores.seal,
                deliveries=self._deliveries,
                files=FileStore(stores.pool),
                metrics=self._metrics,
                refused=self._installing.suspicions.refused,
                # Of what we learn ourselves, as if the platform had sent it.
                hear=Ingress(stores.lookup, self._deliveries, self._encode, self._metrics).accept,
            )
            outlets = {platform: each.outlet for platform, each in adapters.items()}
            self._made_desk = Desk(ground, outlets)
        return self._made_desk

    def agent_api(self, adapters: dict[Platform, Adapter]) -> AgentApi:
        """Make the agents' listener."""
        stores, desk = self._stores, self.desk(adapters)
        outlets = {name: each.outlet for name, each in adapters.items()}
        messages = MessageOperations(desk.submit, desk.changes, desk.proactive, desk.ledger.status)
        streams = StreamOperations(desk.streaming, desk.ledger.status)
        presence = PresenceOperations(
            desk.typing, {name: each.capabilities for name, each in outlets.items()}
        )
        kept = FileStore(stores.pool)
        files = Files(
            kept, stores.lookup, stores.seal, outlets, self._deliveries.record, self._metrics
        )
        file_operations = FileOperations(kept.keep, files.open)
        every = (messages, streams, presence, file_operations)
        return AgentApi(
            stores.lookup.holder_of_key,
            self._holder,
            [operation for each in every for operation in each.operations()],
            self._metrics,
        )

    def _holder(self, token: str) -> Caller | None:
        scope = self._tokens.read(token, utc_now())
        return None if scope is None else Caller(tenant=scope.tenant, scope=scope.conversation)

    def stages(
        self, adapters: dict[Platform, Adapter], outgoing: Outgoing, directory: Directory
    ) -> Sequence[Stage]:
        """Make every worker of this process's roles, in the order in which they stop."""
        make = {
            Role.INGRESS: lambda: self._intake(adapters, directory),
            Role.BRIDGE: lambda: self._bridge(adapters, outgoing),
            Role.EGRESS: lambda: self._egress(adapters),
        }
        # All processes count the same stages: that of a role which is another's is empty.
        ours = [make[role]() if role in self._settings.roles else {} for role in Role]
        return [*ours, self._archive(), self._upkeep()]

    def forms(self) -> KeptForms:
        """Make what finds forms that are to be opened."""
        stores = self._stores
        ledger = Ledger(stores.redis, self._settings.shards)
        return KeptForms(stores.lookup, stores.seal, ledger, self._deliveries)

    async def listen_to_platforms(self, stack: AsyncExitStack) -> str:
        """Open the listener that platforms call, if one does; return its address, else "".

        Raises ConfigError.
        """
        if self._public is None:
            return ""
        stack.push_async_callback(self._public.close)
        return await self._public.open()

    def directory(self, adapters: dict[Platform, Adapter]) -> Directory:
        """Make what knows people, on the platforms that can be asked."""
        senders = {platform: each.outlet.sender for platform, each in adapters.items()}
        people = {name: each for name, each in senders.items() if isinstance(each, People)}
        return Directory(self._stores.lookup, self._stores.seal, people)

    def _intake(self, adapters: dict[Platform, Adapter], directory: Directory) -> Stage:
        stores = self._stores
        heard = PlaceNotes(stores.redis, self._settings.shards).heard
        ingress = Ingress(
            stores.lookup,
            self._deliveries,
            self._encode,
            self._metrics,
            directory.fill,
            heard,
        )
        self._sources = {name.value: each.source for name, each in adapters.items() if each.source}
        accept = self._installing.suspicions.watching(ingress.accept)
        recovery = self._recovery(adapters, accept) if self._settings.recovers else None
        accept = accept if recovery is None else recovery.accept
        stage: dict[str, Run] = {
            name: partial(each.run, accept) for name, each in self._sources.items()
        }
        if recovery is not None:
            stage |= {"gaps": recovery.watch, "recovery": recovery.run}
        webhooks = [each for adapter in adapters.values() for each in adapter.webhooks]
        routes = [route for each in webhooks for route in each.routes(accept)]
        routes += self._installing.routes
        if not routes:
            return stage
        self._public = PublicListener(routes, self._public_address)
        return stage | {"public": self._public.run}

    def _recovery(self, adapters: dict[Platform, Adapter], accept: Accept) -> Recovery:
        stores = self._stores
        cursors = Cursors(stores.redis, self._settings.shards)
        memory = Memory(stores.lookup, stores.seal, cursors)
        ways = {
            name: Ways(each.recalls, each.source)
            for name, each in adapters.items()
            if each.recalls is not None
        }
        return Recovery(memory, ways, accept, self._metrics)

    def _bridge(self, adapters: dict[Platform, Adapter], outgoing: Outgoing) -> Stage:
        replies = InlineReplies(self.desk(adapters).submit)
        bridge = outgoing.bridge(self._stores.seal, replies, self._tokens.issue)
        run_monitor = self._own(MONITOR, outgoing.monitors(self._stores.breakers, self._metrics))
        run_bridge = self._own(BRIDGE, self._shard_workers(lambda _: bridge.attempt))
        return {"bridge": run_bridge, "monitor": run_monitor}

    def _egress(self, adapters: dict[Platform, Adapter]) -> Stage:
        paces = Paces(posts=Pace(self._settings.slack_posts_per_s), edits=Pace(EDITS_PER_S))
        desk = self.desk(adapters)
        attempt = desk.outbox(paces).attempt
        workers = self._shard_workers(
            lambda lease: partial(attempt, sure=lease.is_sure), OUTBOUND_RETRY
        )
        return {
            "egress": self._own(EGRESS, workers),
            "typing": desk.typing.run,
            "streams": desk.sweep.run,
        }

    def _archive(self) -> Stage:
        log, archive = AuditLog(self._stores.redis), self._stores.archive
        make = partial(Archivist, log=log, archive=archive, metrics=self._metrics)
        return {"archive": self._own(ARCHIVE, make)}

    def _upkeep(self) -> Stage:
        stores, settings = self._stores, self._settings
        return {
            "wake": self._pass_wakes_on,
            "pulse": self._pulse.run,
            "gauges": QueueGauges(stores.redis, settings.shards, self._metrics).run,
            "retention": Retention(stores.pool, settings.retention_months).run,
            "registry": RegistryWatch(stores.lookup, stores.provisioning, stores.departed).run,
            **self._installing.stage,
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

    def _shard_workers(
        self, attempt_under: Callable[[Lease], Attempt], retry: RetryPolicy | None = None
    ) -> MakeWorker:
        capacity = Capacity(self._settings.in_flight)

        def workshop(lease: Lease) -> Workshop:
            return Workshop(
                store=self._deliveries,
                attempt=attempt_under(lease),
                capacity=capacity,
                metrics=self._metrics,
                stop_deadline_s=self._settings.stop_deadline_s,
                retry=retry,
            )

        return lambda lease: ShardWorker(lease, workshop(lease))

    async def _pass_wakes_on(self) -> None:
        roles = {Direction.INBOUND: BRIDGE, Direction.OUTBOUND: EGRESS}
        for owner in self._ownerships.values():
            owner.wake_all()
        async for direction, shard in wakes(self._stores.redis):
            ours = self._ownerships.get(roles[direction])
            if ours is not None:
                ours.wake(shard)
