"""What was said while nobody listened is read again: once, in order, and for its own tenant."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
import pytest
from cryptography.fernet import Fernet

from adapters.slack.config import SlackConfig
from adapters.slack.recovery import SlackRecall
from adapters.slack.source import SlackSource
from adapters.slack.web_api import WebApi
from gateway.core.audit import AuditRecord
from gateway.core.deliveries import Direction
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.tenants import Binding, Credential, Tenant
from gateway.ingress import Ingress
from gateway.missed import Memory
from gateway.recovery import Recovery, RecoveryRules, Ways
from gateway.sandbox.slack import ApiError, HttpStatus, SlackRules, SlackSandbox
from gateway.sealing import Seal
from gateway.store.auditlog import AuditLog
from gateway.store.connection import Client, connect, run
from gateway.store.cursors import Cursors, Place
from gateway.store.deliveries import DeliveryStore
from gateway.store.keys import Pepper, Shard
from gateway.store.tenants import TenantLookup
from gateway.telemetry.metrics import Metrics
from plugin_bridge.wire import encode
from tests.support.queues import ACME, GLOBEX
from tests.support.waiting import eventually

SLACK = Platform.SLACK
ACME_TEAM, GLOBEX_TEAM = WorkspaceId("T0ACME"), WorkspaceId("T0GLOBEX")
TEAMS = {ACME: ACME_TEAM, GLOBEX: GLOBEX_TEAM}
MARK = "gateway:listening:slack"
ANN, LOBBY, DIRECT = "U0ANN", "C0LOBBY", "D0ANN"

# Slack's patience is over in a fifth of a second. A gap is one after so long that no pause of this
# process makes one: whoever is `away` says for how long, and nobody has to wait for it.
FORGETFUL = SlackRules(
    ack_deadline_s=0.1,
    redelivery_delays_s=(0.0, 0.02, 0.05),
    ping_interval_s=0.1,
    echo_own_messages=False,
    post_rate=None,
)
RULES = RecoveryRules(
    turn_every_s=0.05,
    gap_after_s=60.0,
    quiet_after_s=60.0,
    settled_s=0.3,
    accept_every_s=0.0,
    full_wait_s=0.05,
    read_wait_s=0.05,
)


@dataclass
class House:
    """Two tenants in one Slack app, their stores, and what listens when it is told to."""

    slack: SlackSandbox
    client: Client
    session: aiohttp.ClientSession

    def __post_init__(self) -> None:
        self.metrics = Metrics()
        self.lookup = TenantLookup(self.client, Pepper(b"pepper"), 1)
        self.seal = Seal([Fernet.generate_key().decode()])
        self.cursors = Cursors(self.client, 1)
        self.tasks: list[asyncio.Task[None]] = []
        self.config = SlackConfig(
            app_token=self.slack.app_token,
            api_base_url=self.slack.base_url,
            backoff_base_s=0.01,
            backoff_cap_s=0.05,
            resends_after_s=(),
        )

    async def bind(self, tenant: TenantId, team: WorkspaceId, epoch: int = 1) -> None:
        """Give a team to a tenant."""
        installed = self.slack.add_team(team)
        credential = Credential(bot_token=installed.bot_token, bot_user=installed.bot_user_id)
        sealed = self.seal.seal(msgspec.json.encode(credential).decode()).encode()
        bound = Binding(tenant=Tenant(id=tenant), platform=SLACK, workspace=team, epoch=epoch)
        await self.lookup.put_binding(bound, sealed)
        await self.lookup.mark_filled()

    async def listen(self, rules: RecoveryRules = RULES) -> None:
        """Start a process' worth of listening: sockets, and what fills gaps."""
        store = DeliveryStore(self.client, 1)
        ingress = Ingress(self.lookup, store, encode, self.metrics)
        source = SlackSource(self.config, ignore=lambda _ignored: None)
        recall = SlackRecall(WebApi(self.config, self.session), call_every_s=0.0)
        memory = Memory(self.lookup, self.seal, self.cursors)
        recovery = Recovery(
            memory, {SLACK: Ways(recall, source)}, ingress.accept, self.metrics, rules=rules
        )
        before = self.slack.sockets_opened
        runs = (source.run(recovery.accept), recovery.watch(), recovery.run())
        self.tasks += [asyncio.create_task(each) for each in runs]
        await self.slack.wait_for_connects(before + 2, 10)
        await eventually(lambda: run(self.client, "GET", MARK))

    async def hush(self) -> None:
        """Stop listening, in an orderly way."""
        for task in self.tasks:
            task.cancel()
        for task in self.tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.tasks.clear()
        await self.slack.wait_for_sockets(0, 10)

    async def away(self, for_s: int = 120) -> None:
        """Be away for so long that Slack gives up and it is a gap."""
        await self.slack.settled(10)
        # How far it was heard is written every second: a gap of a test must not come before.
        await eventually(self._is_noted, timeout_s=10)
        mark = int(await run(self.client, "GET", MARK))
        await run(self.client, "SET", MARK, mark - 1000 * for_s)

    async def _is_noted(self) -> bool:
        key = f"{Shard(0).prefix}t:{ACME}:heard:slack:{ACME_TEAM}"
        return int(await run(self.client, "ZCARD", key)) >= 2

    async def bodies(self, tenant: TenantId) -> list[dict[str, Any]]:
        """What is queued for a tenant's agent."""
        queue = Shard(0).queue(tenant, Direction.INBOUND)
        entries = await run(self.client, "XRANGE", queue, "-", "+")
        return [json.loads(fields[b"p"]) for _, fields in entries]

    async def texts(self, tenant: TenantId) -> list[str]:
        """What was said to a tenant's agent."""
        return [body["text"] for body in await self.bodies(tenant)]

    async def records(self) -> list[AuditRecord]:
        """The audit trail."""
        return [each.record for each in await AuditLog(self.client).read(Shard(0), 100_000)]

    def reads(self, team: WorkspaceId) -> int:
        """How often a team's history was read."""
        return sum(
            each.team_id == team and each.method.startswith("conversations.")
            for each in self.slack.requests
        )

    @property
    def recovered(self) -> float:
        """What the metric says."""
        labels = {"platform": "slack"}
        return self.metrics.registry.get_sample_value("gateway_events_recovered_total", labels) or 0


@pytest.fixture
async def house(clean_redis: str) -> AsyncIterator[House]:
    """Nobody listens yet."""
    async with (
        SlackSandbox(rules=FORGETFUL) as slack,
        connect(clean_redis) as client,
        aiohttp.ClientSession() as session,
    ):
        made = House(slack, client, session)
        for tenant, team in TEAMS.items():
            await made.bind(tenant, team)
        yield made
        await made.hush()


async def soon(house: House, tenant: TenantId, texts: list[str]) -> None:
    """The agent of the tenant has these, in this order."""

    async def has_them() -> bool:
        return await house.texts(tenant) == texts

    try:
        await eventually(has_them)
    except AssertionError:
        assert texts == await house.texts(tenant)
        raise


async def get_to_know(house: House) -> str:
    """Both tenants talk in their channels of the same names; return Acme's thread."""
    await house.listen()
    for team in TEAMS.values():
        house.slack.say(team, DIRECT, ANN, "hello")
    await house.slack.settled(10)
    roots = [house.slack.say(each, LOBBY, ANN, "root", mention=True) for each in TEAMS.values()]
    await house.slack.settled(10)
    return roots[0]


async def test_a_gap_is_filled(house: House) -> None:
    """A direct message, a mention, a reply in a thread: each once and in order."""
    root = await get_to_know(house)
    await house.hush()
    for text in ("one", "two", "three"):
        house.slack.say(ACME_TEAM, DIRECT, ANN, text)
    house.slack.say(GLOBEX_TEAM, DIRECT, ANN, "of globex")
    house.slack.say(ACME_TEAM, LOBBY, ANN, "four", thread_ts=root, mention=True)
    house.slack.say(ACME_TEAM, LOBBY, ANN, "not for us")
    house.slack.say(ACME_TEAM, DIRECT, f"U0BOT{ACME_TEAM[1:]}", "our own")
    await house.away()
    await house.listen()

    await soon(house, GLOBEX, ["hello", "root", "of globex"])
    await eventually(lambda: house.recovered >= 5)
    texts = await house.texts(ACME)
    assert ["hello", "root"] == texts[:2]
    assert ["one", "two", "three"] == [each for each in texts if each in {"one", "two", "three"}]
    assert sorted(["hello", "root", "one", "two", "three", "four"]) == sorted(texts)
    found = [each for each in await house.records() if each.detail == "recovered"]
    assert {ACME: 4, GLOBEX: 1} == {
        tenant: sum(each.tenant == tenant for each in found) for tenant in TEAMS
    }
    assert {("event.routed", "accepted")} == {(each.action, each.outcome) for each in found}


async def test_what_slack_sends_again_after_all_is_known(house: House) -> None:
    """The last re-send comes after five minutes, under another id: the agent has it once."""
    await get_to_know(house)
    await house.hush()
    ts = house.slack.say(ACME_TEAM, DIRECT, ANN, "one")
    await house.away()
    await house.listen()
    await soon(house, ACME, ["hello", "root", "one"])
    again: dict[str, object] = {"type": "message", "channel": DIRECT, "channel_type": "im"}
    again |= {"user": ANN, "text": "one", "ts": ts, "event_ts": ts}
    house.slack.send_event(ACME_TEAM, again)
    await house.slack.settled(10)
    assert ["hello", "root", "one"] == await house.texts(ACME)
    assert "duplicate" in {each.outcome for each in await house.records()}


async def test_a_short_absence_is_no_gap(house: House) -> None:
    """Slack's own re-sends are for that; no history is read."""
    await get_to_know(house)
    await house.hush()
    await house.listen()
    house.slack.say(ACME_TEAM, DIRECT, ANN, "later")
    await soon(house, ACME, ["hello", "root", "later"])
    assert (0, 0) == (house.reads(ACME_TEAM), house.recovered)


async def test_sockets_that_were_away_while_we_were_not(house: House) -> None:
    """The process lives on and Slack gives up: the mark was not renewed meanwhile."""
    await get_to_know(house)
    house.slack.fail_connections_open(60)
    house.slack.drop_sockets()
    await house.slack.wait_for_sockets(0, 5)
    house.slack.say(ACME_TEAM, DIRECT, ANN, "one")
    await house.away()
    await house.slack.wait_for_sockets(2, 10)
    await soon(house, ACME, ["hello", "root", "one"])


async def test_all_deaf_and_quiet(house: House) -> None:
    """Somebody wrote to the agent and nothing came: that is found, cured and made good."""
    await house.listen(replace(RULES, quiet_after_s=0.3))
    house.slack.say(ACME_TEAM, DIRECT, ANN, "hello")
    await house.slack.settled(10)
    house.slack.deafen_sockets()
    house.slack.say(ACME_TEAM, DIRECT, ANN, "anybody there?")
    await soon(house, ACME, ["hello", "anybody there?"])
    await house.slack.wait_for_connects(4, 10)
    await house.slack.wait_for_sockets(2, 10)
    house.slack.say(ACME_TEAM, DIRECT, ANN, "so you are")
    await soon(house, ACME, ["hello", "anybody there?", "so you are"])
    assert house.recovered >= 1


async def test_talk_of_others_proves_nothing(house: House) -> None:
    """An app may have subscribed to mentions alone; its sockets are not to blame."""
    await get_to_know(house)
    await house.hush()
    await house.listen(replace(RULES, quiet_after_s=0.2))
    house.slack.deafen_sockets()
    house.slack.say(ACME_TEAM, LOBBY, ANN, "lunch?")
    before = house.slack.sockets_opened
    await eventually(lambda: house.reads(ACME_TEAM) > 6)
    assert (before, 0) == (house.slack.sockets_opened, house.recovered)


async def test_a_workspace_that_changed_hands_is_not_read_for_its_last_owner(
    house: House,
) -> None:
    """What was said belongs neither to the one who is gone nor to the one who was not there."""
    await get_to_know(house)
    await house.hush()
    house.slack.say(ACME_TEAM, DIRECT, ANN, "one")
    house.slack.say(GLOBEX_TEAM, DIRECT, ANN, "two")
    await house.away()
    await house.bind(GLOBEX, ACME_TEAM, epoch=2)
    await house.listen()
    await soon(house, GLOBEX, ["hello", "root", "two"])
    assert ["hello", "root"] == await house.texts(ACME)
    assert (0, True) == (house.reads(ACME_TEAM), house.reads(GLOBEX_TEAM) > 0)


async def test_what_is_too_old_stays_unsaid(house: House) -> None:
    """Nobody wants an answer to what they asked two hours ago."""
    await get_to_know(house)
    await house.hush()
    now_s = datetime.now(UTC).timestamp()
    for text, minutes in (("old", 120), ("newer", 30), ("new", 0)):
        ts = f"{now_s - 60 * minutes:.6f}"
        house.slack.say(ACME_TEAM, DIRECT, ANN, text, ts=ts)
    await house.away(for_s=3 * 3600)
    await house.listen()
    await soon(house, ACME, ["hello", "root", "newer", "new"])


async def test_a_place_that_another_replica_fills_is_left_to_it(house: House) -> None:
    """Both would ask for the same, and Slack counts the calls."""
    await get_to_know(house)
    await house.hush()
    house.slack.say(ACME_TEAM, DIRECT, ANN, "one")
    house.slack.say(GLOBEX_TEAM, DIRECT, ANN, "two")
    await house.away()
    assert await house.cursors.claim(Place(ACME, SLACK, ACME_TEAM))
    await house.listen()
    await soon(house, GLOBEX, ["hello", "root", "two"])
    assert 0 == house.reads(ACME_TEAM)


async def test_one_refused_token_is_no_other_tenants_trouble(house: House) -> None:
    """Each workspace is read by its own credential."""
    await get_to_know(house)
    await house.hush()
    house.slack.say(GLOBEX_TEAM, DIRECT, ANN, "two")
    await house.slack.settled(10)
    for method in ("conversations.history", "conversations.replies"):
        house.slack.fail_next(method, ApiError("token_revoked"), times=100, team_id=ACME_TEAM)
    await house.away()
    await house.listen()
    await soon(house, GLOBEX, ["hello", "root", "two"])
    assert 1 == house.reads(ACME_TEAM)


async def test_slack_may_be_away_a_little_longer(house: House) -> None:
    """What cannot be read at once is read later."""
    await get_to_know(house)
    await house.hush()
    house.slack.say(ACME_TEAM, DIRECT, ANN, "one")
    await house.away()
    house.slack.fail_next("conversations.history", HttpStatus(503), times=3, team_id=ACME_TEAM)
    await house.listen()
    await soon(house, ACME, ["hello", "root", "one"])


async def test_a_store_that_was_away_is_a_gap_too(house: House) -> None:
    """Slack was refused all the while, and gave up; no mark could be written."""
    await get_to_know(house)
    await house.away()
    await eventually(lambda: house.reads(ACME_TEAM) >= 2)
    assert (0, ["hello", "root"]) == (house.recovered, await house.texts(ACME))
