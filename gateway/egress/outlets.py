"""What egress needs of one platform."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.ports import Readback, Renderer, Sender


@dataclass(frozen=True, slots=True)
class Outlet:
    """A platform's renderer and sender; `readback` where lost answers can be looked up."""

    render: Renderer
    sender: Sender
    readback: Readback | None = None
