"""The bodies of OpenClaw's HTTP surface, as its documents write them: requests read, answers made.

https://docs.openclaw.ai/gateway/openresponses-http-api (items, errors)
https://docs.openclaw.ai/gateway/openai-http-api
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from gateway.sandbox.wire import JsonObject


class InvalidRequestError(Exception):
    """A request that is refused with 400 before anything runs."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Let the run fail: the agent began, and what its model answered went wrong."""

    status: int = 500
    kind: str = "api_error"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's body, whichever surface it was for."""

    model: str
    message: str
    earlier: tuple[tuple[str, str], ...]
    instructions: str
    user: str


Read = Callable[[JsonObject], Asked]
Write = Callable[[int, str, str], JsonObject]
WriteFailure = Callable[[Fail, str], web.Response]


def read_items(body: JsonObject) -> Asked:
    """Read a request to /v1/responses. Raises InvalidRequestError."""
    given = body.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return _asked(body, items, str(body.get("instructions") or ""))


def read_messages(body: JsonObject) -> Asked:
    """Read a request to /v1/chat/completions. Raises InvalidRequestError."""
    return _asked(body, body.get("messages"), "")


def _asked(body: JsonObject, items: object, instructions: str) -> Asked:
    """`system` and `developer` go into the prompt, the last `user` one is the message."""
    if not isinstance(items, list) or not isinstance(body.get("model"), str):
        raise InvalidRequestError("invalid request")
    said = [(str(item.get("role")), str(item.get("content"))) for item in items]
    prompts = [text for role, text in said if role in {"system", "developer"}]
    talk = [each for each in said if each[0] in {"user", "assistant"}]
    last = next((at for at in range(len(talk) - 1, -1, -1) if talk[at][0] == "user"), None)
    return Asked(
        model=str(body["model"]),
        message="" if last is None else talk[last][1],
        earlier=() if last is None else tuple(talk[:last]),
        instructions="\n\n".join([*filter(None, [instructions]), *prompts]),
        user=str(body.get("user") or ""),
    )


def response(number: int, model: str, text: str) -> JsonObject:
    """What /v1/responses answers."""
    content = [{"type": "output_text", "text": text or "No response from OpenClaw."}]
    message = {"type": "message", "id": f"msg_{number}", "role": "assistant", "content": content}
    return {
        "id": f"resp_{number}",
        "object": "response",
        "status": "completed",
        "model": model,
        "output": [message | {"phase": "final_answer", "status": "completed"}],
    }


def completion(number: int, model: str, text: str) -> JsonObject:
    """What /v1/chat/completions answers."""
    message = {"role": "assistant", "content": text or "No response from OpenClaw."}
    return {
        "id": f"chatcmpl_{number}",
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }


def failure(fail: Fail, message: str) -> web.Response:
    """What /v1/responses answers when a run failed."""
    told = {"code": fail.kind, "message": message}
    body = {"id": "resp_0", "object": "response", "status": "failed", "output": [], "error": told}
    return web.json_response(body, status=fail.status)


def error(fail: Fail, message: str) -> web.Response:
    """What is answered to what was refused, and by chat completions when a run failed."""
    body = {"error": {"message": message, "type": fail.kind}}
    return web.json_response(body, status=fail.status)


def unauthorized() -> web.Response:
    """No valid token."""
    return error(Fail(401, "unauthorized"), "Unauthorized")


def not_found() -> web.Response:
    """Nothing is switched on there."""
    return web.Response(status=404, text="Not Found")
