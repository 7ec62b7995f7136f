"""Everything besides text that a message can hold: files, components, raw payloads, replies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec
import pytest

from gateway.core.capabilities import Ability
from gateway.core.clock import utc_now
from gateway.core.components import Button, Buttons, FieldKind, Form, FormField
from gateway.core.deliveries import Deferred, Delivered, Permanent, Reason
from gateway.core.errors import StoreError
from gateway.core.files import KeptFile
from gateway.core.ids import FileId, TenantId
from gateway.egress.desk import Desk
from gateway.egress.requests import Content, Delete, Edit, Refusal, Submission, Submitted
from gateway.store.ledger import MessageState
from tests.egress.conftest import ACME, ACME_TEAM, GLOBEX, HERE, THERE, Egress
from tests.egress.stage import LOST, Editing, Plain, Uploading

ROW = Buttons(buttons=(Button(id="ok", label="OK"),))
FORM = Form(
    id="survey", title="Survey", fields=(FormField(id="why", label="Why?", kind=FieldKind.TEXT),)
)
LONG = "\n\n".join(["A paragraph. " + "word " * 2_200] * 2)
NOTES = FileId("file_notes")


@dataclass
class Shelf:
    """Files of acme's."""

    kept: dict[FileId, bytes] = field(default_factory=lambda: {NOTES: b"some notes"})
    fault: StoreError | None = None
    size_bytes: int = 10

    async def describe(self, tenant: TenantId, file: FileId) -> KeptFile | None:
        if tenant != ACME or file not in self.kept:
            return None
        return KeptFile(
            id=file,
            tenant=tenant,
            name="notes.txt",
            media_type="text/plain",
            size_bytes=self.size_bytes,
            sha256="",
            created_at=utc_now(),
        )

    async def open(
        self, tenant: TenantId, file: FileId
    ) -> tuple[KeptFile, AsyncIterator[bytes]] | None:
        found = await self.describe(tenant, file)
        return None if found is None else (found, self._content(file))

    async def _content(self, file: FileId) -> AsyncIterator[bytes]:
        yield self.kept[file][:4]
        if self.fault is not None:
            raise self.fault
        yield self.kept[file][4:]


async def _say(
    desk: Desk, content: Content, *, key: str = "k", tenant: TenantId = ACME, to: str = HERE
) -> Submitted | Refusal:
    return await desk.submit(
        Submission(tenant=tenant, conversation=to, content=content, idempotency_key=key)
    )


async def test_files_follow_the_text(egress: Egress) -> None:
    """Each a part of its own, in the order given, and with a status like any other."""
    stage = Uploading()
    desk = egress.desk(stage.outlet(), files=Shelf())

    result = await _say(desk, Content(markdown="look", files=(NOTES, NOTES)))
    await egress.work(egress.outbox(desk=desk))

    assert isinstance(result, Submitted)
    assert 3 == result.parts
    assert {"p1": "look", "f2": "some notes", "f3": "some notes"} == stage.seen
    status = await desk.ledger.status(ACME, result.id)
    assert status is not None
    assert (MessageState.SENT, ["p1", "f2", "f3"]) == (status.state, status.platform_ids)


async def test_a_file_needs_no_text(egress: Egress) -> None:
    """And goes with its message when that is deleted; an edit adds to it."""
    stage = Uploading()
    desk = egress.desk(stage.outlet(), files=Shelf())
    outbox = egress.outbox(desk=desk)
    result = await _say(desk, Content(files=(NOTES,)))
    assert isinstance(result, Submitted)
    content = Content(markdown="a word on it", files=(NOTES,))
    await desk.changes.edit(
        Edit(tenant=ACME, message=result.id, content=content, idempotency_key="e")
    )
    await egress.work(outbox)

    shown = dict(stage.seen)
    await desk.changes.delete(Delete(tenant=ACME, message=result.id, idempotency_key="d"))
    await egress.work(outbox)

    assert {"f1": "some notes", "p2": "a word on it", "f3": "some notes"} == shown
    assert {} == stage.seen


async def test_files_of_others_are_unknown(egress: Egress) -> None:
    """As are those that are not kept any more, but not to a repeat of what was accepted."""
    shelf = Shelf()
    desk = egress.desk(files=shelf)
    content = Content(markdown="look", files=(NOTES,))
    first = await _say(desk, content)

    assert Refusal.UNKNOWN_FILE is await _say(desk, content, tenant=GLOBEX, to=THERE)
    shelf.kept.clear()
    assert Refusal.UNKNOWN_FILE is await _say(desk, content, key="other")

    assert isinstance(first, Submitted)
    assert msgspec.structs.replace(first, repeated=True) == await _say(desk, content)


async def test_an_upload_whose_answer_was_lost_is_not_repeated(egress: Egress) -> None:
    """A file has no marker that everybody could find: a person decides."""
    stage = Uploading(faults=[LOST])
    desk = egress.desk(stage.outlet(), files=Shelf())
    await _say(desk, Content(files=(NOTES,)))

    ends = await egress.work(egress.outbox(desk=desk))

    assert ["upload"] == stage.calls
    assert isinstance(ends[-1][1], Permanent)
    assert Reason.OUTCOME_UNKNOWN is ends[-1][1].reason


async def test_a_file_that_cannot_be_read_now_waits(egress: Egress) -> None:
    """It was the store that failed: whatever the platform makes of half a file, nothing is lost."""
    stage, shelf = Uploading(), Shelf(fault=StoreError("PostgreSQL is away"))
    desk = egress.desk(stage.outlet(), files=shelf)
    await _say(desk, Content(files=(NOTES,)))
    [delivery] = await egress.taken()

    with pytest.raises(StoreError):
        await egress.outbox(desk=desk).attempt(delivery, None)
    assert {} == stage.seen


@pytest.mark.parametrize("trouble", ["gone", "too large"])
async def test_a_file_that_can_never_be_posted_dies(egress: Egress, trouble: str) -> None:
    """Gone before its turn came, or larger than what the platform takes."""
    stage, shelf = Uploading(), Shelf()
    if trouble == "too large":
        shelf.size_bytes = stage.outlet().capabilities.limits.file_bytes + 1
    desk = egress.desk(stage.outlet(), files=shelf)
    await _say(desk, Content(files=(NOTES,)))
    if trouble == "gone":
        shelf.kept.clear()

    [(_, end)] = await egress.work(egress.outbox(desk=desk))

    assert isinstance(end, Permanent)
    assert [] == stage.calls


async def test_a_platform_without_files_leaves_them_out(egress: Egress) -> None:
    """The text arrives, and the agent can see what did not."""
    stage = Plain()
    desk = egress.desk(stage.outlet(), files=Shelf())
    result = await _say(desk, Content(markdown="look", files=(NOTES,)))
    assert isinstance(result, Submitted)
    await egress.work(egress.outbox(desk=desk))

    status = await desk.ledger.status(ACME, result.id)
    assert status is not None
    assert {"p1": "look"} == stage.seen
    assert (MessageState.SENT, ["p1", None], Ability.FILES_OUT) == (
        status.state,
        status.platform_ids,
        status.degraded,
    )


async def test_components_and_raw_payloads_are_the_last_parts(egress: Egress) -> None:
    """Once, below all of the text; who may see it and what it answers hold for every part."""
    stage = Plain()
    desk = egress.desk(stage.outlet())
    content = Content(
        markdown=LONG,
        components=(ROW,),
        raw={"unfurl_links": True},
        visible_to="U0ANNA",
        reply_to="17.5",
    )
    await _say(desk, content)
    await egress.work(egress.outbox(desk=desk))

    assert [(), (ROW,)] == [each.components for each in stage.posts]
    assert [None, {"unfurl_links": True}] == [each.raw for each in stage.posts]
    assert {("U0ANNA", "17.5")} == {(each.visible_to, each.reply_to) for each in stage.posts}


@pytest.mark.parametrize("content", [Content(components=(ROW,)), Content(raw={"blocks": []})])
async def test_a_message_may_have_no_text(egress: Egress, content: Content) -> None:
    """As long as there is something to see."""
    stage = Plain()
    desk = egress.desk(stage.outlet())

    assert isinstance(await _say(desk, content), Submitted)
    await egress.work(egress.outbox(desk=desk))

    assert {"p1": ""} == stage.seen


async def test_an_empty_payload_is_nothing_to_see(egress: Egress) -> None:
    """The platform would refuse it: the agent learns it now, and not from a dead letter."""
    assert Refusal.BLANK_TEXT is await _say(egress.desk(), Content(raw={}))


async def test_forms_are_kept_until_somebody_opens_them(egress: Egress) -> None:
    """By message and form; an edit may bring another one. Other tenants' are unknown."""
    desk = egress.desk()
    result = await _say(desk, Content(markdown="please", components=(ROW, FORM)))
    assert isinstance(result, Submitted)
    other = msgspec.structs.replace(FORM, id="other")
    content = Content(markdown="please", components=(other,))
    await desk.changes.edit(
        Edit(tenant=ACME, message=result.id, content=content, idempotency_key="e")
    )

    assert FORM == await desk.ledger.form(ACME, result.id, "survey")
    assert other == await desk.ledger.form(ACME, result.id, "other")
    assert None is await desk.ledger.form(ACME, result.id, "ok")
    assert None is await desk.ledger.form(GLOBEX, result.id, "survey")


async def test_an_answer_to_an_own_message_names_it_as_the_platform_does(egress: Egress) -> None:
    """The gateway's id is all that an agent knows before the message has been posted."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    first = await _say(desk, Content(markdown="first"))
    assert isinstance(first, Submitted)

    await _say(desk, Content(markdown="second", reply_to=first.id), key="2")
    elsewhere = f"slack:{ACME_TEAM}:C0BBBB"
    await _say(desk, Content(markdown="third", reply_to=first.id), key="3", to=elsewhere)
    await egress.work(egress.outbox(desk=desk))

    answered = {each.text: each.reply_to for each in stage.posts}
    assert {"first": None, "second": "p1", "third": None} == answered


async def test_the_whole_body_makes_a_request_what_it_is(egress: Egress) -> None:
    """Everything of it: the same key with another button is another request."""
    desk = egress.desk(files=Shelf())
    bare = Content(markdown="look")
    others = [
        Content(markdown="look", components=(ROW,)),
        Content(markdown="look", files=(NOTES,)),
        Content(markdown="look", raw={"a": 1}),
        Content(markdown="look", visible_to="U0ANNA"),
        Content(markdown="look", reply_to="17.5"),
    ]
    await _say(desk, bare)

    assert [Refusal.KEY_REUSED] * 5 == [await _say(desk, each) for each in others]
    first = await _say(desk, Content(markdown="x", raw={"a": 1, "b": 2}), key="raw")
    again = await _say(desk, Content(markdown="x", raw={"b": 2, "a": 1}), key="raw")
    assert isinstance(first, Submitted)
    assert msgspec.structs.replace(first, repeated=True) == again


async def test_a_split_answer_goes_on_at_the_part_that_was_not_sent(egress: Egress) -> None:
    """What has been posted is not posted again, and the status says how far it is."""
    stage = Editing(faults=[None, LOST])
    desk = egress.desk(stage.outlet())
    result = await _say(desk, Content(markdown=LONG))
    assert isinstance(result, Submitted)

    ends = await egress.work(egress.outbox(desk=desk))

    assert ["send", "send", "find"] == stage.calls
    tried = [name for name, end in ends if not isinstance(end, Deferred)]
    assert [f"{result.id}-1", f"{result.id}-2", f"{result.id}-2"] == tried
    assert Delivered(receipt="p2") == ends[-1][1]
