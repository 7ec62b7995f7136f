"""Conversation ids: every address has exactly one, and no text but that one is read back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.core.conversations import (
    MAX_CONVERSATION_ID_CHARS,
    ConversationRef,
    parse_conversation_id,
)
from gateway.core.ids import Platform, WorkspaceId

# Surrogates cannot be in a JSON document that any parser here accepts.
_PARTS = st.text(
    st.one_of(st.sampled_from(":@%/ \0\x1f~"), st.characters(exclude_categories=["Cs"])),
    min_size=1,
    max_size=20,
)
_REFS = st.builds(
    ConversationRef,
    platform=st.sampled_from(Platform),
    workspace=_PARTS.map(WorkspaceId),
    channel=_PARTS,
    thread=st.none() | _PARTS,
)


def _slack(channel: str, thread: str | None = None) -> ConversationRef:
    return ConversationRef(
        platform=Platform.SLACK, workspace=WorkspaceId("T0A"), channel=channel, thread=thread
    )


@given(ref=_REFS)
def test_an_address_survives_the_round_trip(ref: ConversationRef) -> None:
    """Whatever its parts hold: colons, at signs, percent signs, letters of any script."""
    assume(len(ref.id) <= MAX_CONVERSATION_ID_CHARS)

    assert ref == parse_conversation_id(ref.id)


@given(one=_REFS, other=_REFS)
def test_two_addresses_never_share_an_id(one: ConversationRef, other: ConversationRef) -> None:
    """Equal ids mean equal addresses, or a message could be answered somewhere else."""
    assert (one == other) == (one.id == other.id)


@given(ref=_REFS, workspace=_PARTS.map(WorkspaceId))
def test_an_address_made_of_another_has_its_own_id(
    ref: ConversationRef, workspace: WorkspaceId
) -> None:
    """Although the other's has been asked for, and is remembered."""
    assume(ref.workspace != workspace and ref.id)

    made = msgspec.structs.replace(ref, workspace=workspace)
    assert ref.id != made.id
    assert msgspec.structs.replace(made, workspace=ref.workspace).id == ref.id


@given(text=st.text(max_size=60))
def test_a_text_is_either_the_id_of_its_address_or_refused(text: str) -> None:
    """No two texts name one address: an id is safe as part of a key."""
    try:
        ref = parse_conversation_id(text)
    except ValueError:
        return
    assert text == ref.id


def test_a_channel_that_holds_the_separator_is_not_a_channel_with_a_thread() -> None:
    """The plain join of these two would be the same text."""
    assert "slack:T0A:19%3Aa%40thread.v2" == _slack("19:a@thread.v2").id
    assert "slack:T0A:19:a%40thread.v2" == _slack("19", "a@thread.v2").id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "slack",
        "slack:T0A",
        "slack:T0A:C0A:1.1:extra",
        "slack::C0A",
        "slack:T0A:C0A:",
        ":T0A:C0A",
        "irc:T0A:C0A",
        "Slack:T0A:C0A",
        " slack:T0A:C0A",
        "slack:T0A:C0A\n",
        "slack:T0A:19%3aa",
        "slack:T0A:%430A",
        "slack:T0A:a@b",
        "slack:T0A:%FF",
        "slack:T0A:%",
        "slack:T0A:%ED%A0%80",
        "slack:T0A:\ud800",
        f"slack:T0A:{'C' * MAX_CONVERSATION_ID_CHARS}",
    ],
)
def test_what_is_not_the_one_form_is_refused(text: str) -> None:
    """Also forms that would decode to a good address: one address, one text."""
    with pytest.raises(ValueError, match=r".+"):
        parse_conversation_id(text)
