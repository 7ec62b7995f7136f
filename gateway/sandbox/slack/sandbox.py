"""SlackSandbox: Slack, one app and the people in its workspaces, on one loopback port.

Driving calls (`say`, `fail_next`, ...) take effect at once and are plain functions; waiting calls
are coroutines with a deadline. Nothing here ever talks to the real Slack.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from aiohttp import web

from gateway.sandbox.slack.acts import SlackActs
from gateway.sandbox.slack.assistant import AssistantMethods, Status
from gateway.sandbox.slack.book import Message
from gateway.sandbox.slack.chat import ChatMethods
from gateway.sandbox.slack.conversations import ConversationMethods
from gateway.sandbox.slack.directory import Channel
from gateway.sandbox.slack.faults import ApiError, Fault, HttpStatus
from gateway.sandbox.slack.file_server import FileServer
from gateway.sandbox.slack.files import FileMethods, SlackFile
from gateway.sandbox.slack.lookups import LookupMethods
from gateway.sandbox.slack.people import PeopleMethods
from gateway.sandbox.slack.reactions import ReactionMethods
from gateway.sandbox.slack.rules import SlackRules
from gateway.sandbox.slack.views import View, ViewMethods
from gateway.sandbox.slack.web_api import Opening, Request, WebApi
from gateway.sandbox.wire import MAX_BODY_BYTES, JsonObject, LoopbackServer


class SlackSandbox(SlackActs):
    """Start it, add teams, point an app's base URL at `base_url`, and speak as its users."""

    def __init__(
        self,
        *,
        app_token: str = "xapp-sandbox",  # noqa: S107 - opens nothing but this stand-in
        app_id: str = "A0SANDBOX",
        rules: SlackRules | None = None,
    ) -> None:
        self.app_token = app_token
        self.app_id = app_id
        self.rules = rules or SlackRules()
        super().__init__(app_id, self.rules)
        self._views = ViewMethods(app_id, self._directory, self._triggers, self._changes)
        self._assistant = AssistantMethods(self._directory, self._book)
        self._files = FileMethods(
            self._directory, self._shared, lambda: self._origin, self.rules.file_share_delay_s
        )
        self._api = self._web_api()
        self._server = LoopbackServer(self._web_app())
        self._origin = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        self._origin = f"{host}:{await self._server.start(host, port)}"

    async def close(self) -> None:
        """Send nothing more and end every connection."""
        self._courier.stop()
        self._files.stop()
        self._sockets.stop()
        await self.http.close()
        await self._server.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def base_url(self) -> str:
        """What an SDK's `base_url` wants: it ends in /api/."""
        return f"http://{self._origin}/api/"

    # -- what people do -----------------------------------------------------------------------

    def say(
        self,
        team_id: str,
        channel_id: str,
        user_id: str,
        text: str,
        *,
        ts: str | None = None,
        thread_ts: str | None = None,
        mention: bool = False,
    ) -> str:
        """Write as a user; `mention` puts the bot's name in front. Returns the ts.

        Sends `message`, and `app_mention` too when the bot is named outside a DM. Raises
        ValueError when the channel already holds `ts`.
        """
        if mention:
            text = f"<@{self._directory.team(team_id).bot_user_id}> {text}"
        self._directory.add_user(team_id, user_id)
        message = self._message(team_id, channel_id, text, ts, thread_ts)
        self._directory.enter(team_id, channel_id, user_id)
        message = replace(message, app_context=self.looks.get((team_id, user_id)))
        return self._publish(replace(message, user=user_id, client_msg_id=str(uuid.uuid4())))

    def share_file(
        self,
        team_id: str,
        channel_id: str,
        user_id: str,
        name: str,
        content: bytes,
        *,
        text: str = "",
        thread_ts: str | None = None,
    ) -> SlackFile:
        """Write a message with a file, as a user. Slack tells the type by the name.

        https://docs.slack.dev/reference/events/message/file_share/
        """
        self._directory.add_user(team_id, user_id)
        file = self._files.add(team_id, user_id, name, content)
        channel = self._directory.add_channel(team_id, channel_id)
        self._files.share(file, channel, thread_ts, text)
        return file

    def bot_says(
        self, team_id: str, channel_id: str, bot_id: str, text: str, *, thread_ts: str | None = None
    ) -> str:
        """Write as another app's bot. https://docs.slack.dev/reference/events/message/bot_message/"""
        message = self._message(team_id, channel_id, text, None, thread_ts)
        return self._publish(replace(message, bot_id=bot_id, subtype="bot_message"))

    def edit(self, team_id: str, channel_id: str, ts: str, text: str) -> None:
        """Change a message. Raises KeyError when there is none."""
        before = self._existing(team_id, channel_id, ts)
        after = replace(before, text=text, edited_ts=self._book.new_ts())
        self._book.replace(after)
        self._feed.changed(before, after)

    def delete(self, team_id: str, channel_id: str, ts: str) -> None:
        """Delete a message. Raises KeyError when there is none."""
        message = self._existing(team_id, channel_id, ts)
        self._book.remove(message)
        self._feed.deleted(message)

    def send_event(
        self, team_id: str, event: JsonObject, *, outer: JsonObject | None = None
    ) -> str:
        """Send any inner event; `outer` overrides fields around it. Returns the event id."""
        return self._feed.send(team_id, event, outer)

    def send_envelope(self, envelope: JsonObject) -> str:
        """Send any envelope (slash_commands, interactive, unknown) once. Returns its id."""
        return self._courier.offer_once(envelope)

    def send_raw(self, text: str) -> None:
        """Send a frame that need not be JSON. Raises RuntimeError when nobody is connected."""
        line = self._sockets.next_line()
        if line is None:
            raise RuntimeError("no socket is open")
        line.send(text)

    # -- what goes wrong ----------------------------------------------------------------------

    def fail_connections_open(
        self, times: int, *, status: int | None = None, error: str = "internal_error"
    ) -> None:
        """Make apps.connections.open fail: with a bare HTTP `status`, else with Slack's `error`."""
        fault = ApiError(error) if status is None else HttpStatus(status)
        self.fail_next("apps.connections.open", fault, times=times)

    def fail_next(
        self, method: str, fault: Fault, *, times: int = 1, team_id: str | None = None
    ) -> None:
        """Make the next `times` calls of `method` go wrong, of one team only if it is named."""
        self._api.faults.add(method, fault, times=times, team_id=team_id)

    def fail_no_more(self) -> None:
        """Forget the faults that have been planned and have not come to pass."""
        self._api.faults.clear()

    @property
    def requests(self) -> Sequence[Request]:
        """Every authenticated Web API call, in order."""
        return self._api.requests

    @property
    def files(self) -> Sequence[SlackFile]:
        """Every file there is, in order, also those that were announced only."""
        return self._files.files

    @property
    def views(self) -> Sequence[View]:
        """Every view the app has opened or published, in order."""
        return self._views.views

    @property
    def statuses(self) -> Sequence[Status]:
        """Every status the app has shown, in order."""
        return self._assistant.statuses

    # -- inside -------------------------------------------------------------------------------

    def _message(
        self, team_id: str, channel_id: str, text: str, ts: str | None, thread_ts: str | None
    ) -> Message:
        self._directory.add_channel(team_id, channel_id)
        root_ts = thread_ts and self._book.root_ts(team_id, channel_id, thread_ts)
        return Message(
            team_id=team_id,
            channel_id=channel_id,
            ts=ts or self._book.new_ts(),
            text=text,
            at=datetime.now(UTC),
            thread_ts=root_ts,
        )

    def _publish(self, message: Message) -> str:
        self._book.add(message)
        self._feed.posted(message)
        return message.ts

    def _shared(
        self, file: SlackFile, channel: Channel, thread_ts: str | None, text: str
    ) -> Message:
        team = self._directory.team(file.team_id)
        by_bot = file.user == team.bot_user_id
        message = replace(
            self._message(team.team_id, channel.channel_id, text, None, thread_ts),
            user=file.user,
            subtype="file_share",
            files=[self._files.json(file)],
            bot_id=team.bot_id if by_bot else None,
            app_id=self.app_id if by_bot else None,
        )
        self._book.add(message)
        if not by_bot or self.rules.echo_own_messages:
            self._feed.posted(message)
        return message

    def _existing(self, team_id: str, channel_id: str, ts: str) -> Message:
        message = self._book.get(team_id, channel_id, ts)
        if message is None:
            raise KeyError(f"no message {ts} in {channel_id} of {team_id}")
        return message

    def _web_api(self) -> WebApi:
        own_feed = self._feed if self.rules.echo_own_messages else None
        chat = ChatMethods(self.app_id, self._directory, self._book, own_feed)
        families = (
            chat,
            LookupMethods(self._directory, self._book),
            ReactionMethods(self._directory, self._book, own_feed),
            ConversationMethods(self._directory),
            PeopleMethods(self._directory),
            self._assistant,
            self._files,
            self._views,
            self.oauth,
            self.sessions,
            self.streams,
        )
        methods = {name: method for each in families for name, method in each.table().items()}
        opening = Opening(self.app_token, self._url, self._sharing.authorizations)
        return WebApi(self.rules, self._directory, methods, opening)

    def _web_app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        self.oauth.add_routes(app, self._api)
        app.router.add_route("*", "/api/{method}", self._api.handle)
        app.router.add_get("/link/", self._sockets.accept)
        FileServer(self._files, self._directory, self._api.faults).add_routes(app)
        return app

    def _url(self) -> str:
        ticket = self._sockets.issue_ticket()
        return f"ws://{self._origin}/link/?ticket={ticket}&app_id={self.app_id}"
