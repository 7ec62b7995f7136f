"""What a step sees. It cannot be made without a tenant, so no step can run before one is known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from gateway.core.decisions import Dropped, DropReason
from gateway.core.events import InboundEvent
from gateway.core.ids import AgentId
from gateway.core.tenants import Binding


class RoutingContext(msgspec.Struct, frozen=True, kw_only=True):
    """An event with its tenant, the agent chosen so far, and the trail of the steps passed."""

    event: InboundEvent
    binding: Binding
    agent: AgentId | None = None
    trail: tuple[str, ...] = ()

    def passed(self, note: str) -> RoutingContext:
        """Go on, leaving a note in the trail."""
        return msgspec.structs.replace(self, trail=(*self.trail, note))

    def dropped(self, reason: DropReason, note: str) -> Dropped:
        """Stop here. The trail keeps the way and the reason."""
        trail = (*self.trail, f"{note}: {reason.value}")
        return Dropped(
            reason=reason, tenant=self.binding.tenant.id, trail=trail, binding=self.binding
        )


Step = Callable[[RoutingContext], Awaitable[RoutingContext | Dropped]]
"""A later step. Law 2: its type is not that of the tenant step, which alone starts a route."""
