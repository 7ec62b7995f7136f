"""The lean transport, on asyncio's loop and on the one that it runs on in production."""

from __future__ import annotations

from typing import ClassVar

from plugin_bridge.opening import TransportKind
from tests.contracts.transport import TransportContract


class TestLean(TransportContract):
    """The transport of the default settings."""

    kind: ClassVar[TransportKind] = "lean"
