"""Turn what agents say into calls of Slack's Web API. Pure: no network, no SDK."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from adapters.markdown.render import render_parts
from adapters.markdown.slack import SLACK
from adapters.slack import components
from adapters.slack.errors import rejected
from adapters.slack.homes import is_organisation
from gateway.core.messages import MessageEdit, OutboundMessage, SentRef

MAX_TEXT_CHARS = 3_900
"""Slack recommends at most 4,000. https://docs.slack.dev/reference/methods/chat.postMessage"""

MAX_UPDATE_CHARS = 4_000
"""More is refused. https://docs.slack.dev/reference/methods/chat.update#errors"""

METADATA_EVENT_TYPE = "channel_gateway_message"

_UNFURLS: Final = frozenset({"unfurl_links", "unfurl_media"})
_RAW: Final = {"blocks": list, "attachments": list, "unfurl_links": bool, "unfurl_media": bool}
_MAX_NAME_CHARS = 40
_USER = re.compile(r"[UW][A-Z0-9]{1,63}")
_TS = re.compile(r"[0-9]{1,12}\.[0-9]{1,6}")


def render(markdown: str) -> list[str]:
    """Render Markdown as the texts of one or more Slack messages; none for blank Markdown."""
    return render_parts(markdown, SLACK, limit=MAX_TEXT_CHARS)


def post_message_call(message: OutboundMessage) -> dict[str, object]:
    """Return the body of chat.postMessage. The marker lets a lost answer be looked up later.

    Raises SendError, permanent, naming the field of the message that cannot be asked of Slack.
    """
    plain: dict[str, object] = {"mrkdwn": True, "unfurl_links": False, "unfurl_media": False}
    metadata = metadata_of(message.marker)
    return plain | _shown(message) | _place(message) | {"metadata": metadata}


def metadata_of(marker: str) -> dict[str, object]:
    """Return the metadata by which a message is found again."""
    return {"event_type": METADATA_EVENT_TYPE, "event_payload": {"marker": marker}}


def post_ephemeral_call(message: OutboundMessage) -> dict[str, object]:
    """Return the body of chat.postEphemeral, which knows neither metadata nor previews of links.

    Raises SendError as `post_message_call`.
    """
    if not _USER.fullmatch(message.visible_to or ""):
        raise rejected("visible_to: is not the id of a user")
    return _without_unfurls(_shown(message)) | _place(message) | {"user": message.visible_to}


def update_call(change: MessageEdit, sent: SentRef) -> dict[str, object]:
    """Return the body of chat.update. Raises SendError as `post_message_call`.

    Blocks that the message had are taken away in so many words: what becomes of those that an
    edit does not name has changed over the years. https://docs.slack.dev/reference/methods/chat.update
    """
    if len(change.text) > MAX_UPDATE_CHARS:
        raise rejected(f"text: has more than {MAX_UPDATE_CHARS} characters, as edited messages may")
    # chat.update would link bare names, as chat.postMessage does not.
    plain: dict[str, object] = {"blocks": [], "parse": "none"}
    place = {"channel": sent.conversation.channel, "ts": sent.id}
    return plain | _without_unfurls(_shown(change)) | place


def thread_of(message: OutboundMessage) -> str | None:
    """Return the thread in which the message stands: Slack knows no other answer to a message."""
    return message.conversation.thread or message.reply_to


def _place(message: OutboundMessage) -> dict[str, object]:
    place: dict[str, object] = {"channel": message.conversation.channel}
    if message.reply_to is not None and not _TS.fullmatch(message.reply_to):
        raise rejected("reply_to: is not the id of a message")
    thread = thread_of(message)
    return place if thread is None else place | {"thread_ts": thread}


def _shown(act: OutboundMessage | MessageEdit) -> dict[str, object]:
    """What people see. Text is only for notifications once there are blocks, so it stands in one,
    unless the agent made blocks of its own.
    """
    raw = _checked(act.raw or {})
    if is_organisation(act.conversation.workspace):
        _check_draws_on_nothing(raw)
    own_blocks = raw.get("blocks", [])
    text = "" if own_blocks else act.text
    blocks = [*own_blocks, *components.slack_blocks(act.components, render=render, text=text)]
    shown = {"text": act.text} | raw
    return shown | {"blocks": blocks} if blocks else shown


def _without_unfurls(shown: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in shown.items() if name not in _UNFURLS}


def _checked(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Let through what belongs to a message's looks, and nothing that says where it goes."""
    for name, value in raw.items():
        kind = _RAW.get(name)
        if kind is None:
            raise rejected(f"raw.{name[:_MAX_NAME_CHARS]}: is none of {', '.join(_RAW)}")
        if not isinstance(value, kind):
            raise rejected(f"raw.{name}: is not a {'list' if kind is list else 'boolean'}")
    return dict(raw)


def _check_draws_on_nothing(raw: Mapping[str, Any]) -> None:
    """Raise SendError for what Slack would fetch by the token of an organisation, which sees the
    files and messages of workspaces that are other tenants'.
    https://docs.slack.dev/reference/block-kit/composition-objects/slack-file-object
    https://docs.slack.dev/messaging/unfurling-links-in-messages
    """
    for name in sorted(_UNFURLS & raw.keys()):
        if raw[name]:
            raise rejected(f"raw.{name}: links of an organisation's messages are not unfurled")
    rest: list[object] = [raw]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            if "slack_file" in value:
                raise rejected("raw: slack_file may be another tenant's; use files")
            rest += value.values()
        elif isinstance(value, list):
            rest += value
