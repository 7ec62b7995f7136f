"""The Web API methods that read back: auth.test, conversations.history, conversations.replies.

https://docs.slack.dev/reference/methods/auth.test/
https://docs.slack.dev/reference/methods/conversations.history/
https://docs.slack.dev/reference/methods/conversations.replies/
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence

from gateway.sandbox.slack.book import Message, MessageBook, ts_order
from gateway.sandbox.slack.calls import Call, SlackError
from gateway.sandbox.slack.chat import channel_of, with_metadata
from gateway.sandbox.slack.directory import Directory
from gateway.sandbox.slack.events import message_json
from gateway.sandbox.wire import JsonObject


class LookupMethods:
    """Reading as the app's bot. Changes nothing."""

    def __init__(self, directory: Directory, book: MessageBook) -> None:
        self._directory = directory
        self._book = book

    def table(self) -> Mapping[str, Callable[[Call], JsonObject]]:
        """Method name to what carries it out."""
        return {
            "auth.test": self.auth_test,
            "auth.teams.list": self.auth_teams_list,
            "conversations.history": self.history,
            "conversations.replies": self.replies,
        }

    def auth_test(self, call: Call) -> JsonObject:
        """Who the token is."""
        team = call.team
        answer: JsonObject = {
            "url": f"https://{team.team_id.lower()}.slack.com/",
            "team": team.name,
            "user": self._directory.user_name(team.team_id, team.bot_user_id),
            "team_id": team.team_id,
            "user_id": team.bot_user_id,
            "bot_id": team.bot_id,
            "is_enterprise_install": team.is_enterprise_install,
        }
        return answer | ({"enterprise_id": team.enterprise_id} if team.enterprise_id else {})

    def auth_teams_list(self, call: Call) -> JsonObject:
        """The workspaces of an organisation that its app has been given, a page at a time.
        https://docs.slack.dev/reference/methods/auth.teams.list/
        """
        given = [
            {"id": team.team_id, "name": team.name}
            for team in self._directory.teams()
            if team.bot_token == call.team.bot_token and team.team_id != team.enterprise_id
        ]
        limit = call.number("limit", 100, 1_000)
        start = int(call.text("cursor") or "0")
        more = str(start + limit) if start + limit < len(given) else ""
        page = given[start : start + limit]
        return {"teams": page, "response_metadata": {"next_cursor": more}}

    def history(self, call: Call) -> JsonObject:
        """The channel without what is inside threads, newest first."""
        channel = channel_of(call, self._directory)
        messages = self._book.messages(
            channel.team_id, channel.channel_id, lambda message: message.is_in_channel
        )
        return self._page(call, messages[::-1], limit=call.number("limit", 100, 999))

    def replies(self, call: Call) -> JsonObject:
        """A thread, its root first; `ts` may also name a reply."""
        channel = channel_of(call, self._directory)
        root_ts = self._book.root_ts(channel.team_id, channel.channel_id, call.required("ts"))
        thread = self._book.thread(channel.team_id, channel.channel_id, root_ts)
        if not thread:
            raise SlackError("thread_not_found")
        return self._page(call, thread, limit=call.number("limit", 1000, 1000))

    def _page(self, call: Call, messages: Sequence[Message], limit: int) -> JsonObject:
        """One page of `messages`, which are in the order in which they are to be given."""
        wanted = [message for message in messages if _in_window(call, message.ts)]
        start = _cursor_index(call.text("cursor"), wanted)
        following = wanted[start + limit : start + limit + 1]
        next_cursor = _cursor_of(following[0].ts) if following else ""
        page = [self._shown(call, message) for message in wanted[start : start + limit]]
        return {
            "messages": page,
            "has_more": bool(following),
            "response_metadata": {"next_cursor": next_cursor},
        }

    def _shown(self, call: Call, message: Message) -> JsonObject:
        body = message_json(message, call.team)
        if call.flag("include_all_metadata"):
            body = with_metadata(message, body)
        if message.is_reply:
            return body
        thread = self._book.thread(message.team_id, message.channel_id, message.ts)
        replies = [reply for reply in thread if reply.ts != message.ts]
        if not replies:
            return body
        summary: JsonObject = {"thread_ts": message.ts, "reply_count": len(replies)}
        return body | summary | {"latest_reply": replies[-1].ts}


def _in_window(call: Call, ts: str) -> bool:
    oldest, latest = call.text("oldest"), call.text("latest")
    inclusive = call.flag("inclusive")
    try:
        after = oldest is None or ts_order(ts) > ts_order(oldest) or (inclusive and ts == oldest)
        before = latest is None or ts_order(ts) < ts_order(latest) or (inclusive and ts == latest)
    except ValueError:
        raise SlackError("invalid_ts_oldest") from None
    return after and before


def _cursor_of(ts: str) -> str:
    return base64.b64encode(f"next_ts:{ts}".encode()).decode()


def _cursor_index(cursor: str | None, messages: Sequence[Message]) -> int:
    if cursor is None:
        return 0
    try:
        ts = base64.b64decode(cursor, validate=True).decode().removeprefix("next_ts:")
        return next(index for index, message in enumerate(messages) if message.ts == ts)
    except (binascii.Error, UnicodeDecodeError, StopIteration):
        raise SlackError("invalid_cursor") from None
