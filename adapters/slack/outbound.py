"""Turn what agents say into calls of Slack's Web API. Pure: no network, no SDK."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from adapters.markdown.render import render_parts
from adapters.markdown.slack import SLACK
from adapters.markdown.slack_markdown import SLACK_MARKDOWN, portable
from adapters.slack import components
from adapters.slack.errors import rejected
from adapters.slack.homes import is_organisation
from adapters.slack.marking import metadata_of
from gateway.core.ids import MessageId
from gateway.core.messages import MessageEdit, OutboundMessage, SentRef

MAX_MARKDOWN_CHARS = 12_000
"""Of all `markdown` blocks of a message.
https://docs.slack.dev/reference/block-kit/blocks/markdown-block
"""

MAX_TEXT_CHARS = 40_000
"""More is cut by Slack. https://docs.slack.dev/reference/methods/chat.postMessage"""

MAX_UPDATE_CHARS = 4_000
"""More is refused. https://docs.slack.dev/reference/methods/chat.update#errors"""

_UNFURLS: Final = frozenset({"unfurl_links", "unfurl_media"})
_RAW: Final = {"blocks": list, "attachments": list, "unfurl_links": bool, "unfurl_media": bool}
_MAX_NAME_CHARS = 40
_MORE: Final = "\n…"
_USER = re.compile(r"[UW][A-Z0-9]{1,63}")
_TS = re.compile(r"[0-9]{1,12}\.[0-9]{1,6}")


Said = OutboundMessage | MessageEdit
"""What has a text that people see, as `render` made it."""


def render(markdown: str) -> list[str]:
    """Render Markdown as that of one or more Slack messages, in which nobody is mentioned but by
    the agent's own mentions; none for blank Markdown.
    """
    return render_parts(markdown, SLACK_MARKDOWN, limit=MAX_MARKDOWN_CHARS)


def render_mrkdwn(markdown: str, *, limit: int = MAX_TEXT_CHARS) -> list[str]:
    """Render Markdown for places that know nothing but mrkdwn."""
    return render_parts(markdown, SLACK, limit=limit)


def in_mrkdwn(text: str) -> str:
    """Return a text that `render` made as mrkdwn, all of it."""
    return "\n\n".join(render_mrkdwn(portable(text)))


def markdown_block(text: str) -> dict[str, object]:
    """https://docs.slack.dev/reference/block-kit/blocks/markdown-block"""
    return {"type": "markdown", "text": text}


def post_message_call(message: OutboundMessage, *, plain: bool = False) -> dict[str, object]:
    """Return the body of chat.postMessage; a `plain` one shows its text as mrkdwn. The marker lets
    a lost answer be looked up later.

    Raises SendError, permanent, naming the field of the message that cannot be asked of Slack.
    """
    looks: dict[str, object] = {"mrkdwn": True, "unfurl_links": False, "unfurl_media": False}
    metadata = metadata_of(message.marker, message.conversation)
    shown = _shown(message, message.id, plain=plain)
    return looks | shown | _place(message) | {"metadata": metadata}


def post_ephemeral_call(message: OutboundMessage, *, plain: bool = False) -> dict[str, object]:
    """Return the body of chat.postEphemeral, which knows neither metadata nor previews of links.

    `plain` as in `post_message_call`. Raises SendError as `post_message_call`.
    """
    if not _USER.fullmatch(message.visible_to or ""):
        raise rejected("visible_to: is not the id of a user")
    shown = _without_unfurls(_shown(message, message.id, plain=plain))
    return shown | _place(message) | {"user": message.visible_to}


def update_call(change: MessageEdit, sent: SentRef, *, plain: bool = False) -> dict[str, object]:
    """Return the body of chat.update. `plain` and SendError as in `post_message_call`.

    Blocks that the message had are taken away in so many words: what becomes of those that an
    edit does not name has changed over the years. https://docs.slack.dev/reference/methods/chat.update
    """
    # chat.update would link bare names, as chat.postMessage does not.
    bare: dict[str, object] = {"blocks": [], "parse": "none"}
    place = {"channel": sent.conversation.channel, "ts": sent.id}
    shown = _shown(change, change.target, plain=plain, limit=MAX_UPDATE_CHARS)
    return bare | _without_unfurls(shown) | place


def thread_of(message: OutboundMessage) -> str | None:
    """Return the thread in which the message stands: Slack knows no other answer to a message."""
    return message.conversation.thread or message.reply_to


def _place(message: OutboundMessage) -> dict[str, object]:
    place: dict[str, object] = {"channel": message.conversation.channel}
    if message.reply_to is not None and not _TS.fullmatch(message.reply_to):
        raise rejected("reply_to: is not the id of a message")
    thread = thread_of(message)
    return place if thread is None else place | {"thread_ts": thread}


def _shown(
    said: Said, message: MessageId, *, plain: bool, limit: int = MAX_TEXT_CHARS
) -> dict[str, object]:
    """What people see. `text` is only for notifications and for who reads it by the API once there
    are blocks, so the text stands in one of them, unless the agent made blocks of its own.
    """
    raw = _checked(said.raw or {})
    if is_organisation(said.conversation.workspace):
        _check_draws_on_nothing(raw)
    own_blocks = raw.get("blocks", [])
    below = components.slack_blocks(said.components, render=render_mrkdwn, message=message)
    whole = in_mrkdwn(said.text)
    text = _cut(said.text, whole, limit)
    texts = [markdown_block(said.text)] if said.text and not own_blocks else []
    if texts and plain:
        # A text that stands alone needs no blocks, as long as it is whole.
        texts = components.sections(whole) if below or text != whole else []
    blocks = [*own_blocks, *texts[: components.MAX_BLOCKS - len(below)], *below]
    shown = {"text": text} | raw
    return shown | {"blocks": blocks} if blocks else shown


def _cut(text: str, mrkdwn: str, limit: int) -> str:
    if len(mrkdwn) <= limit:
        return mrkdwn
    return f"{render_mrkdwn(portable(text), limit=limit - len(_MORE))[0].rstrip()}{_MORE}"


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
