"""Structured logs: JSON lines on stderr, one wide event per handled event."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import orjson
import structlog

# Shapes of secrets that could ride in on an exception's text: Slack tokens, our own keys and
# signing secrets, bearer headers, passwords in URLs.
_SECRET: Final = re.compile(
    r"xapp-[\w-]+|xox[a-z]\.?[\w.-]+|cgk_[\w-]+|whsec_[\w+/=]+|(?<=[Bb]earer )\S+"
    r"|(?<=://)[^/\s]+(?=@)"
)


def configure_logs(level: str, *, worker_number: int = 0) -> None:
    """Send structlog and the standard library's logs to stderr as JSON lines.

    With a `worker_number` each says which of several processes wrote it.
    """
    mark = {"worker_number": worker_number} if worker_number else {}
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        lambda _logger, _method, event: {**event, **mark},
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[Finish(mark)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
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
        second, fraction = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self._text}{fraction // 1000:06d}Z"


def render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """Make the line, with everything cut out that looks like a secret, however deep it lies."""
    try:
        line = orjson.dumps(event)
    except TypeError:
        # An exception, a path, half a surrogate pair: it is written as text.
        return _dump(_redacted(event))
    return _dump(_redacted(event)) if _is_suspicious(line) else line.decode()


def _is_suspicious(line: bytes) -> bool:
    # What every secret begins with. To look for these in the finished line is all that most lines
    # cost, and eight times cheaper than one expression for all of them.
    return (
        b"xox" in line
        or b"://" in line
        or b"cgk_" in line
        or b"whsec_" in line
        or b"earer " in line
        or b"xapp-" in line
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
