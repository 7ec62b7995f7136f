"""Tells how attempts ended: metrics, one wide log event, and the audit record of the settlement."""

from __future__ import annotations

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.breaker import sign_of
from gateway.core.clock import unix_ms
from gateway.core.deliveries import Delivery, Direction, Outcome
from gateway.core.retry import Again, Dead, Done, RetryPolicy, Settlement, settle
from gateway.store.deliveries import Settled
from gateway.telemetry.logs import wide_event
from gateway.telemetry.metrics import Metrics


class AttemptLog:
    """Of one direction."""

    def __init__(self, direction: Direction, metrics: Metrics) -> None:
        self._direction = direction
        self._metrics = metrics
        self._took = metrics.delivery_duration.labels(direction)
        self._end_to_end = metrics.end_to_end.labels(direction)

    def conclude(
        self, delivery: Delivery, outcome: Outcome, policy: RetryPolicy, *, took_s: float
    ) -> Settled:
        """Decide what follows from an attempt; count it and write its line."""
        age_s = max(unix_ms() - delivery.accepted_at_ms, 0) / 1000
        settlement = settle(outcome, policy, attempt=delivery.attempt, age_s=age_s)
        self._tell(delivery, outcome, settlement, took_s=took_s, age_s=age_s)
        return Settled(
            delivery=delivery,
            settlement=settlement,
            audit=record_of(delivery, settlement),
            sign=sign_of(outcome),
        )

    def _tell(
        self,
        delivery: Delivery,
        outcome: Outcome,
        settlement: Settlement,
        *,
        took_s: float,
        age_s: float,
    ) -> None:
        reason: str = getattr(outcome, "reason", "")
        kind = type(outcome).__name__.lower()
        self._count(kind, reason, settlement, took_s, age_s)
        wide_event(
            "delivery.attempted",
            tenant_id=delivery.tenant,
            delivery_id=delivery.id,
            direction=self._direction,
            attempt=delivery.attempt,
            outcome=kind,
            reason=reason,
            settlement=type(settlement).__name__.lower(),
            took_s=round(took_s, 4),
            age_s=round(age_s, 3),
        )

    def _count(
        self, kind: str, reason: str, settlement: Settlement, took_s: float, age_s: float
    ) -> None:
        self._metrics.delivery_attempts.labels(self._direction, kind, reason).inc()
        self._took.observe(took_s)
        match settlement:
            case Done():
                self._end_to_end.observe(age_s)
            case Again(reason=why):
                self._metrics.retries.labels(self._direction, why).inc()
            case Dead(reason=why):
                self._metrics.dead_letters.labels(self._direction, why).inc()


def record_of(delivery: Delivery, settlement: Settlement) -> AuditRecord | None:
    """Make the record of a settlement; None for a deferral, which decides nothing, and for a
    preview, of which no commit has a record either.
    """
    match settlement:
        case Done(quiet=True) | Again(counts=False):
            return None
        case Done(receipt=receipt):
            return _record(delivery, AuditAction.DELIVERY_DELIVERED, "delivered", "", receipt)
        case Again(reason=reason, detail=detail):
            return _record(delivery, AuditAction.DELIVERY_RETRIED, "retried", reason, detail)
        case Dead(reason=reason, detail=detail):
            return _record(delivery, AuditAction.DELIVERY_DEAD, "dead", reason, detail)


def _record(
    delivery: Delivery, action: AuditAction, outcome: str, reason: str, detail: str
) -> AuditRecord:
    return AuditRecord(
        tenant=delivery.tenant,
        action=action,
        outcome=outcome,
        reason=reason,
        conversation=delivery.conversation,
        delivery_id=delivery.id,
        direction=delivery.direction,
        attempt=delivery.attempt,
        detail=detail,
    )
