"""Writes what agents say: as Markdown, which Slack renders; as mrkdwn, where it refuses that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from adapters.slack.fields import Fields
from adapters.slack.outbound import Said, markdown_block
from gateway.core.errors import SendError

_log = logging.getLogger(__name__)

Json = dict[str, object]
Call = Callable[[Json], Awaitable[Fields]]
"""One call of Slack, with that body. Raises SendError."""

AGAIN_WITHIN_S: Final = 3.0
"""So old may a refusal be that is answered at once: whoever was paused for longer begins anew, and
is asked then whether the message is still its own to send.
"""

_AT_ONCE_CHARS: Final = 4_000
_REFUSALS: Final = frozenset({"invalid_blocks", "msg_blocks_too_long"})


class Body(Protocol):
    """Makes the body of a call. Raises SendError."""

    def __call__(self, *, plain: bool) -> Json: ...


async def written(said: Said, body: Body, call: Call) -> Fields:
    """Call with a body that shows `said`, and once more in plain mrkdwn where Slack refuses the
    blocks: it translates Markdown into blocks of its own, which have limits that it does not tell.
    What was refused stands nowhere. Raises SendError.

    https://github.com/slackapi/bolt-js/issues/2509
    """
    began_s = asyncio.get_running_loop().time()
    first = await _made(said, body, plain=False)
    try:
        return await call(first)
    except SendError as exc:
        if not _is_of_markdown(exc, said, first):
            raise
        _log.warning("Slack refused Markdown, which is said in mrkdwn now: %s", exc.detail)
        if asyncio.get_running_loop().time() - began_s > AGAIN_WITHIN_S:
            raise SendError(exc.reason, exc.detail) from exc
    return await call(await _made(said, body, plain=True))


async def _made(said: Said, body: Body, *, plain: bool) -> Json:
    """Make a body; of a long text apart, for other conversations would wait."""
    if len(said.text) <= _AT_ONCE_CHARS:
        return body(plain=plain)
    return await asyncio.to_thread(body, plain=plain)


def _is_of_markdown(error: SendError, said: Said, body: Json) -> bool:
    blocks = body.get("blocks")
    shown = isinstance(blocks, list) and markdown_block(said.text) in blocks
    return shown and error.permanent and error.detail.split(" ")[0] in _REFUSALS
