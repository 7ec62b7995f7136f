"""Buttons pressed, options chosen, dialogs submitted. Pure.

https://docs.slack.dev/reference/interaction-payloads/block_actions-payload/ and
https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload/
"""

from __future__ import annotations

import msgspec

from adapters.slack.components_in import action_of, submission_of
from adapters.slack.fields import Fields, Malformed
from adapters.slack.inbound_context import (
    Context,
    Parsed,
    Place,
    happened,
    kind_of_channel,
    person_of,
    place,
    place_of_message,
)
from adapters.slack.inbound_dialog import DialogOrigin, read_origin
from gateway.core.conversations import ConversationRef, parse_conversation_id
from gateway.core.events import EventKind, Ignored, IgnoredReason, InboundEvent, Sender
from gateway.core.ids import EventId, Platform

MAX_ACTIONS = 25
"""Slack sends one action at a time; more than a message can hold did not come from Slack."""

_FOREIGN_VIEW = Ignored(IgnoredReason.NOT_AN_EVENT, "view.private_metadata is not ours")


class Scene(msgspec.Struct, frozen=True):
    """Where a component was used, by whom, and under which message."""

    place: Place
    sender: Sender
    message_id: str


def block_actions(payload: Fields, context: Context) -> Parsed:
    """Read what was pressed or chosen: an event per action. Raises Malformed."""
    scene = _scene(payload, context)
    if isinstance(scene, Ignored):
        return scene
    actions = payload.children("actions")[:MAX_ACTIONS]
    if not actions:
        raise Malformed("actions is missing")
    heard = [_used(action, scene, context, number) for number, action in enumerate(actions)]
    events = tuple(event for event in heard if event is not None)
    # Buttons that open a page or a form are told to the app as well, and not to the agent.
    return events or Ignored(IgnoredReason.NOT_AN_EVENT, "actions[] are none of the agent's")


def view_submission(payload: Fields, context: Context) -> Parsed:
    """Read a filled-in dialog. Raises Malformed."""
    view = payload.required_child("view")
    submitted = submission_of(view.document())
    if submitted is None:
        return Ignored(IgnoredReason.NOT_AN_EVENT, "view is no form of the agent's")
    scene = _scene_of_dialog(payload, context)
    if isinstance(scene, Ignored):
        return scene
    heard = happened(
        context,
        EventKind.ACTION_INVOKED,
        scene.place,
        scene.sender,
        message_id=scene.message_id,
    )
    return (msgspec.structs.replace(heard, detail=submitted),)


def _scene(payload: Fields, context: Context) -> Scene | Ignored:
    if payload.child("container").text("type") == "view" or "view" in payload:
        return _scene_of_dialog(payload, context)
    return scene_of_message(payload, context)


def scene_of_message(payload: Fields, context: Context) -> Scene:
    container, message = payload.child("container"), payload.child("message")
    channel = container.id("channel_id") or payload.required_child("channel").required_id("id")
    ts = container.id("message_ts") or message.id("ts")
    if not ts:
        raise Malformed("container.message_ts is missing")
    thread_ts = container.id("thread_ts") or message.id("thread_ts")
    kind = kind_of_channel(channel, payload.child("channel").text("name"))
    if container.flag("is_ephemeral"):
        # Nobody can answer in a thread of a message that is not there.
        where = place(context, channel, thread=thread_ts, kind=kind)
    else:
        where = place_of_message(context, channel, kind, ts=ts, thread_ts=thread_ts)
    return Scene(where, person_of(payload), ts)


def _scene_of_dialog(payload: Fields, context: Context) -> Scene | Ignored:
    view = payload.child("view")
    origin = read_origin(view.text("private_metadata"))
    if origin is None:
        return _FOREIGN_VIEW
    ref = _conversation(origin)
    # A grid's people have workspaces of their own; else a dialog stays where it was opened.
    if ref.workspace != context.install.workspace and context.install.enterprise is None:
        return Ignored(IgnoredReason.NO_WORKSPACE, "view.private_metadata names another workspace")
    return Scene(
        Place(ref, kind_of_channel(ref.channel)),
        person_of(payload),
        origin.message_id or view.id("id") or context.event_id,
    )


def _conversation(origin: DialogOrigin) -> ConversationRef:
    try:
        ref = parse_conversation_id(origin.conversation)
    except ValueError:
        raise Malformed("view.private_metadata names no conversation") from None
    if ref.platform is not Platform.SLACK:
        raise Malformed("view.private_metadata names no conversation")
    return ref


def _used(action: Fields, scene: Scene, context: Context, number: int) -> InboundEvent | None:
    used = action_of(action.document())
    if used is None:
        return None
    at = action.id("action_ts")
    heard = happened(
        context,
        EventKind.ACTION_INVOKED,
        scene.place,
        scene.sender,
        message_id=scene.message_id,
        at=at,
    )
    if number:
        name = f"{context.event_id}-{number}"
        heard = msgspec.structs.replace(heard, id=EventId(name), dedupe_keys=(name,))
    return msgspec.structs.replace(heard, detail=used)
