"""Tells how attempts ended: metrics, one wide log event, and the audit record of the settlement."""

from __future__ import annotations

import structlog
from prometheus_client import Counter

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.deliveries import Delivery, Direction, Outcome
from gateway.core.retry import Again, Dead, Done, Settlement
from gateway.telemetry.metrics import Metrics

log = structlog.get_logger()


class AttemptLog:
    """Of one direction. Looks each metric's child up once: that costs more than the counting."""

    def __init__(self, direction: Direction, metrics: Metrics) -> None:
        self._direction = direction
        self._metrics = metrics
        self._attempts: dict[tuple[str, str], Counter] = {}
        self._took = metrics.delivery_duration.labels(direction)
        self._end_to_end = metrics.end_to_end.labels(direction)

    def tell(
        self,
        delivery: Delivery,
        outcome: Outcome,
        settlement: Settlement,
        *,
        took_s: float,
        age_s: float,
    ) -> None:
        """Count one attempt and write its line."""
        reason: str = getattr(outcome, "reason", "")
        kind = type(outcome).__name__.lower()
        self._count(kind, reason, settlement, took_s, age_s)
        log.info(
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
        counter = self._attempts.get((kind, reason))
        if counter is None:
            counter = self._metrics.delivery_attempts.labels(self._direction, kind, reason)
            self._attempts[kind, reason] = counter
        counter.inc()
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
