"""Nothing that can stand in JSON makes the parser raise."""

from __future__ import annotations

import copy
import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.slack.frames import Disconnect, Envelope, Hello, read_frame
from adapters.slack.inbound_text import to_markdown
from gateway.core.conversations import parse_conversation_id
from gateway.core.events import Ignored, InboundEvent
from tests.adapters.slack.payloads import (
    COMMANDS,
    INTERACTIONS,
    NAMES,
    Document,
    load,
    parse,
    parse_all,
    parse_other,
)

ODD_TEXT = st.text(st.characters(codec=None), max_size=40)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | ODD_TEXT
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXT, inner, max_size=3)
)
PIECES = [
    "<",
    ">",
    "|",
    "@U0BOTAAAA",
    "@U1",
    "#C1",
    "!here",
    "!date^1^{x}",
    "`",
    "```",
    "*",
    "_",
    "~",
    "[",
    "]",
    "&amp;",
    "&lt;",
    "mailto:a@b",
    "word",
]
MARKUP = st.lists(
    st.sampled_from([*PIECES, "https://x.y/(z)", "\n", " ", "\ue000"]), max_size=30
).map("".join)


def paths(document: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """List the way to every value in a document."""
    if isinstance(document, dict):
        items = list(document.items())
    elif isinstance(document, list):
        items = list(enumerate(document))
    else:
        items = []
    below = [found for key, value in items for found in paths(value, (*path, key))]
    return [*([path] if path else []), *below]


@st.composite
def mutated_payloads(draw: st.DrawFn, names: list[str]) -> tuple[str, Document]:
    """A real document in which a few values have been replaced by anything, and its name."""
    name = draw(st.sampled_from(names))
    document = copy.deepcopy(load(name))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(document)))
        parent: object = document
        for key in path[:-1]:
            assert isinstance(parent, dict | list)
            parent = parent[key]  # type: ignore[index]  # the path was read off the document
        assert isinstance(parent, dict | list)
        parent[path[-1]] = draw(JSON)  # type: ignore[index]  # as above
    return name, document


def assert_storable(event: InboundEvent) -> None:
    """An event that comes out can be written down, addressed and told from others."""
    assert event.conversation == parse_conversation_id(event.conversation.id)
    assert event.id == msgspec.json.decode(msgspec.json.encode(event))["id"]
    assert all(event.dedupe_keys)
    assert event.id == event.dedupe_keys[0]
    assert event.message_id


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_any_value_is_parsed(payload: object) -> None:
    """Whatever it is, there is an answer, and it can be written down."""
    assert isinstance(parse(payload), Ignored | InboundEvent)
    assert isinstance(parse_other("interactive/any", payload), Ignored)
    assert isinstance(parse_other("commands/any", payload), Ignored)


@settings(max_examples=300, deadline=None)
@given(mutated_payloads(NAMES))
def test_any_damaged_document_is_parsed(damaged: tuple[str, Document]) -> None:
    """Slack's next change of a field is no fault of ours."""
    events = parse_all(damaged[1])
    for event in events if isinstance(events, tuple) else ():
        assert_storable(event)


@settings(max_examples=300, deadline=None)
@given(mutated_payloads([*INTERACTIONS, *COMMANDS]))
def test_any_damaged_interaction_is_parsed(damaged: tuple[str, Document]) -> None:
    """As above, for what comes without an event around it."""
    events = parse_other(*damaged)
    for event in events if isinstance(events, tuple) else ():
        assert_storable(event)


@settings(max_examples=300, deadline=None)
@given(MARKUP | st.text(max_size=200))
def test_any_text_is_translated(text: str) -> None:
    """Odd markup is text; what stands aside during the work comes back."""
    content = to_markdown(text, bot="U0BOTAAAA")
    assert "\ue000" not in content.text
    assert "U0BOTAAAA" not in content.mentions


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_frame_is_read(raw: bytes) -> None:
    """A socket must survive whatever comes over it."""
    frame = read_frame(raw, max_bytes=1000)
    assert isinstance(frame, Hello | Disconnect | Envelope | Ignored)
