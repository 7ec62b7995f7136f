"""How the command line speaks: tables for people, JSON for machines, meaningful exit codes.

0 done, 1 it failed, 2 wrong settings or usage, 3 a store cannot be reached.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gateway.core.errors import ConfigError, GatewayError, StoreError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_STORE = 3

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def reported() -> Iterator[None]:
    """Turn a fault of the gateway into one clear message and an exit code, never a traceback."""
    try:
        yield
    except ConfigError as exc:
        _fail("These settings do not work", exc, EXIT_USAGE)
    except StoreError as exc:
        _fail("A store cannot be reached", exc, EXIT_STORE)
    except GatewayError as exc:
        _fail("Refused", exc, EXIT_FAILED)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows for a person."""
    view = Table(title=title, title_justify="left")
    for column in columns:
        view.add_column(column, overflow="fold")
    for row in rows:
        view.add_row(*(Text(shown(cell)) for cell in row))
    out.print(view)


def shown(cell: object) -> str:
    """Make text harmless for a terminal: what others named must not steer the cursor."""
    text = "" if cell is None else str(cell)
    return "".join(char if char.isprintable() else "�" for char in text)


def json_out(value: object) -> None:
    """Print one JSON document for a machine."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def pairs(title: str, fields: Mapping[str, object]) -> None:
    """Print one thing, a field a line."""
    table(title, ("field", "value"), list(fields.items()))


def _fail(title: str, exc: GatewayError, code: int) -> None:
    lines = [escape(line) for line in str(exc).splitlines()]
    err.print(f"[bold red]{title}[/]:", *lines, sep="\n  ")
    raise typer.Exit(code)
