"""Whose trouble it was that something could not be delivered."""

from __future__ import annotations

from gateway.core.deliveries import Fault, Reason, fault_of

PIPELINE = {
    Reason.ISOLATION,
    Reason.OUTCOME_UNKNOWN,
    Reason.INTERRUPTED,
    Reason.GATEWAY_FAULT,
}


def test_every_reason_is_somebodys_trouble() -> None:
    """Ours are few and named here, so that a new reason is not taken for one of them unseen."""
    assert PIPELINE == {each for each in Reason if fault_of(each) is Fault.PIPELINE}


def test_tenants_and_platforms_are_told_apart() -> None:
    """By what failed: the way to the agent, or the way to the people."""
    assert {Fault.TENANT} == {
        fault_of(each) for each in Reason if each.startswith(("agent_", "endpoint_", "tenant_"))
    }
    assert {Fault.PLATFORM} == {fault_of(each) for each in Reason if each.startswith("platform_")}
