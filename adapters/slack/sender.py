"""Everything that can be asked of Slack, in one object. Composes, and does nothing by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import aiohttp

from adapters.slack.changes import SlackChanges
from adapters.slack.config import SlackConfig
from adapters.slack.directory import SlackDirectory
from adapters.slack.files import SlackFiles
from adapters.slack.people import SlackPeople
from adapters.slack.posts import SlackPosts
from adapters.slack.presence import LASTS_S, SlackPresence
from adapters.slack.web_api import WebApi
from gateway.core.conversations import ConversationRef
from gateway.core.events import Attachment
from gateway.core.events import Sender as Person
from gateway.core.ids import WorkspaceId
from gateway.core.messages import (
    FileUpload,
    MessageEdit,
    OutboundMessage,
    ReactionChange,
    SentMessage,
    SentRef,
    Target,
)
from gateway.core.ports import Download
from gateway.core.tenants import Credential


class SlackSender:
    """Sender, Readback, Edits, Reacts, Typing, Addresses, People, Uploads and Downloads for Slack.

    Every call raises SendError; what each asks of Slack stands at the class that it is handed to.
    """

    typing_lasts_s: float = LASTS_S

    def __init__(self, config: SlackConfig, session: aiohttp.ClientSession) -> None:
        api = WebApi(config, session)
        self._posts = SlackPosts(api)
        self._changes = SlackChanges(api)
        self._presence = SlackPresence(api)
        self._directory = SlackDirectory(api)
        self._people = SlackPeople(api)
        self._files = SlackFiles(config, session)

    async def send(self, message: OutboundMessage, credential: Credential) -> SentMessage:
        """Post one message."""
        return await self._posts.send(message, credential)

    async def find_sent(
        self, message: OutboundMessage, credential: Credential
    ) -> SentMessage | None:
        """Look for a message whose answer was lost."""
        return await self._posts.find_sent(message, credential)

    async def edit(self, change: MessageEdit, sent: SentRef, credential: Credential) -> SentMessage:
        """Replace what was said."""
        return await self._changes.edit(change, sent, credential)

    async def delete(self, sent: SentRef, credential: Credential) -> None:
        """Remove what was said."""
        await self._changes.delete(sent, credential)

    async def react(self, change: ReactionChange, sent: SentRef, credential: Credential) -> None:
        """Put an emoji on a message or take it off."""
        await self._changes.react(change, sent, credential)

    async def typing(self, ref: ConversationRef, credential: Credential, *, on: bool) -> None:
        """Show that the agent is at work, in threads."""
        await self._presence.typing(ref, credential, on=on)

    async def address(
        self, workspace: WorkspaceId, target: Target, credential: Credential
    ) -> ConversationRef | None:
        """Find the conversation with a user, or a channel."""
        return await self._directory.address(workspace, target, credential)

    async def person(self, sender: Person, credential: Credential) -> Person:
        """Tell who somebody is."""
        return await self._people.person(sender, credential)

    async def upload(
        self, upload: FileUpload, content: AsyncIterator[bytes], credential: Credential
    ) -> SentMessage:
        """Post a file."""
        return await self._files.upload(upload, content, credential)

    def download(
        self, attachment: Attachment, credential: Credential
    ) -> AbstractAsyncContextManager[Download]:
        """Begin to fetch a file."""
        return self._files.download(attachment, credential)
