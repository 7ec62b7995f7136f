"""Claims: who does a thing, of all processes, without anybody waiting."""

from __future__ import annotations

from gateway.archive.connection import Pool
from gateway.archive.locks import claimed


async def test_a_claim_is_one_processes_until_it_is_let_go(pool: Pool) -> None:
    """The second is told so at once; another thing is another claim."""
    async with (
        claimed(pool, "renew slack T0AAAA") as first,
        claimed(pool, "renew slack T0AAAA") as second,
        claimed(pool, "renew slack T0BBBB") as other,
    ):
        assert (True, False, True) == (first, second, other)
    async with claimed(pool, "renew slack T0AAAA") as again:
        assert again
