"""Installations that are over: told by Slack or found out, ended once, and no other touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.clock import utc_now
from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError, StoreError
from gateway.core.events import (
    EventKind,
    InboundEvent,
    Installation,
    InstallationChange,
    Sender,
)
from gateway.core.ids import EventId, Platform, WorkspaceId
from gateway.core.tenants import Credential
from gateway.installing import open_installing
from gateway.sandbox.slack import HttpStatus
from gateway.stores import open_stores
from gateway.telemetry.metrics import Metrics
from tests.installations.conftest import ACME, ALPHA, BETA, GLOBEX, Office
from tests.support.link import open_link

UNINSTALLED, REVOKED = InstallationChange.UNINSTALLED, InstallationChange.REVOKED
VOID = SendError(Reason.NOT_INSTALLED, "token_revoked", permanent=True)


def said(
    workspace: str, change: InstallationChange = UNINSTALLED, enterprise: str | None = None
) -> InboundEvent:
    """What the parser makes of app_uninstalled and tokens_revoked."""
    return InboundEvent(
        id=EventId("Ev0"),
        kind=EventKind.INSTALLATION_CHANGED,
        conversation=ConversationRef(
            platform=Platform.SLACK, workspace=WorkspaceId(workspace), channel="-"
        ),
        conversation_kind=ConversationKind.CHANNEL,
        sender=Sender(id=""),
        message_id="Ev0",
        dedupe_keys=("Ev0",),
        received_at=utc_now(),
        detail=Installation(change=change),
        enterprise=WorkspaceId(enterprise) if enterprise else None,
    )


async def endings(office: Office) -> list[AuditRecord]:
    """What the records say of installations that ended."""
    return [each for each in await office.told() if each.action is AuditAction.INSTALLATION_ENDED]


@pytest.mark.parametrize("change", [UNINSTALLED, REVOKED])
async def test_an_event_ends_exactly_its_workspace(
    office: Office, change: InstallationChange
) -> None:
    """Its token is gone from both stores at once; whose the workspace is stays as it was."""
    await office.add(ACME, ALPHA)
    await office.add(GLOBEX, BETA)
    other = await office.token(BETA)
    office.slack.uninstall(ALPHA)

    await office.installing.suspicions.heard(said(ALPHA, change))

    assert (ACME, None) == (await office.owner(ALPHA), await office.token(ALPHA))
    assert (GLOBEX, other) == (await office.owner(BETA), await office.token(BETA))
    [ended] = await endings(office)
    assert (ACME, ALPHA, change.value) == (ended.tenant, ended.workspace, ended.reason)
    found = await office.stores.installations.reads.find(Platform.SLACK, ALPHA)
    assert found is not None
    assert (None, change.value) == (found.sealed_credential, found.ended)


async def test_an_event_that_comes_again_ends_nothing_more(office: Office) -> None:
    """Slack tells of one uninstall by two events, and may repeat both."""
    await office.add(ACME, ALPHA)
    office.slack.uninstall(ALPHA)
    for change in (REVOKED, UNINSTALLED, UNINSTALLED):
        await office.installing.suspicions.heard(said(ALPHA, change))

    assert ["revoked"] == [each.reason for each in await endings(office)]


async def test_a_late_event_does_not_end_what_was_installed_since(office: Office) -> None:
    """Slack sends again for minutes; meanwhile somebody has installed the app anew."""
    await office.add(ACME, ALPHA)
    office.slack.uninstall(ALPHA)
    again = await office.add(ACME, ALPHA)

    await office.installing.suspicions.heard(said(ALPHA))

    assert again.credential.bot_token == await office.token(ALPHA)
    assert [] == await endings(office)


async def test_where_slack_cannot_be_asked_its_event_is_believed(office: Office) -> None:
    """Rather one installation too few than messages sent with a token that was taken back."""
    await office.add(ACME, ALPHA)
    office.slack.fail_next("auth.test", HttpStatus(500))

    await office.installing.suspicions.heard(said(ALPHA))

    assert None is await office.token(ALPHA)


async def test_an_organisation_outlives_one_of_its_workspaces(office: Office) -> None:
    """The app left a single workspace; the token is the whole organisation's, and still good."""
    await office.add(ACME, "E0ORG")
    event = said("T0ORGA", UNINSTALLED, enterprise="E0ORG")
    await office.installing.suspicions.heard(event)
    office.slack.fail_next("auth.test", HttpStatus(500))
    await office.installing.suspicions.heard(event)

    assert None is not await office.token("E0ORG")
    office.slack.revoke_token("E0ORG")
    await office.installing.suspicions.heard(event)
    assert None is await office.token("E0ORG")


async def test_an_organisations_app_loses_one_workspace_and_no_other(office: Office) -> None:
    """Which was bound by the organisation's token, as its neighbour is, and the organisation."""
    org = Credential(bot_token="xoxb-org", bot_user="U0BOTORG")
    for team in ("T0ORGA", "T0ORGB"):
        await office.add(GLOBEX, team, credential=org)
        office.slack.add_team(
            team, bot_token="xoxb-org", enterprise_id="E0ORG", is_enterprise_install=True
        )
    await office.add(ACME, "E0ORG", credential=org, org_wide=True)
    event = said("T0ORGB", UNINSTALLED, enterprise="E0ORG")

    office.slack.revoke_access("T0ORGB")
    office.slack.grant_access("T0ORGB", "xoxb-org")
    await office.installing.suspicions.heard(event)
    assert None is not await office.token("T0ORGB")

    office.slack.revoke_access("T0ORGB")
    await office.installing.suspicions.heard(event)
    assert None is await office.token("T0ORGB")
    assert ["xoxb-org"] * 2 == [await office.token(each) for each in ("T0ORGA", "E0ORG")]
    assert ["T0ORGB"] == [each.workspace for each in await endings(office)]


async def test_an_event_of_nobodys_workspace_does_nothing(office: Office) -> None:
    """Nor does one that tells of a new installation."""
    await office.add(ACME, ALPHA)
    await office.installing.suspicions.heard(said(BETA))
    await office.installing.suspicions.heard(said(ALPHA, InstallationChange.INSTALLED))

    assert (None, []) == (await office.token(BETA), await endings(office))
    assert None is not await office.token(ALPHA)


async def test_what_could_not_be_done_is_done_when_the_event_comes_again(
    office: Office, clean_redis: str, tmp_path: Path
) -> None:
    """With Redis away nothing is acknowledged, and the second time everything is in order."""
    await office.add(ACME, ALPHA)
    office.slack.uninstall(ALPHA)
    async with open_link(tmp_path, clean_redis) as link:
        settings = office.settings.model_copy(update={"redis_url": link.url})
        async with (
            open_stores(settings) as stores,
            open_installing(settings, stores, Metrics()) as installing,
        ):
            taken: list[InboundEvent] = []

            async def accept(event: InboundEvent) -> None:
                taken.append(event)

            accepting = installing.suspicions.watching(accept)
            link.cut()
            with pytest.raises(StoreError):
                await accepting(said(ALPHA))
            link.mend()
            await accepting(said(ALPHA))

    assert 2 == len(taken)
    assert None is await office.token(ALPHA)
    assert 1 == len(await endings(office))


async def test_a_look_up_key_that_was_left_behind_is_mended(office: Office) -> None:
    """PostgreSQL had forgotten the token, and Redis went away just then."""
    await office.add(ACME, ALPHA)
    office.slack.uninstall(ALPHA)
    async with office.stores.registry.writing() as writes:
        await writes.end_installation(Platform.SLACK, ALPHA, "uninstalled", utc_now())
    assert None is not await office.token(ALPHA)

    await office.installing.suspicions.heard(said(ALPHA))

    assert None is await office.token(ALPHA)


async def test_a_refused_token_is_looked_into_and_ended_once(office: Office) -> None:
    """However many messages waited for it: one question, one record."""
    new = await office.add(ACME, ALPHA)
    await office.add(GLOBEX, BETA)
    office.slack.revoke_token(ALPHA)
    for _ in range(20):
        office.installing.suspicions.refused(Platform.SLACK, ALPHA, new.credential, VOID)
    await office.installing.suspicions.close()

    assert ["token_revoked"] == [each.reason for each in await endings(office)]
    assert None is not await office.token(BETA)
    labels = {"platform": "slack", "reason": "token_revoked"}
    total = office.metrics.registry.get_sample_value("gateway_installations_ended_total", labels)
    assert 1.0 == total


@pytest.mark.parametrize(
    "error",
    [
        SendError(Reason.NOT_INSTALLED, "not_allowed_token_type", permanent=True),
        SendError(Reason.PLATFORM_REJECTED, "channel_not_found", permanent=True),
        SendError(Reason.PLATFORM_UNREACHABLE, "token_revoked"),
    ],
)
async def test_other_refusals_say_nothing_of_the_token(office: Office, error: SendError) -> None:
    """Slack is not even asked."""
    new = await office.add(ACME, ALPHA)
    office.installing.suspicions.refused(Platform.SLACK, ALPHA, new.credential, error)
    await office.installing.suspicions.close()

    assert 0 == office.calls("auth.test")
    assert None is not await office.token(ALPHA)


async def test_a_workspace_that_was_taken_unheard_ends_when_slack_refuses_it(
    office: Office,
) -> None:
    """Its event was missed; the organisation's token is good, but not there."""
    org = Credential(bot_token="xoxb-org", bot_user="U0BOTORG")
    for team in ("T0ORGA", "T0ORGB"):
        await office.add(GLOBEX, team, credential=org)
        office.slack.add_team(
            team, bot_token="xoxb-org", enterprise_id="E0ORG", is_enterprise_install=True
        )
    error = SendError(Reason.NOT_INSTALLED, "team_access_not_granted", permanent=True)
    office.slack.revoke_access("T0ORGB")
    for team in ("T0ORGA", "T0ORGB"):
        office.installing.suspicions.refused(Platform.SLACK, WorkspaceId(team), org, error)
    await office.installing.suspicions.close()

    assert ["xoxb-org", None] == [await office.token(each) for each in ("T0ORGA", "T0ORGB")]


async def test_a_refusal_of_a_token_that_was_replaced_ends_nothing(office: Office) -> None:
    """A message was on its way with the old one."""
    await office.add(ACME, ALPHA)
    old = Credential(bot_token="xoxb-of-yesterday")
    office.installing.suspicions.refused(Platform.SLACK, ALPHA, old, VOID)
    await office.installing.suspicions.close()

    assert None is not await office.token(ALPHA)
    assert [] == await endings(office)


async def test_a_refusal_is_not_believed_without_slack_itself(office: Office) -> None:
    """A good token, or a Slack that does not answer: the next refusal asks again."""
    new = await office.add(ACME, ALPHA)
    other = await office.add(GLOBEX, BETA)
    office.slack.fail_next("auth.test", HttpStatus(500), team_id=BETA)
    for workspace, installed in ((ALPHA, new), (BETA, other)):
        office.installing.suspicions.refused(Platform.SLACK, workspace, installed.credential, VOID)
    await office.installing.suspicions.close()

    assert ([], 2) == (await endings(office), office.calls("auth.test"))
    assert None not in (await office.token(ALPHA), await office.token(BETA))
