"""Many at once, some of them cut off: every caller gets its own answer or an error."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from gateway.core.errors import ConfigError, StoreError
from gateway.store.cluster import Cluster
from gateway.store.connection import Client, connect, run, run_all, store_errors
from tests.support.link import open_link
from tests.support.queues import ACME, Queues


async def test_more_callers_than_connections_wait_for_their_turn(clean_redis: str) -> None:
    """A burst is no fault of the store: a refusal would stop workers and leave events unacked."""
    async with connect(clean_redis, pool=4) as client:
        await asyncio.gather(*(run(client, "SET", f"k{n}", n) for n in range(200)))
        answers = await asyncio.gather(*(run(client, "GET", f"k{n}") for n in range(200)))
        pairs = await asyncio.gather(
            *(run_all(client, ("GET", f"k{n}"), ("GET", f"k{n}")) for n in range(50))
        )

    assert [str(n).encode() for n in range(200)] == answers
    assert [[str(n).encode()] * 2 for n in range(50)] == pairs


async def test_a_call_that_is_cut_off_leaves_its_answer_to_nobody(clean_redis: str) -> None:
    """A connection with an unread answer would hand one tenant's data to the next caller."""
    async with connect(clean_redis, pool=2) as client:
        await asyncio.gather(*(run(client, "SET", f"k{n}", n) for n in range(20)))
        for yields in range(12):
            cut_off = [asyncio.create_task(run(client, "GET", "k0")) for _ in range(3)]
            cut_off.append(asyncio.create_task(run_all(client, ("GET", "k0"), ("GET", "k0"))))
            for _ in range(yields):
                await asyncio.sleep(0)
            for task in cut_off:
                task.cancel()
            await asyncio.gather(*cut_off, return_exceptions=True)
            answers = await asyncio.gather(*(run(client, "GET", f"k{n}") for n in range(20)))
            assert [str(n).encode() for n in range(20)] == answers


async def test_a_server_that_hangs_is_an_error_in_time(clean_redis: str) -> None:
    """Not a wait for ever: the platform must get its chance to send again."""
    async with connect(clean_redis, timeout_s=0.1) as client:
        with pytest.raises(StoreError):
            await run(client, "BLPOP", "nothing", 5)


async def test_scripts_survive_a_server_that_forgot_them(queues: Queues) -> None:
    """A restarted Redis knows no scripts."""
    await queues.accept(ACME, "c1", "d1")
    await queues.client.script_flush()
    await queues.accept(ACME, "c1", "d2")

    assert 2 == len(await queues.audit())


async def test_a_url_that_cannot_be_read_names_its_setting() -> None:
    """Before anything else happens."""
    with pytest.raises(ConfigError, match="REDIS_URL"):
        async with connect("http://example"):
            pass


@pytest.mark.parametrize(
    "url",
    [
        "redis://:se/cret@host:6379",
        "redis://:se#cret@host:6379",
        "redis://user:secret@host:port",
        "redis+cluster://:se/cret@host:6379",
        "redis+cluster://user:secret@host:6379,other:port",
        "redis+cluster://user:secret@host:6379,",
        "rediss+cluster://user:secret@host:6379/7",
        "redis+cluster://user:secret@host:6379?secret=1",
    ],
)
async def test_a_url_that_cannot_be_read_is_not_quoted(url: str) -> None:
    """Parts of a password look like a host or a port to whoever reads it."""
    with pytest.raises(ConfigError, match="REDIS_URL cannot be read") as fault:
        async with connect(url):
            pass

    assert fault.value.__cause__ is None
    assert fault.value.__suppress_context__
    assert not [part for part in ("secret", "se/", "'se'", "cret") if part in str(fault.value)]


async def test_a_cluster_is_reached_with_what_its_url_says() -> None:
    """Login and TLS are for all nodes, those that others tell of too."""
    url = "rediss+cluster://ann:p%40ss@one:7000,two,[::1]:7002/?ssl_cert_reqs=none"
    async with connect(url) as client:
        assert isinstance(client, Cluster)
        nodes = {(node.host, node.port) for node in client.startup_nodes}
        options = client.get_connection_kwargs()

    assert {("one", 7000), ("two", 6379), ("::1", 7002)} == nodes
    assert ("ann", "p@ss", "none") == (
        options["username"],
        options["password"],
        options["ssl_cert_reqs"],
    )


async def test_a_cancel_is_never_lost(clean_redis: str) -> None:
    """Whenever it comes: a worker that misses its cancel never stops."""
    async with connect(clean_redis) as client:
        await run(client, "GET", "key")
        for yields in range(12):
            ends: list[str] = []
            task = asyncio.create_task(_ping(client, ends))
            for _ in range(yields):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled(), f"after {yields} turns of the loop: {ends}"


async def test_what_is_on_its_way_when_the_client_closes_leaves_nothing_open(
    clean_redis: str,
) -> None:
    """A connection that is opened after the others were closed would be nobody's."""
    for yields in range(12):
        async with connect(clean_redis) as client:
            asked = [asyncio.create_task(run(client, "GET", f"k{n}")) for n in range(3)]
            for _ in range(yields):
                await asyncio.sleep(0)
            for task in asked:
                task.cancel()
            await asyncio.wait(asked)
        assert all(task.cancelled() for task in asked)
    # pytest turns what the collector complains of into a failure.
    gc.collect()


async def test_who_still_waits_when_the_client_closes_is_told(redis_url: str) -> None:
    """Or would wait for ever."""
    for yields in range(3):
        async with connect(redis_url) as client:
            asked = asyncio.create_task(run(client, "GET", "key"))
            for _ in range(yields):
                await asyncio.sleep(0)
        with pytest.raises(StoreError):
            await asked


async def test_everybody_behind_a_server_that_hangs_is_told_at_once(
    redis_url: str, tmp_path: Path
) -> None:
    """A time-out after the other would be minutes for the last of many."""
    async with open_link(tmp_path, redis_url) as link, connect(link.url, timeout_s=0.2) as client:
        await run(client, "GET", "key")
        link.mute()
        async with asyncio.timeout(10):
            asked = (run(client, "GET", "key") for _ in range(10_000))
            ends = await asyncio.gather(*asked, return_exceptions=True)

    assert {StoreError} == {type(end) for end in ends}


async def test_a_cancel_that_ends_in_a_fault_is_a_cancel() -> None:
    """Whoever goes on after a fault must not go on after he was told to stop."""

    async def ask() -> None:
        with store_errors():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as exc:
                raise ConnectionError("the client has lost the cancel") from exc

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()


async def _ping(client: Client, ends: list[str]) -> None:
    while True:
        await run(client, "GET", "key")
        ends.append("went on")
        if len(ends) > 10:
            return
