"""OpenClawSandbox: a container that runs OpenClaw, as far as its own HTTP surface goes.

Follows its documents, answers in JSON only:
https://docs.openclaw.ai/gateway/openai-http-api (authentication, agents, sessions, GET /v1/models)
https://docs.openclaw.ai/gateway/openresponses-http-api (items, errors)
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import orjson
from aiohttp import web

from gateway.sandbox.agent import AgentFault, Answer, Hang, Reset
from gateway.sandbox.changes import Changes
from gateway.sandbox.openclaw_bodies import (
    Asked,
    Fail,
    InvalidRequestError,
    Read,
    Write,
    WriteFailure,
    completion,
    error,
    failure,
    not_found,
    read_items,
    read_messages,
    response,
    unauthorized,
)
from gateway.sandbox.wire import MAX_BODY_BYTES, JsonObject, LoopbackServer, reset_connection

RESPONSES: Final = "/v1/responses"
CHAT: Final = "/v1/chat/completions"
_RESERVED_SESSIONS: Final = ("subagent:", "cron:", "acp:")


@dataclass(frozen=True, slots=True)
class Turn:
    """One run of an agent. `earlier` is what came before the message, as context: role and text."""

    agent: str
    session: str
    message: str
    earlier: tuple[tuple[str, str], ...]
    instructions: str
    headers: Mapping[str, str] = field(repr=False)


Say = Callable[[Turn], str]
TurnFault = AgentFault | Fail


def echo(turn: Turn) -> str:
    """The answer that shows which agent heard what."""
    return f"**{turn.agent}** heard: {turn.message}"


class OpenClawSandbox:
    """An HTTP server. `surfaces` are the endpoints that are switched on, none of which is by
    default; `plugin` is the page of a channel plugin's health, if it has one.
    """

    def __init__(
        self,
        *,
        token: str,
        surfaces: Sequence[str] = (RESPONSES, CHAT),
        agents: Sequence[str] = ("main",),
        say: Say = echo,
        plugin: JsonObject | None = None,
    ) -> None:
        self.token = token
        self.surfaces = set(surfaces)
        self.plugin = plugin
        self.ready = True
        self.turns: list[Turn] = []
        """Every run that was begun, whatever became of it."""
        self.refused: list[int] = []
        """Statuses of requests that were refused before anything ran."""
        self._agents = frozenset(agents)
        self._say = say
        self._faults: deque[TurnFault] = deque()
        self._numbers = itertools.count(1)
        self._changes = Changes()
        self._server = LoopbackServer(self._web_app())
        self._origin = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        self._origin = f"{host}:{await self._server.start(host, port)}"

    async def close(self) -> None:
        """Stop answering."""
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
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://{self._origin}"

    def fail_next(self, fault: TurnFault, *, times: int = 1) -> None:
        """Make the next `times` requests for a turn go wrong."""
        self._faults.extend([fault] * times)

    async def wait_for_turns(self, count: int, timeout_s: float) -> list[Turn]:
        """Wait until `count` runs were begun. Raises TimeoutError."""
        await self._changes.until(
            lambda: len(self.turns) >= count,
            timeout_s,
            lambda: f"{count} turns; there were {len(self.turns)}",
        )
        return list(self.turns)

    def _web_app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/readyz", self._readiness)
        app.router.add_get("/aegis/v1/health", self._plugin_health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post(RESPONSES, self._turn(RESPONSES, read_items, response, failure))
        app.router.add_post(CHAT, self._turn(CHAT, read_messages, completion, error))
        return app

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "status": "live"})

    async def _readiness(self, _request: web.Request) -> web.Response:
        status = 200 if self.ready else 503
        return web.json_response({"ready": self.ready, "failing": []}, status=status)

    async def _plugin_health(self, _request: web.Request) -> web.Response:
        return not_found() if self.plugin is None else web.json_response(self.plugin)

    async def _models(self, request: web.Request) -> web.Response:
        if not self.surfaces:
            return not_found()
        if not self._is_let_in(request):
            return unauthorized()
        names = ["openclaw", "openclaw/default", *(f"openclaw/{each}" for each in self._agents)]
        return web.json_response({"object": "list", "data": [{"id": name} for name in names]})

    def _turn(
        self, path: str, read: Read, write: Write, fail: WriteFailure
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            refusal = self._refusal(path, request)
            if refusal is not None:
                self.refused.append(refusal.status)
                return refusal
            fault = self._faults.popleft() if self._faults else None
            if isinstance(fault, Answer):
                after = (
                    {} if fault.retry_after_s is None else {"Retry-After": f"{fault.retry_after_s}"}
                )
                return web.Response(status=fault.status, headers=after)
            if isinstance(fault, Reset) and not fault.after_accepting:
                return reset_connection(request)
            try:
                turn = self._begun(request, read(orjson.loads(await request.read())))
            except (InvalidRequestError, orjson.JSONDecodeError) as exc:
                self.refused.append(400)
                return error(Fail(400, "invalid_request_error"), str(exc))
            return await self._ended(request, turn, fault, write, fail)

        return handle

    def _refusal(self, path: str, request: web.Request) -> web.Response | None:
        if path not in self.surfaces:
            return not_found()
        return None if self._is_let_in(request) else unauthorized()

    def _begun(self, request: web.Request, asked: Asked) -> Turn:
        if not asked.message:
            raise InvalidRequestError("Missing user message in `input`.")
        turn = Turn(
            agent=self._agent(asked.model),
            session=self._session(request, asked),
            message=asked.message,
            earlier=asked.earlier,
            instructions=asked.instructions,
            headers=dict(request.headers),
        )
        self.turns.append(turn)
        self._changes.announce()
        return turn

    async def _ended(
        self,
        request: web.Request,
        turn: Turn,
        fault: TurnFault | None,
        write: Write,
        fail: WriteFailure,
    ) -> web.Response:
        if isinstance(fault, Reset):
            return reset_connection(request)
        if isinstance(fault, Fail):
            return fail(fault, "upstream provider error")
        if isinstance(fault, Hang):
            await asyncio.sleep(fault.seconds)
        return web.json_response(
            write(next(self._numbers), f"openclaw/{turn.agent}", self._say(turn))
        )

    def _agent(self, model: str) -> str:
        name, _, agent = model.partition("/")
        if name != "openclaw":
            raise InvalidRequestError(f"Invalid model {model!r}.")
        if agent in {"", "default"}:
            return "main"
        if agent not in self._agents:
            raise InvalidRequestError(f"Unknown agent '{agent}'.")
        return agent

    def _session(self, request: web.Request, asked: Asked) -> str:
        key = request.headers.get("x-openclaw-session-key", "").strip()
        if key.lower().startswith(_RESERVED_SESSIONS):
            raise InvalidRequestError("`x-openclaw-session-key` cannot use reserved namespaces.")
        # Sessions are found by their name in lower case.
        return (key or asked.user or f"new-{next(self._numbers)}").lower()

    def _is_let_in(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode())
