"""Dead letters wait, with all that is needed to send them again, until a person decides."""

from __future__ import annotations

import pytest

from gateway.core.audit import AuditAction
from gateway.core.deliveries import Direction, Reason
from gateway.core.errors import NotFoundError
from gateway.core.ids import DeliveryId, TenantId
from gateway.core.retry import Dead
from gateway.store.depths import dead_letters
from gateway.store.keys import Shard
from gateway.store.leases import EGRESS, Lease
from tests.support.queues import ACME, DEAD, GLOBEX, Queues, again, ids


async def bury(
    queues: Queues, lease: Lease, tenant: TenantId, conversation: str, name: str
) -> None:
    """Accept a delivery and give it up."""
    await queues.accept(tenant, conversation, name)
    [delivery] = await queues.take(lease)
    await queues.settle(lease, delivery, DEAD)


async def test_a_letter_keeps_everything(queues: Queues, lease: Lease) -> None:
    """What it held, where it went, why and when it died."""
    await queues.accept(ACME, "c1", "d1")
    [delivery] = await queues.take(lease)
    await queues.settle(lease, delivery, again())
    [delivery] = await queues.take(lease)
    await queues.settle(lease, delivery, DEAD)

    [letter] = await queues.dead.page(ACME)

    assert letter == await queues.dead.get(ACME, DeliveryId("d1"))
    assert ("d1", ACME, Direction.INBOUND, "c1", b"d1") == (
        letter.id,
        letter.tenant,
        letter.direction,
        letter.conversation,
        letter.payload,
    )
    assert (Reason.AGENT_REJECTED, "HTTP 400", 2) == (
        letter.reason,
        letter.detail,
        letter.attempts,
    )
    assert delivery.accepted_at_ms == letter.accepted_at_ms <= letter.died_at_ms


async def test_a_dead_delivery_frees_its_lane(queues: Queues, lease: Lease) -> None:
    """One message that will never work does not stop the conversation."""
    await queues.accept(ACME, "c1", "d1", "d2")
    [delivery] = await queues.take(lease)
    await queues.settle(lease, delivery, DEAD)

    assert ["d2"] == ids(await queues.store.take(lease, 10))


async def test_letters_are_listed_by_cursor_oldest_first(queues: Queues, lease: Lease) -> None:
    """A page ends where the next begins; other tenants' letters are not among them."""
    for number in range(5):
        await bury(queues, lease, ACME, "c1", f"d{number}")
    await bury(queues, lease, GLOBEX, "c1", "g0")

    first = await queues.dead.page(ACME, limit=3)
    rest = await queues.dead.page(ACME, after=first[-1].cursor, limit=3)

    assert ["d0", "d1", "d2"] == [letter.id for letter in first]
    assert ["d3", "d4"] == [letter.id for letter in rest]
    assert (5, 1) == (await queues.dead.count(ACME), await queues.dead.count(GLOBEX))
    assert 6 == await dead_letters(queues.client, Shard(0))


async def test_a_replayed_letter_is_the_same_delivery_at_the_end_of_its_lane(
    queues: Queues, lease: Lease
) -> None:
    """The same id and content; what came in meanwhile is not overtaken."""
    await bury(queues, lease, ACME, "c1", "d1")
    await queues.accept(ACME, "c1", "d2")
    letter = await queues.dead.get(ACME, DeliveryId("d1"))

    assert await queues.dead.replay(letter, actor="ann")
    [second] = await queues.take(lease)
    await queues.settle(lease, second)
    [replayed] = await queues.take(lease)

    assert ("d2", "d1", b"d1") == (second.id, replayed.id, replayed.payload)
    assert 0 == await queues.dead.count(ACME)
    last = (await queues.audit())[-2].record
    assert (AuditAction.DEAD_LETTER_REPLAYED, "d1", "ann") == (
        last.action,
        last.delivery_id,
        last.detail,
    )


async def test_a_letter_is_replayed_or_discarded_once(queues: Queues, lease: Lease) -> None:
    """Two operators at the same moment: one of them is told that he was late."""
    await bury(queues, lease, ACME, "c1", "d1")
    letter = await queues.dead.get(ACME, DeliveryId("d1"))

    assert await queues.dead.replay(letter, actor="ann")
    before = await queues.everything()
    assert not await queues.dead.replay(letter, actor="bob")
    assert not await queues.dead.discard(letter, actor="bob", reason="late")

    assert before == await queues.everything()


async def test_a_replay_that_dies_again_is_a_letter_again(queues: Queues, lease: Lease) -> None:
    """Found under the same id, with its new end."""
    await bury(queues, lease, ACME, "c1", "d1")
    await queues.dead.replay(await queues.dead.get(ACME, DeliveryId("d1")), actor="ann")
    [delivery] = await queues.take(lease)
    await queues.settle(lease, delivery, Dead(reason=Reason.ENDPOINT_GONE, detail="HTTP 410"))

    assert Reason.ENDPOINT_GONE is (await queues.dead.get(ACME, DeliveryId("d1"))).reason
    assert 1 == await queues.dead.count(ACME)


async def test_a_letter_that_may_have_arrived_is_replayed_in_doubt(queues: Queues) -> None:
    """Or the platform would get a second copy of what it has already."""
    await queues.commit(ACME, "c1", "d1", direction=Direction.OUTBOUND)
    lease = await queues.lease(EGRESS)
    [delivery] = await queues.take(lease)
    died = Dead(reason=Reason.PLATFORM_UNREACHABLE, detail="", uncertain=True)
    await queues.settle(lease, delivery, died)
    await queues.dead.replay(await queues.dead.get(ACME, DeliveryId("d1")), actor="ann")

    [replayed] = await queues.take(lease)
    assert replayed.uncertain


async def test_a_letter_that_certainly_did_not_arrive_is_replayed_without_doubt(
    queues: Queues, lease: Lease
) -> None:
    """A refusal is certain: where nothing can be looked up it could not be replayed otherwise."""
    await bury(queues, lease, ACME, "c1", "d1")
    await queues.dead.replay(await queues.dead.get(ACME, DeliveryId("d1")), actor="ann")

    [replayed] = await queues.take(lease)
    assert not replayed.uncertain


async def test_a_discarded_letter_is_gone_and_its_record_says_who_and_why(
    queues: Queues, lease: Lease
) -> None:
    """For good."""
    await bury(queues, lease, ACME, "c1", "d1")
    letter = await queues.dead.get(ACME, DeliveryId("d1"))

    assert await queues.dead.discard(letter, actor="ann", reason="spam")

    assert [] == await queues.dead.page(ACME)
    assert [] == await queues.take(lease)
    last = (await queues.audit())[-1].record
    assert (AuditAction.DEAD_LETTER_DISCARDED, "ann: spam") == (last.action, last.detail)
    with pytest.raises(NotFoundError):
        await queues.dead.get(ACME, DeliveryId("d1"))


async def test_another_tenants_letter_is_not_found(queues: Queues, lease: Lease) -> None:
    """Ids may well be the same: they are unique within a tenant."""
    await bury(queues, lease, ACME, "c1", "d1")

    with pytest.raises(NotFoundError):
        await queues.dead.get(GLOBEX, DeliveryId("d1"))
