"""Turn what agents say into calls of Slack's Web API. Pure: no network, no SDK."""

from __future__ import annotations

from adapters.markdown.parse import parse
from adapters.markdown.slack import SLACK_ATOM, slack_blocks
from adapters.markdown.slack_inline import escape, without_fences
from adapters.markdown.split import Block, split
from gateway.core.messages import OutboundMessage

MAX_TEXT_CHARS = 3_900
"""Slack recommends at most 4,000. https://docs.slack.dev/reference/methods/chat.postMessage"""

METADATA_EVENT_TYPE = "channel_gateway_message"


def render(markdown: str) -> list[str]:
    """Render Markdown as the texts of one or more Slack messages; none for blank Markdown."""
    if not markdown.strip():
        return []
    parts = split(slack_blocks(parse(markdown), markdown), limit=MAX_TEXT_CHARS, atom=SLACK_ATOM)
    # Markdown of nothing but link definitions has no text of its own: better odd than silent.
    return parts or split(
        [Block(text=escape(without_fences(markdown)))], limit=MAX_TEXT_CHARS, atom=SLACK_ATOM
    )


def post_message_call(message: OutboundMessage) -> dict[str, object]:
    """Return the body of chat.postMessage. The marker lets a lost answer be looked up later."""
    call: dict[str, object] = {
        "channel": message.conversation.channel,
        "text": message.text,
        "mrkdwn": True,
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {
            "event_type": METADATA_EVENT_TYPE,
            "event_payload": {"marker": message.marker},
        },
    }
    if message.conversation.thread is not None:
        call["thread_ts"] = message.conversation.thread
    return call
