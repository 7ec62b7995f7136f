"""Answers that came with an agent's 200, on their way into the delivery's own conversation."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.deliveries import Delivery
from gateway.egress.requests import Content, Refusal, Submission
from gateway.egress.submit import Submit


class InlineReplies:
    """Submits inline answers, once per delivery id however often the delivery is repeated."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    async def __call__(self, delivery: Delivery, texts: Sequence[str]) -> str | None:
        """Queue the answers in order; gives which were refused and why. Raises as Submit does."""
        refused = []
        for number, text in enumerate(texts):
            result = await self._submit(
                Submission(
                    tenant=delivery.tenant,
                    conversation=delivery.conversation,
                    content=Content(markdown=text),
                    # No header can hold a NUL, so no agent's own key can be the same.
                    idempotency_key=f"inline\0{delivery.id}\0{number}",
                )
            )
            if isinstance(result, Refusal):
                refused.append(f"answer {number + 1}: {result.value}")
        return ", ".join(refused) or None
