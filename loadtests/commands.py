"""The child's end of the pipe: JSON lines come in on stdin, answers go out on stdout.

Standard library only, since a peer in a virtual environment of its own imports it too. A child
ends when its stdin does, so that it never outlives the bench.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Fields = dict[str, Any]
Handler = Callable[[Fields], Awaitable[Fields | None]]
"""Takes a command's fields. None means that nobody waits for an answer."""

_LONGEST_LINE = 64 << 20


async def obey(handlers: Mapping[str, Handler]) -> None:
    """Handle the commands one after the other, by their field `do`, until stdin ends.

    A fault of a handler ends the process: a bench must not go on with half a subject.
    """
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    _say({"ready": True})
    async for line in reader:
        fields: Fields = json.loads(line)
        answer = await handlers[fields.pop("do")](fields)
        if answer is not None:
            _say(answer)


def _say(answer: Fields) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
