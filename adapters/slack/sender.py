"""Everything that can be asked of Slack, in one object. Composes, and does nothing by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager

import aiohttp

from adapters.slack import streams
from adapters.slack.changes import SlackChanges
from adapters.slack.config import SlackConfig
from adapters.slack.directory import SlackDirectory
from adapters.slack.files import SlackFiles
from adapters.slack.homes import SlackHomes
from adapters.slack.people import SlackPeople
from adapters.slack.places import SlackPlaces
from adapters.slack.posts import SlackPosts
from adapters.slack.presence import LASTS_S, SlackPresence
from adapters.slack.streams import SlackStreams
from adapters.slack.web_api import WebApi
from gateway.core.budgets import Budget
from gateway.core.conversations import ConversationRef
from gateway.core.events import Attachment, InboundEvent
from gateway.core.events import Sender as Person
from gateway.core.ids import WorkspaceId
from gateway.core.messages import (
    FileUpload,
    MessageEdit,
    OutboundMessage,
    ReactionChange,
    SentMessage,
    SentRef,
    StreamFinish,
    StreamStart,
    Target,
)
from gateway.core.ports import Begins, Download
from gateway.core.streaming import Key
from gateway.core.tenants import Credential


class SlackSender:
    """Sender, Readback, Edits, Reacts, Typing, Streams, Addresses, Places, People, Uploads and
    Downloads, for Slack.

    Every call raises SendError; what each asks of Slack stands at the class that it is handed to.
    """

    typing_lasts_s: float = LASTS_S
    stream_lasts_s: float = streams.LASTS_S
    stream_chars: int = streams.MOST_CHARS

    def __init__(
        self, config: SlackConfig, session: aiohttp.ClientSession, budget: Budget | None = None
    ) -> None:
        """Without a `budget` nothing is counted: Slack alone says when it is too much."""
        api = WebApi(config, session, budget)
        self._posts = SlackPosts(api)
        self._changes = SlackChanges(api)
        self._presence = SlackPresence(api, has_sessions=config.agent_view)
        self._streams = SlackStreams(api, self._posts, self._presence)
        self._directory = SlackDirectory(api)
        homes = SlackHomes(api)
        self._people = SlackPeople(api, homes)
        self._places = SlackPlaces(api, homes)
        self._files = SlackFiles(config, session, budget=budget)

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

    async def start(self, start: StreamStart, text: str, credential: Credential) -> SentMessage:
        """Begin a message that grows."""
        return await self._streams.start(start, text, credential)

    async def find_start(
        self, start: StreamStart, known: Collection[str], credential: Credential
    ) -> SentMessage | None:
        """Look for one whose answer was lost."""
        return await self._streams.find_start(start, known, credential)

    async def append(self, sent: SentRef, text: str, credential: Credential) -> None:
        """Let it grow."""
        await self._streams.append(sent, text, credential)

    async def finish(self, finish: StreamFinish, sent: SentRef, key: Key) -> SentMessage:
        """End it with its whole text."""
        return await self._streams.finish(finish, sent, key)

    def stopped(self, sent: SentRef, user: str | None) -> InboundEvent:
        """Make the event that tells that a user ended it."""
        return self._streams.stopped(sent, user)

    async def address(
        self, workspace: WorkspaceId, target: Target, credential: Credential
    ) -> ConversationRef | None:
        """Find the conversation with a user, or a channel."""
        return await self._directory.address(workspace, target, credential)

    async def reaches_further(self, workspace: WorkspaceId, credential: Credential) -> bool:
        """Tell whether a token speaks into other workspaces, too."""
        return await self._places.reaches_further(workspace, credential)

    async def workspaces_of(
        self, ref: ConversationRef, credential: Credential
    ) -> frozenset[WorkspaceId]:
        """Tell where a conversation stands."""
        return await self._places.workspaces_of(ref, credential)

    async def person(self, sender: Person, credential: Credential) -> Person:
        """Tell who somebody is."""
        return await self._people.person(sender, credential)

    async def upload(
        self,
        upload: FileUpload,
        content: AsyncIterator[bytes],
        credential: Credential,
        begins: Begins,
    ) -> SentMessage:
        """Post a file."""
        return await self._files.upload(upload, content, credential, begins)

    async def find_upload(
        self, upload: FileUpload, file: str, credential: Credential
    ) -> SentMessage:
        """Look for a file whose answer was lost."""
        return await self._files.find_upload(upload, file, credential)

    def download(
        self, attachment: Attachment, credential: Credential
    ) -> AbstractAsyncContextManager[Download]:
        """Begin to fetch a file."""
        return self._files.download(attachment, credential)
