"""Shows people in Slack that the agent is at work."""

from __future__ import annotations

from typing import Final

from adapters.slack.web_api import WebApi
from gateway.core.conversations import ConversationRef
from gateway.core.tenants import Credential

LASTS_S: Final = 100.0
"""Slack removes a status after two minutes; a little less, so that renewals come in time."""

# A status is a nicety: where it cannot be shown, nothing is missing that was said.
_CANNOT_BE_SHOWN: Final = frozenset(
    {"channel_not_found", "invalid_thread_ts", "missing_scope", "no_permission"}
)
_NO_SESSION: Final = frozenset(
    {"channel_not_found", "feature_disabled", "missing_scope", "not_authorized"}
)


class SlackPresence:
    """Typing. Slack has a status line under a message, and nothing outside of threads.

    Apps of the agent view have sessions instead: while one is processing, people see a button that
    stops the agent. https://docs.slack.dev/ai/agent-sessions/
    """

    def __init__(self, api: WebApi, *, has_sessions: bool = False) -> None:
        self._api = api
        self.has_sessions = has_sessions

    async def typing(self, ref: ConversationRef, credential: Credential, *, on: bool) -> None:
        """Show it, or take it back; an answer takes it back too. Raises SendError.

        https://docs.slack.dev/reference/methods/agents.sessions.setStatus
        https://docs.slack.dev/reference/methods/assistant.threads.setStatus
        https://docs.slack.dev/changelog/2026/03/05/set-status-scope-update : channels too
        """
        if ref.thread is None:
            return
        if self.has_sessions:
            session = {
                "channel_id": ref.channel,
                "thread_ts": ref.thread,
                "status": "processing" if on else "active",
            }
            await self._api.repeat(
                "agents.sessions.setStatus", credential, session, excused=_NO_SESSION
            )
            return
        body = {
            "channel_id": ref.channel,
            "thread_ts": ref.thread,
            "status": "is typing…" if on else "",
        }
        await self._api.repeat(
            "assistant.threads.setStatus", credential, body, excused=_CANNOT_BE_SHOWN
        )
