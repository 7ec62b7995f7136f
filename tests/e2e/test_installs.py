"""Workspaces that come and go while the gateway runs, as its own process."""

from __future__ import annotations

from functools import partial

import pytest

from gateway.core.audit import AuditAction
from gateway.core.ids import WorkspaceId
from gateway.demo.world import World
from tests.installations.conftest import open_browser
from tests.support.commands import run_command
from tests.support.evidence import idle, records
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, GLOBEX, GLOBEX_TEAM

pytestmark = pytest.mark.e2e

CHANNEL = "C0GENERAL"
NEWCOMER = WorkspaceId("T0NEWCOMER")


async def ended(world: World) -> list[tuple[str, str]]:
    """Which installations the records say are over, and why."""
    return [
        (each.workspace, each.reason)
        for each in await records(world)
        if each.action is AuditAction.INSTALLATION_ENDED
    ]


async def test_a_workspace_joins_by_a_link_and_is_answered(
    world: World, unused_tcp_port: int
) -> None:
    """From the operator's command to the agent's first answer, without a restart."""
    public = f"http://127.0.0.1:{unused_tcp_port}"
    oauth = world.slack.oauth
    env = {
        "GATEWAY_PUBLIC_PORT": str(unused_tcp_port),
        "GATEWAY_PUBLIC_URL": public,
        "SLACK_CLIENT_ID": oauth.client_id,
        "SLACK_CLIENT_SECRET": oauth.client_secret,
    }
    oauth.redirect_urls.add(f"{public}/slack/oauth_redirect")
    oauth.add_workspace(NEWCOMER, "Newcomer")
    oauth.visit_as(NEWCOMER)
    await world.start_gateway(env)
    link = await run_command({**world.environment(), **env}, "slack", "install-link", ACME)

    async with open_browser() as browser:
        page = await browser.install(link["url"])
    assert (200, True) == (page.status, "Newcomer" in page.text)
    world.slack.say(NEWCOMER, CHANNEL, "U0NEW", "hello", mention=True)
    [answer] = await world.slack.wait_for_bot_messages(NEWCOMER, CHANNEL, 1, timeout_s=20)

    assert "hello" in answer.text
    assert [] == world.slack.bot_messages(GLOBEX_TEAM, CHANNEL)


async def test_an_uninstall_ends_what_waits_for_that_workspace_and_nothing_else(
    world: World,
) -> None:
    """Messages are queued, one a second; those of the other tenant all arrive."""
    await world.start_gateway({"GATEWAY_SLACK_POSTS_PER_S": "2"})
    for number in range(12):
        for team in (ACME_TEAM, GLOBEX_TEAM):
            world.slack.say(team, CHANNEL, "U0ANN", f"word {number}", mention=True)
    await world.slack.wait_for_bot_messages(ACME_TEAM, CHANNEL, 1, timeout_s=20)

    world.slack.uninstall(ACME_TEAM)

    await world.slack.wait_for_bot_messages(GLOBEX_TEAM, CHANNEL, 12, timeout_s=30)
    await eventually(partial(idle, world), timeout_s=30)
    assert 12 > len(world.slack.bot_messages(ACME_TEAM, CHANNEL))
    assert [ACME_TEAM] == [workspace for workspace, _ in await ended(world)]
    dead = [each for each in await records(world) if each.action is AuditAction.DELIVERY_DEAD]
    assert {(ACME, "not_installed")} == {(each.tenant, each.reason) for each in dead}
    # The agent answers the news of its own end as well, into no channel.
    messages = [each for each in dead if CHANNEL in each.conversation]
    assert 12 == len(messages) + len(world.slack.bot_messages(ACME_TEAM, CHANNEL))


async def test_a_token_that_slack_refuses_is_found_out_without_an_event(world: World) -> None:
    """Its event was lost, or is not subscribed to: the first refused message tells."""
    await world.start_gateway()
    # The sandbox's own way to take a token, without the events that go with it.
    world.slack.oauth.forget_token(ACME_TEAM)
    for team in (ACME_TEAM, GLOBEX_TEAM):
        world.slack.say(team, CHANNEL, "U0ANN", "hello", mention=True)

    await world.slack.wait_for_bot_messages(GLOBEX_TEAM, CHANNEL, 1, timeout_s=20)
    await eventually(partial(ended, world), timeout_s=20)
    assert [(ACME_TEAM, "invalid_auth")] == await ended(world)
    [bound] = await world.stores.provisioning.bindings(GLOBEX)
    assert bound.has_credential
