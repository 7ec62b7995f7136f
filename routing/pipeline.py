"""Runs the steps. Writes nothing: the decision and its trail are stored by the commit (law 3)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.core.decisions import Decision, Dropped, Routed
from gateway.core.events import InboundEvent
from gateway.core.tenants import Binding
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
    return await route(event, binding, steps)


async def route(event: InboundEvent, binding: Binding, steps: Sequence[Step] = STEPS) -> Decision:
    """Decide where an event of a known tenant goes."""
    trail = (f"tenant: {binding.tenant.id} epoch {binding.epoch}",)
    context = RoutingContext(event=as_bound(event, binding), binding=binding, trail=trail)
    for step in steps:
        after = await step(context)
        if isinstance(after, Dropped):
            return after
        context = after
    agent = context.agent or binding.tenant.agents.default
    return Routed(binding=binding, agent=agent, event=context.event, trail=context.trail)


def as_bound(event: InboundEvent, binding: Binding) -> InboundEvent:
    """Write the return address in terms of what is bound.

    An organisation-wide install is bound by its organisation: an answer that named the single
    workspace would find no binding, hence no tenant and no credential.
    """
    if event.conversation.workspace == binding.workspace:
        return event
    conversation = msgspec.structs.replace(event.conversation, workspace=binding.workspace)
    return msgspec.structs.replace(event, conversation=conversation)
