"""The hosts beside the Web API that bytes go to and come from: files.slack.com, in one place.

https://docs.slack.dev/messaging/working-with-files/
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import quote

from aiohttp import web

from gateway.sandbox.slack.directory import Directory
from gateway.sandbox.slack.faults import (
    Fault,
    FaultPlan,
    HttpStatus,
    ResetAfter,
    ResetBefore,
    Slow,
)
from gateway.sandbox.slack.files import FileMethods, SlackFile
from gateway.sandbox.wire import reset_connection

UPLOAD, DOWNLOAD = "upload", "download"
"""Names of the two for the plan of faults, which knows the Web API's methods by theirs."""

_LOGIN_PAGE: Final = "<!DOCTYPE html><html><head><title>Sign in | Slack</title></head></html>"


class FileServer:
    """Takes bytes at upload URLs and gives bytes to those who may see them."""

    def __init__(self, files: FileMethods, directory: Directory, faults: FaultPlan) -> None:
        self._files = files
        self._directory = directory
        self._faults = faults

    def add_routes(self, app: web.Application) -> None:
        """Serve both."""
        app.router.add_post("/upload/v1/{ticket}", self.upload)
        app.router.add_get("/files-pri/{place}/download/{name}", self.download)
        app.router.add_get("/files-pri/{place}/{name}", self.download)

    async def upload(self, request: web.Request) -> web.Response:
        """Raw bytes or a multipart form. "Slack will return HTTP 200 if the upload is successful;
        a non-200 response indicates a failure."
        """
        file = self._files.by_ticket(request.match_info["ticket"])
        if file is None:
            raise web.HTTPNotFound
        fault = self._faults.take(UPLOAD, file.team_id)
        if (failure := await _failure(request, fault)) is not None:
            return failure
        content = await _received(request, file.size)
        if len(content) != file.size:
            raise web.HTTPBadRequest
        file.content, file.ticket = content, ""
        if isinstance(fault, ResetAfter):
            await asyncio.sleep(fault.after_s)
            return reset_connection(request)
        return web.Response(text=f"OK - {len(content)}")

    async def download(self, request: web.Request) -> web.Response:
        """The bytes, for the bearer of a token of the file's team. Everybody else is shown a page
        to sign in at, with status 200.
        """
        team_id, _, file_id = request.match_info["place"].partition("-")
        file = self._files.of(team_id, file_id)
        if (failure := await _failure(request, self._faults.take(DOWNLOAD, team_id))) is not None:
            return failure
        if file is None or not self._may_see(request, file):
            return web.Response(text=_LOGIN_PAGE, content_type="text/html")
        if file.content is None:
            raise web.HTTPNotFound
        disposition = f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"
        return web.Response(
            body=file.content,
            content_type=file.mimetype,
            headers={"Content-Disposition": disposition},
        )

    def _may_see(self, request: web.Request, file: SlackFile) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        team = self._directory.team_of(token, None, file.team_id)
        return scheme == "Bearer" and team is not None and team.team_id == file.team_id


async def _received(request: web.Request, size: int) -> bytes:
    if request.content_type == "multipart/form-data":
        form = await request.post()
        fields = (value for value in form.values() if isinstance(value, web.FileField))
        return next((field.file.read() for field in fields), b"")
    content = bytearray()
    async for piece in request.content.iter_any():
        content += piece
        if len(content) > size:
            break
    return bytes(content)


async def _failure(request: web.Request, fault: Fault | None) -> web.Response | None:
    match fault:
        case HttpStatus(status):
            return web.Response(status=status, text="sandbox fault")
        case ResetBefore(after_s):
            await asyncio.sleep(after_s)
            return reset_connection(request)
        case Slow(seconds):
            await asyncio.sleep(seconds)
    return None
