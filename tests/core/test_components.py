"""What agents may say of components, and what is refused, with the field that is wrong."""

from __future__ import annotations

import msgspec
import pytest

from gateway.core.capabilities import Ability
from gateway.core.components import Card, Component, Components, ability_of, forms_of
from tests.contracts.components import FORM, ONE_OF_EACH, WISHES

OPTION: dict[str, object] = {"label": "One", "value": "1"}
FIELD: dict[str, object] = {"id": "name", "label": "Name"}


def button(**changes: object) -> dict[str, object]:
    """A row of one button, with changes."""
    return {"type": "buttons", "buttons": [{"id": "a", "label": "A"} | changes]}


def select(**changes: object) -> dict[str, object]:
    """A menu, with changes."""
    return {"type": "select", "id": "a", "options": [OPTION]} | changes


def form(*fields: dict[str, object]) -> dict[str, object]:
    """A form of these fields."""
    return {"type": "form", "id": "a", "title": "T", "fields": list(fields)}


@pytest.mark.parametrize(
    "said",
    [
        button(),
        button(id="A.b_c-9" + "x" * 33, label="x" * 75, value="x" * 50, style="danger"),
        button(url="https://e.example:8443/a(b)?c=%20#d"),
        button(url="http://e.example?x"),
        select(multiple=True, placeholder="Which?"),
        form(FIELD, {"id": "b", "label": "B", "kind": "select", "options": [OPTION]}),
        {"type": "card", "title": "T"},
        {"type": "card", "title": "T", "facts": [{"name": "N", "value": "V"}]},
        {"type": "feedback", "id": "a"},
    ],
)
def test_what_fits_every_platform_is_taken(said: dict[str, object]) -> None:
    """Each component in its smallest and in a rich form."""
    (component,) = msgspec.convert([said], Components)
    assert said["type"] == msgspec.to_builtins(component)["type"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (button(id=""), "$.buttons[0].id"),
        (button(id="a b"), "$.buttons[0].id"),
        (button(id="a:b"), "$.buttons[0].id"),
        (button(id="a\n"), "$.buttons[0].id"),
        (button(id="x" * 41), "$.buttons[0].id"),
        (button(label=""), "$.buttons[0].label"),
        (button(label=" \t\u3000"), "$.buttons[0].label"),
        (button(label="x" * 76), "$.buttons[0].label"),
        (button(value="x" * 51), "$.buttons[0].value"),
        (button(value="a\x00"), "$.buttons[0].value"),
        (button(value="a\n"), "$.buttons[0].value"),
        (button(style="loud"), "$.buttons[0].style"),
        (button(url="javascript:alert(1)"), "$.buttons[0].url"),
        (button(url="https://"), "$.buttons[0].url"),
        (button(url="https://e.example/<a>"), "$.buttons[0].url"),
        (button(url="https://e.example\n"), "$.buttons[0].url"),
        (button(url="https://a@e.example/"), "$.buttons[0].url"),
        (button(url="https://e.example/" + "x" * 500), "$.buttons[0].url"),
        ({"type": "buttons", "buttons": []}, "$.buttons"),
        ({"type": "buttons", "buttons": [{"id": "a", "label": "A"}] * 26}, "$.buttons"),
        (select(options=[]), "$.options"),
        (select(options=[{"label": "x", "value": str(n)} for n in range(26)]), "$.options"),
        (select(options=[{"label": "x", "value": " "}]), "$.options[0].value"),
        (select(options=[{"label": "x", "value": ""}]), "$.options[0].value"),
        (select(options=[OPTION, OPTION]), "`options` hold one twice"),
        (form(FIELD, FIELD), "`fields` hold one twice"),
        (form(*[FIELD | {"id": str(n)} for n in range(6)]), "$.fields"),
        (form(FIELD | {"kind": "select"}), "$.fields[0]"),
        (form(FIELD | {"options": [OPTION]}), "$.fields[0]"),
        (form(FIELD | {"kind": "select", "options": [OPTION, OPTION]}), "$.fields[0]"),
        ({"type": "card", "title": " "}, "$.title"),
        ({"type": "card", "title": "T", "image_url": "/i.png"}, "$.image_url"),
        ({"type": "card", "title": "T", "facts": [{"name": "N", "value": ""}]}, "$.facts[0].value"),
        ({"type": "poll"}, "$.type"),
    ],
)
def test_what_a_platform_would_refuse_is_refused_at_once(
    said: dict[str, object], field: str
) -> None:
    """With the path of the field, long before the platform would say no to the whole message."""
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(said, Component)
    assert field in str(refused.value)


def test_a_message_has_ten_components_at_most() -> None:
    """More would fit no platform."""
    with pytest.raises(msgspec.ValidationError, match="length <= 10"):
        msgspec.convert([{"type": "feedback", "id": "a"}] * 11, Components)


def test_every_component_needs_an_ability() -> None:
    """So that what was left out can be named."""
    assert [
        *(Ability.BUTTONS, Ability.SELECTS, Ability.SELECTS, Ability.FORMS, Ability.FORMS),
        *(Ability.CARDS, Ability.FEEDBACK),
    ] == [ability_of(component) for component in ONE_OF_EACH]


def test_forms_are_found_among_the_others() -> None:
    """They have to be kept until somebody opens them."""
    assert (FORM, WISHES) == forms_of(ONE_OF_EACH)
    assert () == forms_of((Card(title="T"),))
