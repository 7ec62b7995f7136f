"""Takes platform events in: decide, commit, and only then let the platform be acknowledged.

The one ordered path: events of one conversation are decided and committed one after the other, in
the order in which they came; a pool of connections would reorder them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.conversations import ConversationRef
from gateway.core.decisions import Decision, Dropped, Routed
from gateway.core.deliveries import Direction, NewDelivery, Receipt
from gateway.core.errors import QueueFullError
from gateway.core.events import RECOVERED, EventKind, InboundEvent, Installation
from gateway.core.ids import ConversationId, TenantId, WorkspaceId, new_delivery_id
from gateway.core.tenants import Binding
from gateway.memory import memory_of_dropped, memory_of_routed
from gateway.store.deliveries import Commit, DeliveryStore
from gateway.store.premises import Premise
from gateway.store.tenants import TenantLookup
from gateway.telemetry.logs import wide_event
from gateway.telemetry.metrics import Metrics
from routing.pipeline import decide, route

Encode = Callable[[Routed], bytes]
Enrich = Callable[[Binding, InboundEvent], Awaitable[InboundEvent]]
"""Add what an event lacks of its sender. Never raises, and is soon done: an ack waits for it."""
NoteHeard = Callable[[TenantId, ConversationRef, WorkspaceId], Awaitable[None]]
"""Note in which workspace of an organisation a conversation was heard of. Raises StoreError."""


class Turns:
    """First come, first served, per conversation. An idle conversation costs nothing."""

    def __init__(self) -> None:
        self._last: dict[ConversationId, asyncio.Future[None]] = {}

    def of(self, conversation: ConversationId) -> Turn:
        """Wait for everybody who came before, then have the turn: `async with turns.of(...)`."""
        return Turn(self._last, conversation)


class Turn:
    """One of a conversation. Not a generator: this is entered and left with every event."""

    __slots__ = ("_before", "_conversation", "_last", "_mine")

    def __init__(
        self, last: dict[ConversationId, asyncio.Future[None]], conversation: ConversationId
    ) -> None:
        self._last = last
        self._conversation = conversation

    async def __aenter__(self) -> None:
        self._before = self._last.get(self._conversation)
        self._mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._last[self._conversation] = self._mine
        if self._before is not None:
            try:
                # Shielded: a waiter that is cancelled must not cancel the turn it waits for.
                await asyncio.shield(self._before)
            except BaseException:
                self._leave()
                raise

    async def __aexit__(self, *_fault: object) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._before is None or self._before.done():
            self._end()
        else:
            # Cancelled before its turn: those behind it still wait for those before it.
            self._before.add_done_callback(lambda _: self._end())

    def _end(self) -> None:
        self._mine.set_result(None)
        if self._last.get(self._conversation) is self._mine:
            del self._last[self._conversation]


class Ingress:
    """`accept` is what every adapter calls, and all that it may call."""

    def __init__(
        self,
        lookup: TenantLookup,
        store: DeliveryStore,
        encode: Encode,
        metrics: Metrics,
        enrich: Enrich | None = None,
        note_heard: NoteHeard | None = None,
    ) -> None:
        self._lookup = lookup
        self._store = store
        self._encode = encode
        self._metrics = metrics
        self._enrich = enrich
        self._note_heard = note_heard
        self._turns = Turns()

    async def accept(self, event: InboundEvent) -> None:
        """Decide and commit. Raises StoreError or QueueFullError when nothing is stored (law 1)."""
        platform = event.conversation.platform
        self._metrics.events_received.labels(platform, event.kind).inc()
        started = time.perf_counter()
        async with self._turns.of(event.conversation.id):
            decision, receipt = await self._decide_and_commit(event)
        took_s = time.perf_counter() - started
        self._metrics.routing_duration.labels(platform).observe(took_s)
        self._tell(event, decision, receipt, took_s)
        if receipt is Receipt.FULL:
            raise QueueFullError("the tenant's queue is full")

    async def _decide_and_commit(self, event: InboundEvent) -> tuple[Decision, Receipt | None]:
        ref = event.conversation
        if (recalled := self._lookup.recall(ref.platform, ref.workspace)) is not None:
            decision = await route(event, recalled.binding)
            receipt = await self._commit(event, decision, recalled.premise)
            if receipt is not Receipt.MOVED:
                return decision, receipt
        decision = await decide(event, self._lookup.resolve)
        return decision, await self._commit(event, decision)

    async def _commit(
        self, event: InboundEvent, decision: Decision, premise: Premise | None = None
    ) -> Receipt | None:
        match decision:
            case Dropped():
                record, memory = (
                    _dropped_record(event, decision),
                    memory_of_dropped(event, decision),
                )
                return None if await self._store.drop(record, memory, premise) else Receipt.MOVED
            case Routed():
                # Unchecked as yet, a binding that was recalled is of the event's own workspace, of
                # which nothing is noted.
                await self._heard(event, decision)
                return await self._commit_routed(await self._enriched(decision), premise)

    async def _heard(self, event: InboundEvent, routed: Routed) -> None:
        # What came by an organisation may be answered without asking the platform whose it is.
        # Messages alone: where a button was pressed, the platform tells less surely.
        ref, workspace = routed.event.conversation, event.conversation.workspace
        is_message = event.kind is EventKind.MESSAGE_CREATED
        if is_message and workspace != ref.workspace and self._note_heard is not None:
            await self._note_heard(routed.binding.tenant.id, ref, workspace)

    async def _enriched(self, routed: Routed) -> Routed:
        if self._enrich is None:
            return routed
        event = await self._enrich(routed.binding, routed.event)
        return routed if event is routed.event else msgspec.structs.replace(routed, event=event)

    async def _commit_routed(self, routed: Routed, premise: Premise | None) -> Receipt:
        # The routed event, not the one that came in: its address is in terms of the binding.
        tenant, event = routed.binding.tenant, routed.event
        delivery_id = new_delivery_id()
        audit = _routed_record(routed, delivery_id)
        committed = await self._store.commit(
            Commit(
                tenant=tenant.id,
                direction=Direction.INBOUND,
                conversation=event.conversation.id,
                deliveries=(NewDelivery(id=delivery_id, payload=self._encode(routed)),),
                audit=audit,
                limits=tenant.limits,
                dedupe_keys=scoped_keys(event),
                dedupe_value=delivery_id,
                metered=True,
                memory=memory_of_routed(routed),
                premise=premise,
            )
        )
        if committed.receipt is Receipt.FULL:
            # Nothing was stored; but if the platform gives up, somebody will ask for its event.
            refused = msgspec.structs.replace(audit, delivery_id="", outcome=Receipt.FULL)
            await self._store.record(refused)
        if committed.receipt is Receipt.DUPLICATE:
            self._metrics.dedupe_hits.labels(Direction.INBOUND).inc()
        return committed.receipt

    def _tell(
        self, event: InboundEvent, decision: Decision, receipt: Receipt | None, took_s: float
    ) -> None:
        platform = event.conversation.platform
        if isinstance(decision, Dropped):
            outcome, reason, tenant = "dropped", decision.reason.value, decision.tenant
        else:
            outcome, reason = (receipt or Receipt.ACCEPTED).value, ""
            tenant = decision.binding.tenant.id
        bound = "unbound" if reason == "unbound_workspace" else "bound"
        self._metrics.tenant_resolve.labels(bound).inc()
        self._metrics.events_routed.labels(platform, outcome, reason).inc()
        wide_event(
            "event.handled",
            platform=platform,
            workspace=event.conversation.workspace,
            conversation=event.conversation.id,
            event_id=event.id,
            kind=event.kind,
            tenant_id=tenant,
            outcome=outcome,
            reason=reason,
            retry=event.retry,
            took_s=round(took_s, 4),
        )


def scoped_keys(event: InboundEvent) -> tuple[str, ...]:
    """Name an event of a binding's workspace as the store remembers it."""
    # The store scopes by tenant; a tenant may own several workspaces that count alike.
    ref = event.conversation
    return tuple(f"{ref.platform}:{ref.workspace}:{key}" for key in event.dedupe_keys)


def _routed_record(routed: Routed, delivery_id: str) -> AuditRecord:
    event = routed.event
    return AuditRecord(
        tenant=routed.binding.tenant.id,
        action=AuditAction.EVENT_ROUTED,
        platform=event.conversation.platform,
        workspace=event.conversation.workspace,
        conversation=event.conversation.id,
        event_id=event.id,
        delivery_id=delivery_id,
        direction=Direction.INBOUND,
        agent=routed.agent,
        detail=_detail(event),
        trail=routed.trail,
    )


def _detail(event: InboundEvent) -> str:
    if event.platform_kind.startswith(RECOVERED):
        return RECOVERED
    # An operator who looks for the day on which a workspace took its consent back finds it here.
    return event.detail.change.value if isinstance(event.detail, Installation) else ""


def _dropped_record(event: InboundEvent, dropped: Dropped) -> AuditRecord:
    return AuditRecord(
        tenant=dropped.tenant,
        action=AuditAction.EVENT_DROPPED,
        outcome="dropped",
        reason=dropped.reason,
        platform=event.conversation.platform,
        workspace=event.conversation.workspace,
        conversation=event.conversation.id,
        event_id=event.id,
        direction=Direction.INBOUND,
        detail=event.platform_kind,
        trail=dropped.trail,
    )
