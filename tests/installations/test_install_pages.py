"""Workspaces that join by a link: the whole way through Slack's consent page, and all its ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import aiohttp
import pytest

from adapters.slack.oauth import routes
from gateway.archive.connection import fetch
from gateway.archive.install_links import MOST_STATES, InstallLinks
from gateway.core.audit import AuditAction
from gateway.core.ids import Platform, WorkspaceId
from gateway.installations.invitations import LinkInvitations
from gateway.sandbox.slack import ApiError, HttpStatus, ResetBefore
from gateway.sandbox.slack.faults import Fault
from tests.installations.conftest import ACME, ALPHA, BETA, GLOBEX, Browser, Office, open_browser


async def test_a_workspace_joins_the_tenant_of_the_link(office: Office, browser: Browser) -> None:
    """From the link over Slack's consent page to a token that works."""
    office.slack.oauth.visit_as(ALPHA)
    first = await browser.get(await office.invite(ACME))
    last = await browser.get(first.link)

    assert "<strong>Acme &amp; Sons</strong>" in first.text
    assert (200, True) == (last.status, "<strong>Alpha</strong>" in last.text)
    assert ACME == await office.owner(ALPHA)
    assert office.slack.oauth.team_token(ALPHA) == await office.token(ALPHA)
    [added] = [
        each for each in await office.told() if each.action is AuditAction.INSTALLATION_ADDED
    ]
    assert (ACME, ALPHA, "by U0ADMIN") == (added.tenant, added.workspace, added.detail)


async def test_no_token_is_stored_in_the_clear(office: Office, browser: Browser) -> None:
    """Neither the one that works nor the one that renews it."""
    office.slack.oauth.rotates = True
    office.slack.oauth.visit_as(ALPHA)
    await browser.install(await office.invite(ACME))

    stored = await fetch(office.stores.pool, "SELECT i::text AS row FROM installations i")
    assert 1 == len(stored)
    assert "xox" not in stored[0]["row"]
    found = await office.stores.installations.reads.find(Platform.SLACK, ALPHA)
    assert found is not None
    assert (office.stores.installations.refresh_token(found) or "").startswith("xoxe-1-")
    assert found.grant.expires_at is not None


async def test_a_callback_that_is_sent_again_is_refused(office: Office, browser: Browser) -> None:
    """A state works once, whatever the browser still has; nothing is asked of Slack."""
    office.slack.oauth.visit_as(ALPHA)
    first = await browser.get(await office.invite(ACME))
    back = await browser.get(first.link, follow=False)
    callback = back.headers["Location"]
    cookie = first.headers["Set-Cookie"].partition(";")[0]
    assert 200 == (await browser.get(callback)).status

    async with aiohttp.ClientSession(headers={"Cookie": cookie}) as replayer:
        again = await Browser(replayer).get(callback)

    assert 401 == again.status
    assert 1 == office.calls("oauth.v2.access")


async def test_a_state_is_used_up_by_an_attempt_that_failed(
    office: Office, browser: Browser
) -> None:
    """The link is still good, but the way back from Slack is not."""
    office.slack.oauth.visit_as(ALPHA)
    first = await browser.get(await office.invite(ACME))
    callback = (await browser.get(first.link, follow=False)).headers["Location"]
    cookie = first.headers["Set-Cookie"].partition(";")[0]
    office.slack.fail_next("oauth.v2.access", HttpStatus(500))
    assert 502 == (await browser.get(callback)).status

    async with aiohttp.ClientSession(headers={"Cookie": cookie}) as replayer:
        again = await Browser(replayer).get(callback)

    assert (401, 1) == (again.status, office.calls("oauth.v2.access"))


async def test_another_browser_cannot_finish(office: Office, browser: Browser) -> None:
    """Whoever got hold of the address alone has no cookie; the one who began can still end it."""
    office.slack.oauth.visit_as(ALPHA)
    first = await browser.get(await office.invite(ACME))
    callback = (await browser.get(first.link, follow=False)).headers["Location"]

    async with open_browser() as stranger:
        refused = await stranger.get(callback)

    assert (400, 0) == (refused.status, office.calls("oauth.v2.access"))
    assert 200 == (await browser.get(callback)).status
    assert ACME == await office.owner(ALPHA)


async def test_so_many_pages_are_made_at_once(
    office: Office, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers who ask for them again and again leave the stores to those who work."""
    link = await office.invite(ACME)
    monkeypatch.setattr(routes, "_MAX_UNDER_WAY", 1)
    one_by_one = [(await browser.get(link)).status for _ in range(3)]
    monkeypatch.setattr(routes, "_MAX_UNDER_WAY", 0)
    refused = await browser.get(link)

    assert [200] * 3 == one_by_one
    assert (503, True) == (refused.status, "Too many at once" in refused.text)


async def test_a_state_of_another_attempt_is_refused(office: Office, browser: Browser) -> None:
    """Somebody else's state in one's own browser would bring their workspace to one's tenant."""
    office.slack.oauth.visit_as(ALPHA)
    async with open_browser() as stranger:
        theirs = await stranger.get(await office.invite(GLOBEX))
        callback = (await stranger.get(theirs.link, follow=False)).headers["Location"]
    await browser.get(await office.invite(ACME))

    refused = await browser.get(callback)

    assert (400, None) == (refused.status, await office.owner(ALPHA))


async def test_who_cancels_can_come_back(office: Office, browser: Browser) -> None:
    """A change of mind does not use the link up."""
    link = await office.invite(ACME)
    office.slack.oauth.visit_as(ALPHA, consents=False)
    cancelled = await browser.install(link)
    owner = await office.owner(ALPHA)
    office.slack.oauth.visit_as(ALPHA)

    assert (200, True, None) == (cancelled.status, "cancelled" in cancelled.text, owner)
    assert 200 == (await browser.install(link)).status
    assert ACME == await office.owner(ALPHA)


async def test_two_tenants_get_a_workspace_each(office: Office) -> None:
    """At the same moment, each through its own link."""
    links = {ALPHA: await office.invite(ACME), BETA: await office.invite(GLOBEX)}
    async with open_browser() as one, open_browser() as two:
        pages = {}
        for browser, workspace in ((one, ALPHA), (two, BETA)):
            office.slack.oauth.visit_as(workspace)
            consent = await browser.get(links[workspace])
            back = await browser.get(consent.link, follow=False)
            pages[workspace] = (browser, back.headers["Location"])
        ends = await asyncio.gather(*(each.get(url) for each, url in pages.values()))

    assert [200, 200] == [page.status for page in ends]
    assert (ACME, GLOBEX) == (await office.owner(ALPHA), await office.owner(BETA))
    assert await office.token(ALPHA) != await office.token(BETA)


async def test_a_workspace_of_another_tenant_is_left_alone(
    office: Office, browser: Browser
) -> None:
    """A clear page, nothing changed, the link still good, and the other's token still works."""
    await office.add(GLOBEX, ALPHA)
    before = await office.token(ALPHA)
    link = await office.invite(ACME)
    office.slack.oauth.visit_as(ALPHA)

    page = await browser.install(link)

    assert (409, True) == (page.status, "Nothing was changed" in page.text)
    assert "globex" not in page.text.lower()
    assert (GLOBEX, before) == (await office.owner(ALPHA), await office.token(ALPHA))
    assert before == office.slack.oauth.team_token(ALPHA)
    office.slack.oauth.visit_as(BETA)
    assert 200 == (await browser.install(link)).status


async def test_a_link_brings_one_workspace(office: Office) -> None:
    """Also when two people followed it before either of them was done."""
    link = await office.invite(ACME)
    async with open_browser() as one, open_browser() as two:
        callbacks = []
        for browser, workspace in ((one, ALPHA), (two, BETA)):
            office.slack.oauth.visit_as(workspace)
            consent = await browser.get(link)
            back = await browser.get(consent.link, follow=False)
            callbacks.append((browser, back.headers["Location"]))
        ends = await asyncio.gather(*(each.get(url) for each, url in callbacks))
        late = await two.get(link)

    assert 1 == sum(page.status == 200 for page in ends)
    owners = [await office.owner(ALPHA), await office.owner(BETA)]
    assert {ACME, None} == set(owners)
    assert 410 == late.status


@pytest.mark.parametrize(
    ("query", "status"), [("", 403), ("?link=", 403), ("?link=made-up", 410), ("?link=%F0", 410)]
)
async def test_without_a_link_of_ours_nothing_begins(
    office: Office, browser: Browser, query: str, status: int
) -> None:
    """Who owns a workspace is the operator's word, never the installer's."""
    page = await browser.get(f"{office.settings.public_url}/slack/install{query}")

    assert (status, True) == (page.status, "new link" in page.text)
    assert "Set-Cookie" not in page.headers


async def test_a_link_and_a_state_end_in_time(office: Office) -> None:
    """The link when its operator said, the state after ten minutes."""
    invitations = LinkInvitations(
        InstallLinks(office.stores.pool), office.stores.installations, now=office.clock
    )
    link = await invitations.invite(ACME)
    state = await invitations.begin(link)
    assert state is not None

    office.clock.ahead += _minutes(11)
    assert None is await invitations.resume(state)
    assert None is not await invitations.offer(link)
    office.clock.ahead += _minutes(24 * 60)
    assert (None, None) == (await invitations.offer(link), await invitations.begin(link))


async def test_a_link_that_is_opened_over_and_over_keeps_the_newest_states(office: Office) -> None:
    """Whoever has a link cannot fill the store with it."""
    invitations = office.stores.invitations
    link = await invitations.invite(ACME)
    states = [await invitations.begin(link) for _ in range(MOST_STATES + 1)]

    [kept] = await fetch(office.stores.pool, "SELECT count(*) AS number FROM install_states")
    assert MOST_STATES == kept["number"]
    assert None is await invitations.resume(states[0] or "")
    assert None is not await invitations.resume(states[-1] or "")


async def test_an_organisation_joins_as_a_whole(office: Office, browser: Browser) -> None:
    """Its id is the workspace of the binding; single workspaces of it are found by it."""
    for team in ("T0ORGA", "T0ORGB"):
        office.slack.oauth.add_workspace(team, enterprise_id="E0ORG")
    office.slack.oauth.visit_as("T0ORGA", org_wide=True)

    page = await browser.install(await office.invite(ACME))

    assert (200, ACME, None) == (
        page.status,
        await office.owner("E0ORG"),
        await office.owner("T0ORGA"),
    )
    candidates = [WorkspaceId("T0ORGB"), WorkspaceId("E0ORG")]
    binding = await office.stores.lookup.resolve(Platform.SLACK, candidates)
    assert binding is not None
    assert "E0ORG" == binding.workspace
    found = await office.stores.installations.reads.find(Platform.SLACK, WorkspaceId("E0ORG"))
    assert found is not None
    assert (True, "E0ORG Inc.") == (found.grant.org_wide, found.grant.name)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (HttpStatus(500), 502),
        (ResetBefore(), 502),
        (ApiError("invalid_code"), 401),
        (ApiError("bad_client_secret"), 401),
    ],
)
async def test_what_slack_refuses_or_cannot_do_changes_nothing(
    office: Office, browser: Browser, fault: Fault, status: int
) -> None:
    """The person gets a page, and can begin again with the same link."""
    link = await office.invite(ACME)
    office.slack.oauth.visit_as(ALPHA)
    office.slack.fail_next("oauth.v2.access", fault)

    page = await browser.install(link)

    assert (status, None) == (page.status, await office.owner(ALPHA))
    assert 200 == (await browser.install(link)).status


async def test_installing_again_replaces_the_token(office: Office, browser: Browser) -> None:
    """After the app was removed, the same tenant gets the workspace back."""
    await office.add(ACME, ALPHA)
    old = await office.token(ALPHA)
    assert old is not None
    office.slack.uninstall(ALPHA)
    await office.stores.installations.end(Platform.SLACK, ALPHA, "uninstalled", token=old)
    office.slack.oauth.visit_as(ALPHA)

    assert 200 == (await browser.install(await office.invite(ACME))).status
    assert (ACME, office.slack.oauth.team_token(ALPHA)) == (
        await office.owner(ALPHA),
        await office.token(ALPHA),
    )
    found = await office.stores.installations.reads.find(Platform.SLACK, ALPHA)
    assert found is not None
    assert ("", None) == (found.ended, found.ended_at)


async def test_pages_keep_their_address_to_themselves(office: Office, browser: Browser) -> None:
    """It holds the link: no cache, no Referer, no frame; and a preview's HEAD begins nothing."""
    link = await office.invite(ACME)
    page = await browser.get(link)

    assert ("no-store", "no-referrer") == (
        page.headers["Cache-Control"],
        page.headers["Referrer-Policy"],
    )
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    async with aiohttp.ClientSession() as previewer, previewer.head(link) as answer:
        assert 405 == answer.status


async def test_what_a_request_says_of_itself_is_never_shown(
    office: Office, browser: Browser
) -> None:
    """An error's name comes from whoever calls."""
    base = f"{office.settings.public_url}/slack/oauth_redirect"
    page = await browser.get(f"{base}?error=%3Cscript%3Ealert(1)%3C/script%3E")
    long = await browser.get(f"{base}?code={'x' * 5000}")

    assert (400, False) == (page.status, "script" in page.text)
    assert 400 == long.status


def _minutes(number: int) -> timedelta:
    return timedelta(minutes=number)
