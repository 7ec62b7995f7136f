"""Conversations that nobody has begun yet: found on the platform, in workspaces of the tenant's."""

from __future__ import annotations

import pytest

from gateway.core.conversations import ConversationRef
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.messages import Target
from gateway.core.tenants import TenantStatus
from gateway.egress.requests import Refusal, Submitted
from tests.egress.conftest import ACME, ACME_TEAM, GLOBEX_TEAM, Egress
from tests.egress.stage import REJECTED, Plain, Typist

ANNA = Target(user="U0ANNA")
FOUND = ConversationRef(platform=Platform.SLACK, workspace=ACME_TEAM, channel="D0ANNA")


async def _ask(
    egress: Egress, stage: Plain, *, team: WorkspaceId = ACME_TEAM, tenant: TenantId = ACME
) -> ConversationRef | Refusal:
    proactive = egress.desk(stage.outlet()).proactive
    return await proactive.address(tenant, Platform.SLACK, team, ANNA)


async def test_a_conversation_is_found_by_the_workspaces_token(egress: Egress) -> None:
    """And can be spoken into at once."""
    stage = Typist(found=FOUND)

    found = await _ask(egress, stage)

    assert FOUND == found
    assert [f"address U0ANNA by xoxb-{ACME_TEAM}"] == stage.calls
    assert isinstance(await egress.say("hello", to=FOUND.id), Submitted)


@pytest.mark.parametrize("team", [GLOBEX_TEAM, WorkspaceId("T0NOBODY")])
async def test_workspaces_of_others_are_unknown(egress: Egress, team: WorkspaceId) -> None:
    """Law 8: the platform is not even asked, and both look the same."""
    stage = Typist(found=FOUND)

    assert Refusal.TARGET_UNKNOWN is await _ask(egress, stage, team=team)
    assert [] == stage.calls


@pytest.mark.parametrize("stage", [Typist(), Plain()])
async def test_whom_the_platform_does_not_know_is_unknown(egress: Egress, stage: Plain) -> None:
    """As is everybody on a platform that cannot be asked."""
    assert Refusal.TARGET_UNKNOWN is await _ask(egress, stage)


async def test_a_platform_that_leads_elsewhere_is_not_followed(egress: Egress) -> None:
    """Whatever it answers, it is a conversation of this workspace or none."""
    elsewhere = ConversationRef(platform=Platform.SLACK, workspace=GLOBEX_TEAM, channel="D0ANNA")

    with pytest.raises(SendError) as caught:
        await _ask(egress, Typist(found=elsewhere))
    assert Reason.ISOLATION is caught.value.reason


@pytest.mark.parametrize(
    ("token", "status", "reason"),
    [
        (None, TenantStatus.ACTIVE, Reason.NOT_INSTALLED),
        ("xoxb-placeholder", TenantStatus.SUSPENDED, Reason.TENANT_SUSPENDED),
    ],
)
async def test_a_platform_that_cannot_be_asked_now_is_a_fault(
    egress: Egress, token: str | None, status: TenantStatus, reason: Reason
) -> None:
    """Not the agent's: it may try again."""
    await egress.bind(ACME, ACME_TEAM, token=token, status=status)

    with pytest.raises(SendError) as caught:
        await _ask(egress, Typist(found=FOUND))
    assert reason is caught.value.reason


async def test_what_the_platform_says_is_passed_on(egress: Egress) -> None:
    """A fault stays a fault."""
    with pytest.raises(SendError):
        await _ask(egress, Typist(found=FOUND, faults=[REJECTED]))
