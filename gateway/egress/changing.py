"""Attempts to change what was posted. All may be repeated without harm: nothing is looked up."""

from __future__ import annotations

from typing import assert_never

from gateway.core.capabilities import Ability
from gateway.core.conversations import ConversationRef
from gateway.core.deliveries import Delivered, Delivery, Outcome, Permanent, Reason
from gateway.core.ids import MessageId, TenantId, is_message_id
from gateway.core.messages import MessageDelete, MessageEdit, ReactionChange, SentRef
from gateway.core.ports import Edits, Reacts
from gateway.egress.access import Door
from gateway.egress.looking import Tally
from gateway.store.ledger import Ledger, MessageState


class Changing:
    """Edits, deletes and reacts. What a platform cannot do is left out, and noted."""

    def __init__(self, ledger: Ledger, tally: Tally) -> None:
        self._ledger = ledger
        self._tally = tally

    async def __call__(
        self, change: MessageEdit | MessageDelete | ReactionChange, delivery: Delivery, door: Door
    ) -> Outcome:
        """Make one change. Raises SendError, StoreError."""
        match change:
            case MessageEdit():
                return await self._edit(change, delivery, door)
            case MessageDelete():
                return await self._delete(change, delivery, door)
            case ReactionChange():
                return await self._react(change, delivery, door)
            case _:
                assert_never(change)

    async def _edit(self, change: MessageEdit, delivery: Delivery, door: Door) -> Outcome:
        sender = door.outlet.sender
        if not isinstance(sender, Edits):
            return Delivered(degraded=Ability.EDITS)
        sent = await self._sent(
            delivery.tenant, change.target, change.target_part, change.conversation
        )
        if not isinstance(sent, SentRef):
            return sent
        edited = await sender.edit(change, sent, door.credential)
        self._tally(change, "sent")
        return Delivered(receipt=edited.id, degraded=edited.degraded or "")

    async def _delete(self, change: MessageDelete, delivery: Delivery, door: Door) -> Outcome:
        sender = door.outlet.sender
        if not isinstance(sender, Edits):
            return Delivered(degraded=Ability.DELETES)
        sent = await self._sent(
            delivery.tenant,
            change.target,
            change.target_part,
            change.conversation,
            # What was never posted is not there, as was wished.
            if_failed=Delivered(),
        )
        if not isinstance(sent, SentRef):
            return sent
        await sender.delete(sent, door.credential)
        self._tally(change, "sent")
        return Delivered(receipt=sent.id)

    async def _react(self, change: ReactionChange, delivery: Delivery, door: Door) -> Outcome:
        sender = door.outlet.sender
        if not isinstance(sender, Reacts):
            return Delivered(degraded=Ability.REACTIONS)
        sent: SentRef | Outcome = SentRef(conversation=change.conversation, id=change.target)
        if is_message_id(change.target):
            target = MessageId(change.target)
            sent = await self._sent(
                delivery.tenant, target, change.target_part, change.conversation
            )
        if not isinstance(sent, SentRef):
            return sent
        await sender.react(change, sent, door.credential)
        self._tally(change, "sent")
        return Delivered(receipt=sent.id)

    async def _sent(
        self,
        tenant: TenantId,
        target: MessageId,
        part: int,
        ref: ConversationRef,
        *,
        if_failed: Outcome | None = None,
    ) -> SentRef | Outcome:
        # Its post was before this in the lane, so it has ended, one way or another.
        sent = await self._ledger.sent(tenant, target, part)
        if sent is not None and sent.id is not None:
            return SentRef(conversation=ref, id=sent.id)
        if sent is not None and sent.state is MessageState.SENT:
            # There was nothing to post: a platform without files, or a stream that was aborted.
            return Delivered()
        if sent is not None and sent.has_failed and if_failed is not None:
            return if_failed
        why = "is not known any more" if sent is None else f"has no id there ({sent.state})"
        return Permanent(reason=Reason.TARGET_MISSING, detail=f"part {part} of {target} {why}")
