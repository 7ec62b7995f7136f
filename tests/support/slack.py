"""What people see of a message in Slack."""

from __future__ import annotations

from gateway.sandbox.slack.book import Message


def shown(message: Message) -> str:
    """Its Markdown; its text where it has no blocks, and in notifications only where it has."""
    blocks = [each for each in message.blocks or [] if isinstance(each, dict)]
    markdown = [str(each["text"]) for each in blocks if each["type"] == "markdown"]
    return "\n".join(markdown) if blocks else message.text
