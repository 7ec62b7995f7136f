"""Dialogs as Slack shows them, and refuses to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from gateway.sandbox.slack import SlackRules, SlackSandbox
from tests.support.waiting import eventually

TEAM, OTHER, CHANNEL, ANN = "T0AAAA", "T0BBBB", "C0GENERAL", "U0ANN"
VIEW: dict[str, Any] = {
    "type": "modal",
    "callback_id": "order",
    "title": {"type": "plain_text", "text": "Order"},
    "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "Hungry?"}}],
}
HOME = {"type": "home", "blocks": VIEW["blocks"]}
QUESTION = {
    "type": "input",
    "block_id": "dish",
    "label": {"type": "plain_text", "text": "Dish"},
    "element": {"type": "plain_text_input", "action_id": "answer"},
}


@pytest.fixture
async def slack(request: pytest.FixtureRequest) -> AsyncIterator[SlackSandbox]:
    """Two teams; triggers live for longer than any test. Its parameter is their lifetime."""
    rules = SlackRules(ack_deadline_s=0.05, trigger_lifetime_s=getattr(request, "param", 60.0))
    async with SlackSandbox(rules=rules) as sandbox:
        sandbox.add_team(TEAM)
        sandbox.add_team(OTHER)
        sandbox.add_user(TEAM, ANN)
        yield sandbox


@pytest.fixture
async def client(slack: SlackSandbox) -> AsyncIterator[AsyncWebClient]:
    """Slack's own SDK, as the team's bot."""
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(f"xoxb-{TEAM}", base_url=slack.base_url, session=session)


async def trigger(slack: SlackSandbox) -> str:
    """Let Ann do something; the app is told over HTTP, where it is nobody."""
    slack.http.point_at("http://127.0.0.1:1", "secret")
    slack.run_command(TEAM, CHANNEL, ANN, "/order")
    await eventually(lambda: slack.http.requests)
    body = dict(pair.split("=") for pair in slack.http.requests.pop().body.decode().split("&"))
    return body["trigger_id"]


async def refusal(call: Any) -> str:
    """The code of the error in which a call ends."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_a_view_is_opened_for_who_has_done_something(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    """And it can be changed, by its id."""
    opened = await client.views_open(trigger_id=await trigger(slack), view=VIEW)
    assert ("order", TEAM) == (opened["view"]["callback_id"], opened["view"]["team_id"])
    other = VIEW | {"title": {"type": "plain_text", "text": "Thanks"}}
    given = {"view_id": opened["view"]["id"], "hash": opened["view"]["hash"]}
    changed = await client.views_update(view=other, **given)
    assert opened["view"]["id"] == changed["view"]["id"]
    await client.views_open(trigger_id=await trigger(slack), view=VIEW)
    view, untouched = slack.views
    assert (VIEW,) == untouched.shown
    assert (ANN, other, (VIEW, other)) == (view.user_id, view.content, view.shown)
    assert "hash_conflict" == await refusal(client.views_update(view=VIEW, **given))


async def test_a_trigger_serves_once(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """Nor can it be made up, or be used in another workspace."""
    used = await trigger(slack)
    await client.views_open(trigger_id=used, view=VIEW)
    assert "exchanged_trigger_id" == await refusal(client.views_open(trigger_id=used, view=VIEW))
    assert "invalid_trigger_id" == await refusal(client.views_open(trigger_id="1.2.a", view=VIEW))
    stranger = AsyncWebClient(f"xoxb-{OTHER}", base_url=slack.base_url, session=client.session)
    theirs = stranger.views_open(trigger_id=await trigger(slack), view=VIEW)
    assert "invalid_trigger_id" == await refusal(theirs)


@pytest.mark.parametrize("slack", [0.0], indirect=True)
async def test_a_trigger_does_not_serve_for_long(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    """What nobody has seen happen must not open a window before them."""
    old = await trigger(slack)
    assert "expired_trigger_id" == await refusal(client.views_open(trigger_id=old, view=VIEW))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": "home"}, "invalid_arguments"),
        ({"title": None}, "invalid_arguments"),
        ({"title": {"type": "mrkdwn", "text": "Order"}}, "invalid_arguments"),
        ({"title": {"type": "plain_text", "text": "x" * 25}}, "invalid_arguments"),
        ({"submit": {"type": "plain_text", "text": ""}}, "invalid_arguments"),
        ({"blocks": None}, "invalid_arguments"),
        ({"blocks": VIEW["blocks"] * 101}, "invalid_arguments"),
        ({"blocks": [{"type": "hologram"}]}, "invalid_blocks"),
        ({"blocks": [QUESTION]}, "invalid_arguments"),
        ({"private_metadata": "x" * 3001}, "invalid_arguments"),
        ({"callback_id": "x" * 256}, "invalid_arguments"),
        ({"private_metadata": "x" * 300_000}, "view_too_large"),
    ],
)
async def test_wrong_views_are_refused_and_spend_no_trigger(
    slack: SlackSandbox, client: AsyncWebClient, changes: dict[str, Any], code: str
) -> None:
    """Types, lengths and counts; questions want a button to submit them."""
    spent = await trigger(slack)
    assert code == await refusal(client.views_open(trigger_id=spent, view=VIEW | changes))
    await client.views_open(trigger_id=spent, view=VIEW)
    assert [VIEW] == [view.content for view in slack.views]


async def test_views_can_be_named_by_the_app(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """Under a name of which there is one."""
    named = VIEW | {"external_id": "ann-1"}
    await client.views_open(trigger_id=await trigger(slack), view=named)
    again = client.views_open(trigger_id=await trigger(slack), view=named)
    assert "duplicate_external_id" == await refusal(again)
    await client.views_update(external_id="ann-1", view=named | {"callback_id": "changed"})
    assert ["changed"] == [view.content["callback_id"] for view in slack.views]
    assert "not_found" == await refusal(client.views_update(external_id="ann-2", view=VIEW))
    nameless = client.api_call("views.update", json={"view": VIEW})
    assert "invalid_arguments" == await refusal(nameless)


async def test_a_home_is_published_for_one_user(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    """Without a trigger; the second takes the place of the first."""
    first = await client.views_publish(user_id=ANN, view=HOME)
    await client.views_publish(user_id=ANN, view=HOME | {"callback_id": "second"})
    [view] = slack.views
    assert (ANN, "second") == (view.user_id, view.content["callback_id"])
    late = client.views_publish(user_id=ANN, view=HOME, hash=first["view"]["hash"])
    assert "hash_conflict" == await refusal(late)
    assert "user_not_found" == await refusal(client.views_publish(user_id="U0NO", view=HOME))
    assert "invalid_arguments" == await refusal(client.views_publish(user_id=ANN, view=VIEW))


def test_the_defaults_are_slacks() -> None:
    """Three seconds."""
    assert 3.0 == SlackRules().trigger_lifetime_s == replace(SlackRules()).ack_deadline_s
