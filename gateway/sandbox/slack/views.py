"""Dialogs and App Homes: views.open, views.update, views.publish, and the triggers that allow them.

https://docs.slack.dev/reference/methods/views.open/ , .../views.update/ , .../views.publish/ and
https://docs.slack.dev/reference/views/modal-views/ . A trigger serves once and within 3 seconds:
https://docs.slack.dev/interactivity/handling-user-interaction/#modal_responses
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import orjson

from gateway.sandbox.changes import Changes
from gateway.sandbox.slack.blocks import check_blocks
from gateway.sandbox.slack.calls import Call, SlackError
from gateway.sandbox.slack.directory import Directory, Team
from gateway.sandbox.wire import JsonObject

VIEW_BYTES: Final = 250 * 1024
VIEW_BLOCKS: Final = 100
_TITLE_CHARS: Final = 24
_ID_CHARS: Final = 255
_METADATA_CHARS: Final = 3_000


@dataclass(frozen=True, slots=True)
class View:
    """A view as it stands now. `content` is what the app gave; `shown` are all that it was."""

    view_id: str
    team_id: str
    user_id: str
    hash: str
    content: JsonObject
    shown: tuple[JsonObject, ...]


@dataclass(frozen=True, slots=True)
class _Trigger:
    team_id: str
    user_id: str
    until_s: float


class Triggers:
    """What people did of late, and what the app may show them for it."""

    def __init__(self, lifetime_s: float) -> None:
        self._lifetime_s = lifetime_s
        self._issued: dict[str, _Trigger] = {}
        self._exchanged: set[str] = set()

    def issue(self, trigger_id: str, team_id: str, user_id: str) -> None:
        """Let a trigger be exchanged from now on."""
        until_s = asyncio.get_running_loop().time() + self._lifetime_s
        self._issued[trigger_id] = _Trigger(team_id, user_id, until_s)

    def exchange(self, trigger_id: str, team: Team) -> str:
        """Spend a trigger, and return the user whose it is. Raises SlackError.

        Assumed: a trigger of another workspace is as good as none.
        """
        trigger = self._issued.get(trigger_id)
        if trigger is None or trigger.team_id != team.team_id:
            raise SlackError("invalid_trigger_id")
        if trigger_id in self._exchanged:
            raise SlackError("exchanged_trigger_id")
        if trigger.until_s < asyncio.get_running_loop().time():
            raise SlackError("expired_trigger_id")
        self._exchanged.add(trigger_id)
        return trigger.user_id


class ViewMethods:
    """Every view that the app has shown, in order."""

    def __init__(self, app_id: str, directory: Directory, triggers: Triggers, changes: Changes):
        self._app_id = app_id
        self._directory = directory
        self._triggers = triggers
        self._changes = changes
        self._views: dict[str, View] = {}
        self._homes: dict[tuple[str, str], str] = {}

    @property
    def views(self) -> list[View]:
        """All of them, oldest first."""
        return list(self._views.values())

    def table(self) -> Mapping[str, Callable[[Call], JsonObject]]:
        """Method name to what carries it out."""
        return {
            "views.open": self.open,
            "views.update": self.update,
            "views.publish": self.publish,
        }

    def open(self, call: Call) -> JsonObject:
        """Show a dialog for a trigger. A view that is wrong spends no trigger."""
        content = _read_view(call, "modal")
        self._check_external_id(call.team.team_id, content, None)
        user_id = self._triggers.exchange(call.required("trigger_id"), call.team)
        return self._enter(call.team, user_id, content)

    def update(self, call: Call) -> JsonObject:
        """Put another view in the place of one that is shown."""
        before = self._found(call)
        _check_hash(call, before)
        content = _read_view(call, str(before.content["type"]))
        self._check_external_id(call.team.team_id, content, before)
        return self._replace(call.team, before, content)

    def publish(self, call: Call) -> JsonObject:
        """Show a user's App Home."""
        user_id = call.required("user_id")
        content = _read_view(call, "home")
        if self._directory.user(call.team.team_id, user_id) is None:
            raise SlackError("user_not_found")
        before = self._views.get(self._homes.get((call.team.team_id, user_id), ""))
        if before is None:
            answer = self._enter(call.team, user_id, content)
            self._homes[call.team.team_id, user_id] = list(self._views)[-1]
            return answer
        _check_hash(call, before)
        return self._replace(call.team, before, content)

    def _enter(self, team: Team, user_id: str, content: JsonObject) -> JsonObject:
        view_id = f"V{uuid.uuid4().hex[:10].upper()}"
        view = View(view_id, team.team_id, user_id, _new_hash(), content, (content,))
        return self._keep(team, view)

    def _replace(self, team: Team, before: View, content: JsonObject) -> JsonObject:
        shown = (*before.shown, content)
        return self._keep(team, replace(before, hash=_new_hash(), content=content, shown=shown))

    def _keep(self, team: Team, view: View) -> JsonObject:
        self._views[view.view_id] = view
        self._changes.announce()
        return {"view": self._json(team, view)}

    def _found(self, call: Call) -> View:
        view_id, external_id = call.text("view_id"), call.text("external_id")
        if view_id is None and external_id is None:
            raise SlackError("invalid_arguments")
        for view in self._views.values():
            named = view.view_id == view_id or (
                external_id is not None and view.content.get("external_id") == external_id
            )
            if named and view.team_id == call.team.team_id:
                return view
        raise SlackError("not_found")

    def _check_external_id(self, team_id: str, content: JsonObject, own: View | None) -> None:
        external_id = content.get("external_id")
        for view in self._views.values():
            named = external_id and view.content.get("external_id") == external_id
            if named and view.team_id == team_id and view is not own:
                raise SlackError("duplicate_external_id")

    def _json(self, team: Team, view: View) -> JsonObject:
        defaults: JsonObject = {"private_metadata": "", "callback_id": "", "external_id": ""}
        own: JsonObject = {
            "id": view.view_id,
            "team_id": view.team_id,
            "app_id": self._app_id,
            "app_installed_team_id": team.team_id,
            "bot_id": team.bot_id,
            "hash": view.hash,
            "root_view_id": view.view_id,
            "previous_view_id": None,
            "state": {"values": {}},
        }
        return defaults | view.content | own


def _read_view(call: Call, kind: str) -> JsonObject:
    view = call.structure("view")
    if not isinstance(view, dict):
        raise _invalid("must provide an object", "/view")
    if len(orjson.dumps(view)) > VIEW_BYTES:
        raise SlackError("view_too_large")
    if view.get("type") != kind:
        raise _invalid(f"must be of type {kind}", "/view/type")
    blocks = view.get("blocks")
    if not isinstance(blocks, list) or len(blocks) > VIEW_BLOCKS:
        raise _invalid(f"must have at most {VIEW_BLOCKS} blocks", "/view/blocks")
    check_blocks(blocks, VIEW_BLOCKS, "/view/blocks")
    if kind == "modal":
        _check_modal(view, blocks)
    for name, limit in (
        ("callback_id", _ID_CHARS),
        ("external_id", _ID_CHARS),
        ("private_metadata", _METADATA_CHARS),
    ):
        if len(str(view.get(name) or "")) > limit:
            raise _invalid(f"must be less than {limit + 1} characters", f"/view/{name}")
    return view


def _check_modal(view: JsonObject, blocks: list[object]) -> None:
    asks = any(isinstance(block, dict) and block.get("type") == "input" for block in blocks)
    for name in ("title", "submit", "close"):
        text = view.get(name)
        if text is None and (name == "title" or (name == "submit" and asks)):
            raise _invalid("missing required field", f"/view/{name}")
        if text is not None and not _is_short_plain_text(text):
            raise _invalid(f"must be plain text of 1 to {_TITLE_CHARS}", f"/view/{name}")


def _is_short_plain_text(text: object) -> bool:
    if not isinstance(text, dict) or text.get("type") != "plain_text":
        return False
    return 0 < len(str(text.get("text") or "")) <= _TITLE_CHARS


def _check_hash(call: Call, view: View) -> None:
    given = call.text("hash")
    if given is not None and given != view.hash:
        raise SlackError("hash_conflict")


def _invalid(problem: str, pointer: str) -> SlackError:
    messages = [f"[ERROR] {problem} [json-pointer:{pointer}]"]
    return SlackError("invalid_arguments", response_metadata={"messages": messages})


def _new_hash() -> str:
    return f"{time.time():.0f}.{uuid.uuid4().hex[:8]}"
