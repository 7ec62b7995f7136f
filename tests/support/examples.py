"""Examples in documents: requests that can be sent, and the answers that they say come back."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"

_FENCE = re.compile(r"^```(\w+)(?: (\d{3}))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """One request and its answer."""

    verb: str
    path: str
    headers: dict[str, str]
    body: str
    status: int
    answer: dict[str, Any]

    def __str__(self) -> str:
        """Name it, for a failure."""
        return f"{self.verb} {self.path}"


def code_of(document: str, language: str) -> str:
    """The first code block of a language."""
    for found in _FENCE.finditer((DOCS / document).read_text()):
        if found[1] == language:
            return found[3]
    raise LookupError(f"{document} has no block of {language}")


def examples_of(document: str) -> list[Example]:
    """Every `http` block with the `json` block that answers it, in the order of the document."""
    found: list[Example] = []
    asked = ""
    for block in _FENCE.finditer((DOCS / document).read_text()):
        language, status, content = block.groups()
        if language == "http":
            asked = content
        elif language == "json" and status and asked:
            found.append(_example(asked, int(status), json.loads(content)))
            asked = ""
    return found


def _example(asked: str, status: int, answer: dict[str, Any]) -> Example:
    head, _, body = asked.partition("\n\n")
    first, *lines = head.strip().splitlines()
    verb, path = first.split(" ", 1)
    headers = dict(line.split(": ", 1) for line in lines)
    return Example(verb, path, headers, body.strip(), status, answer)
