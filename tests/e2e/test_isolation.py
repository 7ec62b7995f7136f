"""Law 8 over the wire: what an agent may try against another tenant, and what it is told.

One world for all of them. Acme attacks; Globex has a workspace of its own, and one of an
organisation that is otherwise Acme's. What is foreign and what does not exist must look the same.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from gateway.core.audit import AuditAction
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.tenants import Credential
from gateway.demo.world import Company, World, open_world
from tests.support.evidence import idle, metric, records
from tests.support.servers import new_database
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, GLOBEX, GLOBEX_TEAM, PATIENT, QUICK

pytestmark = pytest.mark.e2e

ORG, ONE, TWO = map(WorkspaceId, ("E0ORG", "T0ONE", "T0TWO"))
ANNA, BEN = "U0ANNA", "U0BEN"
HERE, THERE = f"slack:{ACME_TEAM}:C0LOBBY", f"slack:{GLOBEX_TEAM}:C0LOBBY"
VIOLATIONS = "gateway_isolation_violations_total"
NO_MESSAGE = "msg_0123456789abcdef01234567"
NO_FILE = "file_0123456789abcdef01234567"

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Voice:
    """One tenant's agent, on the wire as it is."""

    session: aiohttp.ClientSession
    url: str
    key: str = field(repr=False)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def ask(
        self, verb: str, path: str, body: object = None, *, key: str = "", auth: str = ""
    ) -> Answer:
        """Make one request; each is a new one, unless its idempotency `key` is given."""
        headers = {
            "Authorization": f"Bearer {auth or self.key}",
            "Idempotency-Key": key or f"key-{id(self)}-{next(self._numbers)}",
        }
        async with self.session.request(
            verb, self.url + path, headers=headers, json=body
        ) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await (answer.json() if is_json else answer.read())

    async def say(self, conversation: str, text: str = "psst", **more: object) -> Answer:
        """Send a message."""
        body = {"conversation": conversation, "text": text, **more}
        return await self.ask("POST", "/v1/messages", body)

    async def ended(self, message: str) -> dict[str, Any]:
        """Wait until a request has ended, one way or another."""

        async def status() -> dict[str, Any] | None:
            _, body = await self.ask("GET", f"/v1/messages/{message}")
            return None if body["status"] == "queued" else body

        return dict(await eventually(status, timeout_s=15))


@dataclass(frozen=True)
class Grid:
    """The world, and both agents in it."""

    world: World
    acme: Voice
    globex: Voice

    async def heard(self, tenant: TenantId, text: str) -> dict[str, Any]:
        """What a tenant's agent was given of this text."""

        def found() -> dict[str, Any] | None:
            bodies = [dict(each.body) for each in self.world.agents[tenant].deliveries]
            return next((each for each in bodies if each.get("text") == text), None)

        return dict(await eventually(found, timeout_s=10))

    async def violations(self) -> float:
        """How many there have been."""
        return await metric(self.world.gateway, VIOLATIONS)

    def seen(self, team: str, channel: str) -> list[str]:
        """What the bot said there."""
        return [each.text for each in self.world.slack.bot_messages(team, channel)]


@pytest.fixture(scope="module")
async def grid(redis_url: str, database_url: str) -> AsyncIterator[Grid]:
    """Two companies, an organisation of both, and one gateway."""
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
    teams = ((ACME, ACME_TEAM), (GLOBEX, GLOBEX_TEAM))
    companies = [
        Company(tenant=tenant, team=team, name=tenant, retry=QUICK, reply=lambda _: None)
        for tenant, team in teams
    ]
    async with (
        new_database(database_url) as database,
        open_world(redis_url, database, companies, rules=PATIENT) as world,
        aiohttp.ClientSession() as session,
    ):
        await _add_organisation(world)
        gateway = await world.start_gateway({"GATEWAY_SLACK_POSTS_PER_S": "100"})
        for team in (ACME_TEAM, GLOBEX_TEAM, ONE, TWO):
            world.slack.add_channel(team, "C0LOBBY")
        voices = {
            tenant: Voice(session, gateway.agent_api, world.keys[tenant]) for tenant, _ in teams
        }
        yield Grid(world, voices[ACME], voices[GLOBEX])


async def _add_organisation(world: World) -> None:
    slack, bind = world.slack, world.stores.provisioning.bind
    slack.add_team(ONE, bot_token="xoxb-org", enterprise_id=ORG, is_enterprise_install=True)
    slack.add_team(TWO, enterprise_id=ORG)
    slack.add_channel(ONE, "C01")
    slack.add_channel(TWO, "C02")
    slack.share_channel("C012", ONE, TWO)
    await bind(ACME, Platform.SLACK, ORG, Credential(bot_token="xoxb-org"))
    await bind(GLOBEX, Platform.SLACK, TWO, Credential(bot_token=f"xoxb-{TWO}"))


def _requests(conversation: str) -> list[tuple[str, str, object]]:
    """Every way to act in a conversation that the agent names itself."""
    there = {"conversation": conversation}
    ts = "1700000000.000100"
    return [
        ("POST", "/v1/messages", {**there, "text": "psst"}),
        ("POST", "/v1/messages", {**there, "text": "psst", "visible_to": ANNA}),
        ("POST", "/v1/messages", {**there, "text": "psst", "reply_to": ts}),
        ("POST", "/v1/messages", {**there, "raw": {"blocks": [{"type": "divider"}]}}),
        ("POST", "/v1/streams", {**there, "recipient": ANNA}),
        ("POST", "/v1/typing", there),
        ("POST", "/v1/typing", {**there, "for_s": 0}),
        ("POST", f"/v1/messages/{ts}/reactions", {**there, "emoji": "eyes"}),
        ("DELETE", f"/v1/messages/{ts}/reactions?emoji=eyes&conversation={conversation}", None),
    ]


@pytest.mark.parametrize("number", range(len(_requests(""))))
@pytest.mark.parametrize(
    ("foreign", "absent"),
    [
        (THERE, "slack:T0NOBODY:C0LOBBY"),
        (f"{THERE}:1700000000.000100", "slack:T0NOBODY:C0LOBBY:1700000000.000100"),
        (f"slack:{TWO}:C02", "slack:T0NOBODY:C02"),
        (f"slack:{ORG}:C02", f"slack:{ORG}:C0NOWHERE"),
        (f"slack:{ORG}:C012", f"slack:{ORG}:C0NOWHERE"),
    ],
)
async def test_conversations_of_others_do_not_exist(
    grid: Grid, number: int, foreign: str, absent: str
) -> None:
    """However they are acted in; only the operator learns that there was more to it."""
    before, asked = await grid.violations(), len(grid.world.slack.requests)
    told = await grid.acme.ask(*_requests(foreign)[number])
    again = await grid.violations()
    control = await grid.acme.ask(*_requests(absent)[number])

    assert (404, "unknown_conversation") == (told[0], told[1]["error"]["code"])
    assert told == control
    assert (before + 1, before + 1) == (again, await grid.violations())
    methods = [each.method for each in grid.world.slack.requests[asked:]]
    assert {"conversations.info"} >= {*methods}


async def test_a_violation_is_on_record(grid: Grid) -> None:
    """With the tenant that tried, and the place."""
    there = f"slack:{ORG}:C02:1700000000.000777"
    await grid.acme.say(there)
    tried = [
        (each.tenant, each.workspace, each.outcome)
        for each in await records(grid.world)
        if each.action is AuditAction.ISOLATION_VIOLATION and each.conversation == there
    ]

    assert [(ACME, ORG, "refused")] == tried


@pytest.mark.parametrize(
    ("foreign", "absent"),
    [
        ({"workspace": GLOBEX_TEAM, "user": ANNA}, {"workspace": "T0NOBODY", "user": ANNA}),
        ({"workspace": GLOBEX_TEAM, "channel": "C0LOBBY"}, {"workspace": ACME_TEAM, "user": "U0"}),
        ({"workspace": TWO, "user": BEN}, {"workspace": "T0NOBODY", "user": BEN}),
        ({"workspace": ORG, "user": BEN}, {"workspace": ORG, "user": "U0NOBODY"}),
        ({"workspace": ORG, "channel": "C02"}, {"workspace": ORG, "channel": "C0NOWHERE"}),
        ({"workspace": ORG, "channel": "C012"}, {"workspace": ORG, "channel": "C0NOWHERE"}),
        ({"workspace": ACME_TEAM, "channel": "C02"}, {"workspace": ACME_TEAM, "channel": "C09"}),
        ({"workspace": ACME_TEAM, "channel": "#c02"}, {"workspace": ACME_TEAM, "channel": "#c09"}),
        ({"workspace": ACME_TEAM, "user": BEN}, {"workspace": ACME_TEAM, "user": "U0NOBODY"}),
        ({"workspace": ACME_TEAM, "user": f"{ANNA},{BEN}"}, {"workspace": ACME_TEAM, "user": "#"}),
    ],
)
async def test_nobody_is_spoken_to_first_in_workspaces_of_others(
    grid: Grid, foreign: dict[str, str], absent: dict[str, str]
) -> None:
    """By their ids, by names, through the token of their organisation."""
    grid.world.slack.add_user(TWO, BEN)
    grid.world.slack.add_user(ACME_TEAM, ANNA)
    told, control = [
        await grid.acme.ask(
            "POST", "/v1/messages", {"to": {"platform": "slack", **to}, "text": "?"}
        )
        for to in (foreign, absent)
    ]

    assert (404, "unknown_target") == (told[0], told[1]["error"]["code"])
    assert told == control


async def test_an_organisations_own_are_spoken_to(grid: Grid) -> None:
    """What keeps its other tenants apart takes nothing from it: channels, people, answers."""
    slack = grid.world.slack
    slack.add_user(ONE, "U0CLEO")
    slack.say(ONE, "C012", ANNA, "in a shared channel", mention=True)
    heard = await grid.heard(ACME, "in a shared channel")
    tos = [{"workspace": ORG, "channel": "C01"}, {"workspace": ORG, "user": "U0CLEO"}]
    answers = [
        await grid.acme.say(f"slack:{ORG}:C01", "by its id"),
        await grid.acme.say(heard["conversation"]["id"], "an answer"),
        *[
            await grid.acme.ask(
                "POST", "/v1/messages", {"to": {"platform": "slack", **to}, "text": "first"}
            )
            for to in tos
        ],
    ]
    assert 4 * [202] == [status for status, _ in answers], answers
    ends = [(await grid.acme.ended(body["id"]))["status"] for _, body in answers]

    assert 4 * ["sent"] == ends
    assert ["by its id", "first"] == grid.seen(ONE, "C01")
    assert ["an answer"] == grid.seen(ONE, "C012")
    assert f"slack:{ORG}:C012" == ":".join(heard["conversation"]["id"].split(":")[:3])


@dataclass(frozen=True)
class Loot:
    """What is Globex's, by the ids under which its own agent knows it."""

    message: str
    stream: str
    file: str
    attachment: str
    token: str
    conversation: str


@pytest.fixture(scope="module")
async def loot(grid: Grid) -> Loot:
    """One of each."""
    slack = grid.world.slack
    slack.share_file(GLOBEX_TEAM, "D0BEN", BEN, "plan.txt", b"the secret plan", text="our plan")
    heard = await grid.heard(GLOBEX, "our plan")
    place = heard["conversation"]["id"]
    _, message = await grid.globex.say(place, "ours")
    _, stream = await grid.globex.ask("POST", "/v1/streams", {"conversation": place})
    _, file = await grid.globex.ask("POST", "/v1/files?name=a.txt", "the secret file")
    assert "sent" == (await grid.globex.ended(message["id"]))["status"]
    return Loot(
        message=message["id"],
        stream=stream["id"],
        file=file["id"],
        attachment=heard["attachments"][0]["id"],
        token=heard["reply_token"],
        conversation=place,
    )


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("GET", "/v1/messages/{}", None),
        ("PATCH", "/v1/messages/{}", {"text": "changed"}),
        ("DELETE", "/v1/messages/{}", None),
        ("POST", "/v1/messages/{}/reactions", {"emoji": "eyes"}),
        ("POST", "/v1/messages/{}/reactions", {"emoji": "eyes", "conversation": HERE}),
        ("DELETE", "/v1/messages/{}/reactions?emoji=eyes", None),
        ("POST", "/v1/streams/{}/append", {"text": "injected"}),
        ("POST", "/v1/streams/{}/finish", {"text": "the end"}),
        ("POST", "/v1/streams/{}/abort", {}),
    ],
)
async def test_messages_and_streams_of_others_do_not_exist(
    grid: Grid, loot: Loot, verb: str, path: str, body: object
) -> None:
    """Their ids are no secret that anything hangs on; and the owner's stay as they were."""
    control = await grid.acme.ask(verb, path.format(NO_MESSAGE), body)
    for stolen in (loot.message, loot.stream):
        assert control == await grid.acme.ask(verb, path.format(stolen), body)

    assert (404, "unknown_message") == (control[0], control[1]["error"]["code"])
    assert (await grid.globex.ask("GET", f"/v1/messages/{loot.message}"))[1]["status"] == "sent"
    grown = await grid.globex.ask("POST", f"/v1/streams/{loot.stream}/append", {"text": "mine"})
    assert (200, 4) == (grown[0], grown[1]["length"])


async def test_files_of_others_do_not_exist(grid: Grid, loot: Loot) -> None:
    """Neither to fetch nor to send: not those they brought, not what people gave them."""
    absent = await grid.acme.ask("GET", f"/v1/files/{NO_FILE}")
    tampered = loot.attachment[:-6] + "AAAAAA"
    for stolen in (loot.file, loot.attachment, tampered, "att_AAAA"):
        assert absent == await grid.acme.ask("GET", f"/v1/files/{stolen}")
    unsent = await grid.acme.say(HERE, files=[NO_FILE])
    for stolen in (loot.file, loot.attachment):
        assert unsent == await grid.acme.say(HERE, files=[stolen])

    assert (404, "unknown_file") == (absent[0], absent[1]["error"]["code"])
    assert (404, "unknown_file") == (unsent[0], unsent[1]["error"]["code"])
    assert (200, b"the secret plan") == await grid.globex.ask("GET", f"/v1/files/{loot.attachment}")


async def test_a_reply_token_of_others_opens_their_conversation_and_nothing_else(
    grid: Grid, loot: Loot
) -> None:
    """Whoever holds it is that tenant there, and nobody anywhere else."""
    own = await grid.acme.ask("GET", f"/v1/messages/{loot.message}", auth=loot.token)
    away = await grid.acme.ask(
        "POST", "/v1/messages", {"conversation": HERE, "text": "psst"}, auth=loot.token
    )
    to = {"platform": "slack", "workspace": GLOBEX_TEAM, "user": BEN}
    first = await grid.acme.ask("POST", "/v1/messages", {"to": to, "text": "?"}, auth=loot.token)
    other = await grid.acme.ask(
        "POST",
        f"/v1/messages/{NO_MESSAGE}/reactions",
        {"conversation": loot.conversation, "emoji": "eyes"},
        auth=loot.token,
    )

    assert 200 == own[0]
    assert 2 * [(403, "out_of_scope")] == [(a[0], a[1]["error"]["code"]) for a in (away, first)]
    assert (404, "unknown_message") == (other[0], other[1]["error"]["code"])


async def test_a_tampered_reply_token_is_no_key(grid: Grid, loot: Loot) -> None:
    """Nor one whose tenant, conversation or end was rewritten, nor a piece of one."""
    raw = base64.urlsafe_b64decode(loot.token[4:] + "=" * (-len(loot.token[4:]) % 4))
    later = raw[:16] + (2**40).to_bytes(8, "big") + raw[24:]
    forged = [
        raw.replace(b"globex", b"acme"),
        raw.replace(GLOBEX_TEAM.encode(), ACME_TEAM.encode()),
        later,
        bytes(16) + raw[16:],
        raw[16:],
        raw + b"x",
    ]
    tokens = ["cgr_" + base64.urlsafe_b64encode(each).decode().rstrip("=") for each in forged]
    tokens += [loot.token[:-1], loot.token + "A", "cgr_", loot.token.replace("cgr_", "cgk_")]
    body = {"conversation": loot.conversation, "text": "psst"}
    answers = [await grid.acme.ask("POST", "/v1/messages", body, auth=each) for each in tokens]

    assert len(tokens) * [401] == [status for status, _ in answers]
    assert 1 == len({str(told) for _, told in answers})


async def test_one_key_of_two_tenants_is_two_keys(grid: Grid) -> None:
    """An idempotency key is no way to another's answer, nor does it eat another's request."""
    answers = [
        await voice.ask("POST", "/v1/messages", {"conversation": place, "text": "hi"}, key="same")
        for voice, place in ((grid.globex, THERE), (grid.acme, HERE), (grid.acme, HERE))
    ]
    files = [
        await voice.ask("POST", "/v1/files?name=a.txt", "bytes", key="same-file")
        for voice in (grid.globex, grid.acme)
    ]

    assert [202, 202, 202] == [status for status, _ in answers]
    assert [THERE, HERE, HERE] == [body["conversation"] for _, body in answers]
    assert 2 == len({body["id"] for _, body in answers})
    assert answers[1] == answers[2]
    assert 2 == len({body["id"] for _, body in files})


@pytest.mark.parametrize(
    "raw",
    [
        {"channel": "C02"},
        {"channel_id": "C02"},
        {"thread_ts": "1700000000.000100"},
        {"token": "xoxb-T0GLOBEX"},
        {"team_id": GLOBEX_TEAM},
        {"user": BEN},
        {"metadata": {"event_type": "channel_gateway_message", "event_payload": {}}},
        {"as_user": True},
        {"blocks": {"channel": "C02"}},
        {"blocks": [], "channel": "C02"},
        {"unfurl_links": "C02"},
        {"BLOCKS": []},
    ],
)
async def test_a_raw_payload_says_nothing_of_where_it_goes(
    grid: Grid, raw: dict[str, object]
) -> None:
    """What it may hold is listed; all else is refused before the platform is asked."""
    asked = len(grid.world.slack.requests)
    _, body = await grid.acme.say(HERE, raw=raw)
    end = await grid.acme.ended(body["id"])

    assert ("failed", "platform_rejected") == (end["status"], end["reason"])
    assert f"raw.{next(reversed(raw))}" in end["detail"]
    sent = [each.method for each in grid.world.slack.requests[asked:]]
    assert "chat.postMessage" not in sent


async def test_what_is_nested_in_a_raw_payload_stays_inside_the_message(grid: Grid) -> None:
    """Keys of the call mean nothing in a block."""
    text = {"type": "plain_text", "text": "nested"}
    block = {"type": "section", "text": text, "channel": "C02", "token": "xoxb-T0GLOBEX"}
    attachment = {"text": "x", "channel": "C02", "team_id": GLOBEX_TEAM}
    _, body = await grid.acme.say(
        HERE, "nested", raw={"blocks": [block], "attachments": [attachment]}
    )
    await grid.acme.ended(body["id"])

    for team in (GLOBEX_TEAM, TWO, ONE):
        for channel in ("C0LOBBY", "C02"):
            assert "nested" not in grid.seen(team, channel)


async def test_an_answer_to_a_message_elsewhere_stands_where_it_was_sent(
    grid: Grid, loot: Loot
) -> None:
    """`reply_to` finds no thread of another conversation, whose ever it is."""
    slack = grid.world.slack
    slack.add_channel(ACME_TEAM, "C0ASIDE")
    _, aside = await grid.acme.say(f"slack:{ACME_TEAM}:C0ASIDE", "aside")
    await grid.acme.ended(aside["id"])
    for answered in (loot.message, aside["id"], NO_MESSAGE):
        _, body = await grid.acme.say(HERE, f"to {answered}", reply_to=answered)
        assert "sent" == (await grid.acme.ended(body["id"]))["status"]
        [posted] = [
            each
            for each in slack.bot_messages(ACME_TEAM, "C0LOBBY")
            if each.text == f"to {answered}".replace("_", "_")
        ]
        assert posted.thread_ts is None


@pytest.mark.parametrize(
    "conversation",
    [
        f"slack:{GLOBEX_TEAM}:%430LOBBY",
        "slack:%540GLOBEX:C0LOBBY",
        f"slack%3A{GLOBEX_TEAM}:C0LOBBY",
        f"SLACK:{GLOBEX_TEAM}:C0LOBBY",
        f"slack:{GLOBEX_TEAM.lower()}:C0LOBBY",
        f" slack:{GLOBEX_TEAM}:C0LOBBY",
        f"slack:{GLOBEX_TEAM}:C0LOBBY ",
        f"slack:{GLOBEX_TEAM}:C0LOBBY:",
        f"slack::{GLOBEX_TEAM}:C0LOBBY",
        f"slack:{ACME_TEAM}:{GLOBEX_TEAM}:C0LOBBY:1",
        f"slack:{ACME_TEAM}/../{GLOBEX_TEAM}:C0LOBBY",
        f"slack:{ACME_TEAM}\u0000:C0LOBBY",
        f"slack:{ACME_TEAM}\x1fC0LOBBY:C0LOBBY",
        f"slack:{ACME_TEAM}%1F:C0LOBBY",
        f"slack:{ACME_TEAM}\u200b:C0LOBBY",
        "slack:\uff340GLOBEX:C0LOBBY",
        "slack:%FF%FE:C0LOBBY",
        "slack:%ED%A0%80:C0LOBBY",
        f"teams:{GLOBEX_TEAM}:C0LOBBY",
        f"slack:{ACME_TEAM}\r\nX:C0LOBBY",
        "slack:*:C0LOBBY",
        ":::",
        "🦊" * 500,
    ],
)
async def test_only_the_canonical_text_of_an_id_names_a_conversation(
    grid: Grid, conversation: str
) -> None:
    """Everything else is nowhere; none of it is a violation, for it names nobody's workspace."""
    before = await grid.violations()
    told = await grid.acme.say(conversation)

    assert (404, "unknown_conversation") == (told[0], told[1]["error"]["code"])
    assert before == await grid.violations()


@pytest.mark.parametrize(
    "channel",
    [
        "C02",
        "C0LOBBY%2CC02",
        "%00",
        "C0LOBBY%00",
        "%23lobby",
        "..%2FC0LOBBY",
        "%F0%9F%A6%8A",
        "x" * 400,
    ],
)
@pytest.mark.parametrize("workspace", [ACME_TEAM, ORG])
async def test_odd_channels_of_own_workspaces_lead_nowhere(
    grid: Grid, workspace: str, channel: str
) -> None:
    """Refused at once or by the platform; nothing is said in a channel that it names in part."""
    status, body = await grid.acme.say(f"slack:{workspace}:{channel}", "odd one")
    end = await grid.acme.ended(body["id"]) if status == 202 else {"status": "failed"}

    assert (status in {202, 404}, "failed") == (True, end["status"])
    for team in (ACME_TEAM, GLOBEX_TEAM, ONE, TWO):
        for each in ("C0LOBBY", "C02"):
            assert "odd one" not in grid.seen(team, each)


@pytest.mark.parametrize(
    "odd",
    ["%00", "%F0%9F%A6%8A", "..%2F..%2Fopenapi.json", "*", "msg_%0A", "a" * 7_000, "%ED%A0%80"],
)
@pytest.mark.parametrize("path", ["/v1/messages/{}", "/v1/files/{}"])
async def test_odd_ids_in_paths_are_unknown(grid: Grid, path: str, odd: str) -> None:
    """Never a fault of ours, whatever they hold."""
    status, body = await grid.acme.ask("GET", path.format(odd))

    assert 404 == status
    assert body["error"]["code"] in {"unknown_message", "unknown_file"}


@pytest.mark.parametrize("size", [70_000, 600_000])
async def test_ids_without_end_are_refused(grid: Grid, size: int) -> None:
    """By their length, before anything is looked up."""
    endless = "C" * size
    for body in (
        {"conversation": f"slack:{GLOBEX_TEAM}:{endless}", "text": "psst"},
        {"conversation": HERE, "text": "psst", "reply_to": endless},
        {"conversation": HERE, "text": "psst", "visible_to": endless},
        {"conversation": HERE, "text": "psst", "files": [f"file_{endless}"]},
        {"to": {"platform": "slack", "workspace": endless, "user": ANNA}, "text": "psst"},
        {"to": {"platform": "slack", "workspace": ACME_TEAM, "channel": endless}, "text": "psst"},
    ):
        status, told = await grid.acme.ask("POST", "/v1/messages", body)
        assert (413 if size > 512 * 1024 else 400) == status
        assert GLOBEX_TEAM not in str(told)
    path = await grid.acme.ask("GET", f"/v1/messages/{endless[:70_000]}")
    assert 400 == path[0]


async def test_a_message_for_one_person_goes_to_nobody_elsewhere(grid: Grid) -> None:
    """`visible_to` names somebody of this conversation, or it is refused."""
    grid.world.slack.add_user(GLOBEX_TEAM, "U0DORA")
    for user in ("U0DORA", f"{ANNA},U0DORA", "C02"):
        _, body = await grid.acme.say(HERE, "whisper", visible_to=user)
        assert "failed" == (await grid.acme.ended(body["id"]))["status"]
    shown = [
        each
        for team in (ACME_TEAM, GLOBEX_TEAM, TWO)
        for each in grid.world.slack.ephemerals(team, "C0LOBBY")
    ]
    assert [] == shown


async def test_a_workspace_that_changes_hands_takes_nothing_along(grid: Grid) -> None:
    """Between the begin of a stream and its end, between a message and its change: what the former
    tenant holds of it opens nothing any more, and the new one finds a clean place.
    """
    slack, provisioning = grid.world.slack, grid.world.stores.provisioning
    team = WorkspaceId("T0SOLD")
    slack.add_team(team)
    await provisioning.bind(ACME, Platform.SLACK, team, Credential(bot_token=f"xoxb-{team}"))
    slack.share_file(team, "D0ANNA", ANNA, "old.txt", b"old", text="before the sale")
    heard = await grid.heard(ACME, "before the sale")
    place, token = heard["conversation"]["id"], heard["reply_token"]
    _, message = await grid.acme.say(place, "of acme")
    _, stream = await grid.acme.ask("POST", "/v1/streams", {"conversation": place})
    await grid.acme.ended(message["id"])
    await eventually(lambda: len(grid.seen(team, "D0ANNA")) == 2, timeout_s=10)
    before = await grid.violations()

    await provisioning.unbind(Platform.SLACK, team)
    await provisioning.bind(GLOBEX, Platform.SLACK, team, Credential(bot_token=f"xoxb-{team}"))
    seen = grid.seen(team, "D0ANNA")
    path, file = f"/v1/streams/{stream['id']}", heard["attachments"][0]["id"]
    answers = [
        await grid.acme.say(place),
        await grid.acme.ask(
            "POST", "/v1/messages", {"conversation": place, "text": "?"}, auth=token
        ),
        await grid.acme.ask("PATCH", f"/v1/messages/{message['id']}", {"text": "changed"}),
        await grid.acme.ask("DELETE", f"/v1/messages/{message['id']}"),
        await grid.acme.ask("POST", f"/v1/messages/{message['id']}/reactions", {"emoji": "eyes"}),
        await grid.acme.ask("POST", f"{path}/finish", {"text": "the end"}),
        await grid.acme.ask("POST", f"{path}/abort", {}),
        await grid.acme.ask("POST", "/v1/typing", {"conversation": place}),
    ]
    grown = await grid.acme.ask("POST", f"{path}/append", {"text": "after the sale"})
    gone = await grid.acme.ask("GET", f"/v1/files/{file}")
    absent = await grid.acme.ask("GET", f"/v1/files/{NO_FILE}")

    assert 8 * [(404, "unknown_conversation")] == [(a[0], a[1]["error"]["code"]) for a in answers]
    assert absent == gone
    assert grown[0] in {200, 404}
    await eventually(lambda: idle(grid.world), timeout_s=15)
    assert seen == grid.seen(team, "D0ANNA")
    assert before + 9 <= await grid.violations()
    _, hello = await grid.globex.say(place, "of globex")
    assert "sent" == (await grid.globex.ended(hello["id"]))["status"]


async def test_nothing_of_all_this_reached_the_other_tenant(grid: Grid) -> None:
    """What was said in Globex's workspaces, Globex said; what its agent was given was its own."""
    await eventually(lambda: idle(grid.world), timeout_s=15)
    theirs = {
        each
        for team in (GLOBEX_TEAM, TWO)
        for channel in ("C0LOBBY", "C02", "D0BEN")
        for each in grid.seen(team, channel)
    }
    heard = [each.body["tenant"] for each in grid.world.agents[GLOBEX].deliveries]

    assert {"ours", "hi", "mine"} >= theirs
    assert {"globex"} == set(heard)


async def test_a_suspended_tenants_agent_says_nothing(grid: Grid) -> None:
    """What it asks for waits, and what is not its own is as unknown as ever. The last test here:
    what waits does so for half a minute.
    """
    provisioning = grid.world.stores.provisioning
    grid.world.slack.add_channel(ACME_TEAM, "C0QUIET")
    place = f"slack:{ACME_TEAM}:C0QUIET"
    await provisioning.suspend(ACME)
    try:
        status, waiting = await grid.acme.say(place, "later")
        foreign = await grid.acme.say(THERE)
        typing = await grid.acme.ask("POST", "/v1/typing", {"conversation": f"{place}:1.000001"})
        to = {"platform": "slack", "workspace": ACME_TEAM, "user": ANNA}
        first = await grid.acme.ask("POST", "/v1/messages", {"to": to, "text": "?"})

        async def deferred() -> bool:
            _, told = await grid.acme.ask("GET", f"/v1/messages/{waiting['id']}")
            return bool(told["status"] == "queued")

        assert await deferred()
        assert [] == grid.seen(ACME_TEAM, "C0QUIET")
        assert (202, 404, 200, 503) == (status, foreign[0], typing[0], first[0])
        assert [] == [each for each in grid.world.slack.statuses if each.thread_ts == "1.000001"]
    finally:
        await provisioning.resume(ACME)
