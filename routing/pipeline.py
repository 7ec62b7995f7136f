"""Runs the steps. Writes nothing: the decision and its trail are stored by the commit (law 3)."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.decisions import Decision, Dropped, Routed
from gateway.core.events import InboundEvent
from routing.context import RoutingContext, Step
from routing.steps.agent import choose_agent
from routing.steps.guards import guard
from routing.steps.policy import apply_policy
from routing.steps.tenant import Resolve, resolve_tenant

STEPS: tuple[Step, ...] = (guard, apply_policy, choose_agent)


async def decide(event: InboundEvent, resolve: Resolve, steps: Sequence[Step] = STEPS) -> Decision:
    """Decide where `event` goes. Raises StoreError when the tenant cannot be known."""
    binding = await resolve_tenant(event, resolve)
    if isinstance(binding, Dropped):
        return binding
    context = RoutingContext(
        event=event, binding=binding, trail=(f"tenant: {binding.tenant.id} epoch {binding.epoch}",)
    )
    for step in steps:
        after = await step(context)
        if isinstance(after, Dropped):
            return after
        context = after
    agent = context.agent or binding.tenant.agents.default
    return Routed(binding=binding, agent=agent, event=event, trail=context.trail)
