"""An organisation's token reaches its whole organisation; its tenant's agent does not."""

from __future__ import annotations

import msgspec
import pytest

from gateway.core.audit import AuditAction
from gateway.core.conversations import parse_conversation_id
from gateway.core.deliveries import Deferred, Delivered, Permanent, Reason, Retryable
from gateway.core.errors import StoreError
from gateway.core.ids import Platform, WorkspaceId
from gateway.core.messages import Target
from gateway.egress.requests import Content, Delete, Edit, React, Refusal, Submitted
from gateway.sandbox.slack import ApiError, Fault, HttpStatus, RateLimited, ResetAfter
from gateway.store import connection
from gateway.store.places import HEARD_LASTS_S, LOOKED_UP_LASTS_S, MISSING_LASTS_S, PlaceNotes
from tests.egress.conftest import ACME, GLOBEX, SHARDS, Egress

ORG, ONE, TWO, THREE = map(WorkspaceId, ("E0ORG", "T0ONE", "T0TWO", "T0THREE"))
TOKEN = "xoxb-org"
OURS, THEIRS, SHARED, ABSENT = (f"slack:{ORG}:{name}" for name in ("C01", "C02", "C012", "C09"))


@pytest.fixture
async def grid(egress: Egress) -> Egress:
    """An organisation of Acme's, but for its workspace TWO, which is Globex's by itself."""
    slack = egress.slack
    for team in (ONE, THREE):
        slack.add_team(team, bot_token=TOKEN, enterprise_id=ORG, is_enterprise_install=True)
    slack.add_team(TWO, enterprise_id=ORG)
    slack.add_channel(ONE, "C01")
    slack.add_channel(TWO, "C02")
    slack.share_channel("C012", ONE, TWO)
    await egress.bind(ACME, ORG, token=TOKEN)
    await egress.bind(GLOBEX, TWO, token=f"xoxb-{TWO}")
    return egress


def _asked(egress: Egress, method: str = "conversations.info") -> int:
    return [each.method for each in egress.slack.requests].count(method)


async def _say(egress: Egress, to: str, key: str = "key-1") -> Submitted | Refusal:
    return await egress.say("hello", key=key, to=to)


async def test_a_channel_of_the_organisation_is_looked_up_once(grid: Egress) -> None:
    """Each message after that finds it noted."""
    for key in ("1", "2", "3"):
        assert isinstance(await _say(grid, OURS, key), Submitted)
    ends = await grid.work(grid.outbox())

    assert 3 == sum(isinstance(outcome, Delivered) for _, outcome in ends)
    assert 3 == len(grid.slack.bot_messages(ONE, "C01"))
    assert 1 == _asked(grid)


@pytest.mark.parametrize("place", [THEIRS, SHARED])
async def test_a_channel_of_another_tenants_workspace_is_unknown(grid: Egress, place: str) -> None:
    """Also one that is shared with it. It is an isolation violation, and a note keeps it one."""
    for key in ("1", "2"):
        assert Refusal.UNKNOWN_CONVERSATION is await _say(grid, place, key)

    assert 2 == grid.metric("isolation_violations_total")
    assert 2 * [AuditAction.ISOLATION_VIOLATION] == [each.action for each in await grid.audit()]
    assert 1 == _asked(grid)
    assert [] == await grid.stored()


async def test_a_channel_that_is_not_there_is_unknown_and_no_violation(grid: Egress) -> None:
    """The agent is told the same. It is not asked for again for a minute."""
    for key in ("1", "2"):
        assert Refusal.UNKNOWN_CONVERSATION is await _say(grid, ABSENT, key)
    assert Refusal.UNKNOWN_CONVERSATION is await _say(grid, f"slack:{ORG}:nonsense")

    assert 0 == grid.metric("isolation_violations_total")
    assert 3 * [AuditAction.CONVERSATION_REFUSED] == [each.action for each in await grid.audit()]
    assert 1 == _asked(grid)
    [key] = [key async for key in grid.redis.scan_iter(match="*place*C09")]
    assert 0 < await connection.run(grid.redis, "TTL", key) <= MISSING_LASTS_S


@pytest.mark.parametrize("place", [OURS, THEIRS])
@pytest.mark.parametrize(
    "fault", [ApiError("internal_error"), HttpStatus(503), RateLimited(1), ResetAfter()]
)
async def test_nothing_is_posted_while_the_platform_cannot_say_whose_it_is(
    grid: Egress, place: str, fault: Fault
) -> None:
    """It is taken, for it may be the tenant's; it waits; and it is decided when it can be."""
    # The HTTP client itself asks again when a connection ends under a GET.
    times = 4 if isinstance(fault, ResetAfter) else 2
    grid.slack.fail_next("conversations.info", fault, times=times)
    assert isinstance(await _say(grid, place), Submitted)
    outbox = grid.outbox()
    [delivery] = await grid.taken()
    first = await outbox.attempt(delivery, None)

    assert isinstance(first, Retryable | Deferred)
    assert 0 == _asked(grid, "chat.postMessage")
    second = await outbox.attempt(delivery, None)
    if place == OURS:
        assert isinstance(second, Delivered)
    else:
        assert isinstance(second, Permanent)
        assert Reason.ISOLATION is second.reason
        assert 0 == _asked(grid, "chat.postMessage")
        assert 1 == grid.metric("isolation_violations_total")


async def test_a_doubt_outlives_a_question_that_was_not_answered(grid: Egress) -> None:
    """An earlier attempt may have posted it: the next one still has to look for it."""
    grid.slack.fail_next("conversations.info", HttpStatus(503), times=2)
    await _say(grid, OURS)
    [delivery] = await grid.taken()
    doubted = msgspec.structs.replace(delivery, uncertain=True)
    outcome = await grid.outbox().attempt(doubted, None)

    assert isinstance(outcome, Retryable)
    assert outcome.uncertain


async def test_what_cannot_be_asked_at_all_is_not_posted(grid: Egress) -> None:
    """Such as for want of a scope: that is for the operator to mend."""
    grid.slack.fail_next("conversations.info", ApiError("missing_scope"), times=2)
    await _say(grid, OURS)
    [(_, outcome)] = await grid.work(grid.outbox())

    assert isinstance(outcome, Permanent)
    assert Reason.PLATFORM_REJECTED is outcome.reason
    assert [] == grid.slack.bot_messages(ONE, "C01")


async def test_a_workspace_that_is_bound_meanwhile_is_not_spoken_into(grid: Egress) -> None:
    """Whose a workspace is was never noted: the next attempt finds out."""
    await _say(grid, OURS)
    await grid.bind(GLOBEX, ONE, token="xoxb-one")
    [(_, outcome)] = await grid.work(grid.outbox())

    assert isinstance(outcome, Permanent)
    assert Reason.ISOLATION is outcome.reason
    assert [] == grid.slack.bot_messages(ONE, "C01")
    assert Refusal.UNKNOWN_CONVERSATION is await _say(grid, OURS, "2")


async def test_what_was_heard_is_answered_without_asking(grid: Egress) -> None:
    """Also in a shared channel: the platform let this tenant hear of it, as of its workspace."""
    notes = PlaceNotes(grid.redis, SHARDS)
    await notes.heard(ACME, parse_conversation_id(f"{SHARED}:1700000000.000100"), ONE)
    assert isinstance(await _say(grid, SHARED), Submitted)
    [(_, outcome)] = await grid.work(grid.outbox())

    assert isinstance(outcome, Delivered)
    assert 0 == _asked(grid)
    # Not for another tenant, and not when the workspace in which it was heard is another's.
    assert await notes.read(GLOBEX, parse_conversation_id(SHARED)) is None
    await grid.bind(GLOBEX, ONE, token="xoxb-one")
    assert Refusal.UNKNOWN_CONVERSATION is await _say(grid, SHARED, "2")


async def test_notes_end(grid: Egress) -> None:
    """A channel can be moved. What was heard is not shortened by what is looked up."""
    notes, ref = PlaceNotes(grid.redis, SHARDS), parse_conversation_id(OURS)
    await notes.looked_up(ACME, ref, {ORG, ONE})
    [key] = [key async for key in grid.redis.scan_iter(match="*place*")]
    lasts_s = [await connection.run(grid.redis, "TTL", key)]
    await notes.heard(ACME, ref, ONE)
    await notes.looked_up(ACME, ref, {ORG, TWO})
    lasts_s.append(await connection.run(grid.redis, "TTL", key))

    assert frozenset({ORG, ONE}) == await notes.read(ACME, ref)
    assert 0 < lasts_s[0] <= LOOKED_UP_LASTS_S < lasts_s[1] <= HEARD_LASTS_S


@pytest.mark.parametrize(
    ("teams", "is_ours"), [((ONE,), True), ((TWO,), False), ((ONE, TWO), False), ((), False)]
)
async def test_people_are_spoken_to_where_they_are_no_other_tenants(
    grid: Egress, teams: tuple[WorkspaceId, ...], is_ours: bool
) -> None:
    """By the workspaces that they are in; who is nowhere is refused alike."""
    for team in teams:
        grid.slack.add_user(team, "U0ANNA")
    found = await grid.desk().proactive.address(ACME, Platform.SLACK, ORG, Target(user="U0ANNA"))

    assert is_ours == (found is not Refusal.TARGET_UNKNOWN)
    if not isinstance(found, Refusal):
        assert isinstance(await _say(grid, found.id), Submitted)
        [(_, outcome)] = await grid.work(grid.outbox())
        assert isinstance(outcome, Delivered)


@pytest.mark.parametrize(("other", "is_ours"), [(ONE, True), (TWO, False)])
async def test_a_group_of_people_is_judged_by_everybody_in_it(
    grid: Egress, other: WorkspaceId, is_ours: bool
) -> None:
    """A group direct message stands in no workspace's list."""
    slack = grid.slack
    slack.add_channel(ONE, "G01", "mpim")
    slack.add_user(other, "U0BEN")
    slack.say(ONE, "G01", "U0ANNA", "hi")
    slack.say(ONE, "G01", "U0CLEO", "hi")
    if other == TWO:
        # As Slack has it: one of those who speak there is at home elsewhere.
        slack.add_user(ONE, "U0BEN", home_team_id=TWO)
    slack.say(ONE, "G01", "U0BEN", "hi")
    said = await _say(grid, f"slack:{ORG}:G01")

    assert is_ours == isinstance(said, Submitted)


@pytest.mark.parametrize("target", [Target(channel="C02"), Target(channel="C012")])
async def test_channels_of_others_are_no_targets(grid: Egress, target: Target) -> None:
    """As if they were not there; the tenant's own can be named by their ids."""
    proactive = grid.desk().proactive
    absent = Target(channel="C09")
    for each in (target, absent):
        found = await proactive.address(ACME, Platform.SLACK, ORG, each)
        assert Refusal.TARGET_UNKNOWN is found
    found = await proactive.address(ACME, Platform.SLACK, ORG, Target(channel="C01"))
    assert parse_conversation_id(OURS) == found


async def test_a_workspace_bound_with_the_organisations_token_reaches_itself(grid: Egress) -> None:
    """The other way round: its tenant must not speak into the organisation's other workspaces."""
    await grid.bind(GLOBEX, THREE, token=TOKEN)
    grid.slack.add_channel(THREE, "C03")
    grid.slack.share_channel("C013", ONE, THREE)
    results = [
        await grid.say("hello", key=name, tenant=GLOBEX, to=f"slack:{THREE}:{name}")
        for name in ("C03", "C013", "C01", "C02")
    ]

    assert [True, True, False, False] == [isinstance(each, Submitted) for each in results]


async def test_a_workspaces_own_token_is_asked_for_once_and_its_channels_never(
    egress: Egress,
) -> None:
    """The platform itself refuses what is not that workspace's: nothing is looked up."""
    for number in range(5):
        await egress.say("hello", key=f"key-{number}")
    await egress.work(egress.outbox())

    assert 0 == _asked(egress)
    # Once per sender that was made.
    assert 1 == _asked(egress, "auth.test")
    assert [] == [key async for key in egress.redis.scan_iter(match="*place*")]


async def test_an_unreadable_note_is_a_fault(grid: Egress) -> None:
    """Law 9: never "nobody's", nor the tenant's own."""
    notes, ref = PlaceNotes(grid.redis, SHARDS), parse_conversation_id(OURS)
    await notes.heard(ACME, ref, ONE)
    [key] = [key async for key in grid.redis.scan_iter(match="*place*")]
    await connection.run(grid.redis, "SET", key, "not json")
    with pytest.raises(StoreError, match="unreadable"):
        await _say(grid, OURS)


async def test_previews_and_changes_are_judged_as_messages_are(grid: Egress) -> None:
    """An agent that was let in once cannot go on when the workspace is another tenant's."""
    desk = grid.desk()
    sent = await _say(grid, OURS)
    stream = await desk.streaming.open(ACME, OURS, None, "stream-1")
    assert isinstance(sent, Submitted)
    assert isinstance(stream, Submitted)
    await grid.work(grid.outbox(desk=desk))
    await grid.bind(GLOBEX, ONE, token="xoxb-one")
    before = grid.slack.bot_messages(ONE, "C01")
    content = Content(markdown="psst")
    await desk.streaming.append(ACME, stream.id, text="psst")
    results = [
        await desk.streaming.open(ACME, OURS, None, "stream-2"),
        await desk.streaming.finish(ACME, stream.id, content, "end-1"),
        await desk.streaming.abort(ACME, stream.id, "end-2"),
        await desk.typing.hold(ACME, OURS),
        await desk.typing.release(ACME, OURS),
        await desk.changes.edit(
            Edit(tenant=ACME, message=sent.id, content=content, idempotency_key="edit-1")
        ),
        await desk.changes.delete(Delete(tenant=ACME, message=sent.id, idempotency_key="gone-1")),
        *[
            await desk.changes.react(
                React(
                    tenant=ACME,
                    conversation=OURS,
                    target=target,
                    emoji="eyes",
                    idempotency_key=f"see-{target}",
                )
            )
            for target in (sent.id, "1700000000.000100")
        ],
    ]
    ends = await grid.work(grid.outbox(desk=desk))

    assert 9 * [Refusal.UNKNOWN_CONVERSATION] == results
    assert all(isinstance(end, Delivered) and end.quiet for _, end in ends)
    assert before == grid.slack.bot_messages(ONE, "C01")
