"""What the platforms' renderers of components share: the ids that lead back to a component, and
plain text as Markdown. Knows no platform.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from adapters.markdown.clean import cleaned
from gateway.core.events import Action, ActionKind
from gateway.core.ports import Renderer

T = TypeVar("T")

_LETTERS: Final = {
    ActionKind.BUTTON: "b",
    ActionKind.SELECT: "s",
    ActionKind.FORM: "f",
    ActionKind.FEEDBACK: "t",
}
_KINDS: Final = {letter: kind for kind, letter in _LETTERS.items()}
_WRITTEN = re.compile(r"gw:([bsft])[0-9]{1,3}:([A-Za-z0-9._-]{1,40})(?::(.{0,50}))?", re.DOTALL)
# Renderers take control characters away; platforms refuse a title that was made of them.
_INVISIBLE = "\u200b"
_COMPONENT_ID = re.compile(r"[A-Za-z0-9._-]{1,40}")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Which component was used; what a platform gives back of it."""

    kind: ActionKind
    id: str
    value: str = ""


def write_trace(kind: ActionKind, number: int, component_id: str, value: str | None = None) -> str:
    """Return an id of at most 100 characters, as long as `number` has two digits.

    `number` is unlike any other of the message: agents may give several buttons one id.
    """
    written = f"gw:{_LETTERS[kind]}{number}:{component_id}"
    return written if value is None else f"{written}:{value}"


def read_trace(written: object) -> Trace | None:
    """Read an id back, None when it is none of ours."""
    match = _WRITTEN.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        return None
    return Trace(kind=_KINDS[match[1]], id=match[2], value=match[3] or "")


def read_as(payload: object, wanted: type[T]) -> T | None:
    """Read what a platform gave back; None when it has another shape."""
    try:
        return msgspec.convert(payload, wanted)
    except msgspec.ValidationError:
        return None


def chosen(trace: Trace, values: Iterable[str]) -> Action:
    """Return the use of a component that is no form."""
    return Action(id=trace.id, kind=trace.kind, values=tuple(map(_writable, values)))


def filled_in(trace: Trace, answers: Iterable[tuple[str, Iterable[str]]]) -> Action:
    """Return the answers to a form by the ids of its fields, without those left empty."""
    given = {
        field: tuple(_writable(value) for value in values if value)
        for field, values in answers
        if _COMPONENT_ID.fullmatch(field)
    }
    fields = {field: values for field, values in given.items() if values}
    return Action(id=trace.id, kind=trace.kind, fields=fields)


def _writable(text: str) -> str:
    # A lone surrogate is legal in JSON and in str, but no store could write it.
    return text if text.isascii() else text.encode(errors="replace").decode()


def one_line(text: str) -> str:
    """Return a text for a place without markup: without control characters, and never blank."""
    return " ".join(cleaned(text).split()) or _INVISIBLE


def literal(text: str) -> str:
    """Return one line of Markdown that is shown as `text`, with no sign of it taken for markup."""
    return _PUNCTUATION.sub(r"\\\g<0>", " ".join(text.split()))


def shown(markdown: str, render: Renderer) -> str:
    """Render Markdown that belongs into one place, however many parts it would be as a message."""
    return "\n".join(render(markdown))


def never_blank(markdown: str, render: Renderer) -> str:
    """Render as `shown`; where nothing is left, return what is there and cannot be seen."""
    return shown(markdown, render) or _INVISIBLE


def clipped(text: str, max_chars: int) -> str:
    """Cut a text that a platform would refuse, and let people see that it was cut."""
    if len(text) <= max_chars:
        return text
    return text[: max_chars - 1] + "…" if max_chars > 0 else ""
