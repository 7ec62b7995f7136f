"""Who a sender is: asked for once, remembered for a while, and never in the way of a message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import msgspec
import pytest
from cryptography.fernet import Fernet

from gateway.core.deliveries import Reason
from gateway.core.errors import SendError
from gateway.core.events import InboundEvent, Sender, SenderRole
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.tenants import Binding, Credential, Tenant
from gateway.people import KNOWN_FOR_S, REST_S, UNKNOWN_FOR_S, Directory
from gateway.sealing import Seal
from gateway.store.connection import connect
from gateway.store.keys import Pepper
from gateway.store.tenants import TenantLookup
from tests.routing.factories import TEAM, binding, event, tenant
from tests.support.waiting import eventually

ANNA = Sender(id="U0ANNA")
KNOWN = Sender(id="U0ANNA", name="Anna", locale="de-DE", roles=(SenderRole.ADMIN,))
TOKEN = "xoxb-of-acme"
AWAY = SendError(Reason.PLATFORM_UNREACHABLE, "no answer")
NOBODY = SendError(Reason.PLATFORM_REJECTED, "user_not_found", permanent=True)


@dataclass
class Platforms:
    """A platform that knows everybody, and does what a test wants instead."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    fault: Exception | None = None
    gate: asyncio.Event | None = None
    known: Sender = KNOWN

    async def person(self, sender: Sender, credential: Credential) -> Sender:
        self.asked.append((sender.id, credential.bot_token))
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return msgspec.structs.replace(self.known, id=sender.id)


@dataclass
class House:
    """A directory over real look-up keys, with a clock that stands still until it is moved."""

    lookup: TenantLookup
    seal: Seal
    platform: Platforms = field(default_factory=Platforms)
    now_s: float = 1000.0
    budget_s: float = 30.0

    def __post_init__(self) -> None:
        self.directory = Directory(
            self.lookup,
            self.seal,
            {Platform.SLACK: self.platform},
            budget_s=self.budget_s,
            clock=lambda: self.now_s,
        )

    async def bind(self, bound: Binding, token: str | None = TOKEN) -> None:
        """Give a workspace to a tenant, with a sealed token."""
        credential = Credential(bot_token=token or "")
        sealed = self.seal.seal(msgspec.json.encode(credential).decode()).encode()
        await self.lookup.put_binding(bound, sealed if token else None)
        await self.lookup.mark_filled()

    async def sender(self, said: InboundEvent | None = None, of: Binding | None = None) -> Sender:
        """Who the directory takes the sender of an event to be."""
        heard = said or event(sender=ANNA)
        return (await self.directory.fill(of or binding(), heard)).sender


Open = Callable[..., Awaitable[House]]


@pytest.fixture
async def open_house(clean_redis: str) -> AsyncIterator[Open]:
    """Makes houses with one bound workspace."""
    houses: list[House] = []
    async with connect(clean_redis) as client:

        async def make(budget_s: float = 30.0) -> House:
            lookup = TenantLookup(client, Pepper(b"pepper"), 1)
            seal = Seal([Fernet.generate_key().decode()])
            houses.append(House(lookup, seal, budget_s=budget_s))
            await houses[-1].bind(binding())
            return houses[-1]

        yield make
        for house in houses:
            await house.directory.close()


@pytest.fixture
async def house(open_house: Open) -> House:
    """A house in which nobody is ever too late."""
    return await open_house()


async def test_a_sender_without_a_name_gets_one(house: House) -> None:
    """With the workspace's own credential."""
    assert KNOWN == await house.sender()
    assert [("U0ANNA", TOKEN)] == house.platform.asked


async def test_a_person_is_asked_for_once_an_hour(house: House) -> None:
    """And then again: names and roles change."""
    await house.sender()
    house.now_s += KNOWN_FOR_S - 1
    assert KNOWN == await house.sender()
    assert 1 == len(house.platform.asked)

    house.now_s += 1
    assert KNOWN == await house.sender()
    assert 2 == len(house.platform.asked)


async def test_what_the_event_says_itself_is_kept(house: House) -> None:
    """It is newer than what is remembered."""
    said = event(sender=Sender(id="U0ANNA", name="anna b.", roles=(SenderRole.GUEST,)))
    whole = event(sender=msgspec.structs.replace(ANNA, name="anna b."))

    assert said is await house.directory.fill(binding(), said)
    assert [] == house.platform.asked
    assert ("anna b.", "de-DE", (SenderRole.ADMIN,)) == (
        (found := await house.sender(whole)).name,
        found.locale,
        found.roles,
    )


@pytest.mark.parametrize(
    "sender", [Sender(id=""), Sender(id="B0AAAA", is_bot=True)], ids=["nobody", "bot"]
)
async def test_some_senders_are_nobody_to_ask_for(house: House, sender: Sender) -> None:
    """An installation has no sender; a bot has no name that matters."""
    assert sender == await house.sender(event(sender=sender))
    assert [] == house.platform.asked


async def test_a_platform_that_cannot_be_asked_is_not(house: House) -> None:
    """Its events pass as they are."""
    mute = Directory(house.lookup, house.seal, {})
    said = event(sender=ANNA)

    assert said is await mute.fill(binding(), said)


async def test_many_events_of_one_person_ask_once(house: House) -> None:
    """All of them wait for the same answer."""
    house.platform.gate = asyncio.Event()
    waiting = [asyncio.create_task(house.sender()) for _ in range(20)]
    await eventually(lambda: house.platform.asked)
    house.platform.gate.set()

    assert [KNOWN] * 20 == await asyncio.gather(*waiting)
    assert 1 == len(house.platform.asked)


async def test_a_caller_that_is_cancelled_takes_no_answer_from_the_others(house: House) -> None:
    """A connection may close while its event waits."""
    house.platform.gate = asyncio.Event()
    first = asyncio.create_task(house.sender())
    second = asyncio.create_task(house.sender())
    await eventually(lambda: house.platform.asked)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    house.platform.gate.set()

    assert KNOWN == await second


@pytest.mark.parametrize("fault", [AWAY, NOBODY, RuntimeError("a fault of the adapter")])
async def test_a_failure_costs_the_name_and_is_not_repeated_at_once(
    house: House, fault: Exception
) -> None:
    """Whatever went wrong, the event goes on; a minute later the next one asks again."""
    house.platform.fault = fault
    assert ANNA == await house.sender()
    house.platform.fault = None
    house.now_s += UNKNOWN_FOR_S - 1
    assert ANNA == await house.sender()
    assert 1 == len(house.platform.asked)

    house.now_s += 1
    assert KNOWN == await house.sender()


async def test_a_person_that_is_not_found_keeps_nobody_else_from_being_found(house: House) -> None:
    """It is no trouble of the platform's."""
    house.platform.fault = NOBODY
    await house.sender()
    house.platform.fault = None

    assert "Anna" == (await house.sender(event(sender=Sender(id="U0BERT")))).name


async def test_a_platform_in_trouble_is_left_alone_for_a_while(house: House) -> None:
    """A thread of many people would wait the budget for each of them; other workspaces do not."""
    other = binding(tenant(id=TenantId("globex")), WorkspaceId("T0OTHER"))
    await house.bind(other, "xoxb-of-globex")
    house.platform.fault = AWAY
    await house.sender()
    house.platform.fault = None
    bert = Sender(id="U0BERT")

    assert bert == await house.sender(event(sender=bert))
    assert "Anna" == (await house.sender(of=other)).name
    house.now_s += REST_S
    assert "Anna" == (await house.sender(event(sender=bert))).name


async def test_nobody_waits_longer_than_the_budget(open_house: Open) -> None:
    """The look-up goes on all the same, and the next event has its answer."""
    house = await open_house(budget_s=0.01)
    house.platform.gate = asyncio.Event()
    assert ANNA == await house.sender()
    bert = Sender(id="U0BERT")
    assert bert == await house.sender(event(sender=bert))
    await eventually(lambda: house.platform.asked)

    house.platform.gate.set()

    async def known() -> bool:
        return await house.sender() == KNOWN

    await eventually(known)
    assert ["U0ANNA"] == [user for user, _ in house.platform.asked]


async def test_closing_ends_what_nobody_waits_for(open_house: Open) -> None:
    """A gateway that stops must not wait for a platform."""
    house = await open_house(budget_s=0.01)
    house.platform.gate = asyncio.Event()
    await house.sender()

    await house.directory.close()
    await house.directory.close()

    assert [] == [each for each in asyncio.all_tasks() if "_look_up" in repr(each)]


async def test_each_tenant_asks_with_its_own_credential(house: House) -> None:
    """What one of them may know of a person is not the other's to know."""
    other = binding(tenant(id=TenantId("globex")), WorkspaceId("T0OTHER"))
    await house.bind(other, "xoxb-of-globex")

    await house.sender()
    await house.sender(of=other)

    assert [("U0ANNA", TOKEN), ("U0ANNA", "xoxb-of-globex")] == house.platform.asked


@pytest.mark.parametrize(
    "now_bound",
    [
        Binding(
            tenant=Tenant(id=TenantId("globex")), platform=Platform.SLACK, workspace=TEAM, epoch=9
        ),
        None,
    ],
    ids=["another tenant", "no credential"],
)
async def test_without_a_credential_of_its_own_a_tenant_asks_nothing(
    house: House, now_bound: Binding | None
) -> None:
    """The workspace may have changed hands since the event was routed."""
    await house.bind(now_bound or binding(), TOKEN if now_bound else None)

    assert ANNA == await house.sender()
    assert [] == house.platform.asked


async def test_long_names_are_cut(house: House) -> None:
    """A platform's limit is not ours."""
    house.platform.known = msgspec.structs.replace(KNOWN, name="n" * 10_000, locale="l" * 10_000)
    found = await house.sender()

    assert (200, 35) == (len(found.name or ""), len(found.locale or ""))
