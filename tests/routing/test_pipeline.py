"""Where events go, and the trail of how it was decided."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from gateway.core.conversations import ConversationKind
from gateway.core.decisions import Dropped, DropReason, Routed
from gateway.core.errors import StoreError
from gateway.core.events import EventKind, InboundEvent, Sender
from gateway.core.ids import UNROUTED, AgentId, Platform, TenantId, WorkspaceId
from gateway.core.tenants import AccessPolicy, Agents, Binding, Tenant, TenantStatus
from routing.context import RoutingContext
from routing.pipeline import STEPS, decide
from routing.steps.agent import choose_agent
from routing.steps.guards import guard
from routing.steps.policy import apply_policy
from tests.routing.factories import (
    CHANNEL,
    ORGANISATION,
    TEAM,
    USER,
    binding,
    conversation,
    event,
    registry_of,
    tenant,
)

_TENANT = "tenant: acme epoch 7"
_GUARDS = "guards: passed"


async def _decide(said: InboundEvent, access: AccessPolicy | None = None) -> Routed | Dropped:
    owner = tenant(access=access or AccessPolicy())
    return await decide(said, registry_of(binding(owner)))


def _dropped(reason: DropReason, *trail: str, by: Tenant | None = None) -> Dropped:
    owner = by or tenant()
    return Dropped(reason=reason, tenant=owner.id, trail=(_TENANT, *trail), binding=binding(owner))


@pytest.mark.parametrize(
    ("sender", "kind", "reason"),
    [
        (Sender(id="U0BOT", is_bot=True, is_self=True), "message.created", DropReason.OWN_MESSAGE),
        (Sender(id="U0BOT", is_self=True), "message.created", DropReason.OWN_MESSAGE),
        (Sender(id="B0AAAA", is_bot=True), "message.created", DropReason.BOT_MESSAGE),
        (Sender(id=USER), "unsupported", DropReason.UNSUPPORTED_KIND),
    ],
)
async def test_guards_hold_whatever_the_tenant_allows(
    sender: Sender, kind: str, reason: DropReason
) -> None:
    """Loops of bots and what the protocol cannot carry, even in an open tenant."""
    said = event(sender=sender, kind=EventKind(kind))

    access = AccessPolicy(require_mention=False)
    decision = await _decide(said, access)

    assert _dropped(reason, f"guards: {reason.value}", by=tenant(access=access)) == decision


async def test_a_suspended_tenant_gets_nothing() -> None:
    """The record of it is the tenant's own."""
    owner = tenant(status=TenantStatus.SUSPENDED)

    decision = await decide(event(), registry_of(binding(owner)))

    expected = _dropped(DropReason.TENANT_SUSPENDED, "guards: tenant_suspended", by=owner)
    assert expected == decision


@pytest.mark.parametrize(
    ("access", "changes", "reason"),
    [
        (AccessPolicy(allowed_users=("U0BERT",)), {}, DropReason.USER_NOT_ALLOWED),
        (
            AccessPolicy(allowed_users=("U0BERT",)),
            {"conversation_kind": ConversationKind.DIRECT},
            DropReason.USER_NOT_ALLOWED,
        ),
        (
            AccessPolicy(direct_messages=False, require_mention=False),
            {"conversation_kind": ConversationKind.DIRECT},
            DropReason.DIRECT_MESSAGES_OFF,
        ),
        (AccessPolicy(allowed_channels=("C0OTHER",)), {}, DropReason.CHANNEL_NOT_ALLOWED),
        (
            AccessPolicy(allowed_channels=("C0OTHER",), channels_without_mention=(CHANNEL,)),
            {},
            DropReason.CHANNEL_NOT_ALLOWED,
        ),
        (AccessPolicy(), {"mentioned": False}, DropReason.NOT_MENTIONED),
        (
            AccessPolicy(),
            {"mentioned": False, "conversation_kind": ConversationKind.GROUP},
            DropReason.NOT_MENTIONED,
        ),
        (
            AccessPolicy(channels_without_mention=("C0OTHER",)),
            {"mentioned": False},
            DropReason.NOT_MENTIONED,
        ),
        (
            AccessPolicy(),
            {"mentioned": False, "kind": EventKind.MESSAGE_UPDATED},
            DropReason.NOT_MENTIONED,
        ),
        (
            AccessPolicy(allowed_channels=("C0OTHER",)),
            {"mentioned": False, "kind": EventKind.MESSAGE_DELETED},
            DropReason.CHANNEL_NOT_ALLOWED,
        ),
    ],
)
async def test_the_policy_of_the_tenant_drops(
    access: AccessPolicy, changes: dict[str, object], reason: DropReason
) -> None:
    """Every reason with its trail: tenant, guards, then the policy that said no."""
    decision = await _decide(event(**changes), access)

    owner = tenant(access=access)
    assert _dropped(reason, _GUARDS, f"policy: {reason.value}", by=owner) == decision


@pytest.mark.parametrize(
    ("access", "changes", "note"),
    [
        (AccessPolicy(), {}, "policy: mentioned"),
        (AccessPolicy(allowed_users=(USER,), allowed_channels=(CHANNEL,)), {}, "policy: mentioned"),
        (AccessPolicy(require_mention=False), {"mentioned": False}, "policy: open channel"),
        (
            AccessPolicy(channels_without_mention=(CHANNEL,)),
            {"mentioned": False},
            "policy: open channel",
        ),
        (
            AccessPolicy(allowed_channels=("C0OTHER",)),
            {"mentioned": False, "conversation_kind": ConversationKind.DIRECT},
            "policy: direct message",
        ),
        (
            AccessPolicy(),
            {"mentioned": False, "kind": EventKind.MESSAGE_DELETED},
            "policy: no mention needed",
        ),
    ],
)
async def test_the_policy_of_the_tenant_lets_through(
    access: AccessPolicy, changes: dict[str, object], note: str
) -> None:
    """A direct message needs neither a mention nor a listed channel."""
    said = event(**changes)

    decision = await _decide(said, access)

    assert isinstance(decision, Routed)
    assert said == decision.event
    assert (_TENANT, _GUARDS, note, "agent: default") == decision.trail


async def test_an_unbound_workspace_fails_closed() -> None:
    """No tenant, no route; the record belongs to the pseudo-tenant."""
    elsewhere = binding(workspace=WorkspaceId("T0OTHER"))

    decision = await decide(event(), registry_of(elsewhere))

    expected = Dropped(
        reason=DropReason.UNBOUND_WORKSPACE, tenant=UNROUTED, trail=("tenant: unbound_workspace",)
    )
    assert expected == decision


async def test_a_store_that_fails_is_never_an_unknown_tenant() -> None:
    """Law 9: the fault goes up, so nothing is acknowledged."""

    async def away(platform: Platform, candidates: Sequence[WorkspaceId]) -> Binding | None:
        raise StoreError(f"Redis: no answer for {platform} {candidates}")

    with pytest.raises(StoreError):
        await decide(event(), away)


async def test_an_event_is_looked_up_by_its_workspace_first() -> None:
    """A workspace with a binding of its own is not its organisation's."""
    own, wide = tenant(), tenant(id=TenantId("globex"))
    registry = registry_of(binding(own), binding(wide, ORGANISATION))

    decision = await decide(event(enterprise=ORGANISATION), registry)

    assert isinstance(decision, Routed)
    assert "acme" == decision.binding.tenant.id
    assert TEAM == decision.event.conversation.workspace


async def test_an_organisation_wide_install_answers_under_the_address_that_is_bound() -> None:
    """An answer to the single workspace would find no binding, hence no tenant and no token."""
    said = event(enterprise=ORGANISATION)

    decision = await decide(said, registry_of(binding(workspace=ORGANISATION)))

    assert isinstance(decision, Routed)
    moved = conversation(workspace=ORGANISATION)
    assert msgspec.structs.replace(said, conversation=moved) == decision.event


async def test_an_organisation_is_asked_for_only_when_the_event_names_it() -> None:
    """An event without one cannot reach the organisation's tenant."""
    decision = await decide(event(), registry_of(binding(workspace=ORGANISATION)))

    assert isinstance(decision, Dropped)
    assert DropReason.UNBOUND_WORKSPACE is decision.reason


@pytest.mark.parametrize(
    ("channel", "agent", "note"),
    [(CHANNEL, "sales", "agent: by channel"), ("C0OTHER", "main", "agent: default")],
)
async def test_the_agent_is_the_channels_else_the_default(
    channel: str, agent: str, note: str
) -> None:
    """The trail says which of the two it was."""
    agents = Agents(default=AgentId("main"), by_channel={CHANNEL: AgentId("sales")})
    said = event(conversation=conversation(channel=channel))

    decision = await decide(said, registry_of(binding(tenant(agents=agents))))

    assert isinstance(decision, Routed)
    assert (agent, note) == (decision.agent, decision.trail[-1])


def test_guards_come_before_policy_and_policy_before_agents() -> None:
    """A suspended tenant's policy is not asked, and no agent is chosen for what is dropped."""
    assert (guard, apply_policy, choose_agent) == STEPS


async def test_the_first_step_that_drops_is_the_last_that_runs() -> None:
    """Later steps never see what was dropped; earlier notes stay in the trail."""
    asked: list[str] = []

    async def passing(context: RoutingContext) -> RoutingContext | Dropped:
        asked.append("passing")
        return context.passed("one: passed")

    async def dropping(context: RoutingContext) -> RoutingContext | Dropped:
        asked.append("dropping")
        return context.dropped(DropReason.NOT_MENTIONED, "two")

    async def never(context: RoutingContext) -> RoutingContext | Dropped:
        asked.append("never")
        return context

    decision = await decide(event(), registry_of(binding()), (passing, dropping, never))

    assert ["passing", "dropping"] == asked
    assert _dropped(DropReason.NOT_MENTIONED, "one: passed", "two: not_mentioned") == decision
