"""The Web API method that tells how an agent's session stands: agents.sessions.setStatus.

https://docs.slack.dev/reference/methods/agents.sessions.setStatus/
https://docs.slack.dev/ai/agent-sessions/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.sandbox.slack.calls import Call, SlackError
from gateway.sandbox.slack.directory import Directory
from gateway.sandbox.wire import JsonObject

_STATUSES: Final = frozenset({"active", "processing", "suspended", "closed"})


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """A status that was set."""

    team_id: str
    channel_id: str
    thread_ts: str
    status: str


class SessionMethods:
    """Sessions of the app's agent; `enabled` where its manifest has the agent view."""

    def __init__(self, directory: Directory, *, enabled: bool) -> None:
        self.statuses: list[SessionStatus] = []
        self._directory = directory
        self._enabled = enabled

    def table(self) -> Mapping[str, Callable[[Call], JsonObject]]:
        """Method name to what carries it out."""
        return {"agents.sessions.setStatus": self.set_status}

    def set_status(self, call: Call) -> JsonObject:
        """Set it, in a thread; a session is made when there is none."""
        if not self._enabled:
            raise SlackError("feature_disabled")
        channel_id, status = call.required("channel_id"), call.required("status")
        channel = self._directory.channel(call.team.team_id, channel_id)
        if channel is None:
            raise SlackError("channel_not_found")
        if not channel.is_member:
            raise SlackError("not_authorized")
        thread_ts = call.text("thread_ts")
        if thread_ts is None:
            raise SlackError("thread_ts_required")
        if status not in _STATUSES:
            raise SlackError("invalid_status")
        self.statuses.append(SessionStatus(call.team.team_id, channel_id, thread_ts, status))
        return {}
