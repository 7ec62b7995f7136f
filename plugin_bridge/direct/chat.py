"""POST /v1/chat/completions. https://docs.openclaw.ai/gateway/openai-http-api"""

from __future__ import annotations

from typing import Final

import msgspec

from plugin_bridge.direct.dialect import spoken
from plugin_bridge.direct.turns import Turn

PATH: Final = "/v1/chat/completions"


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    role: str
    content: str


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    messages: tuple[_Message, ...]
    stream: bool = False


class _Said(msgspec.Struct, frozen=True):
    content: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    message: _Said


class _Completion(msgspec.Struct, frozen=True):
    choices: tuple[_Choice, ...]


class ChatCompletions:
    """A Dialect."""

    path = PATH
    setting = "gateway.http.endpoints.chatCompletions.enabled"

    def question(self, turn: Turn) -> bytes:
        """Write the turn as messages, the question last."""
        earlier = tuple(
            _Message(role="assistant" if each.by_agent else "user", content=each.text)
            for each in turn.earlier
        )
        request = _Request(
            model=f"openclaw/{turn.agent}",
            messages=(
                _Message(role="system", content=turn.instructions),
                *earlier,
                _Message(role="user", content=turn.message),
            ),
        )
        return msgspec.json.encode(request)

    def answer(self, body: bytes) -> str:
        """Read the first choice."""
        completion = msgspec.json.decode(body, type=_Completion)
        if not completion.choices:
            raise ValueError("it holds no choice")
        return spoken(completion.choices[0].message.content or "")
