"""Events, tenants and bindings to route; every argument overrides a field."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.events import EventKind, InboundEvent, Sender
from gateway.core.ids import EventId, Platform, TenantId, WorkspaceId
from gateway.core.tenants import Binding, Tenant
from routing.steps.tenant import Resolve

TEAM = WorkspaceId("T0AAAA")
ORGANISATION = WorkspaceId("E0AAAA")
CHANNEL = "C0AAAA"
USER = "U0ANNA"
AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def conversation(
    workspace: WorkspaceId = TEAM, channel: str = CHANNEL, thread: str | None = "1700000000.000100"
) -> ConversationRef:
    """A thread in a channel of Slack."""
    return ConversationRef(
        platform=Platform.SLACK, workspace=workspace, channel=channel, thread=thread
    )


_MENTION = InboundEvent(
    id=EventId("Ev0AAAA"),
    kind=EventKind.MESSAGE_CREATED,
    conversation=conversation(),
    conversation_kind=ConversationKind.CHANNEL,
    sender=Sender(id=USER, name="anna"),
    message_id="1700000000.000100",
    dedupe_keys=("Ev0AAAA",),
    received_at=AT,
    text="hello",
    mentioned=True,
    mentions=("U0BOT",),
)


def event(**fields: object) -> InboundEvent:
    """A mention in a channel, which every tenant's defaults let through."""
    return msgspec.structs.replace(_MENTION, **fields)


def tenant(**fields: object) -> Tenant:
    """A tenant with every default."""
    return msgspec.structs.replace(Tenant(id=TenantId("acme")), **fields)


def binding(owner: Tenant | None = None, workspace: WorkspaceId = TEAM) -> Binding:
    """A workspace of a tenant's."""
    return Binding(tenant=owner or tenant(), platform=Platform.SLACK, workspace=workspace, epoch=7)


def registry_of(*bindings: Binding) -> Resolve:
    """A look-up that knows exactly these, first candidate first, as the store's does."""
    known = {(each.platform, each.workspace): each for each in bindings}

    async def resolve(platform: Platform, candidates: Sequence[WorkspaceId]) -> Binding | None:
        found = (known.get((platform, candidate)) for candidate in candidates)
        return next((each for each in found if each is not None), None)

    return resolve
