"""Files of Slack, in and out. Holds no bytes: they pass through.

An upload takes three calls, and only the last one posts anything. Slack shares the file some time
after it has said yes, so the message's ts is asked for until it is there.
https://docs.slack.dev/messaging/working-with-files
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from adapters.fetching import Fetched, Fetcher, Patience
from adapters.file_hosts import HostRules
from adapters.slack.capabilities import CAPABILITIES
from adapters.slack.config import SlackConfig
from adapters.slack.errors import lookup_error, unreadable_answer
from adapters.slack.fields import Fields
from adapters.slack.inbound import sent_at
from adapters.slack.web_api import WebApi
from gateway.core.budgets import Budget
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError
from gateway.core.events import Attachment
from gateway.core.messages import FileUpload, SentMessage
from gateway.core.ports import Begins, Download
from gateway.core.tenants import Credential

SHARE_WAITS_S: Final = (0.1, 0.3, 0.6, 1.0, 2.0, 4.0)
"""Before each time that Slack is asked whether the file stands in the conversation. The lane waits
meanwhile: what the agent says next must not overtake its file.
"""

# Thumbnails and what large files are redirected to; neither wants a token.
_PUBLIC_FILE_HOSTS: Final = (".slack-files.com", "slack-files.com", ".slack-edge.com")
_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})


def host_rules(config: SlackConfig) -> HostRules:
    """Name the hosts of Slack's files: `files.slack.com`, to which uploads go as well, and on
    Enterprise Grid `files-origin.slack.com`, to which it redirects and which wants the token too.

    An API base URL that is not Slack's is a stand-in, which serves files at the same origin.
    https://docs.slack.dev/reference/objects/file-object
    """
    own = tuple(each for host in config.allowed_hosts for each in (host, f".{host}"))
    base = URL(config.api_base_url)
    if not HostRules(own).allows(base.with_scheme("https").with_port(443)):
        own += (str(base.origin()),)
    return HostRules(hosts=own + _PUBLIC_FILE_HOSTS, token_hosts=own)


class SlackFiles:
    """Uploads and Downloads for Slack."""

    def __init__(
        self,
        config: SlackConfig,
        session: aiohttp.ClientSession,
        *,
        budget: Budget | None = None,
        share_waits_s: Sequence[float] = SHARE_WAITS_S,
        patience: Patience | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._api = WebApi(config, session, budget)
        self._fetcher = Fetcher(host_rules(config), patience=patience, resolver=resolver)
        self._share_waits_s = share_waits_s

    async def upload(
        self,
        upload: FileUpload,
        content: AsyncIterator[bytes],
        credential: Credential,
        begins: Begins,
    ) -> SentMessage:
        """Post a file. Its message's ts is the id; the file's own id, when Slack took the file but
        has not shown it within 8 s.

        Raises SendError: before the last call never ambiguous, for nothing has been posted; after
        it permanent with OUTCOME_UNKNOWN when Slack's answer was lost and the file is not seen,
        since another attempt could post it twice. What `content` and `begins` raise goes through.

        https://docs.slack.dev/reference/methods/files.getUploadURLExternal
        https://docs.slack.dev/reference/methods/files.completeUploadExternal
        """
        file_id = await self._put(upload, content, credential)
        channel, thread = upload.conversation.channel, upload.conversation.thread
        completion: dict[str, object] = {
            "files": [{"id": file_id, "title": upload.name}],
            "channel_id": channel,
        }
        if thread is not None:
            completion["thread_ts"] = thread
        await begins(file_id)
        try:
            answer = await self._api.write("files.completeUploadExternal", credential, completion)
        except SendError as exc:
            if not exc.ambiguous:
                raise
            return await self._found_or_unknown(file_id, channel, credential, exc)
        shown = next((_ts(file, channel) for file in answer.children("files")), "")
        ts = shown or await self._shared(file_id, channel, credential)
        return _sent(ts) if ts else SentMessage(id=file_id)

    async def find_upload(
        self, upload: FileUpload, file: str, credential: Credential
    ) -> SentMessage:
        """Look whether a file whose last call may have been made stands in the conversation.

        Raises SendError: permanent with OUTCOME_UNKNOWN when it is not seen, as `upload` does.
        https://docs.slack.dev/reference/methods/files.info
        """
        channel = upload.conversation.channel
        try:
            ts = _ts(await self._info(file, credential), channel)
        except SendError as exc:
            raise lookup_error(exc) from exc
        ts = ts or await self._shared(file, channel, credential)
        if not ts:
            raise SendError(Reason.OUTCOME_UNKNOWN, "the file is not seen", permanent=True)
        return _sent(ts)

    @asynccontextmanager
    async def download(
        self, attachment: Attachment, credential: Credential
    ) -> AsyncIterator[Download]:
        """Begin to fetch a file, from its own URL or else from the one that files.info names.

        Raises SendError: NOT_INSTALLED when Slack sends its login page, with status 200, because
        the token is wrong or lacks `files:read`.
        https://docs.slack.dev/reference/objects/file-object
        https://docs.slack.dev/reference/methods/files.info
        """
        url = attachment.url or await self._url(attachment.id, credential)
        limit = CAPABILITIES.limits.file_bytes
        async with self._fetcher.get(url, max_bytes=limit, token=credential.bot_token) as fetched:
            if _is_login_page(fetched, attachment):
                detail = "Slack sent its login page: the token is not valid or lacks files:read"
                raise SendError(Reason.NOT_INSTALLED, detail, permanent=True)
            yield Download(content=fetched.content, size_bytes=fetched.size_bytes)

    async def _put(
        self, upload: FileUpload, content: AsyncIterator[bytes], credential: Credential
    ) -> str:
        """Bring the bytes to Slack, which nobody sees yet; return the file's id."""
        wanted = {"filename": upload.name, "length": str(upload.size_bytes)}
        place = await self._api.read("files.getUploadURLExternal", credential, wanted)
        file_id, url = place.id("file_id"), place.text("upload_url")
        if not file_id or not url:
            raise SendError(Reason.PLATFORM_ERROR, "the answer names no place for the file")
        await self._fetcher.post(url, content, size_bytes=upload.size_bytes)
        return file_id

    async def _found_or_unknown(
        self, file_id: str, channel: str, credential: Credential, lost: SendError
    ) -> SentMessage:
        ts = await self._shared(file_id, channel, credential)
        if ts:
            return _sent(ts)
        # Not seen is not "not posted": Slack shares a file when it has scanned it.
        raise SendError(Reason.OUTCOME_UNKNOWN, lost.detail, permanent=True) from lost

    async def _shared(self, file_id: str, channel: str, credential: Credential) -> str:
        """Wait until the file stands in the channel; return its message's ts, "" if it never did.

        https://docs.slack.dev/reference/methods/files.info
        """
        for wait_s in self._share_waits_s:
            await asyncio.sleep(wait_s)
            try:
                ts = _ts(await self._info(file_id, credential), channel)
            except SendError as exc:
                if exc.permanent:
                    return ""
                continue
            if ts:
                return ts
        return ""

    async def _url(self, file_id: str, credential: Credential) -> str:
        file = await self._info(file_id, credential)
        url = file.text("url_private_download") or file.text("url_private")
        if not url:
            raise SendError(Reason.PLATFORM_REJECTED, "the file has no URL", permanent=True)
        return url

    async def _info(self, file_id: str, credential: Credential) -> Fields:
        answer = await self._api.read("files.info", credential, {"file": file_id})
        if "file" not in answer:
            raise unreadable_answer("the answer describes no file")
        return answer.child("file")


def _ts(file: Fields, channel: str) -> str:
    """Find the message that shares the file, "" while there is none."""
    shares = file.child("shares")
    places = (shares.child(kind).children(channel) for kind in ("public", "private"))
    return next((share.id("ts") for found in places for share in found), "")


def _sent(ts: str) -> SentMessage:
    return SentMessage(id=ts, sent_at=sent_at(ts))


def _is_login_page(fetched: Fetched, attachment: Attachment) -> bool:
    if fetched.media_type not in _HTML:
        return False
    if (attachment.media_type or "").lower() not in _HTML:
        return True
    # An HTML file and the login page look alike, but the file's size has been told.
    known = attachment.size_bytes is not None and fetched.size_bytes is not None
    return known and attachment.size_bytes != fetched.size_bytes
