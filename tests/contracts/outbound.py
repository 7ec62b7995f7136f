"""What every platform does with what agents say, or declares that it does not. Pure.

One list of cases. A platform passes each, or its table of capabilities says what becomes of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar, Final, Protocol

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.core.capabilities import Ability, Capabilities, Support
from gateway.core.components import Component, ability_of
from gateway.core.events import Action, ActionKind
from gateway.core.ports import Renderer
from tests.contracts.components import (
    BUTTONS,
    CARD,
    COMPONENTS,
    FEEDBACK,
    FORM,
    MULTISELECT,
    ONE_OF_EACH,
    SELECT,
    WISHES,
    actions,
)


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform would be sent for components, and what had no room."""

    payload: object
    left_out: tuple[Ability, ...] = ()


class Subject(Protocol):
    """A platform's pure half, and a person in front of its client."""

    capabilities: Capabilities
    mass_mention: re.Pattern[str]
    """What would call everybody if it stood in a text."""

    @property
    def render(self) -> Renderer:
        """The platform's renderer of Markdown."""

    def show(self, components: Sequence[Component]) -> Shown:
        """Render components for one message."""

    def faults(self, payload: object) -> list[str]:
        """What the platform's documents forbid in the payload, dialogs included."""

    def markup(self, payload: object) -> Iterator[str]:
        """The texts of the payload in which the platform reads markup."""

    def use(self, payload: object, components: Sequence[Component]) -> list[Action]:
        """What is heard when a person presses, chooses and fills in everything once."""

    def hear(self, fragment: object) -> list[Action]:
        """What is heard of any fragment of an interaction."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Something to show, and what people must be able to read."""

    name: str
    ability: Ability
    components: tuple[Component, ...]
    read: tuple[str, ...]


COMPONENT_CASES: Final = [
    Case(
        name="buttons",
        ability=Ability.BUTTONS,
        components=(BUTTONS,),
        read=("Yes", "No: never", "More <!channel>", "Docs"),
    ),
    Case(
        name="select",
        ability=Ability.SELECTS,
        components=(SELECT,),
        read=("Which size?", "Size small", "Size large, 100%"),
    ),
    Case(
        name="multiselect",
        ability=Ability.SELECTS,
        components=(MULTISELECT,),
        read=("Size small", "Size medium", "Size large, 100%"),
    ),
    Case(name="form", ability=Ability.FORMS, components=(FORM,), read=("Order now",)),
    Case(name="form of choices", ability=Ability.FORMS, components=(WISHES,), read=("Open",)),
    Case(
        name="card",
        ability=Ability.CARDS,
        components=(CARD,),
        read=("Ticket", "42", "late", "https://e.example/x", "State", "open", "Owner", "Bob"),
    ),
    Case(name="feedback", ability=Ability.FEEDBACK, components=(FEEDBACK,), read=("👍", "👎")),
]

TORTURE: Final = [
    "",
    " \n\t",
    "[a]: https://e.example",
    "# H\n\n- a\n  - b\n    1. c\n\n> q\n> > r",
    "```py\nx = '`'\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    "**a *b ~~c~~* d** `` ` `` [x](https://e.example/a_(b)) ![i](https://e.example/i.png)",
    "> ```\n> unclosed",
    "\\*not\\* \\<tag\\> <b>html</b> &amp; &lt;",
    "> " * 60 + "deep",
    "- " * 60 + "deep",
    "[" * 500,
    "*" * 999,
    "\u202egnp.exe\u2066\x07\x1b[31m",
]
MASS_MENTIONS: Final = [
    "<!channel> <!here> <!everyone>",
    "@everyone and @here, @channel",
    "<at>everyone</at> <at id='0'>Team</at>",
    "**<!channel|x>** `@everyone` [@everyone](https://e.example) [x](<!channel>)",
    "\\<!channel\\> &lt;!channel&gt; <\u200b!channel>",
    "```\n<!channel> @everyone\n```",
    "| @everyone |\n|---|\n| <!here> |",
]

SHARED: Final = HealthCheck.differing_executors
"""Each platform's class runs the test with examples of its own."""
LARGE: Final = (
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
    HealthCheck.filter_too_much,
)
"""A message of ten components at their largest is a large example, and has to be."""
_KEYS: Final = [
    *("type", "action_id", "value", "values", "selected_option", "selected_options"),
    *("callback_id", "state", "custom_id", "component_type", "components", "component"),
    *("gateway", "gw:s1:x", "gw:f2:x/text/a"),
]
_LEAVES: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec=None), max_size=8)
    | st.sampled_from(["gw:b0:x", "gw:s1:x", "gw:f2:x", "gw:t3:x:positive", "button", "answer"])
)
FRAGMENTS: Final = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5)
    ),
)
"""Pieces of interactions that look like ours and are not."""


def texts_of(payload: object) -> Iterator[str]:
    """Every text in a JSON document."""
    if isinstance(payload, str):
        yield payload
    elif isinstance(payload, dict):
        for value in payload.values():
            yield from texts_of(value)
    elif isinstance(payload, list | tuple):
        for value in payload:
            yield from texts_of(value)


class OutboundContract:
    """Inherited by a test class per platform."""

    subject: ClassVar[Subject]

    @pytest.mark.parametrize("ability", Ability)
    def test_what_is_not_as_asked_is_said_in_words(self, ability: Ability) -> None:
        """An agent can read what becomes of what it asks for."""
        capability = self.subject.capabilities.abilities[ability]
        assert capability.note or capability.support is Support.NATIVE

    @pytest.mark.parametrize("case", COMPONENT_CASES, ids=lambda case: case.name)
    def test_a_component_can_be_read(self, case: Case) -> None:
        """Its labels and texts stand in what the platform is sent, and it is none too many."""
        shown = self.subject.show(case.components)
        readable = "\n".join(texts_of(shown.payload))
        assert self._supported(case.ability)
        assert () == shown.left_out
        assert [] == [text for text in case.read if text not in readable]
        assert [] == self.subject.faults(shown.payload)

    @pytest.mark.parametrize("case", COMPONENT_CASES, ids=lambda case: case.name)
    def test_what_people_do_with_it_comes_back(self, case: Case) -> None:
        """With the id, the value and the answers, and from nothing but components of ours."""
        shown = self.subject.show(case.components)
        assert actions(case.components) == self.subject.use(shown.payload, case.components)

    def test_one_message_carries_one_of_each(self) -> None:
        """What has no room is named; the rest works as if it were alone."""
        self._check(ONE_OF_EACH)

    # Making a message of ten components smaller takes minutes, and tells little.
    @settings(
        max_examples=60,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=[*LARGE, SHARED],
    )
    @given(components=COMPONENTS)
    def test_any_components_keep_to_the_limits_and_come_back(
        self, components: list[Component]
    ) -> None:
        """Whatever an agent may send, the platform takes it, and every use finds its way back."""
        self._check(components)

    def _check(self, components: Sequence[Component]) -> None:
        shown = self.subject.show(components)
        assert [] == self.subject.faults(shown.payload)
        heard = self.subject.use(shown.payload, components)
        missing = Counter(map(_key, actions(components)))
        missing.subtract(map(_key, heard))
        assert {} == {key: count for key, count in missing.items() if count < 0}
        lost = {_ABILITIES[kind] for (kind, *_), count in missing.items() if count > 0}
        assert lost <= set(shown.left_out) <= {ability_of(each) for each in components}

    @settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[SHARED])
    @given(fragment=FRAGMENTS)
    def test_any_fragment_is_read(self, fragment: object) -> None:
        """Foreign and damaged payloads are no actions; nothing raises, and all can be stored."""
        for action in self.subject.hear(fragment):
            assert action.id == "x"
            assert msgspec.json.encode(action)

    def _supported(self, ability: Ability) -> bool:
        return self.subject.capabilities.abilities[ability].support is not Support.NONE


class TextContract:
    """How a platform shows Markdown; inherited by a test class per platform."""

    subject: ClassVar[Subject]

    def test_a_text_is_one_message(self) -> None:
        """A plain answer stays as it is."""
        assert ["Hello, world"] == self.subject.render("Hello, world")

    @pytest.mark.parametrize("markdown", TORTURE)
    def test_odd_markdown_is_shown(self, markdown: str) -> None:
        """It becomes parts that the platform takes, and none of them is blank."""
        parts = self.subject.render(markdown)
        assert all(part.strip() for part in parts)
        assert all(len(part) <= self._part_chars for part in parts)
        assert bool(markdown.strip()) == bool(parts)

    @pytest.mark.parametrize("markdown", MASS_MENTIONS)
    def test_nobody_is_called_who_was_not_meant(self, markdown: str) -> None:
        """Neither in a message nor in a card."""
        card = msgspec.structs.replace(CARD, text=markdown, title=markdown.replace("\n", " ")[:150])
        shown = self.subject.show([card])
        texts = [*self.subject.render(markdown), *self.subject.markup(shown.payload)]
        assert [] == [text for text in texts if self.subject.mass_mention.search(text)]

    def test_a_long_text_is_split(self) -> None:
        """All words arrive, in their order, in messages that are not too long."""
        words = [f"word{number}" for number in range(5_000)]
        parts = self.subject.render(" ".join(words))
        assert words == " ".join(parts).split()
        assert all(len(part) <= self._part_chars for part in parts)

    def test_a_long_code_block_stays_code(self) -> None:
        """Every part opens and closes its own fence."""
        lines = [f"line {number}" for number in range(3_000)]
        parts = self.subject.render("\n".join(["```", *lines, "```"]))
        assert len(parts) > 1
        assert [2] * len(parts) == [part.count("```") for part in parts]

    @property
    def _part_chars(self) -> int:
        return self.subject.capabilities.limits.part_chars


_ABILITIES: Final = {
    ActionKind.BUTTON: Ability.BUTTONS,
    ActionKind.SELECT: Ability.SELECTS,
    ActionKind.FORM: Ability.FORMS,
    ActionKind.FEEDBACK: Ability.FEEDBACK,
}


def _key(action: Action) -> tuple[ActionKind, str]:
    return action.kind, msgspec.json.encode(action, order="sorted").decode()
