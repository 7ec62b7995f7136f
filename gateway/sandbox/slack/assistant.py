"""The Web API method that shows the bot at work: assistant.threads.setStatus.

https://docs.slack.dev/reference/methods/assistant.threads.setStatus/
https://docs.slack.dev/changelog/2026/03/05/set-status-scope-update : in channels too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.sandbox.slack.book import MessageBook
from gateway.sandbox.slack.calls import Call, SlackError
from gateway.sandbox.slack.directory import Directory
from gateway.sandbox.wire import JsonObject

_MAX_LOADING_MESSAGES: Final = 10


@dataclass(frozen=True, slots=True)
class Status:
    """A status that was set; an empty text takes the one before it back."""

    team_id: str
    channel_id: str
    thread_ts: str
    text: str


class AssistantMethods:
    """Showing a status as the app's bot. Not kept: that Slack removes it after two minutes."""

    def __init__(self, directory: Directory, book: MessageBook) -> None:
        self.statuses: list[Status] = []
        self._directory = directory
        self._book = book

    def table(self) -> Mapping[str, Callable[[Call], JsonObject]]:
        """Method name to what carries it out."""
        return {"assistant.threads.setStatus": self.set_status}

    def set_status(self, call: Call) -> JsonObject:
        """Show a status under a message; `status` must be there and may be empty."""
        channel_id, thread_ts = call.required("channel_id"), call.required("thread_ts")
        if not isinstance(call.args.get("status"), str):
            call.required("status")
        team_id = call.team.team_id
        channel = self._directory.channel(team_id, channel_id)
        if channel is None or not channel.is_member:
            raise SlackError("channel_not_found")
        if self._book.get(team_id, channel_id, thread_ts) is None:
            raise SlackError("invalid_thread_ts")
        loading = call.structure("loading_messages") or []
        if not isinstance(loading, list) or len(loading) > _MAX_LOADING_MESSAGES:
            raise SlackError("invalid_arguments")
        self.statuses.append(Status(team_id, channel_id, thread_ts, str(call.args["status"])))
        return {}
