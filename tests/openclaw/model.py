"""A model that does as it is told: an OpenAI-compatible server on loopback, the same every time.

A user's text may hold one order, `do:<name> <rest>`; without one it is echoed. The API is that of
https://platform.openai.com/docs/api-reference/chat .
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.openclaw.program import PATIENCE_S
from tests.support.waiting import eventually

TOKEN_S = 0.12
_ORDER = re.compile(r"do:(\w+) ?([^\n]*)")
_INTERNAL = "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>"

Message = dict[str, Any]


@dataclass(slots=True)
class Said:
    """One answer of the model: text, or the call of a tool."""

    text: str = ""
    tool: Message | None = None
    slowly: bool = False


@dataclass(slots=True)
class Model:
    """The server, and what it has been asked."""

    url: str = ""
    prompts: list[list[Message]] = field(default_factory=list)
    running: int = 0
    aborted: int = 0

    def asked(self, words: str) -> int:
        """How many requests ended in a message of the user's with these words."""
        return sum(words in _last_user(prompt) for prompt in self.prompts)

    async def finished(self) -> None:
        """Wait until it says nothing more."""
        await eventually(lambda: self.running == 0, timeout_s=PATIENCE_S)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer POST /v1/chat/completions."""
        body = await request.json()
        self.prompts.append(body["messages"])
        said = answer(body["messages"])
        if not body.get("stream"):
            return web.json_response(_object(_choice("message", said), "chat.completion"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.running += 1
        try:
            for delta in _deltas(said):
                await _event(response, _object(_delta(delta), "chat.completion.chunk"))
                if said.slowly:
                    await asyncio.sleep(TOKEN_S)  # a token of a real model takes its time too
            await _event(response, _object(_end(said), "chat.completion.chunk"))
            await response.write(b"data: [DONE]\n\n")
        except (ConnectionError, asyncio.CancelledError):
            self.aborted += 1
            raise
        finally:
            self.running -= 1
        return response


def answer(messages: Sequence[Message]) -> Said:
    """Do what the last message of the user's asks for."""
    own = [each for each in messages if not _text(each).startswith(_INTERNAL)]
    if own[-1]["role"] == "tool":
        return Said("Done.")
    text = _last_user(messages)
    order = list(_ORDER.finditer(text))
    if not order:
        return Said(f"You said: {_plain(text)}")
    name, rest = order[-1][1], order[-1][2].strip()
    match name:
        case "slow":
            words = [f"word{number} " for number in range(int(rest.split()[0]))]
            return Said("".join([*words, f"end of {rest}"]), slowly=True)
        case "long":
            return Said(
                "".join(f"line {number:04d} of a long answer\n" for number in range(int(rest)))
            )
        case "file":
            return Said(f"Here it is.\nMEDIA:{rest}")
        case "recall":
            whole = json.dumps(messages, ensure_ascii=False)
            return Said(f"{rest}: {whole.count(rest) - whole.count(f'do:recall {rest}')}")
        case "tool":
            return Said(tool=json.loads(rest))
    return Said(f"You said: {rest}")


@asynccontextmanager
async def open_model() -> AsyncIterator[Model]:
    """Serve on a free port of loopback."""
    model = Model()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/chat/completions", model.complete)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        model.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield model
    finally:
        await runner.cleanup()


def _last_user(messages: Sequence[Message]) -> str:
    texts = [_text(each) for each in messages if each["role"] == "user"]
    own = [text for text in texts if not text.startswith(_INTERNAL)]
    return own[-1] if own else ""


def _text(message: Message) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


def _plain(text: str) -> str:
    """The words of the user's, without the facts that OpenClaw puts around them."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines = [line for line in text.splitlines() if line.strip()]
    own = [line for line in lines if not re.match(r"\[|Conversation info|Runtime:|Sender", line)]
    return own[-1].strip() if own else ""


def _deltas(said: Said) -> list[Message]:
    if said.tool is not None:
        call = {"name": said.tool["name"], "arguments": json.dumps(said.tool["arguments"])}
        return [
            {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": call}]}
        ]
    pieces = re.findall(r"\S+\s*", said.text) if said.slowly else [said.text]
    return [{"role": "assistant", "content": piece} for piece in pieces]


def _object(choice: Message, kind: str) -> Message:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    whole = {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "stub-1"}
    return {**whole, "choices": [choice], "usage": usage}


def _choice(part: str, said: Said) -> Message:
    return {"index": 0, part: {"role": "assistant", "content": said.text}, "finish_reason": "stop"}


def _delta(delta: Message) -> Message:
    return {"index": 0, "delta": delta, "finish_reason": None}


def _end(said: Said) -> Message:
    return {"index": 0, "delta": {}, "finish_reason": "tool_calls" if said.tool else "stop"}


async def _event(response: web.StreamResponse, body: Message) -> None:
    await response.write(f"data: {json.dumps(body)}\n\n".encode())
