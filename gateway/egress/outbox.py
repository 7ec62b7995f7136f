"""One attempt at what an agent asked for: still ours? in pace? then by the ability it needs."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, assert_never

import msgspec
import structlog

from gateway.core.conversations import ConversationRef
from gateway.core.deliveries import (
    Deferred,
    Delivered,
    Delivery,
    Outcome,
    Permanent,
    Reason,
    Retryable,
)
from gateway.core.errors import BudgetSpentError, SendError, StoreError
from gateway.core.ids import TenantId
from gateway.core.messages import (
    Act,
    FileUpload,
    MessageDelete,
    MessageEdit,
    OutboundMessage,
    ReactionChange,
    StreamFinish,
    StreamFlush,
    StreamStart,
)
from gateway.core.ports import Files
from gateway.core.retry import RetryPolicy
from gateway.core.tenants import Endpoint
from gateway.egress.access import Access, Door, Sure, always_sure
from gateway.egress.changing import Changing
from gateway.egress.growing import Stopped
from gateway.egress.looking import Tally
from gateway.egress.pace import Pace
from gateway.egress.posting import Posting
from gateway.egress.showing import UNSHOWN, Showing
from gateway.store.ledger import Ledger
from gateway.store.streams import StreamTexts
from gateway.telemetry.metrics import Metrics

log = structlog.get_logger()

LONGEST_HOLD_S: Final = 900.0
UNCERTAIN_WAIT_S: Final = 2.0
"""Before a lost answer is looked up: the platform's own copy needs a moment to become visible."""

EDITS_PER_S: Final = 1.0
"""Of one message. More of them would only be read as flicker, and use up what platforms allow."""

PREVIEWS_PER_S: Final = 1.5
"""Of one workspace: Slack allows 100 a minute, to all of them together.
https://docs.slack.dev/reference/methods/chat.appendStream
"""

LONGEST_PREVIEW_WAIT_S: Final = 3.0
"""What comes after a preview waits for it: the end of the same text, for one."""

OUTBOUND_RETRY: Final = RetryPolicy(base_s=1.0, cap_s=300.0, max_attempts=100, max_age_s=86_400.0)
"""A platform's trouble is none of the tenant's container, whose policy is the tenant's to set. An
outage of some hours is sat out: a hundred attempts take about four.
"""

_DECODER: Final = msgspec.json.Decoder(Act)

Posted = Callable[[TenantId, ConversationRef], None]
"""Told of every message that people can see now."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Who is told of what happens at the platforms."""

    posted: Posted
    stopped: Stopped


@dataclass(frozen=True, slots=True)
class Paces:
    """How often a channel is posted into, and a message changed; and the previews of a workspace,
    which all of its growing texts take turns with.
    """

    posts: Pace
    edits: Pace
    previews: Pace = field(default_factory=lambda: Pace(PREVIEWS_PER_S))


class Outbox:
    """Attempts outbound deliveries. The worker settles what comes out of it."""

    def __init__(
        self,
        access: Access,
        ledger: Ledger,
        texts: StreamTexts,
        files: Files,
        paces: Paces,
        metrics: Metrics,
        heard: Heard,
    ) -> None:
        self._access = access
        self._tally = Tally(metrics)
        self._posting = Posting(ledger, files, self._tally)
        self._changing = Changing(ledger, self._tally)
        self._showing = Showing(ledger, texts, self._tally, heard.stopped)
        self._paces = paces
        self._metrics = metrics
        self._posted = heard.posted

    async def attempt(
        self, delivery: Delivery, _endpoint: Endpoint | None, sure: Sure = always_sure
    ) -> Outcome:
        """Do one act, as long as one can be `sure` that nobody else does it. Raises StoreError when
        what it needs to know cannot be asked, and then nothing has been done.
        """
        act = _DECODER.decode(delivery.payload)
        if not isinstance(act, StreamFlush):
            return _in_doubt_as_before(await self._attempt(act, delivery, sure), delivery)
        try:
            return _of_preview(await self._attempt(act, delivery, sure))
        except Exception:  # tried again and given up at last, it would die without being accepted
            log.exception("preview.fault", delivery_id=delivery.id)
            return UNSHOWN

    async def _attempt(self, act: Act, delivery: Delivery, sure: Sure) -> Outcome:
        ref = act.conversation
        door = await self._access.door(delivery.tenant, ref, uncertain=delivery.uncertain)
        if not isinstance(door, Door):
            return UNSHOWN if isinstance(act, StreamFlush) else door
        door = Door(door.outlet, door.key, sure)
        if isinstance(act, StreamFlush) and not await self._showing.wants(act, delivery):
            # The end waits behind it: it comes at once, with all that this would have shown.
            for pace, key in self._paces_of(act):
                pace.give_back(key, delivery.id)
            return UNSHOWN
        if (wait_s := self._wait_s(act, delivery)) > 0:
            return Deferred(reason=Reason.PLATFORM_RATE_LIMITED, after_s=wait_s)
        try:
            outcome = await self._done(act, delivery, door)
        except SendError as exc:
            self._access.refused(ref, door, exc)
            return self._outcome_of(exc, act)
        self._tell(act, delivery, outcome)
        return outcome

    def _wait_s(self, act: Act, delivery: Delivery) -> float:
        # One after the other: who waits for the first uses up no moment of the second.
        waits_s = (pace.wait_s(key, delivery.id) for pace, key in self._paces_of(act))
        return next((wait_s for wait_s in waits_s if wait_s > 0), 0.0)

    async def _done(self, act: Act, delivery: Delivery, door: Door) -> Outcome:
        try:
            return await self._carried_out(act, delivery, door)
        except StoreError as exc:
            if not door.was_used:
                raise
            # It came after a call: tried again without a doubt, what that has posted stood twice.
            return Retryable(
                reason=Reason.GATEWAY_FAULT,
                detail=str(exc),
                after_s=UNCERTAIN_WAIT_S,
                uncertain=True,
            )

    async def _carried_out(self, act: Act, delivery: Delivery, door: Door) -> Outcome:
        match act:
            case OutboundMessage():
                return await self._posting.post(act, delivery, door)
            case FileUpload():
                return await self._posting.upload(act, delivery, door)
            case MessageEdit() | MessageDelete() | ReactionChange():
                return await self._changing(act, delivery, door)
            case StreamStart() | StreamFlush() | StreamFinish():
                return await self._showing(act, delivery, door)
            case _:
                assert_never(act)

    def _paces_of(self, act: Act) -> tuple[tuple[Pace, Hashable], ...]:
        if isinstance(act, StreamFlush):
            ref = act.conversation
            return self._pace_of(act), (self._paces.previews, (ref.platform, ref.workspace))
        return (self._pace_of(act),)

    def _pace_of(self, act: Act) -> tuple[Pace, Hashable]:
        ref = act.conversation
        channel = (ref.platform, ref.workspace, ref.channel)
        match act:
            case OutboundMessage() | FileUpload() | StreamStart():
                return self._paces.posts, channel
            case MessageEdit() | MessageDelete():
                return self._paces.edits, (*channel, act.target, act.target_part)
            case ReactionChange():
                return self._paces.edits, (*channel, act.target, act.emoji)
            case StreamFlush():
                return self._paces.edits, (*channel, act.target, 1)
            case StreamFinish():
                return self._paces.edits, (*channel, act.id, 1)
            case _:
                assert_never(act)

    def _outcome_of(self, exc: SendError, act: Act) -> Outcome:
        self._tally(act, exc.reason.value)
        if exc.reason is Reason.PLATFORM_RATE_LIMITED:
            # Clamped: one absurd answer must not silence a channel for days.
            after_s = min(exc.retry_after_s or 1.0, LONGEST_HOLD_S)
            if not isinstance(exc, BudgetSpentError):
                self._metrics.platform_rate_limited.labels(act.conversation.platform).inc()
            if exc.holds_lane:
                pace, key = self._pace_of(act)
                pace.hold(key, after_s)
            return Deferred(reason=exc.reason, after_s=after_s)
        if exc.permanent:
            return Permanent(reason=exc.reason, detail=exc.detail)
        return Retryable(
            reason=exc.reason,
            detail=exc.detail,
            after_s=UNCERTAIN_WAIT_S if exc.ambiguous else exc.retry_after_s,
            uncertain=exc.ambiguous,
        )

    def _tell(self, act: Act, delivery: Delivery, outcome: Outcome) -> None:
        is_post = isinstance(act, OutboundMessage | FileUpload | StreamStart | StreamFinish)
        if is_post and isinstance(outcome, Delivered) and outcome.receipt:
            self._posted(delivery.tenant, act.conversation)


def _in_doubt_as_before(outcome: Outcome, delivery: Delivery) -> Outcome:
    # Whatever this attempt failed by, what an earlier one may have posted has not gone away.
    if isinstance(outcome, Retryable) and delivery.uncertain:
        return msgspec.structs.replace(outcome, uncertain=True)
    return outcome


def _of_preview(failed: Outcome) -> Outcome:
    if isinstance(failed, Deferred):
        return Deferred(reason=failed.reason, after_s=min(failed.after_s, LONGEST_PREVIEW_WAIT_S))
    # Nothing is lost with a preview: it is not tried again, and holds nobody up.
    return UNSHOWN
