"""Structured logs: JSON lines on stderr, one wide event per handled event."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import orjson
import structlog

# Shapes of secrets that could ride in on an exception's text: Slack tokens, our own keys and
# signing secrets, bearer headers, passwords in URLs.
_SECRET: Final = re.compile(
    r"xapp-[\w-]+|xox[a-z]\.?[\w.-]+|cgk_[\w-]+|whsec_[\w+/=]+|(?<=[Bb]earer )\S+"
    r"|(?<=://)[^/\s]+(?=@)"
)


# What every one of them begins with. A line without any of these holds no secret, and one search
# over the finished line is all that most lines cost.
_HINT: Final = re.compile(rb"xapp-|xox|cgk_|whsec_|earer |://")


def configure_logs(level: str) -> None:
    """Send structlog and the standard library's logs to stderr as JSON lines."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, render],
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


def render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """Make the line, with everything cut out that looks like a secret, however deep it lies."""
    try:
        line = orjson.dumps(event)
    except TypeError:
        # An exception, a path, half a surrogate pair: it is written as text.
        return _dump(_redacted(event))
    return line.decode() if _HINT.search(line) is None else _dump(_redacted(event))


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
