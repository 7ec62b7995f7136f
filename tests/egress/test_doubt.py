"""What keeps a second copy away: a lease that is too old, and a doubt that nothing takes back."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest

from gateway.core.deliveries import Delivered, Delivery, Permanent, Reason, Retryable
from gateway.core.errors import LeaseLostError, SendError, StoreError
from gateway.core.ids import FileId
from gateway.core.messages import FileUpload, OutboundMessage, SentMessage
from gateway.core.tenants import Credential
from gateway.egress.desk import Desk
from gateway.egress.requests import Content, Delete, Edit, Submission, Submitted
from gateway.store.ledger import MessageState
from tests.egress.conftest import ACME, HERE, Egress
from tests.egress.stage import REJECTED, Editing, Uploading
from tests.egress.test_contents import NOTES, Shelf

AWAY = StoreError("Redis is away")


@dataclass
class Forgetful(Editing):
    """Posts, and then a store fails that was to note it."""

    async def send(self, message: OutboundMessage, credential: Credential) -> SentMessage:
        await super().send(message, credential)
        raise AWAY


@dataclass
class Traceable(Uploading):
    """Can tell of a file by its id, when it is there; it may be so that it cannot be known."""

    asked: list[str] = field(default_factory=list)

    async def find_upload(
        self, _upload: FileUpload, file: str, _credential: Credential
    ) -> SentMessage | None:
        self.asked.append(file)
        if file not in self.seen:
            raise SendError(Reason.OUTCOME_UNKNOWN, "not seen", permanent=True)
        return SentMessage(id=file)


async def _said(desk: Desk, *files: FileId, text: str = "") -> Submitted:
    content = Content(markdown=text, files=files)
    result = await desk.submit(
        Submission(
            tenant=ACME, conversation=HERE, content=content, idempotency_key=f"{text}{files}"
        )
    )
    assert isinstance(result, Submitted)
    return result


def _in_doubt(delivery: Delivery) -> Delivery:
    return msgspec.structs.replace(delivery, uncertain=True)


async def test_nothing_is_called_under_a_lease_that_may_have_ended(egress: Egress) -> None:
    """Whoever was paused for long has a successor, who may have posted it."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    await _said(desk, text="hello")
    [delivery] = await egress.taken()

    with pytest.raises(LeaseLostError):
        await egress.outbox(desk=desk).attempt(delivery, None, sure=lambda: False)
    assert [] == stage.calls


async def test_a_file_is_not_posted_by_whom_its_bytes_took_too_long(egress: Egress) -> None:
    """The look before it begins is not the last one."""
    stage, answers = Uploading(), iter([True, False])
    desk = egress.desk(stage.outlet(), files=Shelf())
    await _said(desk, NOTES)
    [delivery] = await egress.taken()

    with pytest.raises(LeaseLostError):
        await egress.outbox(desk=desk).attempt(delivery, None, sure=lambda: next(answers))
    assert (["upload"], {}) == (stage.calls, stage.seen)


async def test_a_store_that_fails_after_the_post_leaves_a_doubt(egress: Egress) -> None:
    """It is looked up before it is posted again, as if the answer had been lost."""
    stage = Forgetful()
    desk = egress.desk(stage.outlet())
    await _said(desk, text="hello")
    [delivery] = await egress.taken()
    outbox = egress.outbox(desk=desk)

    first = await outbox.attempt(delivery, None)
    egress.clock.now_s += 1
    second = await outbox.attempt(_in_doubt(delivery), None)

    assert isinstance(first, Retryable)
    assert (Reason.GATEWAY_FAULT, True) == (first.reason, first.uncertain)
    assert (Delivered(receipt="p1"), ["send", "find"]) == (second, stage.calls)


async def test_a_doubt_outlives_another_failure(egress: Egress) -> None:
    """What the first attempt may have posted has not gone away because the third was refused."""
    fault = SendError(Reason.PLATFORM_UNREACHABLE, "no connection")
    stage = Editing(faults=[None, fault])
    desk = egress.desk(stage.outlet())
    await _said(desk, text="hello")
    [delivery] = await egress.taken()

    outcome = await egress.outbox(desk=desk).attempt(_in_doubt(delivery), None)

    assert isinstance(outcome, Retryable)
    assert (["find", "send"], True) == (stage.calls, outcome.uncertain)


async def test_an_upload_that_was_cut_off_before_its_last_call_is_made_again(
    egress: Egress,
) -> None:
    """Nobody has seen it: it is noted before it can be seen."""
    stage = Traceable()
    desk = egress.desk(stage.outlet(), files=Shelf())
    await _said(desk, NOTES)
    [delivery] = await egress.taken()

    outcome = await egress.outbox(desk=desk).attempt(_in_doubt(delivery), None)

    assert (Delivered(receipt="f1"), []) == (outcome, stage.asked)


@pytest.mark.parametrize("is_seen", [True, False])
async def test_an_upload_whose_last_call_may_have_been_made_is_looked_up(
    egress: Egress, *, is_seen: bool
) -> None:
    """By the platform's own id of it; what is not seen may still come."""
    stage = Traceable(seen={"F0AAAA": "some notes"} if is_seen else {})
    desk = egress.desk(stage.outlet(), files=Shelf())
    await _said(desk, NOTES)
    [delivery] = await egress.taken()
    await desk.ledger.note_upload(ACME, delivery.id, "F0AAAA")

    outcome = await egress.outbox(desk=desk).attempt(_in_doubt(delivery), None)

    assert (["F0AAAA"], []) == (stage.asked, stage.calls)
    reason = getattr(outcome, "reason", None)
    assert ((Delivered, None) if is_seen else (Permanent, Reason.OUTCOME_UNKNOWN)) == (
        type(outcome),
        reason,
    )


async def test_a_note_that_cannot_be_made_is_no_post(egress: Egress) -> None:
    """The file is brought again, without a doubt."""
    stage, shelf = Uploading(), Shelf(fault=AWAY)
    desk = egress.desk(stage.outlet(), files=shelf)
    await _said(desk, NOTES)
    [delivery] = await egress.taken()

    with pytest.raises(StoreError):
        await egress.outbox(desk=desk).attempt(delivery, None)
    assert {} == stage.seen


async def test_what_was_never_posted_is_removed_with_ease_and_never_changed(
    egress: Egress,
) -> None:
    """The end that was asked for holds: it is not there."""
    stage = Editing(faults=[REJECTED])
    desk = egress.desk(stage.outlet())
    said = await _said(desk, text="hello")
    outbox = egress.outbox(desk=desk)
    await egress.work(outbox)
    edit = await desk.changes.edit(
        Edit(tenant=ACME, message=said.id, content=Content(markdown="new"), idempotency_key="e")
    )
    removal = await desk.changes.delete(Delete(tenant=ACME, message=said.id, idempotency_key="d"))
    await egress.work(outbox)

    assert isinstance(edit, Submitted)
    assert isinstance(removal, Submitted)
    assert [MessageState.FAILED, MessageState.SENT] == [
        status and status.state
        for status in [await desk.ledger.status(ACME, each.id) for each in (edit, removal)]
    ]
    assert ["send"] == stage.calls
