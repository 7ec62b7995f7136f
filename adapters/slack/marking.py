"""What every message of ours carries unseen, as its metadata: its name, and whose workspace it was
posted for. No agent can set it. Pure. https://docs.slack.dev/messaging/message-metadata/
"""

from __future__ import annotations

from typing import Final

from adapters.slack.fields import Fields
from gateway.core.conversations import ConversationRef

_EVENT_TYPE: Final = "channel_gateway_message"


def metadata_of(marker: str, where: ConversationRef) -> dict[str, object]:
    """Return the metadata by which a message is found again. It tells of a press under the message
    in whose workspace that was, too, which Slack does not tell an organisation's app.
    """
    payload = {"marker": marker, "workspace": where.workspace}
    return {"event_type": _EVENT_TYPE, "event_payload": payload}


def is_marked(message: Fields) -> bool:
    """Whether a message has it."""
    return message.child("metadata").text("event_type") == _EVENT_TYPE


def carries(message: Fields, marker: str) -> bool:
    """Whether a message is the one of that name."""
    return is_marked(message) and _payload(message).text("marker") == marker


def workspace_of(message: Fields) -> str:
    """Whose workspace a message was posted for, "" when it does not say."""
    return _payload(message).id("workspace") if is_marked(message) else ""


def _payload(message: Fields) -> Fields:
    return message.child("metadata").child("event_payload")
