"""Tokens that expire: renewed in time, once, whoever else is at it, and never lost on the way."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.archive.installations import InstallationRecord
from gateway.core.audit import AuditAction
from gateway.core.ids import Platform
from gateway.core.tenants import Credential
from gateway.sandbox.slack import ApiError, HttpStatus, ResetAfter, Slow
from tests.installations.conftest import ACME, ALPHA, BETA, GLOBEX, Browser, Office, rotation_of
from tests.support.waiting import eventually

NEARLY_OVER = timedelta(hours=10, minutes=30)


async def install(office: Office, browser: Browser, workspace: str = ALPHA) -> None:
    """Install by the pages, with a token of twelve hours."""
    tenant = ACME if workspace == ALPHA else GLOBEX
    office.slack.oauth.rotates = True
    office.slack.oauth.visit_as(workspace)
    assert 200 == (await browser.install(await office.invite(tenant))).status


async def stored(office: Office) -> InstallationRecord:
    """The first workspace's installation."""
    found = await office.stores.installations.reads.find(Platform.SLACK, ALPHA)
    assert found is not None
    return found


def renewals(office: Office) -> int:
    """How often Slack was asked for another token; the first one is for the code."""
    return office.calls("oauth.v2.access") - 1


def counted(office: Office, outcome: str) -> float | None:
    """How many renewals the metric knows of."""
    labels = {"platform": "slack", "outcome": outcome}
    return office.metrics.registry.get_sample_value("gateway_token_renewals_total", labels)


async def test_a_token_is_renewed_before_it_ends(office: Office, browser: Browser) -> None:
    """And the new one is what the next message is sent with."""
    await install(office, browser)
    before = await stored(office)
    first = await office.token(ALPHA)
    office.clock.ahead = NEARLY_OVER
    async with rotation_of(office) as rotation:
        await rotation.turn()

    after = await stored(office)
    assert first != await office.token(ALPHA)
    assert office.slack.oauth.team_token(ALPHA) == await office.token(ALPHA)
    assert before.grant.expires_at is not None
    assert after.grant.expires_at is not None
    assert before.grant.expires_at < after.grant.expires_at
    assert (before.grant.scopes, before.bot_user) == (after.grant.scopes, after.bot_user)
    assert [AuditAction.TOKEN_RENEWED] == [
        each.action for each in await office.told() if each.action.startswith("token.")
    ]
    assert (1, 1.0) == (renewals(office), counted(office, "renewed"))


async def test_a_token_that_lasts_long_enough_is_left(office: Office, browser: Browser) -> None:
    """Two hours before its end is soon enough."""
    await install(office, browser)
    office.clock.ahead = timedelta(hours=9)
    async with rotation_of(office) as rotation:
        await rotation.turn()

    assert 0 == renewals(office)


async def test_replicas_that_renew_at_once_ask_once(office: Office, browser: Browser) -> None:
    """A refresh token works once: the second to use it would end the installation."""
    await install(office, browser)
    office.clock.ahead = NEARLY_OVER
    office.slack.fail_next("oauth.v2.access", Slow(0.1))
    async with rotation_of(office) as one, rotation_of(office) as two, rotation_of(office) as three:
        await asyncio.gather(one.turn(), two.turn(), three.turn())
        await two.turn()

    assert (1, 1.0, None) == (
        renewals(office),
        counted(office, "renewed"),
        counted(office, "failed"),
    )
    assert office.slack.oauth.team_token(ALPHA) == await office.token(ALPHA)


async def test_who_comes_a_moment_later_finds_nothing_to_do(
    office: Office, browser: Browser
) -> None:
    """A replica that had listed what is due before another one renewed it."""
    await install(office, browser)
    office.clock.ahead = NEARLY_OVER
    listed = await stored(office)
    async with rotation_of(office) as one, rotation_of(office) as two:
        await one.turn()
        await two.renew(listed, office.tokens)

    assert 1 == renewals(office)


async def test_a_failure_is_seen_and_tried_again(office: Office, browser: Browser) -> None:
    """On record, counted, shown with the installation; not again at once, but soon."""
    await install(office, browser)
    token = await office.token(ALPHA)
    office.clock.ahead = NEARLY_OVER
    office.slack.fail_next("oauth.v2.access", HttpStatus(500))
    async with rotation_of(office) as rotation:
        await rotation.turn()
        await rotation.turn()
        failed = await stored(office)
        assert (1, "HTTP 500") == (failed.rotation_failures, failed.trouble)
        assert (1, 1.0) == (renewals(office), counted(office, "failed"))
        assert token == await office.token(ALPHA)
        office.clock.ahead += timedelta(minutes=5)
        await rotation.turn()

    mended = await stored(office)
    assert (0, "", 2) == (mended.rotation_failures, mended.trouble, renewals(office))
    told = [each for each in await office.told() if each.action.startswith("token.")]
    assert [
        (AuditAction.TOKEN_NOT_RENEWED, "HTTP 500"),
        (AuditAction.TOKEN_RENEWED, ""),
    ] == [(each.action, each.reason) for each in told]


async def test_one_that_cannot_be_renewed_holds_up_no_other(
    office: Office, browser: Browser
) -> None:
    """Another workspace's trouble is its own."""
    await install(office, browser)
    await install(office, browser, BETA)
    office.clock.ahead = NEARLY_OVER
    office.slack.fail_next("oauth.v2.access", ApiError("invalid_refresh_token"))
    before = {workspace: await office.token(workspace) for workspace in (ALPHA, BETA)}
    async with rotation_of(office) as rotation:
        await rotation.turn()

    changed = {each for each, token in before.items() if token != await office.token(each)}
    assert 1 == len(changed)
    labels = {"platform": "slack", "state": "trouble"}
    assert 1.0 == office.metrics.registry.get_sample_value("gateway_installations", labels)


async def test_a_lost_answer_is_seen_while_the_token_still_works(
    office: Office, browser: Browser
) -> None:
    """Slack has spent the refresh token and nobody has the next one: only people can help, and
    until the token ends they have two hours.
    """
    await install(office, browser)
    token = await office.token(ALPHA)
    office.clock.ahead = NEARLY_OVER
    office.slack.fail_next("oauth.v2.access", ResetAfter())
    async with rotation_of(office) as rotation:
        await rotation.turn()
        office.clock.ahead += timedelta(minutes=5)
        await rotation.turn()

    lost = await stored(office)
    assert (2, "invalid_refresh_token") == (lost.rotation_failures, lost.trouble)
    assert token == await office.token(ALPHA)


async def test_who_installs_meanwhile_has_the_last_word(office: Office, browser: Browser) -> None:
    """A renewal that comes back late does not put an old token over a new one."""
    await install(office, browser)
    office.clock.ahead = NEARLY_OVER
    office.slack.fail_next("oauth.v2.access", Slow(0.3))
    async with rotation_of(office) as rotation:
        turn = asyncio.create_task(rotation.turn())
        await eventually(lambda: renewals(office) == 1)
        await office.stores.provisioning.bind(
            ACME, Platform.SLACK, ALPHA, Credential(bot_token="xoxb-pasted")
        )
        await turn
        await rotation.turn()

    assert ("xoxb-pasted", 1) == (await office.token(ALPHA), renewals(office))
    grant = (await stored(office)).grant
    assert (None, None) == (grant.sealed_refresh_token, grant.expires_at)


async def test_a_stop_in_between_loses_nothing(office: Office, browser: Browser) -> None:
    """What Slack has answered is stored before the job ends: there is no second answer."""
    await install(office, browser)
    first = await office.token(ALPHA)
    office.clock.ahead = NEARLY_OVER
    office.slack.fail_next("oauth.v2.access", Slow(0.2))
    async with rotation_of(office) as rotation:
        turn = asyncio.create_task(rotation.turn())
        await eventually(lambda: renewals(office) == 1)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn

    assert first != await office.token(ALPHA)
    assert office.slack.oauth.team_token(ALPHA) == await office.token(ALPHA)


async def test_new_sealing_keys_do_not_get_in_the_way(office: Office, browser: Browser) -> None:
    """Everything is encrypted anew while Slack thinks about its answer."""
    await install(office, browser)
    office.clock.ahead = NEARLY_OVER
    office.slack.fail_next("oauth.v2.access", Slow(0.3))
    async with rotation_of(office) as rotation:
        turn = asyncio.create_task(rotation.turn())
        await eventually(lambda: renewals(office) == 1)
        counts = await office.stores.provisioning.reseal()
        await turn

    assert 1 == counts.credentials
    assert office.slack.oauth.team_token(ALPHA) == await office.token(ALPHA)
