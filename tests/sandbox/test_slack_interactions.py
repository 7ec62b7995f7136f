"""Commands, buttons, dialogs and shortcuts of the sandbox, against docs.slack.dev."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from gateway.sandbox.slack import SlackSandbox, Team
from tests.sandbox.conftest import ALPHA, HASTY
from tests.sandbox.plain_app import PlainApp

GENERAL, ANN = "C0GENERAL", "U0ANN"
LARGE = {"text": {"type": "plain_text", "text": "Large"}, "value": "l"}
BLOCKS: list[dict[str, Any]] = [
    {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "action_id": "yes",
                "text": {"type": "plain_text", "text": "Yes"},
                "value": "42",
            },
            {
                "type": "static_select",
                "action_id": "size",
                "options": [{"text": {"type": "plain_text", "text": "Small"}, "value": "s"}, LARGE],
            },
        ],
    },
    {
        "type": "context_actions",
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": "good",
                "positive_button": {"text": {"type": "plain_text", "text": "👍"}, "value": "up"},
                "negative_button": {"text": {"type": "plain_text", "text": "👎"}, "value": "no"},
            }
        ],
    },
]
VIEW: dict[str, object] = {
    "type": "modal",
    "callback_id": "order",
    "private_metadata": "ours",
    "title": {"type": "plain_text", "text": "Order"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [
        {
            "type": "input",
            "block_id": "note",
            "label": {"type": "plain_text", "text": "Note"},
            "element": {"type": "plain_text_input", "action_id": "answer"},
        },
        {
            "type": "input",
            "block_id": "toppings",
            "label": {"type": "plain_text", "text": "Toppings"},
            "element": {
                "type": "checkboxes",
                "action_id": "answer",
                "options": [{"text": {"type": "plain_text", "text": "Corn"}, "value": "corn"}],
            },
        },
    ],
}


async def test_a_slash_command_is_a_form_and_may_be_answered(
    slack: SlackSandbox, app: PlainApp
) -> None:
    """https://docs.slack.dev/interactivity/implementing-slash-commands/"""
    slack.run_command(ALPHA, "D0ANN", ANN, "/ask", "why")
    frame = await app.frame()
    payload = frame["payload"]
    assert ("slash_commands", True) == (frame["type"], frame["accepts_response_payload"])
    assert {
        "token",
        "team_id",
        "team_domain",
        "channel_id",
        "channel_name",
        "user_id",
        "user_name",
        "command",
        "text",
        "api_app_id",
        "is_enterprise_install",
        "response_url",
        "trigger_id",
    } == payload.keys()
    assert ("directmessage", "/ask", "why", "false") == tuple(
        payload[name] for name in ("channel_name", "command", "text", "is_enterprise_install")
    )
    await app.ack(frame, {"text": "because"})
    await slack.settled(5)
    (delivery,) = slack.deliveries
    assert ("/ask", ALPHA, {"text": "because"}) == (
        delivery.event_type,
        delivery.team_id,
        delivery.response,
    )


@pytest.mark.parametrize("slack", [HASTY], indirect=True)
async def test_interactions_are_not_sent_again(slack: SlackSandbox, app: PlainApp) -> None:
    """The user sees an error instead."""
    ids = [
        slack.run_command(ALPHA, GENERAL, ANN, "/ask"),
        slack.use_shortcut(ALPHA, ANN, "digest"),
        slack.submit(ALPHA, ANN, VIEW),
        slack.close_view(ALPHA, ANN, VIEW),
    ]
    types = [(await app.frame())["payload"].get("type") for _ in ids]
    await slack.settled(5)
    assert [None, "shortcut", "view_submission", "view_closed"] == types
    assert sorted(ids) == sorted(slack.given_up)
    assert 4 == len(slack.deliveries)


@pytest.mark.parametrize(
    ("action_id", "values", "used"),
    [
        ("yes", (), {"type": "button", "value": "42"}),
        ("size", ("l",), {"type": "static_select", "selected_option": LARGE}),
        ("good", ("up",), {"type": "feedback_buttons", "value": "up"}),
    ],
)
async def test_components_of_a_message_are_used(
    slack: SlackSandbox,
    app: PlainApp,
    web: AsyncWebClient,
    action_id: str,
    values: tuple[str, ...],
    used: dict[str, Any],
) -> None:
    """https://docs.slack.dev/reference/interaction-payloads/block_actions-payload/"""
    ts = (await web.chat_postMessage(channel=GENERAL, text="?", blocks=BLOCKS))["ts"]
    slack.press(ALPHA, GENERAL, ANN, ts, action_id, *values)
    frame = await app.frame()
    payload = frame["payload"]
    assert ("interactive", False) == (frame["type"], frame["accepts_response_payload"])
    assert {
        "type",
        "token",
        "api_app_id",
        "team",
        "user",
        "enterprise",
        "is_enterprise_install",
        "trigger_id",
        "container",
        "channel",
        "message",
        "state",
        "response_url",
        "actions",
    } == payload.keys()
    assert (slack.app_id, ALPHA, ts) == (
        payload["message"]["app_id"],
        payload["message"]["team"],
        payload["container"]["message_ts"],
    )
    (action,) = payload["actions"]
    assert {"action_id", "block_id", "action_ts", "type"} < action.keys()
    assert used.items() <= action.items()


async def test_a_menu_has_a_state_and_a_button_has_none(
    slack: SlackSandbox, app: PlainApp, web: AsyncWebClient
) -> None:
    """https://docs.slack.dev/changelog/2020-09-full-state-on-view-submisson-and-block-actions"""
    ts = (await web.chat_postMessage(channel=GENERAL, text="?", blocks=BLOCKS))["ts"]
    slack.press(ALPHA, GENERAL, ANN, ts, "yes")
    slack.press(ALPHA, GENERAL, ANN, ts, "size", "l")
    pressed, chosen = [(await app.frame())["payload"] for _ in range(2)]
    block_id = chosen["actions"][0]["block_id"]
    assert {} == pressed["state"]["values"]
    assert {"type": "static_select", "selected_option": LARGE} == (
        chosen["state"]["values"][block_id]["size"]
    )


async def test_what_is_not_there_cannot_be_used(
    slack: SlackSandbox, app: PlainApp, web: AsyncWebClient
) -> None:
    """A test that presses the wrong button must fail at the press."""
    ts = (await web.chat_postMessage(channel=GENERAL, text="?", blocks=BLOCKS))["ts"]
    for action_id, value in (("no", "x"), ("size", "xl"), ("good", "meh")):
        with pytest.raises(KeyError):
            slack.press(ALPHA, GENERAL, ANN, ts, action_id, value)
    with pytest.raises(KeyError):
        slack.press(ALPHA, GENERAL, ANN, "1.1", "yes")
    with pytest.raises(KeyError):
        slack.submit(ALPHA, ANN, VIEW, {"colour": "red"})
    assert (1, []) == (app.hello["num_connections"], list(slack.deliveries))


async def test_a_message_that_one_user_sees_is_not_in_the_payload(
    slack: SlackSandbox, app: PlainApp, web: AsyncWebClient
) -> None:
    """Only the container tells of it."""
    slack.add_user(ALPHA, ANN)
    answer = await web.chat_postEphemeral(channel=GENERAL, user=ANN, text="?", blocks=BLOCKS)
    slack.press(ALPHA, GENERAL, ANN, str(answer["message_ts"]), "yes")
    payload = (await app.frame())["payload"]
    assert "message" not in payload
    assert (True, answer["message_ts"]) == (
        payload["container"]["is_ephemeral"],
        payload["container"]["message_ts"],
    )


async def test_a_dialog_comes_back_with_all_of_its_answers(
    slack: SlackSandbox, app: PlainApp, alpha: Team
) -> None:
    """https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload/"""
    slack.submit(ALPHA, ANN, VIEW, {"toppings": ["corn"]})
    frame = await app.frame()
    view = frame["payload"]["view"]
    assert ("view_submission", True) == (
        frame["payload"]["type"],
        frame["accepts_response_payload"],
    )
    names = ("private_metadata", "callback_id", "app_installed_team_id", "app_id", "bot_id")
    assert ("ours", "order", ALPHA, slack.app_id, alpha.bot_id) == tuple(
        view[name] for name in names
    )
    values = view["state"]["values"]
    assert {"type": "plain_text_input", "value": None} == values["note"]["answer"]
    assert ["corn"] == [each["value"] for each in values["toppings"]["answer"]["selected_options"]]


async def test_shortcuts(slack: SlackSandbox, app: PlainApp) -> None:
    """A global one has no channel; one on a message has the whole message."""
    ts = slack.say(ALPHA, GENERAL, ANN, "hello")
    await app.frame()
    slack.use_shortcut(ALPHA, ANN, "digest")
    slack.use_message_shortcut(ALPHA, GENERAL, ANN, ts, "summarise")
    everywhere, on_message = [(await app.frame())["payload"] for _ in range(2)]
    assert ("shortcut", "digest") == (everywhere["type"], everywhere["callback_id"])
    assert "channel" not in everywhere
    assert ("message_action", GENERAL, "hello", ts) == (
        on_message["type"],
        on_message["channel"]["id"],
        on_message["message"]["text"],
        on_message["message_ts"],
    )


async def test_an_org_wide_install_has_no_team_in_its_interactions(
    slack: SlackSandbox, app: PlainApp
) -> None:
    """Only a slash command still names the workspace in which it was typed."""
    slack.add_team("T0ORGA", enterprise_id="E0ORG", is_enterprise_install=True)
    slack.use_shortcut("T0ORGA", ANN, "digest")
    slack.run_command("T0ORGA", GENERAL, ANN, "/ask")
    shortcut, command = [(await app.frame())["payload"] for _ in range(2)]
    assert (None, True, "E0ORG", "T0ORGA") == (
        shortcut["team"],
        shortcut["is_enterprise_install"],
        shortcut["enterprise"]["id"],
        shortcut["user"]["team_id"],
    )
    assert ("T0ORGA", "E0ORG", "true") == (
        command["team_id"],
        command["enterprise_id"],
        command["is_enterprise_install"],
    )
