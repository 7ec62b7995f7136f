"""Components as an Adaptive Card, and what Teams tells of their use."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.teams.components import MAX_CARD_BYTES, adaptive_card
from adapters.teams.components_in import action_of
from adapters.teams.outbound import render
from gateway.core.capabilities import Ability
from gateway.core.components import Button, Buttons, Card, Component, Feedback
from gateway.core.events import Action, ActionKind
from tests.adapters.teams.client import TeamsSubject
from tests.contracts.components import BUTTONS, CARD, FORM, MULTISELECT, ONE_OF_EACH, SELECT


def body(*components: Component) -> list[dict[str, Any]]:
    """The elements of a message's card."""
    content: Any = adaptive_card(components, render=render).content
    return list(content["body"])


def test_buttons_say_whose_they_are() -> None:
    """A press takes no input of the card with it, and waits for none."""
    (row,) = body(BUTTONS)
    yes, never, more, docs = row["actions"]
    assert {
        "type": "Action.Submit",
        "title": "Yes",
        "data": {"gateway": "gw:b0:vote:yes"},
        "associatedInputs": "none",
        "style": "positive",
    } == yes
    assert ("destructive", None) == (never["style"], more.get("style"))
    assert {
        "type": "Action.OpenUrl",
        "title": "Docs",
        "url": "https://docs.example/(page)?a=1&b=2",
    } == docs


def test_many_buttons_stand_in_rows() -> None:
    """Teams hides what is too much for one."""
    many = Buttons(buttons=tuple(Button(id="b", label=str(n)) for n in range(12)))
    assert [5, 5, 2] == [len(row["actions"]) for row in body(many)]


def test_a_menu_has_a_button() -> None:
    """And values without commas, by which Teams tells them apart."""
    one, send, several, _ = body(SELECT, MULTISELECT)
    assert ("Input.ChoiceSet", False, True) == (
        one["type"],
        one["isMultiSelect"],
        several["isMultiSelect"],
    )
    assert ["s", "m", "l%2C100%252C"] == [choice["value"] for choice in one["choices"]]
    assert {"gateway": one["id"]} == send["actions"][0]["data"]


def test_a_card_stands_in_a_frame() -> None:
    """Its title is no Markdown."""
    (frame,) = body(CARD)
    title, text, facts, image, link = frame["items"]
    assert "Ticket *42* <!here>" == title["inlines"][0]["text"]
    assert text["text"].startswith("It is **late**, see ")
    assert ("State", "**open**") == (facts["facts"][0]["title"], facts["facts"][0]["value"])
    assert "https://e.example/i.png" == image["url"]
    assert "https://e.example/42" == link["actions"][0]["url"]


def test_a_form_opens_inside_the_card() -> None:
    """With a question per field, and what to say where an answer is missing."""
    (row,) = body(FORM)
    (opener,) = row["actions"]
    heading, *questions = opener["card"]["body"]
    assert ("Order now", "An order") == (opener["title"], heading["inlines"][0]["text"])
    assert [
        ("Input.Text", "gw:f0:order/text/name", True),
        ("Input.Text", "gw:f0:order/text/wish", False),
        ("Input.ChoiceSet", "gw:f0:order/choice/size", True),
        ("Input.Toggle", "gw:f0:order/text/terms", False),
        ("Input.Date", "gw:f0:order/text/day", True),
    ] == [(each["type"], each["id"], each.get("isRequired", False)) for each in questions]


def test_without_components_there_is_no_card() -> None:
    """The text is enough."""
    assert adaptive_card([], render=render).content is None


def test_what_would_be_too_large_is_left_out_and_named() -> None:
    """The others are shown."""
    cards = [Card(title="T", text="😀" * 2000)] * 10
    shown = adaptive_card([*cards, Feedback(id="f")], render=render)
    content: Any = shown.content
    assert (Ability.CARDS,) == shown.left_out
    assert MAX_CARD_BYTES // 8_200 == len(content["body"]) - 1


def test_choices_come_back_as_they_were_given() -> None:
    """Commas and percent signs too; no choice is none."""
    value = {"gateway": "gw:s0:x", "gw:s0:x": "a%2Cb,%252C"}
    assert Action(id="x", kind=ActionKind.SELECT, values=("a,b", "%2C")) == action_of(value)
    assert Action(id="x", kind=ActionKind.SELECT) == action_of({"gateway": "gw:s0:x"})


def test_answers_to_another_form_are_not_taken() -> None:
    """Nor what was left empty, nor what is no answer at all."""
    value = {
        "gateway": "gw:f0:order",
        "gw:f0:order/text/name": "Ann, 100%",
        "gw:f0:order/text/wish": "",
        "gw:f0:order/choice/size": "l%2C100",
        "gw:f0:order/text/terms": "false",
        "gw:f0:order/text/day": 7,
        "gw:f0:order/text/odd id!": "x",
        "gw:f1:other/text/name": "Bob",
        "name": "Eve",
    }
    assert Action(
        id="order",
        kind=ActionKind.FORM,
        fields={"name": ("Ann, 100%",), "size": ("l,100",), "terms": ("false",)},
    ) == action_of(value)


@pytest.mark.parametrize(
    "value",
    [None, "gw:b0:x", [], {}, {"gateway": 7}, {"gateway": "other"}, {"gateway": "gw:t0:x:maybe"}],
)
def test_what_is_no_use_of_a_component_is_no_action(value: object) -> None:
    """Other bots' cards, and what a modified client makes up."""
    assert action_of(value) is None


def test_the_check_of_the_contract_sees_faults() -> None:
    """Else it would prove nothing."""
    subject = TeamsSubject()
    shown: Any = subject.show(ONE_OF_EACH).payload
    shown["body"][0]["actions"][0]["tooltyp"] = "x"
    shown["body"][0]["actions"] += shown["body"][0]["actions"]
    shown["body"] += body(SELECT)
    faults = subject.faults(shown)
    assert "8 actions" in faults
    assert any(fault.startswith("Action.Submit has") for fault in faults)
