"""What people look at while they talk to the agent. Pure.

Slack tells it with the message that they write then, and with the opening of the talk. What stands
in another workspace is not told on: it may be another tenant's.
https://docs.slack.dev/reference/events/app_context_changed
"""

from __future__ import annotations

from typing import Final

from adapters.slack.fields import Fields
from adapters.slack.inbound_context import Install
from gateway.core.events import Viewed, ViewedKind

_MAX_VIEWED: Final = 10
_KINDS: Final = {
    "slack#/types/channel_id": ViewedKind.CHANNEL,
    "slack#/types/message_context": ViewedKind.MESSAGE,
    "slack#/types/canvas_id": ViewedKind.CANVAS,
    "slack#/types/list_id": ViewedKind.LIST,
}


def viewed(seen: Fields, install: Install) -> tuple[Viewed, ...]:
    """Read the context of an event of the agent view."""
    entities = seen.children("entities")[:_MAX_VIEWED]
    ours = (each for each in entities if each.text("team_id") in {"", install.workspace})
    return tuple(filter(None, map(_viewed, ours)))


def viewed_channel(seen: Fields, install: Install) -> tuple[Viewed, ...]:
    """Read the context of a thread of the older assistant view.

    https://docs.slack.dev/reference/events/assistant_thread_started/
    """
    channel, team = seen.id("channel_id"), seen.text("team_id")
    is_ours = team in {"", install.workspace}
    return (Viewed(kind=ViewedKind.CHANNEL, id=channel),) if channel and is_ours else ()


def _viewed(entity: Fields) -> Viewed | None:
    kind = _KINDS.get(entity.text("type"))
    if kind is ViewedKind.MESSAGE:
        where = entity.child("value")
        ts, channel = where.id("message_ts"), where.id("channel_id")
        return Viewed(kind=kind, id=ts, channel=channel) if ts and channel else None
    if kind is None or not entity.id("value"):
        return None
    return Viewed(kind=kind, id=entity.id("value"))
