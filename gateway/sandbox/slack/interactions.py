"""Slack's JSON of slash commands, shortcuts, pressed buttons and submitted dialogs. Pure: sends
nothing, and holds nothing but the counting of triggers.

Shapes: https://docs.slack.dev/interactivity/implementing-slash-commands/ ,
https://docs.slack.dev/reference/interaction-payloads/block_actions-payload/ ,
https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload/ and
https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload/
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.sandbox.slack.book import Message
from gateway.sandbox.slack.directory import Channel, Team, User
from gateway.sandbox.slack.events import message_json
from gateway.sandbox.wire import JsonObject

_CHANNEL_NAMES: Final = {"im": "directmessage", "group": "privategroup"}
Answers = Mapping[str, str | Sequence[str]]
"""What somebody fills in: by `block_id`; option values, a date, or text."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it, in which workspace, with which app."""

    team: Team
    user: User
    app_id: str


def command_payload(actor: Actor, channel: Channel, command: str, text: str) -> JsonObject:
    """A slash command is a form, so even its flag is a word."""
    team = actor.team
    payload: JsonObject = {
        "token": "sandbox-verification-token",
        "team_id": team.team_id,
        "team_domain": team.name.lower(),
        "channel_id": channel.channel_id,
        "channel_name": channel_name(channel),
        "user_id": actor.user.user_id,
        "user_name": actor.user.name,
        "command": command,
        "text": text,
        "api_app_id": actor.app_id,
        "is_enterprise_install": "true" if team.is_enterprise_install else "false",
        "response_url": _response_url("commands", team),
        "trigger_id": _trigger_id(),
    }
    if team.enterprise_id is not None:
        payload |= {"enterprise_id": team.enterprise_id, "enterprise_name": team.enterprise_id}
    return payload


def shortcut_payload(actor: Actor, callback_id: str) -> JsonObject:
    """A global shortcut: no channel, no message."""
    own: JsonObject = {"callback_id": callback_id, "action_ts": _now_ts()}
    return _interaction("shortcut", actor) | own


def message_shortcut_payload(
    actor: Actor, channel: Channel, message: Message, callback_id: str
) -> JsonObject:
    """A shortcut from a message's menu, with the whole message."""
    own: JsonObject = {
        "callback_id": callback_id,
        "action_ts": _now_ts(),
        "message_ts": message.ts,
        "channel": {"id": channel.channel_id, "name": channel_name(channel)},
        "message": message_json(message, actor.team),
        "response_url": _response_url("app", actor.team),
    }
    return _interaction("message_action", actor) | own


def block_actions_payload(
    actor: Actor, channel: Channel, message: Message, action: JsonObject
) -> JsonObject:
    """A component of a message was used. Of one that only one user sees the message is missing."""
    is_ephemeral = message.visible_to is not None
    container: JsonObject = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.channel_id,
        "is_ephemeral": is_ephemeral,
    }
    if message.thread_ts is not None:
        container["thread_ts"] = message.thread_ts
    own: JsonObject = {
        "container": container,
        "channel": {"id": channel.channel_id, "name": channel_name(channel)},
        "state": {"values": _state_after(action)},
        "response_url": _response_url("actions", actor.team),
        "actions": [action],
    }
    if not is_ephemeral:
        # Here the metadata comes along, which other readers have to ask for.
        metadata = {} if message.metadata is None else {"metadata": message.metadata}
        own["message"] = message_json(message, actor.team) | metadata
    return _interaction("block_actions", actor) | own


def view_payload(kind: str, actor: Actor, view: JsonObject, answers: Answers) -> JsonObject:
    """`kind` is view_submission or view_closed; `view` is what the app gave to views.open."""
    own: JsonObject = {"view": _shown_view(actor, view, answers)}
    if kind == "view_submission":
        own["response_urls"] = []
    else:
        own["is_cleared"] = False
    return _interaction(kind, actor) | own


def used_element(message: Message, action_id: str, values: Sequence[str]) -> JsonObject:
    """The entry of `actions` for one element of a message. Raises KeyError when the message has no
    such element, or the element no such option.
    """
    for block_id, element in _elements(message.blocks or ()):
        if element.get("action_id") == action_id:
            used: JsonObject = {"action_id": action_id, "block_id": block_id}
            return used | _state(element, values) | {"action_ts": _now_ts()}
    raise KeyError(f"no element {action_id} in message {message.ts}")


def user_id_of(payload: JsonObject) -> str:
    """Whose act a payload tells of."""
    user = payload.get("user")
    return str(user["id"] if isinstance(user, dict) else payload["user_id"])


def channel_name(channel: Channel) -> str:
    """Conversations without a public name go by that of their kind."""
    return _CHANNEL_NAMES.get(channel.kind, channel.name)


def _interaction(kind: str, actor: Actor) -> JsonObject:
    team = actor.team
    org_wide = team.is_enterprise_install
    enterprise: JsonObject = {"id": team.enterprise_id, "name": team.enterprise_id}
    return {
        "type": kind,
        "token": "sandbox-verification-token",
        "api_app_id": actor.app_id,
        # "Null if the app is org-installed."
        "team": None if org_wide else {"id": team.team_id, "domain": team.name.lower()},
        "user": {
            "id": actor.user.user_id,
            "username": actor.user.name,
            "name": actor.user.name,
            "team_id": actor.user.home_team_id,
        },
        "enterprise": enterprise if team.enterprise_id is not None else None,
        "is_enterprise_install": org_wide,
        "trigger_id": _trigger_id(),
    }


def _shown_view(actor: Actor, view: JsonObject, answers: Answers) -> JsonObject:
    view_id = f"V{uuid.uuid4().hex[:10].upper()}"
    own: JsonObject = {
        "id": view_id,
        "team_id": actor.user.home_team_id,
        "app_id": actor.app_id,
        "app_installed_team_id": actor.team.enterprise_id
        if actor.team.is_enterprise_install
        else actor.team.team_id,
        "bot_id": actor.team.bot_id,
        "hash": f"{_now_ts()}.sandbox",
        "root_view_id": view_id,
        "previous_view_id": None,
        "state": {"values": _answered(view, answers)},
    }
    defaults: JsonObject = {
        "private_metadata": "",
        "callback_id": "",
        "external_id": "",
        "clear_on_close": False,
        "notify_on_close": False,
        "close": None,
        "submit": None,
    }
    return defaults | view | own


def _answered(view: JsonObject, answers: Answers) -> JsonObject:
    """Every stateful element stands in the state, also one that was left empty."""
    values: JsonObject = {}
    for block_id, element in _elements(_list(view.get("blocks"))):
        given = answers.get(block_id, ())
        chosen = (given,) if isinstance(given, str) else given
        values[block_id] = {str(element.get("action_id")): _state(element, chosen)}
    if unknown := answers.keys() - values.keys():
        raise KeyError(f"the view has no block {unknown.pop()}")
    return values


def _elements(blocks: Sequence[object]) -> Iterator[tuple[str, JsonObject]]:
    """Interactive elements with their block's id; Slack makes one up where the app gave none."""
    for number, block in enumerate(blocks):
        if isinstance(block, dict):
            block_id = str(block.get("block_id") or f"block{number}")
            found = [*_list(block.get("elements")), block.get("accessory"), block.get("element")]
            yield from ((block_id, each) for each in found if isinstance(each, dict))


def _state(element: JsonObject, values: Sequence[str]) -> JsonObject:
    kind = str(element.get("type"))
    first = values[0] if values else None
    match kind:
        case "button":
            return {"type": kind, "text": element.get("text"), "value": element.get("value", "")}
        case "feedback_buttons":
            return {"type": kind} | _pressed_feedback(element, first)
        case "static_select" | "radio_buttons":
            chosen = None if first is None else _option(element, first)
            return {"type": kind, "selected_option": chosen}
        case "multi_static_select" | "checkboxes":
            return {"type": kind, "selected_options": [_option(element, each) for each in values]}
        case "datepicker":
            return {"type": kind, "selected_date": first}
    return {"type": kind, "value": first}


def _pressed_feedback(element: JsonObject, value: str | None) -> JsonObject:
    buttons = [element.get("positive_button"), element.get("negative_button")]
    for button in buttons:
        if isinstance(button, dict) and button.get("value") == value:
            return {"text": button.get("text"), "value": value}
    raise KeyError(f"the feedback buttons have no value {value}")


def _option(element: JsonObject, value: str) -> JsonObject:
    for option in _list(element.get("options")):
        if isinstance(option, dict) and option.get("value") == value:
            return option
    raise KeyError(f"{element.get('action_id')} has no option {value}")


def _state_after(action: JsonObject) -> JsonObject:
    """Buttons have no state."""
    if action["type"] in {"button", "feedback_buttons"}:
        return {}
    beside = {"action_id", "block_id", "action_ts"}
    state = {name: value for name, value in action.items() if name not in beside}
    return {str(action["block_id"]): {str(action["action_id"]): state}}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _trigger_id() -> str:
    now_us = time.time_ns() // 1000
    return f"{now_us}.{now_us % 10_000_000_000}.{uuid.uuid4().hex}"


def _now_ts() -> str:
    now_us = time.time_ns() // 1000
    return f"{now_us // 1_000_000}.{now_us % 1_000_000:06d}"


def _response_url(kind: str, team: Team) -> str:
    # An address that can never be reached: nothing of the stand-in points at the real Slack.
    return f"https://hooks.slack.invalid/{kind}/{team.team_id}/{uuid.uuid4().hex[:12]}"
