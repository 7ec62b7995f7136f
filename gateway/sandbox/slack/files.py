"""Files of the workspaces and the Web API methods about them. Serves no bytes: file_server does.

https://docs.slack.dev/reference/objects/file-object/
https://docs.slack.dev/reference/methods/files.getUploadURLExternal/
https://docs.slack.dev/reference/methods/files.completeUploadExternal/
https://docs.slack.dev/reference/methods/files.info/

Assumed, for the documents are silent: an upload URL works once, a file is completed once, and the
answer to files.completeUploadExternal never names the shares yet (it often does not, see
https://github.com/slackapi/python-slack-sdk/issues/1277).
"""

from __future__ import annotations

import asyncio
import mimetypes
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from gateway.sandbox.slack.book import Message
from gateway.sandbox.slack.calls import Call, SlackError
from gateway.sandbox.slack.directory import Channel, Directory
from gateway.sandbox.wire import JsonObject

MAX_FILE_BYTES = 1_000_000_000
"""https://docs.slack.dev/messaging/working-with-files/#uploading_files"""


@dataclass(slots=True)
class SlackFile:
    """One file. `content` is None until its bytes have come; `ticket` names its upload URL."""

    file_id: str
    team_id: str
    user: str
    name: str
    size: int
    mimetype: str
    content: bytes | None = None
    ticket: str = ""
    title: str = ""
    completed: bool = False
    created: int = field(default_factory=lambda: int(time.time()))
    shares: dict[str, list[JsonObject]] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where its bytes are served."""
        return f"/files-pri/{self.team_id}-{self.file_id}/download/{self.name}"


Post = Callable[[SlackFile, Channel, str | None, str], Message]
"""Posts the message that shares a file: where, in which thread, with what text."""


class FileMethods:
    """All files of all teams. `post` is called for each share, `origin` tells where they are."""

    def __init__(
        self, directory: Directory, post: Post, origin: Callable[[], str], share_delay_s: float
    ) -> None:
        self._directory = directory
        self._post = post
        self._origin = origin
        self._share_delay_s = share_delay_s
        self._files: dict[str, SlackFile] = {}
        self._waiting: set[asyncio.TimerHandle] = set()

    def table(self) -> Mapping[str, Callable[[Call], JsonObject]]:
        """Method name to what carries it out."""
        return {
            "files.getUploadURLExternal": self.upload_url,
            "files.completeUploadExternal": self.complete,
            "files.info": self.info,
        }

    @property
    def files(self) -> Sequence[SlackFile]:
        """Every file there is, in order, also those whose bytes never came."""
        return list(self._files.values())

    def stop(self) -> None:
        """Share nothing more."""
        for handle in self._waiting:
            handle.cancel()

    def add(self, team_id: str, user: str, name: str, content: bytes) -> SlackFile:
        """Store a file as a user of the team."""
        file = self._new(team_id, user, name, len(content))
        file.content, file.completed = content, True
        return file

    def by_ticket(self, ticket: str) -> SlackFile | None:
        """The file that an upload URL is for."""
        found = (file for file in self._files.values() if ticket and file.ticket == ticket)
        return next(found, None)

    def of(self, team_id: str, file_id: str) -> SlackFile | None:
        """None when this team has no such file, whoever else has."""
        file = self._files.get(file_id)
        return file if file is not None and file.team_id == team_id else None

    def upload_url(self, call: Call) -> JsonObject:
        """Announce a file; return where its bytes are to be sent."""
        name, length = call.required("filename"), call.required("length")
        if not length.isdecimal() or int(length) == 0:
            raise SlackError("missing_argument")
        if int(length) > MAX_FILE_BYTES:
            raise SlackError("file_upload_size_restricted")
        file = self._new(call.team.team_id, call.team.bot_user_id, name, int(length))
        file.ticket = secrets.token_urlsafe(24)
        url = f"http://{self._origin()}/upload/v1/{file.ticket}"
        return {"upload_url": url, "file_id": file.file_id}

    def complete(self, call: Call) -> JsonObject:
        """End uploads and share them, a little later. Without a channel they stay private."""
        channel = self._channel(call)
        files = [self._uploaded(call, item) for item in _items(call)]
        thread_ts = call.text("thread_ts")
        for file in files:
            file.completed = True
        answer: JsonObject = {"files": [self.json(file) for file in files]}
        if channel is not None:
            for file in files:
                self._share_later(file, channel, thread_ts)
        return answer

    def info(self, call: Call) -> JsonObject:
        """One file object."""
        file = self.of(call.team.team_id, call.required("file"))
        if file is None or not file.completed:
            raise SlackError("file_not_found")
        return {"file": self.json(file)}

    def json(self, file: SlackFile) -> JsonObject:
        """A file object as the Web API returns it."""
        url = f"http://{self._origin()}{file.path}"
        return {
            "id": file.file_id,
            "created": file.created,
            "timestamp": file.created,
            "name": file.name,
            "title": file.title or file.name,
            "mimetype": file.mimetype,
            "user": file.user,
            "size": file.size,
            "mode": "hosted",
            "is_external": False,
            "external_type": "",
            "file_access": "visible",
            "url_private": url.replace("/download/", "/"),
            "url_private_download": url,
            # Copied: what was told once must not grow with later shares.
            "shares": {"public": {**file.shares}} if file.shares else {},
        }

    def share(
        self, file: SlackFile, channel: Channel, thread_ts: str | None, text: str = ""
    ) -> None:
        """Post the message that shows a file."""
        share: JsonObject = {"ts": self._post(file, channel, thread_ts, text).ts}
        if thread_ts is not None:
            share["thread_ts"] = thread_ts
        file.shares.setdefault(channel.channel_id, []).append(share)

    def _share_later(self, file: SlackFile, channel: Channel, thread_ts: str | None) -> None:
        if self._share_delay_s <= 0:
            self.share(file, channel, thread_ts)
            return
        share = partial(self.share, file, channel, thread_ts)
        loop = asyncio.get_running_loop()
        self._waiting.add(loop.call_later(self._share_delay_s, share))

    def _channel(self, call: Call) -> Channel | None:
        named = call.text("channel_id")
        if named is None:
            return None
        channel = self._directory.channel(call.team.team_id, named)
        if channel is None or not channel.is_visible:
            raise SlackError("channel_not_found")
        if not channel.is_member:
            raise SlackError("not_in_channel")
        return channel

    def _uploaded(self, call: Call, item: Mapping[str, object]) -> SlackFile:
        file = self.of(call.team.team_id, str(item.get("id")))
        if file is None or file.content is None or file.completed:
            raise SlackError("file_not_found")
        file.title = str(item.get("title") or file.name)
        return file

    def _new(self, team_id: str, user: str, name: str, size: int) -> SlackFile:
        file_id = f"F0{secrets.token_hex(5).upper()}"
        mimetype = mimetypes.guess_type(name)[0] or "application/octet-stream"
        file = SlackFile(file_id, team_id, user, name, size, mimetype)
        self._files[file_id] = file
        return file


def _items(call: Call) -> list[Mapping[str, object]]:
    items = call.structure("files")
    if not isinstance(items, list) or not items:
        raise SlackError("invalid_arguments")
    if not all(isinstance(item, dict) for item in items):
        raise SlackError("invalid_arguments")
    return items
