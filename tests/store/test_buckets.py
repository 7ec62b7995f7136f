"""What platforms still allow: counted by tenant, workspace and call, for all replicas together."""

from __future__ import annotations

import msgspec
import pytest

from gateway.core.budgets import Account, CallRate
from gateway.core.ids import Platform, WorkspaceId
from gateway.store.buckets import Buckets
from gateway.store.connection import connect
from tests.support.queues import ACME, GLOBEX, Queues

HERE = Account(tenant=ACME, platform=Platform.SLACK, workspace=WorkspaceId("T0ACME"))
RATE = CallRate(per_minute=20, burst=5)
CALL = "chat.startStream"


@pytest.fixture
def buckets(queues: Queues) -> Buckets:
    """Of the only shard."""
    return Buckets(queues.client, 1)


async def _spend(buckets: Buckets, count: int = RATE.burst) -> list[float]:
    return [await buckets.take(HERE, CALL, RATE) for _ in range(count)]


async def test_a_burst_is_granted_and_what_is_over_it_waits(buckets: Buckets) -> None:
    """A burst and what is refilled within a minute are no more than a minute's calls."""
    granted = await _spend(buckets)
    wait_s = await buckets.take(HERE, CALL, RATE)

    assert [0.0] * 5 == granted
    assert 0 < wait_s <= 60 / (RATE.per_minute - RATE.burst)


async def test_to_be_refused_costs_nothing(buckets: Buckets) -> None:
    """Who asks again and again waits no longer for it."""
    await _spend(buckets)
    first, *_, last = [await buckets.take(HERE, CALL, RATE) for _ in range(20)]

    assert last <= first


async def test_replicas_share_what_there_is(buckets: Buckets, clean_redis: str) -> None:
    """Each of them asks the same bucket."""
    async with connect(clean_redis) as client:
        other = Buckets(client, 1)
        granted = [await each.take(HERE, CALL, RATE) for each in (buckets, other) * 3]

    assert [True] * 5 + [False] == [wait_s == 0 for wait_s in granted]


@pytest.mark.parametrize(
    "other",
    [
        (msgspec.structs.replace(HERE, tenant=GLOBEX), CALL),
        (msgspec.structs.replace(HERE, workspace=WorkspaceId("T0OTHER")), CALL),
        (msgspec.structs.replace(HERE, platform=Platform.TEAMS), CALL),
        (HERE, "chat.stopStream"),
    ],
)
async def test_others_go_on(buckets: Buckets, other: tuple[Account, str]) -> None:
    """Law 4: another tenant, workspace, platform or call is another bucket."""
    await _spend(buckets)
    await buckets.hold(HERE, CALL, RATE, 60.0)

    assert 0.0 == await buckets.take(*other, RATE)


async def test_what_can_wait_leaves_something(buckets: Buckets) -> None:
    """Previews stop where what has to be seen still goes."""
    previews = [await buckets.take(HERE, CALL, RATE, keep=2) for _ in range(4)]
    rest = await _spend(buckets, 3)

    assert [True, True, True, False] == [wait_s == 0 for wait_s in previews]
    assert [True, True, False] == [wait_s == 0 for wait_s in rest]


async def test_a_hold_is_the_platforms_word(buckets: Buckets) -> None:
    """Nothing before it ends; a shorter one does not end it earlier."""
    await buckets.hold(HERE, CALL, RATE, 300.0)
    await buckets.hold(HERE, CALL, RATE, 1.0)

    assert 270 < await buckets.take(HERE, CALL, RATE) <= 300


async def test_an_absurd_hold_ends_all_the_same(buckets: Buckets) -> None:
    """After a quarter of an hour."""
    await buckets.hold(HERE, CALL, RATE, 1e9)

    assert 890 < await buckets.take(HERE, CALL, RATE) <= 900


async def test_without_redis_everything_is_granted() -> None:
    """The platform refuses what is too much; a message must not wait for a counter."""
    async with connect("redis://127.0.0.1:1/0", timeout_s=0.2) as nobody:
        buckets = Buckets(nobody, 1)
        await buckets.hold(HERE, CALL, RATE, 60.0)

        assert [0.0] * 9 == await _spend(buckets, 9)


async def test_an_idle_bucket_is_forgotten(buckets: Buckets, queues: Queues) -> None:
    """It says no more than none."""
    await _spend(buckets, 1)
    [key] = [key async for key in queues.client.scan_iter(match="*rate:*")]

    assert 0 < await queues.client.pttl(key) <= 60_000
    assert key.decode() == "{s0}:t:acme:rate:slack:T0ACME:chat.startStream"
