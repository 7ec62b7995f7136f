"""Which rules hold for which kinds of events: not everything is a message."""

from __future__ import annotations

import pytest

from gateway.core.conversations import ConversationKind
from gateway.core.decisions import Dropped, DropReason, Routed
from gateway.core.events import (
    Action,
    ActionKind,
    Command,
    Detail,
    EventKind,
    InboundEvent,
    Installation,
    InstallationChange,
    Member,
    Reaction,
    Sender,
    SenderRole,
)
from gateway.core.tenants import AccessPolicy, Reactions, TenantStatus
from routing.pipeline import decide
from tests.routing.factories import USER, binding, event, registry_of, tenant

_BOT = Sender(id="U0BOT", is_bot=True, is_self=True)
_OTHER_BOT = Sender(id="B0AAAA", is_bot=True)
_DETAILS: dict[EventKind, Detail | None] = {
    EventKind.REACTION_ADDED: Reaction(emoji="eyes", on_own=True),
    EventKind.REACTION_REMOVED: Reaction(emoji="eyes", on_own=True),
    EventKind.COMMAND_INVOKED: Command(name="ask"),
    EventKind.ACTION_INVOKED: Action(id="yes", kind=ActionKind.BUTTON),
    EventKind.CONVERSATION_OPENED: None,
    EventKind.CONVERSATION_CLOSED: None,
    EventKind.MEMBER_JOINED: Member(id=USER),
    EventKind.MEMBER_LEFT: Member(id=USER),
    EventKind.AGENT_STOPPED: None,
}
_ARRIVALS = [
    EventKind.CONVERSATION_OPENED,
    EventKind.CONVERSATION_CLOSED,
    EventKind.MEMBER_JOINED,
    EventKind.MEMBER_LEFT,
]
_INSTALLATION = Installation(change=InstallationChange.REVOKED)


def _of(kind: EventKind, **fields: object) -> InboundEvent:
    return event(kind=kind, detail=_DETAILS[kind], mentioned=False, text="", **fields)


async def _reason(said: InboundEvent, access: AccessPolicy | None = None) -> DropReason | None:
    owner = tenant(access=access or AccessPolicy())
    decision = await decide(said, registry_of(binding(owner)))
    return decision.reason if isinstance(decision, Dropped) else None


@pytest.mark.parametrize("kind", _DETAILS)
async def test_only_messages_have_to_mention_the_agent(kind: EventKind) -> None:
    """A button can be nobody else's, and nobody can be mentioned by an emoji."""
    assert await _reason(_of(kind)) is None


@pytest.mark.parametrize("kind", _DETAILS)
async def test_the_allow_lists_hold_for_every_kind(kind: EventKind) -> None:
    """Who may not speak to the agent may not press its buttons either."""
    direct = _of(kind, conversation_kind=ConversationKind.DIRECT)
    reasons = [
        await _reason(_of(kind), AccessPolicy(allowed_users=("U0BERT",))),
        await _reason(_of(kind), AccessPolicy(allowed_channels=("C0OTHER",))),
        await _reason(direct, AccessPolicy(direct_messages=False)),
    ]

    assert [
        DropReason.USER_NOT_ALLOWED,
        DropReason.CHANNEL_NOT_ALLOWED,
        DropReason.DIRECT_MESSAGES_OFF,
    ] == reasons


@pytest.mark.parametrize("kind", [kind for kind in _DETAILS if kind not in _ARRIVALS])
async def test_what_bots_do_goes_nowhere(kind: EventKind) -> None:
    """An agent that answers its own emoji, or another agent's, never stops."""
    assert DropReason.OWN_MESSAGE is await _reason(_of(kind, sender=_BOT))
    assert DropReason.BOT_MESSAGE is await _reason(_of(kind, sender=_OTHER_BOT))


@pytest.mark.parametrize("kind", _ARRIVALS)
async def test_an_agent_hears_that_its_bot_came_or_went(kind: EventKind) -> None:
    """Also where an allow-list names the people: it cannot name the bot."""
    assert await _reason(_of(kind, sender=_BOT)) is None
    assert await _reason(_of(kind, sender=_BOT), AccessPolicy(allowed_users=(USER,))) is None


@pytest.mark.parametrize("kind", _ARRIVALS)
async def test_the_bot_is_heard_of_in_allowed_channels_only(kind: EventKind) -> None:
    """Whoever invites it elsewhere does not start a conversation."""
    access = AccessPolicy(allowed_channels=("C0OTHER",))

    assert DropReason.CHANNEL_NOT_ALLOWED is await _reason(_of(kind, sender=_BOT), access)


@pytest.mark.parametrize(
    ("wanted", "on_own", "reason"),
    [
        (Reactions.OFF, True, DropReason.REACTIONS_OFF),
        (Reactions.OFF, False, DropReason.REACTIONS_OFF),
        (Reactions.OWN, True, None),
        (Reactions.OWN, False, DropReason.NOT_OUR_MESSAGE),
        (Reactions.ALL, True, None),
        (Reactions.ALL, False, None),
    ],
)
@pytest.mark.parametrize("kind", [EventKind.REACTION_ADDED, EventKind.REACTION_REMOVED])
async def test_reactions_pass_as_the_tenant_wants(
    kind: EventKind, wanted: Reactions, on_own: bool, reason: DropReason | None
) -> None:
    """By default those on the agent's own messages: the others are talk among people."""
    said = event(kind=kind, detail=Reaction(emoji="eyes", on_own=on_own), mentioned=False)

    assert reason is await _reason(said, AccessPolicy(reactions=wanted))


async def test_an_installation_is_the_tenants_whatever_its_lists_say() -> None:
    """Nobody sends it and it stands in no channel, so no list can be meant for it."""
    access = AccessPolicy(
        allowed_users=("U0BERT",), allowed_channels=("C0OTHER",), direct_messages=False
    )
    said = event(kind=EventKind.INSTALLATION_CHANGED, detail=_INSTALLATION, sender=Sender(id=""))

    decision = await decide(said, registry_of(binding(tenant(access=access))))

    assert isinstance(decision, Routed)
    assert ("main", "policy: installation") == (decision.agent, decision.trail[2])


@pytest.mark.parametrize("kind", [*_ARRIVALS, EventKind.INSTALLATION_CHANGED])
async def test_a_suspended_tenant_hears_of_nothing(kind: EventKind) -> None:
    """Not even of arrivals, which pass the other guards."""
    owner = tenant(status=TenantStatus.SUSPENDED)

    decision = await decide(event(kind=kind), registry_of(binding(owner)))

    assert isinstance(decision, Dropped)
    assert DropReason.TENANT_SUSPENDED is decision.reason


@pytest.mark.parametrize(
    ("commanders", "sender", "may"),
    [
        (("owner", "admin"), Sender(id=USER, roles=(SenderRole.ADMIN,)), True),
        (("owner", "admin"), Sender(id=USER, roles=(SenderRole.MEMBER,)), False),
        (("owner", "admin"), Sender(id=USER), False),
        (("guest",), Sender(id=USER, roles=(SenderRole.MEMBER, SenderRole.GUEST)), True),
        ((USER,), Sender(id=USER), True),
        ((USER,), Sender(id="U0BERT", name=USER), False),
        (("everyone",), Sender(id=USER, roles=(SenderRole.GUEST,)), True),
        ((), Sender(id=USER, roles=(SenderRole.OWNER,)), False),
    ],
)
def test_commanders_are_roles_or_people_or_everyone(
    commanders: tuple[str, ...], sender: Sender, may: bool
) -> None:
    """A name is no id: anybody can take one."""
    assert may is AccessPolicy(commanders=commanders).may_command(sender)


async def test_whose_the_dropped_event_was_is_told() -> None:
    """What is remembered of it follows that tenant's rules."""
    owner = tenant()
    decision = await decide(event(mentioned=False), registry_of(binding(owner)))

    assert isinstance(decision, Dropped)
    assert binding(owner) == decision.binding
