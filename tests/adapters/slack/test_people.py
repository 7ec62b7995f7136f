"""Who people are, as far as Slack tells."""

from __future__ import annotations

import pytest

from adapters.slack.sender import SlackSender
from gateway.core.deliveries import Reason
from gateway.core.events import Sender, SenderRole
from gateway.core.tenants import Credential
from gateway.sandbox.slack import ApiError, Fault, SlackSandbox
from tests.adapters.slack.acts import BOT, HARMLESS_FAULTS, Verdict, failure, verdict
from tests.adapters.slack.conftest import ANN, TEAM


async def test_name_locale_and_role(slack: SlackSandbox, sender: SlackSender) -> None:
    """What an agent needs to address somebody."""
    slack.add_user(TEAM, ANN, "Ann", locale="de-DE")
    expected = Sender(id=ANN, name="Ann", locale="de-DE", roles=(SenderRole.MEMBER,))
    assert expected == await sender.person(Sender(id=ANN), BOT)


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("primary_owner", (SenderRole.OWNER, SenderRole.ADMIN)),
        ("owner", (SenderRole.OWNER, SenderRole.ADMIN)),
        ("admin", (SenderRole.ADMIN,)),
        ("member", (SenderRole.MEMBER,)),
        ("guest", (SenderRole.GUEST,)),
        ("single_channel_guest", (SenderRole.GUEST,)),
    ],
)
async def test_roles(
    slack: SlackSandbox,
    sender: SlackSender,
    role: str,
    expected: tuple[SenderRole, ...],
) -> None:
    """Slack's flags in the words of the protocol."""
    slack.add_user(TEAM, ANN, "Ann", role=role)  # type: ignore[arg-type]  # one of Slack's roles
    assert expected == (await sender.person(Sender(id=ANN), BOT)).roles


async def test_the_owner_of_another_workspace_is_a_guest_here(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """In a shared channel, another company's owner must not command as ours."""
    slack.add_user(TEAM, ANN, "Ann", role="owner", home_team_id="T0STRANGER")
    assert (SenderRole.GUEST,) == (await sender.person(Sender(id=ANN), BOT)).roles


async def test_in_an_organisation_the_roles_are_those_of_its_own_people(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """One workspace of an organisation is no home to the people of another; its own token is."""
    for team, token in (("T0ORGA", "xoxb-a"), ("T0ORGB", "xoxb-org")):
        slack.add_team(
            team,
            bot_token=token,
            enterprise_id="E0ORG",
            is_enterprise_install=token == "xoxb-org",
        )
        slack.add_user(team, "U0BOSS", "Boss", role="admin", home_team_id="T0ORGB")
    roles = [
        (await sender.person(Sender(id="U0BOSS"), Credential(bot_token=token))).roles
        for token in ("xoxb-a", "xoxb-org")
    ]
    assert [(SenderRole.GUEST,), (SenderRole.ADMIN,)] == roles


async def test_a_stranger_nobody_knows_stays_as_they_are(sender: SlackSender) -> None:
    """Slack does not tell of everybody."""
    unknown = Sender(id="U0NOBODY", name="Nobody")
    assert unknown == await sender.person(unknown, BOT)


async def test_the_bot_itself_is_a_bot(sender: SlackSender) -> None:
    """Also where the event did not say so."""
    assert (await sender.person(Sender(id=f"U0BOT{TEAM[1:]}"), BOT)).is_bot


async def test_whose_token_it_is_is_asked_once(slack: SlackSandbox, sender: SlackSender) -> None:
    """One more call for each person would spend the workspace's budget."""
    slack.add_user(TEAM, ANN, "Ann")
    for _ in range(3):
        await sender.person(Sender(id=ANN), BOT)
    methods = [each.method for each in slack.requests]
    assert (3, 1) == (methods.count("users.info"), methods.count("auth.test"))


@pytest.mark.parametrize(("fault", "expected"), HARMLESS_FAULTS)
async def test_faults(
    slack: SlackSandbox, sender: SlackSender, fault: Fault, expected: Verdict
) -> None:
    """They are told, and never ambiguous."""
    slack.add_user(TEAM, ANN, "Ann")
    # Twice: the HTTP client itself asks again when a connection ends under a GET.
    slack.fail_next("users.info", fault, times=2)
    assert expected == verdict(await failure(sender.person(Sender(id=ANN), BOT)))


async def test_roles_are_not_told_while_nobody_knows_whose_token_it_is(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Another attempt asks again."""
    slack.add_user(TEAM, ANN, "Ann", role="owner")
    slack.fail_next("auth.test", ApiError("internal_error"))
    error = await failure(sender.person(Sender(id=ANN), BOT))
    assert (Reason.PLATFORM_ERROR, False, False, None) == verdict(error)
    assert SenderRole.OWNER in (await sender.person(Sender(id=ANN), BOT)).roles
