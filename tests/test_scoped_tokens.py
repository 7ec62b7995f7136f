"""Reply tokens: one conversation of one tenant, for an hour."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.conversations import MAX_CONVERSATION_ID_CHARS
from gateway.core.ids import ConversationId, TenantId
from gateway.scoped_tokens import LONGEST_LIFETIME_S, Scope, ScopedTokens
from gateway.store.keys import Pepper
from tests.routing.factories import AT

ACME = TenantId("acme")
HERE = ConversationId("slack:T0AAAA:C0AAAA:1700000000.000100")
TOKENS = ScopedTokens(b"k" * 32)
SECOND = timedelta(seconds=1)


def test_a_token_allows_what_it_was_issued_for() -> None:
    """Whose it is and where it speaks come back as they went in."""
    token = TOKENS.issue(ACME, HERE, AT)

    assert Scope(tenant=ACME, conversation=HERE) == TOKENS.read(token, AT)
    assert token.startswith("cgr_")
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def test_a_token_ends_with_its_lifetime() -> None:
    """The last second before, and the first one after."""
    tokens = ScopedTokens(b"k" * 32, lifetime_s=60)
    token = tokens.issue(ACME, HERE, AT)

    assert tokens.read(token, AT + 59 * SECOND) is not None
    assert tokens.read(token, AT + 60 * SECOND) is None


def test_a_token_of_another_key_is_none() -> None:
    """Another gateway's, or one made with what another purpose's key has signed."""
    pepper = Pepper(b"pepper")
    ours, other = (ScopedTokens(pepper.derived(label)) for label in ("reply-token", "attachment"))

    assert ours.read(other.issue(ACME, HERE, AT), AT) is None
    assert ScopedTokens(b"l" * 32).read(TOKENS.issue(ACME, HERE, AT), AT) is None


def test_no_byte_of_a_token_can_be_changed() -> None:
    """Neither the conversation nor the tenant nor the end."""
    token = TOKENS.issue(ACME, HERE, AT).removeprefix("cgr_")
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))

    for at in range(len(raw)):
        forged = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        text = base64.urlsafe_b64encode(forged).decode().rstrip("=")
        assert TOKENS.read(f"cgr_{text}", AT) is None


@given(st.one_of(st.text(), st.text(alphabet="abcXYZ019-_=").map(lambda text: f"cgr_{text}")))
def test_whatever_is_no_token_allows_nothing(text: str) -> None:
    """A header may hold anything."""
    assert TOKENS.read(text, AT) is None


def test_the_longest_ids_fit() -> None:
    """A token that is issued must be read, whatever the platform names its channels."""
    tenant = TenantId("a" * 63)
    conversation = ConversationId("c" * MAX_CONVERSATION_ID_CHARS)

    token = TOKENS.issue(tenant, conversation, AT)

    assert Scope(tenant=tenant, conversation=conversation) == TOKENS.read(token, AT)


@pytest.mark.parametrize("lifetime_s", [0, -1, LONGEST_LIFETIME_S + 1])
def test_tokens_are_short_lived(lifetime_s: int) -> None:
    """A token for ever would be a second agent key."""
    with pytest.raises(ValueError, match="lifetime_s"):
        ScopedTokens(b"k" * 32, lifetime_s=lifetime_s)


def test_the_key_stays_out_of_texts() -> None:
    """It may stand in a traceback."""
    assert "kkkk" not in repr(TOKENS)
