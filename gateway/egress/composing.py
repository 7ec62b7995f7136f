"""Turns what an agent wants seen into the parts that a platform will be given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.core.clock import utc_now
from gateway.core.conversations import ConversationRef
from gateway.core.files import KeptFile
from gateway.core.ids import FileId, MessageId, TenantId
from gateway.core.messages import FileUpload, MessageEdit, OutboundMessage, StreamFinish
from gateway.core.ports import Files, Renderer
from gateway.egress.requests import Content, Refusal

RENDERED_AT_ONCE_CHARS = 4_000
PLACEHOLDER = "…"
"""Stands for a text that has not come yet."""


@dataclass(frozen=True, slots=True)
class Composed:
    """Content, rendered: the texts of its messages, and its files. Never without any of both."""

    content: Content
    texts: list[str]
    files: list[KeptFile]
    at: datetime

    def post(
        self, message: MessageId, ref: ConversationRef, index: int, part: int
    ) -> OutboundMessage:
        """Make part `part` of the message, with the text of that index."""
        content, is_last = self.content, self._is_last(index)
        return OutboundMessage(
            id=message,
            conversation=ref,
            part=part,
            parts=len(self.texts) + len(self.files),
            text=self.texts[index],
            created_at=self.at,
            components=content.components if is_last else (),
            raw=content.raw if is_last else None,
            visible_to=content.visible_to,
            reply_to=content.reply_to,
        )

    def edit(
        self, change: MessageId, ref: ConversationRef, index: int, target: tuple[MessageId, int]
    ) -> MessageEdit:
        """Make the change that gives a part the text of that index."""
        is_last = self._is_last(index)
        return MessageEdit(
            id=change,
            conversation=ref,
            part=index + 1,
            target=target[0],
            target_part=target[1],
            text=self.texts[index],
            components=self.content.components if is_last else (),
            raw=self.content.raw if is_last else None,
        )

    def finish(self, stream: MessageId, ref: ConversationRef, part: int = 1) -> StreamFinish:
        """Make the end of a stream, with the first text, in its message of that number. What was
        begun has to say something, even where there are files alone.
        """
        is_last = len(self.texts) <= 1
        return StreamFinish(
            id=stream,
            conversation=ref,
            part=part,
            parts=len(self.texts) + len(self.files),
            text=self.texts[0] if self.texts else PLACEHOLDER,
            components=self.content.components if is_last else (),
            raw=self.content.raw if is_last else None,
            created_at=self.at,
        )

    def uploads(self, message: MessageId, ref: ConversationRef, part: int) -> list[FileUpload]:
        """Make the parts of the message that are files, numbered from `part` on."""
        return [
            FileUpload(
                id=message,
                conversation=ref,
                part=number,
                parts=len(self.texts) + len(self.files),
                file=file.id,
                name=file.name,
                media_type=file.media_type,
                size_bytes=file.size_bytes,
                created_at=self.at,
            )
            for number, file in enumerate(self.files, start=part)
        ]

    def _is_last(self, index: int) -> bool:
        # What people press stands below all of the text.
        return index == len(self.texts) - 1


class Composer:
    """Renders texts and looks files up."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def __call__(
        self, tenant: TenantId, render: Renderer, content: Content
    ) -> Composed | Refusal:
        """Compose. Raises StoreError."""
        files = await self._found(tenant, content.files)
        if files is None:
            return Refusal.UNKNOWN_FILE
        texts = await rendered(render, content.markdown)
        if not texts and (content.components or content.raw):
            texts = [""]
        if not texts and not files:
            return Refusal.BLANK_TEXT
        return Composed(content, texts, files, utc_now())

    async def knows(self, tenant: TenantId, files: Sequence[FileId]) -> bool:
        """Whether all of these files are there. Raises StoreError."""
        return await self._found(tenant, files) is not None

    async def _found(self, tenant: TenantId, ids: Sequence[FileId]) -> list[KeptFile] | None:
        found = [await self._files.describe(tenant, each) for each in ids]
        known = [each for each in found if each is not None]
        return known if len(known) == len(found) else None


class NoFiles:
    """Where no files are kept, none is known."""

    async def describe(self, tenant: TenantId, file: FileId) -> KeptFile | None:
        """Know nothing."""
        return None

    async def open(
        self, tenant: TenantId, file: FileId
    ) -> tuple[KeptFile, AsyncIterator[bytes]] | None:
        """Have nothing."""
        return None


async def rendered(render: Renderer, markdown: str) -> list[str]:
    """Render, without making other conversations wait: a long hostile table takes a second."""
    if len(markdown) <= RENDERED_AT_ONCE_CHARS:
        return render(markdown)
    return await asyncio.to_thread(render, markdown)
