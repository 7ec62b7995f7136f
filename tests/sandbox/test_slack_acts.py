"""The sandbox's methods that change, find and show, against the method pages on docs.slack.dev."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from gateway.sandbox.slack import TIERS, Rate, ResetAfter, ResetBefore, SlackSandbox, Team
from tests.sandbox.conftest import ALPHA, BETA, QUICK

CHANNEL = "C0GENERAL"
ECHOING = replace(QUICK, echo_own_messages=True, ack_deadline_s=60.0)
BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "hi"}}]


async def error_of(web: AsyncWebClient, method: str, **arguments: object) -> str:
    """The error of a call, as the SDK sees it."""
    with pytest.raises(SlackApiError) as caught:
        await web.api_call(method, json=arguments)
    return str(caught.value.response["error"])


@pytest.fixture
async def ts(web: AsyncWebClient) -> str:
    """A message of the bot's own."""
    return str((await web.chat_postMessage(channel=CHANNEL, text="one"))["ts"])


async def test_an_edit_keeps_what_it_does_not_name_but_a_text_takes_the_blocks_away(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """chat.update: the fields `blocks`, `metadata`, `attachments`."""
    metadata = {"event_type": "x", "event_payload": {"marker": "1"}}
    posted = await web.chat_postMessage(
        channel=CHANNEL, text="one", blocks=BLOCKS, attachments=[{"text": "a"}], metadata=metadata
    )
    only_blocks = {"channel": CHANNEL, "ts": posted["ts"], "blocks": [{"type": "divider"}]}
    await web.api_call("chat.update", json=only_blocks)
    (now,) = slack.bot_messages(ALPHA, CHANNEL)
    assert ("one", [{"type": "divider"}], metadata) == (now.text, now.blocks, now.metadata)
    await web.chat_update(channel=CHANNEL, ts=posted["ts"], text="two", metadata={})
    (now,) = slack.bot_messages(ALPHA, CHANNEL)
    assert ("two", None, None) == (now.text, now.blocks, now.metadata)
    assert [{"text": "a"}] == now.attachments


@pytest.fixture
async def echoing() -> AsyncIterator[SlackSandbox]:
    """A sandbox whose app hears of its own acts, with one team."""
    async with SlackSandbox(rules=ECHOING) as sandbox:
        sandbox.add_team(ALPHA)
        sandbox.add_channel(ALPHA, CHANNEL)
        yield sandbox


async def test_an_app_hears_of_its_own_changes(
    echoing: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    """message_changed, message_deleted and the reactions, as everybody else's."""
    url = str(
        (
            await AsyncWebClient(
                token=echoing.app_token, base_url=echoing.base_url, session=session
            ).apps_connections_open(app_token=echoing.app_token)
        )["url"]
    )
    web = AsyncWebClient(token=f"xoxb-{ALPHA}", base_url=echoing.base_url, session=session)
    async with session.ws_connect(url) as socket:
        assert "hello" == (await socket.receive_json(timeout=5))["type"]
        ts = (await web.chat_postMessage(channel=CHANNEL, text="one"))["ts"]
        await web.chat_update(channel=CHANNEL, ts=ts, text="two")
        await web.reactions_add(channel=CHANNEL, timestamp=ts, name="eyes")
        await web.reactions_remove(channel=CHANNEL, timestamp=ts, name="eyes")
        await web.chat_delete(channel=CHANNEL, ts=ts)
        events = [(await socket.receive_json(timeout=5))["payload"]["event"] for _ in range(5)]
    assert [
        ("message", None),
        ("message", "message_changed"),
        ("reaction_added", None),
        ("reaction_removed", None),
        ("message", "message_deleted"),
    ] == [(event["type"], event.get("subtype")) for event in events]
    assert {"type": "message", "channel": CHANNEL, "ts": ts} == events[2]["item"]
    assert (f"U0BOT{ALPHA[1:]}", "eyes") == (events[2]["user"], events[2]["reaction"])


async def test_reactions_are_one_for_each_user(
    slack: SlackSandbox, web: AsyncWebClient, alpha: Team, ts: str
) -> None:
    """reactions.add and reactions.remove, and what history shows of them."""
    where = {"channel": CHANNEL, "timestamp": ts}
    await web.reactions_add(**where, name="thumbsup")
    assert "already_reacted" == await error_of(web, "reactions.add", **where, name="thumbsup")
    (shown,) = (await web.conversations_history(channel=CHANNEL))["messages"]
    expected = {"name": "thumbsup", "users": [alpha.bot_user_id], "count": 1}
    assert [expected] == shown["reactions"]
    await web.reactions_remove(**where, name="thumbsup")
    assert "no_reaction" == await error_of(web, "reactions.remove", **where, name="thumbsup")
    (now,) = slack.bot_messages(ALPHA, CHANNEL)
    assert {} == now.reactions


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("reactions.add", {"name": "eyes"}, "no_item_specified"),
        ("reactions.add", {"name": "No!", "channel": CHANNEL, "timestamp": "1.1"}, "invalid_name"),
        ("reactions.add", {"channel": CHANNEL, "timestamp": "1.1"}, "invalid_arguments"),
        (
            "reactions.add",
            {"name": "eyes", "channel": CHANNEL, "timestamp": "x"},
            "bad_timestamp",
        ),
        (
            "reactions.remove",
            {"name": "eyes", "channel": CHANNEL, "timestamp": "1.1"},
            "message_not_found",
        ),
        ("chat.postEphemeral", {"channel": CHANNEL, "text": "x"}, "invalid_arguments"),
        ("chat.postEphemeral", {"channel": CHANNEL, "user": "U0ANN"}, "no_text"),
        (
            "chat.postEphemeral",
            {"channel": CHANNEL, "user": "U0NOBODY", "text": "x"},
            "user_not_in_channel",
        ),
        ("chat.update", {"channel": CHANNEL, "ts": "1.1", "text": "x"}, "message_not_found"),
        ("chat.delete", {"channel": CHANNEL, "ts": "1.1"}, "message_not_found"),
        ("conversations.open", {}, "users_list_not_supplied"),
        ("conversations.open", {"users": "U0NOBODY"}, "user_not_found"),
        ("conversations.open", {"users": ",".join(["U0ANN"] * 9)}, "too_many_users"),
        (
            "conversations.open",
            {"channel": CHANNEL},
            "method_not_supported_for_channel_type",
        ),
        ("conversations.list", {"types": "secret"}, "invalid_types"),
        ("conversations.list", {"limit": 1000}, "invalid_limit"),
        ("conversations.list", {"limit": "x"}, "invalid_limit"),
        ("conversations.list", {"cursor": "x"}, "invalid_cursor"),
        ("conversations.info", {"channel": "C0NOWHERE"}, "channel_not_found"),
        ("users.info", {"user": "U0NOBODY"}, "user_not_found"),
        (
            "assistant.threads.setStatus",
            {"channel_id": CHANNEL, "thread_ts": "1.1", "status": ""},
            "invalid_thread_ts",
        ),
        (
            "assistant.threads.setStatus",
            {"channel_id": "C0NOWHERE", "thread_ts": "1.1", "status": ""},
            "channel_not_found",
        ),
        (
            "assistant.threads.setStatus",
            {"channel_id": CHANNEL, "thread_ts": "1.1"},
            "invalid_arguments",
        ),
    ],
)
async def test_wrong_calls_are_refused_by_name(
    slack: SlackSandbox,
    web: AsyncWebClient,
    method: str,
    arguments: dict[str, object],
    error: str,
) -> None:
    """The errors of each method's page."""
    slack.add_user(ALPHA, "U0ANN")
    assert error == await error_of(web, method, **arguments)


async def test_what_one_user_sees_stands_in_no_history(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """chat.postEphemeral: message_ts in the answer, and nothing to look up, edit or delete."""
    slack.add_user(ALPHA, "U0ANN")
    answer = await web.chat_postEphemeral(channel=CHANNEL, user="U0ANN", text="psst")
    (shown,) = slack.ephemerals(ALPHA, CHANNEL)
    assert ("psst", "U0ANN", answer["message_ts"]) == (shown.text, shown.visible_to, shown.ts)
    assert [] == (await web.conversations_history(channel=CHANNEL))["messages"]
    for method in ("chat.update", "chat.delete"):
        arguments = {"channel": CHANNEL, "ts": shown.ts, "text": "x"}
        assert "message_not_found" == await error_of(web, method, **arguments)


async def test_the_bot_speaks_only_where_it_is_and_sees_no_foreign_secrets(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """Membership, privacy and archives."""
    slack.add_channel(ALPHA, "C0PUBLIC", is_member=False)
    slack.add_channel(ALPHA, "C0OLD", is_archived=True)
    slack.add_channel(ALPHA, "G0SECRET", "group", is_member=False)
    for channel, error in (
        ("C0PUBLIC", "not_in_channel"),
        ("C0OLD", "is_archived"),
        ("G0SECRET", "channel_not_found"),
    ):
        assert error == await error_of(web, "chat.postMessage", channel=channel, text="x")
    assert "channel_not_found" == await error_of(web, "conversations.info", channel="G0SECRET")
    info = (await web.conversations_info(channel="C0PUBLIC"))["channel"]
    assert (False, False) == (info["is_member"], info["is_archived"])


async def test_channels_are_listed_in_pages(slack: SlackSandbox, web: AsyncWebClient) -> None:
    """conversations.list: types, archived ones, cursor; only the caller's team."""
    for channel, kind, archived in (
        ("C0A", None, False),
        ("C0B", None, True),
        ("D0X", "im", False),
        ("G0P", "group", False),
    ):
        slack.add_channel(ALPHA, channel, kind, is_archived=archived)  # type: ignore[arg-type]  # kinds
    slack.add_channel(BETA, "C0OTHER")
    first = await web.conversations_list(
        types="public_channel,private_channel", exclude_archived=True, limit=2
    )
    cursor = first["response_metadata"]["next_cursor"]
    second = await web.conversations_list(
        types="public_channel,private_channel", exclude_archived=True, limit=2, cursor=cursor
    )
    assert ["C0A", CHANNEL] == [each["id"] for each in first["channels"]]
    assert ["G0P"] == [each["id"] for each in second["channels"]]
    assert "" == second["response_metadata"]["next_cursor"]
    default = (await web.conversations_list())["channels"]
    assert ["C0A", "C0B", CHANNEL] == [each["id"] for each in default]


async def test_a_token_of_an_organisation_has_to_name_the_team(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    """conversations.list: team_id is "required if token belongs to org-wide app"."""
    for team in ("T0ORGA", "T0ORGB"):
        slack.add_team(
            team, bot_token="xoxb-org", enterprise_id="E0ORG", is_enterprise_install=True
        )
        slack.add_channel(team, f"C0OF{team[-1]}")
    web = AsyncWebClient(token="xoxb-org", base_url=slack.base_url, session=session)
    assert "missing_argument" == await error_of(web, "conversations.list")
    listed = (await web.conversations_list(team_id="T0ORGB"))["channels"]
    assert ["C0OFB"] == [each["id"] for each in listed]


async def test_direct_messages_are_opened_once(slack: SlackSandbox, web: AsyncWebClient) -> None:
    """conversations.open: the same channel again, whoever the users' order is."""
    for user in ("U0ANN", "U0BEN"):
        slack.add_user(ALPHA, user)
    first = await web.conversations_open(users="U0ANN")
    again = await web.conversations_open(users="U0ANN", return_im=True)
    group = await web.conversations_open(users="U0ANN,U0BEN")
    turned = await web.conversations_open(users="U0BEN,U0ANN")
    assert first["channel"]["id"] == again["channel"]["id"]
    assert (None, True) == (first.get("already_open"), again["already_open"])
    assert (True, False) == (again["channel"]["is_im"], again["channel"]["is_mpim"])
    assert group["channel"]["id"] == turned["channel"]["id"]
    resumed = await web.conversations_open(channel=first["channel"]["id"])
    assert first["channel"]["id"] == resumed["channel"]["id"]


async def test_users_have_roles_and_for_those_who_ask_a_locale(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """users.info."""
    slack.add_user(ALPHA, "U0ANN", "Ann", locale="fr-FR", role="owner")
    user = (await web.users_info(user="U0ANN", include_locale=True))["user"]
    assert ("fr-FR", True, True, False, ALPHA) == (
        user["locale"],
        user["is_owner"],
        user["is_admin"],
        user["is_restricted"],
        user["team_id"],
    )
    assert "locale" not in (await web.users_info(user="U0ANN"))["user"]


async def test_a_status_is_shown_under_a_message(
    slack: SlackSandbox, web: AsyncWebClient, ts: str
) -> None:
    """assistant.threads.setStatus; an empty status takes the one before back."""
    for text in ("is thinking…", ""):
        await web.assistant_threads_setStatus(channel_id=CHANNEL, thread_ts=ts, status=text)
    assert [(ALPHA, "is thinking…"), (ALPHA, "")] == [
        (status.team_id, status.text) for status in slack.statuses
    ]


@pytest.mark.parametrize(
    "method", ["chat.postEphemeral", "reactions.add", "reactions.remove", "conversations.list"]
)
async def test_methods_have_tiers_once_they_are_switched_on(
    session: aiohttp.ClientSession, method: str
) -> None:
    """Per method and team, counted before anything else is looked at."""
    assert method in TIERS
    rules = replace(QUICK, method_rates={method: Rate(per_second=0.1, burst=1)})
    async with SlackSandbox(rules=rules) as slack:
        statuses = []
        for team in (ALPHA, ALPHA, BETA):
            slack.add_team(team)
            async with session.post(
                slack.base_url + method, data={"token": f"xoxb-{team}"}
            ) as answer:
                statuses.append((answer.status, answer.headers.get("Retry-After")))
    assert [(200, None), (429, "10"), (200, None)] == statuses


@pytest.mark.parametrize(("fault", "done"), [(ResetBefore(), 0), (ResetAfter(), 1)])
async def test_a_lost_answer_may_or_may_not_have_been_carried_out(
    slack: SlackSandbox, web: AsyncWebClient, ts: str, fault: ResetBefore, done: int
) -> None:
    """The new methods take every fault that chat.postMessage takes."""
    slack.fail_next("reactions.add", fault)
    with pytest.raises(aiohttp.ClientConnectionError):
        await web.reactions_add(channel=CHANNEL, timestamp=ts, name="eyes")
    (now,) = slack.bot_messages(ALPHA, CHANNEL)
    assert done == len(now.reactions)
