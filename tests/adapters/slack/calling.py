"""A gateway that Slack calls: the webhook on a listener of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.slack.http_source import SlackWebhook
from gateway.sandbox.slack import SlackSandbox
from gateway.web.public import PublicListener
from gateway.web.server import Address
from tests.adapters.slack.conftest import Door

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@asynccontextmanager
async def called(
    webhook: SlackWebhook, slack: SlackSandbox, door: Door, *, secret: str = SECRET
) -> AsyncIterator[str]:
    """Listen, and give Slack the address; returns it."""
    listener = PublicListener(webhook.routes(door.accept), Address("127.0.0.1", 0, "test"))
    url = await listener.open()
    slack.http.point_at(url, secret)
    try:
        yield url
    finally:
        await listener.close()
