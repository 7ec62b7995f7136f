"""One command's session with the stores: open, do, close, and say what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from gateway.cli.console import reported

if TYPE_CHECKING:
    from gateway.stores import Stores

_T = TypeVar("_T")


def with_stores(work: Callable[[Stores], Awaitable[_T]]) -> _T:
    """Open the stores that the environment names and do `work` with them.

    Leaves the program with a message and an exit code when that fails (see console.py).
    """

    async def session() -> _T:
        # Imported here because the store clients take longer to load than `--help` to print.
        from gateway.settings import load_settings  # noqa: PLC0415
        from gateway.stores import open_stores  # noqa: PLC0415

        async with open_stores(load_settings()) as stores:
            return await work(stores)

    with reported():
        return asyncio.run(session())
