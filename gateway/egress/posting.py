"""Attempts to post: messages and files. Where an answer was lost, look before posting again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from gateway.core.capabilities import Ability
from gateway.core.deliveries import Delivered, Delivery, Outcome, Permanent, Reason
from gateway.core.errors import SendError, StoreError
from gateway.core.ids import MessageId, TenantId, is_message_id
from gateway.core.messages import FileUpload, OutboundMessage, SentMessage
from gateway.core.ports import Files, Uploads
from gateway.egress.access import Door
from gateway.egress.looking import LookUp, Tally
from gateway.store.ledger import Ledger


class Posting:
    """Posts what is new."""

    def __init__(self, ledger: Ledger, files: Files, tally: Tally) -> None:
        self._ledger = ledger
        self._files = files
        self._tally = tally
        self._look_up = LookUp(tally)

    async def post(self, message: OutboundMessage, delivery: Delivery, door: Door) -> Outcome:
        """Post a message, once. Raises SendError, StoreError."""
        addressed = await self._addressed(message, delivery)
        if delivery.uncertain:
            # Where it answers somebody is where it would stand.
            found = await self._look_up.message(addressed, door)
            if found is not None:
                return Delivered(receipt=found.id)
        sent = await door.outlet.sender.send(addressed, door.credential)
        self._tally(message, "sent")
        return Delivered(receipt=sent.id, degraded=sent.degraded or "")

    async def upload(self, upload: FileUpload, delivery: Delivery, door: Door) -> Outcome:
        """Post a file, once. Raises SendError, StoreError."""
        sender = door.outlet.sender
        if not isinstance(sender, Uploads):
            return Delivered(degraded=Ability.FILES_OUT)
        if upload.size_bytes > door.outlet.capabilities.limits.file_bytes:
            return Permanent(reason=Reason.PLATFORM_REJECTED, detail="the file is too large")
        if delivery.uncertain:
            # Not noted is not begun: a file takes long to bring, and is posted by the last call.
            noted = await self._ledger.noted_upload(delivery.tenant, delivery.id)
            found = None if noted is None else await self._look_up.upload(upload, noted, door)
            if found is not None:
                return Delivered(receipt=found.id)
        opened = await self._files.open(delivery.tenant, upload.file)
        if opened is None:
            return Permanent(reason=Reason.TARGET_MISSING, detail="the file is not kept any more")
        sent = await self._uploaded(sender, upload, opened[1], (delivery, door))
        self._tally(upload, "sent")
        return Delivered(receipt=sent.id, degraded=sent.degraded or "")

    async def _uploaded(
        self,
        sender: Uploads,
        upload: FileUpload,
        kept: AsyncIterator[bytes],
        attempt: tuple[Delivery, Door],
    ) -> SentMessage:
        delivery, door = attempt
        content, begun = _Watched(kept), False

        async def begins(file: str) -> None:
            nonlocal begun
            await self._ledger.note_upload(delivery.tenant, delivery.id, file)
            door.check()
            begun = True

        try:
            return await sender.upload(upload, content.read(), door.credential, begins)
        except (SendError, StoreError) as exc:
            door.was_used = begun
            if content.fault is not None:
                # It was not the platform that failed: half a file is no file.
                raise content.fault from exc
            raise

    async def _addressed(self, message: OutboundMessage, delivery: Delivery) -> OutboundMessage:
        """Put the platform's id for the gateway's, which could not be known at the commit."""
        if message.reply_to is None or not is_message_id(message.reply_to):
            return message
        answered = await self._reply_to(delivery.tenant, MessageId(message.reply_to), message)
        return msgspec.structs.replace(message, reply_to=answered)

    async def _reply_to(
        self, tenant: TenantId, answered: MessageId, message: OutboundMessage
    ) -> str | None:
        known = await self._ledger.known(tenant, answered)
        if known is None or known.conversation != message.conversation.id:
            return None
        sent = await self._ledger.sent(tenant, answered, known.shape.parts[0])
        return None if sent is None else sent.id


class _Watched:
    """The bytes of a file, and the fault in them if there was one."""

    def __init__(self, content: AsyncIterator[bytes]) -> None:
        self._content = content
        self.fault: StoreError | None = None

    async def read(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._content:
                yield piece
        except StoreError as exc:
            self.fault = exc
            raise
