"""Components as Discord's rows, embeds and modals, and what Discord tells of their use."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.discord.components import MAX_EMBED_CHARS, discord_components, discord_modal
from adapters.discord.components_in import action_of, form_to_open, submission_of
from adapters.discord.outbound import render
from gateway.core.capabilities import Ability
from gateway.core.components import Button, Buttons, Card, Component, Fact, Feedback
from gateway.core.events import Action, ActionKind
from tests.adapters.discord.client import DiscordSubject
from tests.contracts.components import BUTTONS, CARD, FORM, MULTISELECT, ONE_OF_EACH, SELECT

THUMBS = Feedback(id="f")


def rows(*components: Component) -> list[dict[str, Any]]:
    """The rows of a message."""
    return discord_components(components, render=render).rows


def buttons(count: int) -> Buttons:
    """That many buttons."""
    return Buttons(buttons=tuple(Button(id=f"b{n}", label=str(n)) for n in range(count)))


def sizes(*components: Component) -> list[int]:
    """How many controls stand in each row."""
    return [len(row["components"]) for row in rows(*components)]


def test_buttons_carry_their_value_in_their_id() -> None:
    """Discord gives nothing else back. A link has no id."""
    (row,) = rows(BUTTONS)
    assert [
        {"type": 2, "custom_id": "gw:b0:vote:yes", "style": 1, "label": "Yes"},
        {"type": 2, "custom_id": "gw:b1:vote:a:b", "style": 4, "label": "No: never"},
        {"type": 2, "custom_id": "gw:b2:more", "style": 2, "label": "More <!channel>"},
        {"type": 2, "style": 5, "label": "Docs", "url": "https://docs.example/(page)?a=1&b=2"},
    ] == row["components"]


def test_menus_say_how_much_may_be_chosen() -> None:
    """One, or any number."""
    one, several = (row["components"][0] for row in rows(SELECT, MULTISELECT))
    assert (1, 1, "Which size?") == (one["min_values"], one["max_values"], one["placeholder"])
    assert (0, 3) == (several["min_values"], several["max_values"])


def test_every_component_has_rows_of_its_own() -> None:
    """As long as there are enough."""
    assert [4, 1, 2] == sizes(BUTTONS, SELECT, THUMBS)
    assert [5, 2] == sizes(buttons(7))


def test_buttons_move_together_when_rows_run_out() -> None:
    """So that nothing is left out that has room."""
    parts = discord_components([THUMBS] * 7, render=render)
    assert ([5, 5, 4], ()) == (sizes(*[THUMBS] * 7), parts.left_out)


def test_what_has_no_room_is_named() -> None:
    """From the end."""
    parts = discord_components([buttons(23), SELECT, FORM], render=render)
    assert 5 == len(parts.rows)
    assert (Ability.SELECTS, Ability.FORMS) == parts.left_out


def test_a_card_is_an_embed() -> None:
    """Title, text, facts, image and link."""
    (embed,) = discord_components([CARD], render=render).embeds
    fields: Any = embed["fields"]
    assert ("https://e.example/42", {"url": "https://e.example/i.png"}) == (
        embed["url"],
        embed["image"],
    )
    assert "It is **late**, see [here](<https://e.example/x>)." == embed["description"]
    assert [("State", "**open**", True), ("Owner", "Ann & Bob", True)] == [
        (field["name"], field["value"], field["inline"]) for field in fields
    ]


def test_cards_share_the_room_of_a_message() -> None:
    """Every title is shown; texts are cut, and facts left out, once 6,000 characters are used."""
    facts = (Fact(name="N" * 100, value="V" * 500),) * 5
    cards = [Card(title=f"Card {n}", text="word " * 400, facts=facts) for n in range(4)]
    embeds = discord_components(cards, render=render).embeds
    descriptions = [str(embed.get("description", "")) for embed in embeds]
    assert [f"Card {n}" for n in range(4)] == [embed["title"] for embed in embeds]
    assert "…" == descriptions[1][-1]
    assert "" == descriptions[3]
    assert [] == DiscordSubject().faults({"embeds": embeds, "components": [], "modals": []})
    assert 0.9 * MAX_EMBED_CHARS < len("".join(descriptions)) + 5 * 600


def test_a_form_is_a_button_and_a_modal() -> None:
    """Dates are typed, for there is no calendar."""
    (row,) = rows(FORM)
    modal: Any = discord_modal(FORM)
    pressed = {"component_type": 2, "custom_id": row["components"][0]["custom_id"]}
    assert "order" == form_to_open(pressed)
    assert action_of(pressed) is None
    assert [
        {"type": 4, "custom_id": "name", "required": True, "max_length": 3000, "style": 1}
        | {"placeholder": "Ann"},
        {"type": 4, "custom_id": "wish", "required": False, "max_length": 3000, "style": 2},
        {"type": 23, "custom_id": "terms"},
        {"type": 4, "custom_id": "day", "required": True, "max_length": 10, "style": 1}
        | {"placeholder": "YYYY-MM-DD"},
    ] == [each["component"] for each in modal["components"] if each["component"]["type"] != 3]


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"custom_id": "gw:b0:x"},
        {"custom_id": "other", "component_type": 2},
        {"custom_id": "gw:b0:x", "component_type": 3, "values": ["a"]},
        {"custom_id": "gw:s0:x", "component_type": 2},
        {"custom_id": "gw:s0:x", "component_type": 3, "values": "a"},
        {"custom_id": "gw:t0:x:maybe", "component_type": 2},
        {"custom_id": "gw:f0:x", "components": []},
    ],
)
def test_what_is_no_use_of_a_component_is_no_action(data: object) -> None:
    """Other apps' components, and what does not fit its id."""
    assert action_of(data) is None


def test_what_was_left_empty_is_no_answer() -> None:
    """A box without a tick is one."""
    answers = [
        {"type": 4, "custom_id": "name", "value": ""},
        {"type": 3, "custom_id": "size", "values": []},
        {"type": 23, "custom_id": "terms", "value": False},
        {"type": 4, "custom_id": "odd id!", "value": "x"},
    ]
    labels = [{"type": 18, "id": 1, "component": answer} for answer in answers]
    assert Action(id="order", kind=ActionKind.FORM, fields={"terms": ("false",)}) == submission_of(
        {"custom_id": "gw:f0:order", "components": labels}
    )


@pytest.mark.parametrize("custom_id", ["other", "gw:b0:order"])
def test_a_modal_that_is_none_of_ours_is_no_answer(custom_id: str) -> None:
    """Whatever it holds."""
    assert submission_of({"custom_id": custom_id, "components": []}) is None


def test_the_check_of_the_contract_sees_faults() -> None:
    """Else it would prove nothing."""
    subject = DiscordSubject()
    shown: Any = subject.show(ONE_OF_EACH).payload
    first = shown["components"][0]["components"]
    first[1]["custom_id"] = first[0]["custom_id"]
    first[2]["label"] = "x" * 81
    shown["components"] *= 2
    shown["modals"][0]["components"][0]["label"] = ""
    faults = subject.faults(shown)
    assert {"more than five rows", "label of 81 characters", "label of 0 characters"} < set(faults)
    assert "gw:b0:vote:yes twice" in faults
