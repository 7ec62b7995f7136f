"""POST /v1/responses. https://docs.openclaw.ai/gateway/openresponses-http-api

Session and agent are told by headers and `model`; earlier items come before the agent as context.
"""

from __future__ import annotations

from typing import Final

import msgspec

from plugin_bridge.direct.dialect import spoken
from plugin_bridge.direct.turns import Turn

PATH: Final = "/v1/responses"


class _Item(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="message"):
    role: str
    content: str


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    instructions: str
    input: tuple[_Item, ...]
    stream: bool = False


class _Content(msgspec.Struct, frozen=True):
    type: str = ""
    text: str = ""


class _Output(msgspec.Struct, frozen=True):
    type: str = ""
    content: tuple[_Content, ...] = ()


class _Response(msgspec.Struct, frozen=True):
    output: tuple[_Output, ...]
    status: str = ""


class Responses:
    """A Dialect."""

    path = PATH
    setting = "gateway.http.endpoints.responses.enabled"

    def question(self, turn: Turn) -> bytes:
        """Write the turn as items, the message last."""
        earlier = tuple(
            _Item(role="assistant" if each.by_agent else "user", content=each.text)
            for each in turn.earlier
        )
        request = _Request(
            model=f"openclaw/{turn.agent}",
            instructions=turn.instructions,
            input=(*earlier, _Item(role="user", content=turn.message)),
        )
        return msgspec.json.encode(request)

    def answer(self, body: bytes) -> str:
        """Read the texts of all messages. One that was cut short (`incomplete`) is one, too."""
        response = msgspec.json.decode(body, type=_Response)
        texts = (
            part.text
            for item in response.output
            if item.type == "message"
            for part in item.content
            if part.type == "output_text" and part.text
        )
        return spoken("\n\n".join(texts))
