"""Structured logs: JSON lines on stderr, one wide event per handled event.

Wide events go past structlog, whose machinery costs several times what the line itself does, and
those of one turn of the loop leave as one write. All other lines are out at once.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import re
import sys
import time
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from select import PIPE_BUF
from types import MappingProxyType
from typing import Any, Final, TextIO, cast

import orjson
import structlog

# Shapes of secrets that could ride in on an exception's text: Slack tokens, our own keys and
# signing secrets, bearer headers, passwords in URLs.
_SECRET: Final = re.compile(
    r"xapp-[\w-]+|xox[a-z]\.?[\w.-]+|cgk_[\w-]+|whsec_[\w+/=]+|(?<=[Bb]earer )\S+"
    r"|(?<=://)[^/\s]+(?=@)"
)


class Lines:
    """What waits to be written. A file as far as structlog needs one."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._waiting: list[str] = []
        self._flushed_by: asyncio.AbstractEventLoop | None = None

    def write(self, text: str) -> None:
        """Write behind what waits, at the latest when it is flushed."""
        self._waiting.append(text)

    def flush(self) -> None:
        """Write all, in writes that a pipe takes whole: others may write to it too."""
        self._flushed_by = None
        waiting, self._waiting = self._waiting, []
        portion: list[str] = []
        size_bytes = 0
        for line in waiting:
            line_bytes = len(line) if line.isascii() else len(line.encode(errors="replace"))
            if size_bytes + line_bytes > PIPE_BUF:
                self._write(portion)
                portion, size_bytes = [], 0
            portion.append(line)
            size_bytes += line_bytes
        self._write(portion)

    def _write(self, portion: list[str]) -> None:
        if portion:
            self._out.write("".join(portion))
            self._out.flush()

    def flush_soon(self) -> None:
        """Write all when this turn of the loop is over; now where there is no loop."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            if self._flushed_by is not loop:  # one that has ended will flush nothing any more
                self._flushed_by = loop
                loop.call_soon(self.flush)


class _WideEvents:
    """Where wide events go: nowhere before logs are configured, or above their level."""

    def __init__(self) -> None:
        self._lines: Lines | None = None
        self._finish = Finish()
        atexit.register(self._end)

    def go_to(self, lines: Lines | None, finish: Finish) -> None:
        """Write them there from now on."""
        self._lines, self._finish = lines, finish

    def write(self, event: str, **fields: Any) -> None:
        """Write the one line that tells of a handled event, at level info."""
        if self._lines is not None:
            fields["event"] = event
            self._lines.write(self._finish(None, "info", fields) + "\n")
            self._lines.flush_soon()

    def _end(self) -> None:
        if self._lines is not None:
            self._lines.flush()


def configure_logs(level: str, *, worker_number: int = 0) -> None:
    """Send structlog and the standard library's logs to stderr as JSON lines.

    With a `worker_number` each says which of several processes wrote it.
    """
    mark = {"worker_number": worker_number} if worker_number else {}
    number = logging.getLevelNamesMapping()[level.upper()]
    lines = Lines(sys.stderr)
    finish = Finish(mark)
    _wide.go_to(lines if number <= logging.INFO else None, finish)
    shared: list[structlog.typing.Processor] = [
        lambda _logger, _method, event: {**event, **mark},
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[finish],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", lines)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                render,
            ],
        )
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)


class Finish:
    """All that our own lines go through, in one step: a chain of processors costs the hot paths
    twice as much.
    """

    def __init__(self, mark: Mapping[str, object] = MappingProxyType({})) -> None:
        """`mark` is in every line."""
        self._second, self._text = 0, ""
        self._mark = mark

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        """Add level, moment and exception; make the line."""
        if self._mark:
            event.update(self._mark)
        event["level"] = method
        event["timestamp"] = self._now()
        if "exc_info" in event:
            event = structlog.processors.format_exc_info(logger, method, event)
        return render(logger, method, event)

    def _now(self) -> str:
        moment = time.time()
        second = int(moment)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self._text}{int((moment - second) * 1_000_000):06d}Z"


_wide: Final = _WideEvents()
wide_event: Final = _wide.write


def render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """Make the line, with everything cut out that looks like a secret, however deep it lies."""
    try:
        line = orjson.dumps(event).decode()
    except TypeError:
        # An exception, a path, half a surrogate pair: it is written as text.
        return _dump(_redacted(event))
    return _dump(_redacted(event)) if _is_suspicious(line) else line


def _is_suspicious(line: str) -> bool:
    # What every secret begins with. To look for these in the finished line is all that most lines
    # cost, and many times cheaper than one expression for all of them. Single characters are found
    # fastest, and the three here are in few lines. In text and not in bytes, of which Python asks
    # first whether the left side is a number: that costs more than to search.
    return (
        ("x" in line and ("xox" in line or "xapp-" in line))
        or ("/" in line and "://" in line)
        or (" " in line and "earer " in line)
        or "cgk_" in line
        or "whsec_" in line
    )


def _redacted(value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {str(key): _redacted(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_redacted(inner) for inner in value]
        case _:
            # An exception, a path, bytes: what would be written is its text.
            return _SECRET.sub("[secret]", str(value))


def _dump(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # Half a surrogate pair or a number of twenty digits: a log line must never be the fault.
        return json.dumps(value)
