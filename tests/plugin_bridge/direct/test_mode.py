"""One attempt without a plugin, on the wire of OpenClaw's own HTTP surface."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import pytest

from gateway.core.decisions import Routed
from gateway.core.deliveries import (
    Delivered,
    Delivery,
    Direction,
    Outcome,
    Permanent,
    Reason,
    Retryable,
)
from gateway.core.errors import QueueFullError, StoreError
from gateway.core.events import EventKind
from gateway.core.ids import AgentId, ConversationId, DeliveryId, TenantId
from gateway.core.tenants import DirectRoad, Endpoint, Fallback, Mode, Surface, TenantStatus
from gateway.sandbox.agent import Answer, Hang, Reset
from gateway.sandbox.openclaw import CHAT, RESPONSES, OpenClawSandbox
from gateway.sandbox.openclaw_bodies import Fail
from plugin_bridge.bridge import Bridge
from plugin_bridge.direct.mode import NO_TURN, DirectMode
from plugin_bridge.opening import open_transport
from plugin_bridge.wire import encode, encode_remembered
from tests.routing.factories import binding, event

TOKEN = "gateway-token-of-acme"
BOTH = pytest.mark.parametrize("surface", list(Surface))


def delivery(payload: bytes | None = None, **fields: object) -> Delivery:
    """A mention, on its way for the first time."""
    routed = Routed(binding=binding(), agent=AgentId("main"), event=event(), trail=())
    made = Delivery(
        id=DeliveryId("dlv_0a"),
        tenant=TenantId("acme"),
        direction=Direction.INBOUND,
        conversation=ConversationId("slack:T0AAAA:C0AAAA"),
        payload=encode(routed) if payload is None else payload,
        attempt=1,
        uncertain=False,
        accepted_at_ms=0,
        entry="1-0",
    )
    return msgspec.structs.replace(made, **fields)


@dataclass
class Answers:
    """Where answers go; breaks as often as it is told to."""

    taken: list[tuple[str, list[str]]] = field(default_factory=list)
    refusal: str | None = None
    faults: list[Exception] = field(default_factory=list)

    async def __call__(self, delivery: Delivery, texts: Sequence[str]) -> str | None:
        if self.faults:
            raise self.faults.pop(0)
        self.taken.append((delivery.id, list(texts)))
        return self.refusal


@dataclass
class Stage:
    """A container, and what speaks to it."""

    openclaw: OpenClawSandbox
    mode: DirectMode
    answers: Answers

    def endpoint(self, surface: Surface = Surface.RESPONSES, **road: object) -> Endpoint:
        """The tenant's endpoint, in direct mode."""
        direct = DirectRoad(url=self.openclaw.url, surface=surface)
        return Endpoint(
            tenant=TenantId("acme"),
            status=TenantStatus.ACTIVE,
            url="http://127.0.0.1:1/aegis/v1/events",
            sealed_secrets=("sealed whsec_MTIzMTIzMTIzMTIz",),
            mode=Mode.DIRECT,
            direct=msgspec.structs.replace(direct, **road),
            sealed_direct_token=f"sealed {TOKEN}",
        )

    async def attempt(self, surface: Surface = Surface.RESPONSES, **road: object) -> Outcome:
        """Attempt the mention."""
        return await self.mode.attempt(delivery(), self.endpoint(surface, **road))


def opened(sealed: str) -> str:
    """Open a sealed token."""
    return sealed.removeprefix("sealed ")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A container with both surfaces on."""
    answers = Answers()
    async with OpenClawSandbox(token=TOKEN) as openclaw, open_transport(per_host=4) as transport:
        mode = DirectMode(transport, opened, answers, store_patience_s=0.0)
        yield Stage(openclaw, mode, answers)


@BOTH
async def test_a_turn_is_run_and_its_answer_is_the_delivery_s(
    stage: Stage, surface: Surface
) -> None:
    """By the agent's name, in the conversation's session, as an owner with no more than writing."""
    assert Delivered(receipt="direct 200") == await stage.attempt(surface)

    [turn] = stage.openclaw.turns
    assert ("main", "anna (U0ANNA): hello") == (turn.agent, turn.message)
    assert turn.session.startswith("agent:main:aegis-http:slack:")
    assert "slack" in turn.instructions
    assert "operator.write" == turn.headers["x-openclaw-scopes"]
    assert [("dlv_0a", ["**main** heard: anna (U0ANNA): hello"])] == stage.answers.taken


@BOTH
async def test_the_talk_before_comes_as_context(stage: Stage, surface: Surface) -> None:
    """It is no question of its own."""
    line = encode_remembered(event(text="earlier"))
    payload = delivery().payload[:-1] + b',"history":[' + line + b"]}"

    await stage.mode.attempt(delivery(payload), stage.endpoint(surface))

    [turn] = stage.openclaw.turns
    assert (("user", "anna (U0ANNA): earlier"),) == turn.earlier
    assert "anna (U0ANNA): hello" == turn.message


@BOTH
async def test_silence_is_no_answer(surface: Surface) -> None:
    """What OpenClaw says in its place is not for people."""
    answers = Answers()
    async with (
        OpenClawSandbox(token=TOKEN, say=lambda _turn: "") as openclaw,
        open_transport(per_host=4) as transport,
    ):
        silent = Stage(openclaw, DirectMode(transport, opened, answers), answers)
        outcome = await silent.attempt(surface)

    assert Delivered(receipt="direct 200; the agent said nothing") == outcome
    assert [] == answers.taken


async def test_what_is_no_turn_is_settled_with_a_note(stage: Stage) -> None:
    """Nobody is asked; nothing is tried again."""
    routed = Routed(
        binding=binding(),
        agent=AgentId("main"),
        event=event(kind=EventKind.MESSAGE_DELETED),
        trail=(),
    )

    outcome = await stage.mode.attempt(delivery(encode(routed)), stage.endpoint())

    assert Delivered(receipt=NO_TURN) == outcome
    assert [] == stage.openclaw.turns


@pytest.mark.parametrize(
    ("answer", "reason", "after_s"),
    [
        (Answer(429, retry_after_s=7), Reason.AGENT_BUSY, 7.0),
        (Answer(503, retry_after_s=1), Reason.AGENT_BUSY, 1.0),
        (Answer(408), Reason.AGENT_ERROR, None),
    ],
)
async def test_what_was_not_begun_is_tried_again(
    stage: Stage, answer: Answer, reason: Reason, after_s: float | None
) -> None:
    """When the container asks for it."""
    stage.openclaw.fail_next(answer)

    outcome = await stage.attempt()

    assert isinstance(outcome, Retryable)
    assert (reason, after_s, False) == (outcome.reason, outcome.after_s, outcome.uncertain)


async def test_a_container_that_is_down_is_tried_again(stage: Stage, unused_tcp_port: int) -> None:
    """It certainly has nothing."""
    outcome = await stage.attempt(url=f"http://127.0.0.1:{unused_tcp_port}")

    assert isinstance(outcome, Retryable)
    assert (Reason.AGENT_UNREACHABLE, False) == (outcome.reason, outcome.uncertain)


@BOTH
async def test_a_wrong_token_is_tried_again_and_named(stage: Stage, surface: Surface) -> None:
    """Mended by whoever set it, and no message is lost until then."""
    stage.openclaw.token = "another"

    outcome = await stage.attempt(surface)

    assert isinstance(outcome, Retryable)
    assert Reason.AGENT_ERROR is outcome.reason
    assert "HTTP 401: Unauthorized" in outcome.detail
    assert "gateway.auth.token" in outcome.detail
    assert TOKEN not in outcome.detail


@pytest.mark.parametrize(
    ("surface", "on", "setting"),
    [
        (Surface.RESPONSES, CHAT, "gateway.http.endpoints.responses.enabled"),
        (Surface.CHAT, RESPONSES, "gateway.http.endpoints.chatCompletions.enabled"),
    ],
)
async def test_a_surface_that_is_off_is_named(
    stage: Stage, surface: Surface, on: str, setting: str
) -> None:
    """With the setting that turns it on: off is how OpenClaw comes."""
    stage.openclaw.surfaces = {on}

    outcome = await stage.attempt(surface)

    assert isinstance(outcome, Retryable)
    assert setting in outcome.detail


async def test_an_agent_that_the_container_does_not_know_is_permanent(stage: Stage) -> None:
    """With the container's own words."""
    outcome = await stage.attempt(agent=AgentId("nobody"))

    expected = Permanent(reason=Reason.AGENT_REJECTED, detail="HTTP 400: Unknown agent 'nobody'.")
    assert expected == outcome


@BOTH
@pytest.mark.parametrize("fail", [Fail(), Fail(429, "rate_limit_error"), Fail(502)])
async def test_a_turn_that_failed_is_not_run_again(
    stage: Stage, surface: Surface, fail: Fail
) -> None:
    """The agent was at work: what it did with its tools is done. A 429 of its model's is no 429 of
    the container's.
    """
    stage.openclaw.fail_next(fail)

    outcome = await stage.attempt(surface)

    expected = f"HTTP {fail.status}: upstream provider error (the turn failed)"
    assert Permanent(reason=Reason.AGENT_ERROR, detail=expected) == outcome


@pytest.mark.parametrize(
    "fault", [Reset(), Reset(after_accepting=True), Answer(502), Answer(504), Answer(204)]
)
async def test_an_answer_that_is_lost_leaves_the_outcome_unknown(
    stage: Stage, fault: Answer | Reset
) -> None:
    """A connection that broke, a proxy in between: the turn may have been run."""
    stage.openclaw.fail_next(fault)

    outcome = await stage.attempt()

    assert isinstance(outcome, Permanent)
    assert Reason.OUTCOME_UNKNOWN is outcome.reason


async def test_a_turn_that_takes_too_long_leaves_the_outcome_unknown(stage: Stage) -> None:
    """By its own limit, not the plugin's."""
    stage.openclaw.fail_next(Hang(30.0))

    outcome = await stage.attempt(timeout_s=0.1)

    assert Permanent(reason=Reason.OUTCOME_UNKNOWN, detail="no answer in 0.1 s") == outcome
    assert [] == stage.answers.taken


async def test_what_is_in_doubt_is_not_run_again(stage: Stage) -> None:
    """The gateway was killed in mid-turn, or the plugin may have it in its inbox."""
    again = delivery(attempt=2, uncertain=True)

    outcome = await stage.mode.attempt(again, stage.endpoint())

    assert isinstance(outcome, Permanent)
    assert Reason.OUTCOME_UNKNOWN is outcome.reason
    assert [] == stage.openclaw.turns


async def test_what_an_operator_replays_is_run(stage: Stage) -> None:
    """It is in doubt before its first attempt: that is what a replayed dead letter looks like."""
    replayed = delivery(attempt=1, uncertain=True)

    assert Delivered(receipt="direct 200") == await stage.mode.attempt(replayed, stage.endpoint())
    assert 1 == len(stage.openclaw.turns)


@pytest.mark.parametrize("fault", [StoreError("Redis: away"), QueueFullError("the queue is full")])
async def test_an_answer_is_held_until_it_can_be_stored(stage: Stage, fault: Exception) -> None:
    """It cannot be asked for again."""
    stage.answers.faults = [fault, fault]
    async with open_transport(per_host=1) as transport:
        patient = DirectMode(transport, opened, stage.answers)
        outcome = await patient.attempt(delivery(), stage.endpoint())

    assert Delivered(receipt="direct 200") == outcome
    assert 1 == len(stage.answers.taken)
    assert 1 == len(stage.openclaw.turns)


async def test_an_answer_that_cannot_be_stored_makes_no_second_turn(stage: Stage) -> None:
    """An operator is told instead."""
    stage.answers.faults = [StoreError("Redis: away")]

    outcome = await stage.attempt()

    assert isinstance(outcome, Permanent)
    assert Reason.OUTCOME_UNKNOWN is outcome.reason
    assert "could not be stored" in outcome.detail


async def test_a_refused_answer_is_on_record(stage: Stage) -> None:
    """The conversation may have changed hands meanwhile."""
    stage.answers.refusal = "answer 1: unknown_conversation"

    outcome = await stage.attempt()

    assert "direct 200; answers refused: answer 1: unknown_conversation" == _receipt(outcome)


async def test_without_a_direct_url_there_is_no_way(stage: Stage) -> None:
    """Said as such, and to no container."""
    endpoint = msgspec.structs.replace(stage.endpoint(), direct=None)

    outcome = await stage.mode.attempt(delivery(), endpoint)

    assert isinstance(outcome, Permanent)
    assert Reason.ENDPOINT_MISSING is outcome.reason


async def test_without_a_token_none_is_sent(stage: Stage) -> None:
    """OpenClaw on a private network can do without."""
    endpoint = msgspec.structs.replace(stage.endpoint(), sealed_direct_token=None)

    outcome = await stage.mode.attempt(delivery(), endpoint)

    assert isinstance(outcome, Retryable)
    assert [401] == stage.openclaw.refused


def _receipt(outcome: Outcome) -> str:
    assert isinstance(outcome, Delivered)
    return outcome.receipt


Change = Callable[[Endpoint], Endpoint]


def _fallen(endpoint: Endpoint) -> Endpoint:
    fallback = Fallback(since_ms=1, why="HTTP 404")
    return msgspec.structs.replace(endpoint, mode=Mode.AUTO, fallback=fallback)


@pytest.mark.parametrize(
    ("change", "turns"),
    [
        (lambda endpoint: endpoint, 1),
        (_fallen, 1),
        (lambda endpoint: msgspec.structs.replace(endpoint, mode=Mode.AUTO), 0),
        (lambda endpoint: msgspec.structs.replace(endpoint, mode=Mode.PLUGIN), 0),
        (lambda endpoint: msgspec.structs.replace(endpoint, status=TenantStatus.SUSPENDED), 0),
    ],
)
async def test_the_bridge_takes_the_way_that_the_endpoint_says(
    stage: Stage, change: Change, turns: int
) -> None:
    """Direct when it is set so, or while an `auto` tenant is without its plugin."""
    async with open_transport(per_host=1) as transport:
        bridge = Bridge(transport, opened, stage.answers, direct=stage.mode.attempt)
        await bridge.attempt(delivery(), change(stage.endpoint()))

    assert turns == len(stage.openclaw.turns)


async def test_a_plugin_that_is_not_there_costs_an_auto_tenant_nothing(stage: Stage) -> None:
    """A 404 is a dead letter, unless there is another way that has not been found yet."""
    auto = msgspec.structs.replace(
        stage.endpoint(), mode=Mode.AUTO, url=f"{stage.openclaw.url}/aegis/v1/events"
    )
    async with open_transport(per_host=1) as transport:
        bridge = Bridge(transport, opened, stage.answers)
        found = await bridge.attempt(delivery(), auto)
        alone = await bridge.attempt(delivery(), msgspec.structs.replace(auto, direct=None))

    assert Retryable(reason=Reason.AGENT_ERROR, detail="HTTP 404: no plugin is there") == found
    assert Permanent(reason=Reason.AGENT_REJECTED, detail="HTTP 404") == alone


async def test_a_doubt_stays_while_the_plugin_is_away(stage: Stage) -> None:
    """It may be in the plugin's inbox, so it must not become a turn by another way later."""
    doubtful = delivery(attempt=2, uncertain=True)
    away = msgspec.structs.replace(stage.endpoint(), mode=Mode.AUTO)
    busy = msgspec.structs.replace(away, url=f"{stage.openclaw.url}/aegis/v1/events")
    async with open_transport(per_host=1) as transport:
        bridge = Bridge(transport, opened, stage.answers)
        outcomes = [await bridge.attempt(doubtful, each) for each in (away, busy)]

    assert [True, True] == [isinstance(each, Retryable) and each.uncertain for each in outcomes]
