"""Reading of JSON that somebody else made. Never raises but Malformed, whatever the shapes are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Self

# Ids and timestamps end up in keys, URLs and labels, so what does not look like one is none.
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")

_MAX_DEPTH = 8


class Malformed(Exception):  # noqa: N818 - reads as a verdict: `raise Malformed(...)`
    """A field that must be there is not. The text names the field, never its content."""


class Fields:
    """A JSON object and where it stands in the whole. What is no object reads as an empty one."""

    def __init__(self, value: object, path: str = "") -> None:
        self._values: Mapping[object, object] = value if isinstance(value, dict) else {}
        self._path = path

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def text(self, name: str) -> str:
        """The text, "" when there is none."""
        value = self._values.get(name)
        if not isinstance(value, str):
            return ""
        return _storable_text(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts in the list of that name."""
        value = self._values.get(name)
        items = value if isinstance(value, list) else []
        return tuple(_storable_text(item) for item in items if isinstance(item, str))

    def id(self, name: str) -> str:
        """The id, "" when there is none."""
        value = self.text(name)
        return value if _ID.fullmatch(value) else ""

    def required_id(self, name: str) -> str:
        """The id. Raises Malformed."""
        value = self.id(name)
        if not value:
            fault = "is not an id" if name in self else "is missing"
            raise Malformed(f"{self._path}{name} {fault}")
        return value

    def flag(self, name: str) -> bool:
        """Whether the field is true, and nothing that merely looks so."""
        return self._values.get(name) is True

    def count(self, name: str) -> int:
        """The whole number, 0 when there is none that is positive and fits 63 bits."""
        value = self._values.get(name)
        is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63
        return value if isinstance(value, int) and is_count else 0

    def child(self, name: str) -> Self:
        """The object of that name, an empty one when there is none."""
        return type(self)(self._values.get(name), f"{self._path}{name}.")

    def required_child(self, name: str) -> Self:
        """The object of that name. Raises Malformed."""
        if not isinstance(self._values.get(name), dict):
            fault = "is not an object" if name in self else "is missing"
            raise Malformed(f"{self._path}{name} {fault}")
        return self.child(name)

    def children(self, name: str) -> list[Self]:
        """The objects in the list of that name."""
        value = self._values.get(name)
        items = value if isinstance(value, list) else []
        return [type(self)(item, f"{self._path}{name}[].") for item in items]

    def document(self) -> dict[str, object]:
        """The object itself, for a reader of its own; what lies deeper than any reader looks is
        left out.
        """
        document = _storable(self._values, _MAX_DEPTH)
        return document if isinstance(document, dict) else {}


def _storable(value: object, depth: int) -> object:
    if isinstance(value, str):
        return _storable_text(value)
    if isinstance(value, Mapping) and depth:
        return {
            _storable_text(name): _storable(item, depth - 1)
            for name, item in value.items()
            if isinstance(name, str)
        }
    if isinstance(value, list) and depth:
        return [_storable(item, depth - 1) for item in value]
    return None if isinstance(value, Mapping | list) else value


def _storable_text(text: str) -> str:
    # A lone surrogate is legal in JSON and in str, but no store could write it.
    return text if text.isascii() else text.encode(errors="replace").decode()
