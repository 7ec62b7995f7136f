"""One attempt to post: still ours? in pace? posted already? then once, and never twice blindly."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest

from adapters.slack.capabilities import CAPABILITIES
from adapters.slack.outbound import render
from gateway.core.deliveries import (
    Deferred,
    Delivered,
    Delivery,
    Outcome,
    Permanent,
    Reason,
    Retryable,
)
from gateway.core.errors import SendError, StoreError
from gateway.core.ids import Platform
from gateway.core.messages import OutboundMessage, SentMessage
from gateway.core.ports import Outlet
from gateway.core.tenants import Credential, TenantStatus
from gateway.egress.access import SUSPENDED_WAIT_S
from gateway.egress.outbox import OUTBOUND_RETRY, UNCERTAIN_WAIT_S
from gateway.sandbox.slack import ApiError, HttpStatus, RateLimited, ResetAfter, ResetBefore
from gateway.store.connection import connect
from tests.egress.conftest import ACME, ACME_TEAM, GLOBEX, Egress


@dataclass
class Platforms:
    """A platform's end that says what it is told to."""

    sends: list[SentMessage | SendError] = field(default_factory=list)
    finds: list[SentMessage | SendError | None] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    async def send(self, _message: OutboundMessage, credential: Credential) -> SentMessage:
        self.tokens.append(credential.bot_token)
        said = self.sends.pop(0)
        if isinstance(said, SendError):
            raise said
        return said

    async def find_sent(
        self, _message: OutboundMessage, _credential: Credential
    ) -> SentMessage | None:
        said = self.finds.pop(0)
        if isinstance(said, SendError):
            raise said
        return said

    def outlet(self) -> Outlet:
        return Outlet(render=render, sender=self, capabilities=CAPABILITIES)


class Unreadable:
    """A platform's end that cannot be asked what was posted."""

    async def send(self, message: OutboundMessage, credential: Credential) -> SentMessage:
        raise NotImplementedError


async def _queued(egress: Egress, *, uncertain: bool = False) -> Delivery:
    await egress.say("hello")
    [delivery] = await egress.taken()
    return msgspec.structs.replace(delivery, uncertain=uncertain)


def _texts(egress: Egress) -> list[str]:
    return [message.text for message in egress.slack.bot_messages(ACME_TEAM, "C0AAAA")]


def test_an_outage_of_some_hours_is_sat_out() -> None:
    """Waits are half of their ceilings, taken together. A person has to send again what died."""
    waits_s = (OUTBOUND_RETRY.ceiling_s(n) / 2 for n in range(1, OUTBOUND_RETRY.max_attempts))

    assert 3 * 3600 < sum(waits_s) < OUTBOUND_RETRY.max_age_s


async def test_a_message_is_posted_and_its_ts_is_the_receipt(egress: Egress) -> None:
    """In its thread, by the token of its workspace."""
    outcome = await egress.outbox().attempt(await _queued(egress), None)

    [message] = egress.slack.bot_messages(ACME_TEAM, "C0AAAA")
    assert Delivered(receipt=message.ts) == outcome
    assert ("hello", "1700000000.000100") == (message.text, message.thread_ts)
    assert 1.0 == egress.metric("platform_requests_total", platform="slack", outcome="sent")


async def test_a_workspace_that_changed_hands_gets_nothing(egress: Egress) -> None:
    """Between commit and attempt it went to another tenant: law 8 holds at the last moment too."""
    delivery = await _queued(egress)
    await egress.bind(GLOBEX, ACME_TEAM, token=f"xoxb-{ACME_TEAM}")

    outcome = await egress.outbox().attempt(delivery, None)

    expected = Permanent(reason=Reason.ISOLATION, detail="the workspace changed hands")
    assert expected == outcome
    assert 1.0 == egress.metric("isolation_violations_total")
    assert [] == _texts(egress)


async def test_a_workspace_that_was_unbound_gets_nothing(egress: Egress) -> None:
    """No binding, no token, no post."""
    delivery = await _queued(egress)
    await egress.lookup.remove_binding(Platform.SLACK, ACME_TEAM)

    outcome = await egress.outbox().attempt(delivery, None)

    assert Permanent(reason=Reason.NOT_INSTALLED, detail="the workspace is not bound") == outcome


async def test_a_workspace_without_a_token_gets_nothing(egress: Egress) -> None:
    """Bound, but the app is not installed there."""
    delivery = await _queued(egress)
    await egress.bind(ACME, ACME_TEAM)

    outcome = await egress.outbox().attempt(delivery, None)

    assert Permanent(reason=Reason.NOT_INSTALLED, detail="the workspace has no token") == outcome


async def test_a_suspended_tenants_messages_wait(egress: Egress) -> None:
    """Suspended after the commit: kept, and no attempt is used up."""
    delivery = await _queued(egress)
    await egress.bind(ACME, ACME_TEAM, token="xoxb-placeholder", status=TenantStatus.SUSPENDED)

    outcome = await egress.outbox().attempt(delivery, None)

    assert Deferred(reason=Reason.TENANT_SUSPENDED, after_s=SUSPENDED_WAIT_S) == outcome
    assert [] == _texts(egress)


async def test_a_platform_that_is_not_configured_any_more(egress: Egress) -> None:
    """The next start of the gateway may well leave one out."""
    delivery = await _queued(egress)

    outcome = await egress.outbox(desk=egress.desk(configured=False)).attempt(delivery, None)

    expected = Permanent(reason=Reason.NOT_INSTALLED, detail="the platform is not configured")
    assert expected == outcome


async def test_the_second_post_into_a_channel_waits_for_its_moment(egress: Egress) -> None:
    """Ten a second here; the wait is a deferral and holds no slot."""
    outbox, delivery = egress.outbox(), await _queued(egress)
    second = msgspec.structs.replace(delivery, id="msg_2-1")

    await outbox.attempt(delivery, None)
    early = await outbox.attempt(second, None)
    egress.clock.now_s += 0.11
    outcome = await outbox.attempt(second, None)

    assert isinstance(early, Deferred)
    assert Reason.PLATFORM_RATE_LIMITED is early.reason
    assert pytest.approx(0.1) == early.after_s
    assert isinstance(outcome, Delivered)


async def test_a_rate_limit_is_kept_for_the_whole_channel(egress: Egress) -> None:
    """No attempt is used up, and nobody else asks before the time is over."""
    outbox, delivery = egress.outbox(), await _queued(egress)
    other = msgspec.structs.replace(delivery, id="msg_2-1")
    egress.slack.fail_next("chat.postMessage", RateLimited(retry_after_s=7))

    first = await outbox.attempt(delivery, None)
    egress.clock.now_s += 6.0
    too_early = await outbox.attempt(other, None)
    egress.clock.now_s += 1.2

    assert Deferred(reason=Reason.PLATFORM_RATE_LIMITED, after_s=7.0) == first
    assert isinstance(too_early, Deferred)
    assert isinstance(await outbox.attempt(other, None), Delivered)
    assert 1.0 == egress.metric("platform_rate_limited_total", platform="slack")


async def test_an_answer_that_was_lost_is_looked_up_and_not_posted_again(egress: Egress) -> None:
    """Slack has no idempotency key: the copy is found by its marker."""
    outbox, delivery = egress.outbox(), await _queued(egress)
    egress.slack.fail_next("chat.postMessage", ResetAfter())

    lost = await outbox.attempt(delivery, None)
    egress.clock.now_s += 1.0
    again = await outbox.attempt(msgspec.structs.replace(delivery, uncertain=True), None)

    [message] = egress.slack.bot_messages(ACME_TEAM, "C0AAAA")
    assert isinstance(lost, Retryable)
    assert (True, UNCERTAIN_WAIT_S) == (lost.uncertain, lost.after_s)
    assert Delivered(receipt=message.ts) == again
    assert 1.0 == egress.metric("platform_requests_total", platform="slack", outcome="found")


async def test_what_was_not_posted_is_posted_after_the_look_up(egress: Egress) -> None:
    """The connection broke before Slack had it: uncertain to us, so it is looked up, then sent."""
    outbox, delivery = egress.outbox(), await _queued(egress)
    egress.slack.fail_next("chat.postMessage", ResetBefore())

    lost = await outbox.attempt(delivery, None)
    egress.clock.now_s += 1.0
    again = await outbox.attempt(msgspec.structs.replace(delivery, uncertain=True), None)

    assert isinstance(lost, Retryable)
    assert isinstance(again, Delivered)
    assert ["hello"] == _texts(egress)


async def test_a_look_up_that_fails_leaves_it_uncertain(egress: Egress) -> None:
    """Nothing is known, so nothing is posted and the next attempt asks again."""
    delivery = await _queued(egress, uncertain=True)
    egress.slack.fail_next("conversations.replies", HttpStatus(503))

    outcome = await egress.outbox().attempt(delivery, None)

    assert isinstance(outcome, Retryable)
    assert outcome.uncertain
    assert [] == _texts(egress)


async def test_a_look_up_that_is_refused_ends_as_unknown(egress: Egress) -> None:
    """Without the scope it can never be known: a dead letter, not a second post."""
    delivery = await _queued(egress, uncertain=True)
    egress.slack.fail_next("conversations.replies", ApiError("missing_scope"))

    outcome = await egress.outbox().attempt(delivery, None)

    assert isinstance(outcome, Permanent)
    assert Reason.OUTCOME_UNKNOWN is outcome.reason
    assert [] == _texts(egress)


async def test_a_platform_that_cannot_tell_is_never_asked_twice(egress: Egress) -> None:
    """No read-back: an uncertain message ends in the dead letters for a person to look at."""
    outlet = Outlet(render=render, sender=Unreadable(), capabilities=CAPABILITIES)
    delivery = await _queued(egress, uncertain=True)

    outcome = await egress.outbox(outlet).attempt(delivery, None)

    assert isinstance(outcome, Permanent)
    assert Reason.OUTCOME_UNKNOWN is outcome.reason


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (
            SendError(Reason.PLATFORM_REJECTED, "channel_not_found", permanent=True),
            Permanent(reason=Reason.PLATFORM_REJECTED, detail="channel_not_found"),
        ),
        (
            SendError(Reason.NOT_INSTALLED, "token_revoked", permanent=True),
            Permanent(reason=Reason.NOT_INSTALLED, detail="token_revoked"),
        ),
        (
            SendError(Reason.PLATFORM_ERROR, "busy", retry_after_s=9.0),
            Retryable(reason=Reason.PLATFORM_ERROR, detail="busy", after_s=9.0),
        ),
        (
            SendError(Reason.PLATFORM_ERROR, "HTTP 502", ambiguous=True, retry_after_s=9.0),
            Retryable(
                reason=Reason.PLATFORM_ERROR,
                detail="HTTP 502",
                after_s=UNCERTAIN_WAIT_S,
                uncertain=True,
            ),
        ),
        (
            SendError(Reason.PLATFORM_UNREACHABLE, "refused"),
            Retryable(reason=Reason.PLATFORM_UNREACHABLE, detail="refused"),
        ),
        (
            SendError(Reason.PLATFORM_RATE_LIMITED, "slow down"),
            Deferred(reason=Reason.PLATFORM_RATE_LIMITED, after_s=1.0),
        ),
    ],
)
async def test_what_a_platform_says_becomes_an_outcome(
    egress: Egress, error: SendError, outcome: Outcome
) -> None:
    """One table from SendError to Outcome; the token is that of the workspace."""
    platform = Platforms(sends=[error])

    assert outcome == await egress.outbox(platform.outlet()).attempt(await _queued(egress), None)
    assert [f"xoxb-{ACME_TEAM}"] == platform.tokens


async def test_a_rate_limited_look_up_is_a_deferral_that_forgets_no_doubt(egress: Egress) -> None:
    """A deferral leaves the mark in the store as it is, and nothing was posted."""
    limited = SendError(Reason.PLATFORM_RATE_LIMITED, "HTTP 429", retry_after_s=3.0)
    platform = Platforms(finds=[limited])
    delivery = await _queued(egress, uncertain=True)

    outcome = await egress.outbox(platform.outlet()).attempt(delivery, None)

    assert Deferred(reason=Reason.PLATFORM_RATE_LIMITED, after_s=3.0) == outcome
    assert [] == platform.tokens


async def test_a_store_that_is_away_is_no_unbound_workspace(
    egress: Egress, unused_tcp_port: int
) -> None:
    """Law 9: the message is not given up because nobody could be asked."""
    delivery = await _queued(egress)
    async with connect(f"redis://127.0.0.1:{unused_tcp_port}") as away:
        outbox = egress.outbox(desk=egress.desk(redis=away))
        with pytest.raises(StoreError):
            await outbox.attempt(delivery, None)
