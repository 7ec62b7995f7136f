"""What every platform with a live adapter does with what agents say, on the platform's own wire.

The same list of cases as outbound.py, as calls of the Protocols of gateway/core/ports.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import pytest

from gateway.core.capabilities import Ability, Support
from gateway.core.components import Component
from gateway.core.conversations import ConversationRef
from gateway.core.ids import FileId, MessageId
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
from gateway.core.ports import Addresses, Downloads, Edits, Reacts, Typing, Uploads
from gateway.core.streaming import Streams
from tests.contracts.components import ONE_OF_EACH
from tests.contracts.live_subject import CASES, PROTOCOLS, LiveSubject
from tests.contracts.outbound import COMPONENT_CASES, MASS_MENTIONS, Case, texts_of

CONTENT: Final = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 300

_ID: Final = MessageId("msg_contract")


class LiveContract:
    """Inherited by a test class per platform, which has a fixture `subject`."""

    def test_every_ability_has_a_case(self) -> None:
        """None that agents are served is left unproven."""
        proven = {*CASES.values(), *(case.ability for case in COMPONENT_CASES)}
        assert {*Ability, None} == proven
        assert [] == [name for name in CASES if not hasattr(self, f"test_{name}")]

    @pytest.mark.parametrize("ability", PROTOCOLS)
    def test_what_is_native_can_be_asked_for(self, subject: LiveSubject, ability: Ability) -> None:
        """The sender has the Protocol, or the table does not promise it."""
        support = subject.capabilities.abilities[ability].support
        assert isinstance(subject.sender, PROTOCOLS[ability]) or support is not Support.NATIVE

    async def test_text(self, subject: LiveSubject) -> None:
        """An answer is posted once, and its id is the platform's."""
        sent = await _say(subject, "**Hello**, world")
        (seen,) = subject.seen()
        assert (sent.id, *subject.render("**Hello**, world")) == (seen.id, seen.text)

    async def test_thread(self, subject: LiveSubject) -> None:
        """An answer stands in the thread of the question."""
        conversation, _ = subject.ask()
        await _say(subject, "Here", conversation=conversation)
        (seen,) = subject.seen()
        assert conversation.thread == seen.thread

    async def test_reply(self, subject: LiveSubject) -> None:
        """An answer to one message names it, or stands below it."""
        _, question = subject.ask()
        await _say(subject, "Here", reply_to=question)
        (seen,) = subject.seen()
        assert question == seen.thread

    async def test_long_text(self, subject: LiveSubject) -> None:
        """Every part is taken, and all words arrive in their order."""
        words = [f"word{number}" for number in range(2_000)]
        for part in subject.render(" ".join(words)):
            await _say(subject, rendered=part)
        assert words == " ".join(seen.text for seen in subject.seen()).split()

    @pytest.mark.parametrize("markdown", MASS_MENTIONS)
    async def test_mass_mention(self, subject: LiveSubject, markdown: str) -> None:
        """The platform takes the defused text as it is."""
        await _say(subject, markdown)
        assert subject.render(markdown) == [seen.text for seen in subject.seen()]

    async def test_edit(self, subject: LiveSubject) -> None:
        """The same message has another text."""
        edits = _offered(subject, Ability.EDITS)
        assert isinstance(edits, Edits)
        sent = await _say(subject, "Old")
        change = MessageEdit(
            id=MessageId("msg_change"),
            conversation=subject.here,
            target=_ID,
            target_part=1,
            text="New",
        )
        await edits.edit(change, _ref(subject, sent), subject.credential)
        (seen,) = subject.seen()
        assert (sent.id, "New", True) == (seen.id, seen.text, seen.is_edited)

    async def test_delete(self, subject: LiveSubject) -> None:
        """The message is gone, and removing it again is no fault."""
        edits = _offered(subject, Ability.DELETES)
        assert isinstance(edits, Edits)
        sent = await _say(subject, "Oops")
        for _ in range(2):
            await edits.delete(_ref(subject, sent), subject.credential)
        assert [] == subject.seen()

    async def test_reaction(self, subject: LiveSubject) -> None:
        """An emoji is put on and taken off, each twice without harm."""
        reacts = _offered(subject, Ability.REACTIONS)
        assert isinstance(reacts, Reacts)
        sent = await _say(subject, "Done")
        counts = []
        for remove in (False, False, True, True):
            change = ReactionChange(
                id=_ID, conversation=subject.here, target=sent.id, emoji="👍", remove=remove
            )
            await reacts.react(change, _ref(subject, sent), subject.credential)
            counts.append(len(subject.seen()[0].reactions))
        assert [1, 1, 0, 0] == counts

    async def test_typing(self, subject: LiveSubject) -> None:
        """It is shown, at least, where somebody waits for an answer."""
        typing = _offered(subject, Ability.TYPING)
        assert isinstance(typing, Typing)
        conversation, _ = subject.ask()
        await typing.typing(conversation, subject.credential, on=True)
        assert [True] == subject.typing_seen()
        await typing.typing(conversation, subject.credential, on=False)
        assert typing.typing_lasts_s > 0

    async def test_stream(self, subject: LiveSubject) -> None:
        """A text that grows ends whole, in one message: as a stream, or posted and edited."""
        conversation, _ = subject.ask()
        if isinstance(subject.sender, Streams):
            await _stream(subject, subject.sender, conversation)
        else:
            edits = _offered(subject, Ability.STREAMS)
            assert isinstance(edits, Edits)
            sent = await _say(subject, "One", conversation=conversation)
            change = MessageEdit(
                id=_ID, conversation=conversation, target=_ID, target_part=1, text="One two"
            )
            await edits.edit(change, _ref(subject, sent), subject.credential)
        (seen,) = subject.seen()
        assert "One two" == seen.text

    async def test_file_out(self, subject: LiveSubject) -> None:
        """Every byte arrives, in the thread."""
        uploads = _offered(subject, Ability.FILES_OUT)
        assert isinstance(uploads, Uploads)
        conversation, _ = subject.ask()
        upload = FileUpload(
            id=_ID,
            conversation=conversation,
            file=FileId("file_contract"),
            name="chart.png",
            media_type="image/png",
            size_bytes=len(CONTENT),
        )
        await uploads.upload(upload, _pieces(), subject.credential, _unnoted)
        (seen,) = subject.seen()
        assert ((CONTENT,), conversation.thread) == (seen.files, seen.thread)

    async def test_file_in(self, subject: LiveSubject) -> None:
        """A file of a user is read in pieces, to its end."""
        downloads = _offered(subject, Ability.FILES_IN)
        assert isinstance(downloads, Downloads)
        shared = subject.share("photo.png", CONTENT)
        async with downloads.download(shared, subject.credential) as download:
            assert CONTENT == b"".join([piece async for piece in download.content])

    @pytest.mark.parametrize("case", COMPONENT_CASES, ids=lambda case: case.name)
    async def test_component(self, subject: LiveSubject, case: Case) -> None:
        """The platform takes it, and people can read it and the text."""
        await _say(subject, "Look", components=case.components)
        (seen,) = subject.seen()
        readable = "\n".join([seen.text, *texts_of(seen.payload)])
        assert [] == [text for text in ("Look", *case.read) if text not in readable]

    async def test_components_together(self, subject: LiveSubject) -> None:
        """One of each in one message; an edit without them takes them away."""
        edits = _offered(subject, Ability.EDITS)
        assert isinstance(edits, Edits)
        sent = await _say(subject, "Look", components=ONE_OF_EACH)
        assert subject.seen()[0].payload
        change = MessageEdit(
            id=_ID, conversation=subject.here, target=_ID, target_part=1, text="Gone"
        )
        await edits.edit(change, _ref(subject, sent), subject.credential)
        (seen,) = subject.seen()
        assert ("Gone", None) == (seen.text, seen.payload)

    async def test_ephemeral(self, subject: LiveSubject) -> None:
        """One user sees it, and nobody else."""
        _offered(subject, Ability.EPHEMERAL)
        await _say(subject, "Psst", visible_to=subject.member)
        assert [("Psst", subject.member)] == [
            (seen.text, seen.visible_to) for seen in subject.seen()
        ]

    async def test_proactive(self, subject: LiveSubject) -> None:
        """A user and a channel by its name are found; the unknown are not."""
        addresses = _offered(subject, Ability.PROACTIVE)
        assert isinstance(addresses, Addresses)
        workspace, credential = subject.here.workspace, subject.credential
        named = Target(channel=f"#{subject.channel_name}")
        assert subject.here == await addresses.address(workspace, named, credential)
        nowhere = Target(channel="#no-such-channel")
        assert await addresses.address(workspace, nowhere, credential) is None
        private = await addresses.address(workspace, Target(user=subject.member), credential)
        assert private is not None
        await _say(subject, "Unasked", conversation=private)
        assert ["Unasked"] == [seen.text for seen in subject.seen(private)]

    async def test_raw(self, subject: LiveSubject) -> None:
        """What is the platform's own gets there as it is."""
        _offered(subject, Ability.RAW)
        await _say(subject, "Plain", raw=subject.raw)
        (seen,) = subject.seen()
        assert "RAW" in "\n".join(texts_of(seen.payload))


def _offered(subject: LiveSubject, ability: Ability) -> object:
    """Return the sender, of which the table says that it can do this in one way or another."""
    capability = subject.capabilities.abilities[ability]
    if capability.support is Support.NONE:
        pytest.skip(capability.note)
    return subject.sender


async def _say(
    subject: LiveSubject,
    markdown: str = "",
    *,
    rendered: str = "",
    conversation: ConversationRef | None = None,
    components: Sequence[Component] = (),
    **further: Any,
) -> SentMessage:
    """Post one message of one part."""
    (text,) = [rendered] if rendered else subject.render(markdown)
    message = OutboundMessage(
        id=_ID,
        conversation=conversation or subject.here,
        text=text,
        components=tuple(components),
        **further,
    )
    return await subject.sender.send(message, subject.credential)


async def _stream(subject: LiveSubject, streams: Streams, conversation: ConversationRef) -> None:
    credential = subject.credential
    start = StreamStart(id=_ID, conversation=conversation, recipient=subject.member)
    sent = await streams.start(start, "One", credential)
    ref = SentRef(conversation=conversation, id=sent.id)
    await streams.append(ref, " two", credential)
    finish = StreamFinish(id=_ID, conversation=conversation, text="One two")
    await streams.finish(finish, ref, lambda: credential)


def _ref(subject: LiveSubject, sent: SentMessage) -> SentRef:
    return SentRef(conversation=subject.here, id=sent.id)


async def _unnoted(_file: str) -> None:
    """Note nothing."""


async def _pieces() -> AsyncIterator[bytes]:
    for start in range(0, len(CONTENT), 20_000):
        yield CONTENT[start : start + 20_000]
