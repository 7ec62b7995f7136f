"""What people can press, choose and fill in: one model, rendered for each platform.

Sizes are the largest that all platforms hold, so that a message never has to be refused for the
platform it goes to. Adapters render, and lower what a platform lacks by its table of capabilities.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from gateway.core.capabilities import Ability

# Python's `$` also matches before a last line break, which no id and no address may hold.
_END = r"$(?!\n)"
_URL = r"^https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?([/?#][^\s<>|\\]*)?" + _END
# Platforms refuse texts of nothing but white space.
_VISIBLE = r"\S"
# A value travels inside of the platforms' ids.
_VALUE = r"^[^\x00-\x1f\x7f]*" + _END

ComponentId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,40}" + _END)]
"""The agent's own name of a component; it comes back with `action.invoked`."""

Label = Annotated[str, Meta(min_length=1, max_length=75, pattern=_VISIBLE)]
Line = Annotated[str, Meta(min_length=1, max_length=150, pattern=_VISIBLE)]
Url = Annotated[str, Meta(pattern=_URL, max_length=1000)]
Markdown = Annotated[str, Meta(max_length=2000)]


class ButtonStyle(StrEnum):
    """How loud a button is."""

    DEFAULT = "default"
    PRIMARY = "primary"
    DANGER = "danger"


class Button(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A button. With a `url` it opens a page, and nobody is told of it.

    Id and value are short because Discord gives both back in one id of 100 characters, and the
    address because Discord opens none of more than 512.
    https://docs.discord.com/developers/components/reference#button
    """

    id: ComponentId
    label: Label
    value: Annotated[str, Meta(max_length=50, pattern=_VALUE)] = ""
    style: ButtonStyle = ButtonStyle.DEFAULT
    url: Annotated[str, Meta(pattern=_URL, max_length=512)] | None = None


class Buttons(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="buttons"):
    """A row of buttons."""

    buttons: Annotated[tuple[Button, ...], Meta(min_length=1, max_length=25)]


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One choice."""

    label: Label
    value: Annotated[str, Meta(max_length=90, pattern=r"(?=.*\S)" + _VALUE)]


Options = Annotated[tuple[Option, ...], Meta(min_length=1, max_length=25)]


class Select(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="select"
):
    """A menu of choices, each of its own value; `multiple` lets people choose several, or none."""

    id: ComponentId
    options: Options
    placeholder: Line | None = None
    multiple: bool = False

    def __post_init__(self) -> None:
        _refuse_twice("`options`", (option.value for option in self.options))


class FieldKind(StrEnum):
    """What a field of a form asks for."""

    TEXT = "text"
    MULTILINE = "multiline"
    SELECT = "select"
    MULTISELECT = "multiselect"
    CHECKBOX = "checkbox"
    DATE = "date"


class FormField(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question. `options` are for the kinds select and multiselect, and for them alone. A date
    is answered as YYYY-MM-DD; a checkbox as `true` or `false`, `required` or not.
    """

    id: ComponentId
    label: Annotated[str, Meta(min_length=1, max_length=45, pattern=_VISIBLE)]
    kind: FieldKind = FieldKind.TEXT
    required: bool = True
    placeholder: Annotated[str, Meta(min_length=1, max_length=100, pattern=_VISIBLE)] | None = None
    options: Annotated[tuple[Option, ...], Meta(max_length=25)] = ()

    def __post_init__(self) -> None:
        if bool(self.options) != (self.kind in {FieldKind.SELECT, FieldKind.MULTISELECT}):
            raise ValueError(
                "`options` belong to the kinds select and multiselect, and to no other"
            )
        _refuse_twice("`options`", (option.value for option in self.options))


class Form(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="form"
):
    """Questions behind a button. Where a platform has no dialog they stand in the message.

    What people leave empty is not among the answers.
    """

    id: ComponentId
    title: Annotated[str, Meta(min_length=1, max_length=24, pattern=_VISIBLE)]
    fields: Annotated[tuple[FormField, ...], Meta(min_length=1, max_length=5)]
    label: Label = "Open"
    submit: Annotated[str, Meta(min_length=1, max_length=24, pattern=_VISIBLE)] = "Submit"

    def __post_init__(self) -> None:
        _refuse_twice("`fields`", (field.id for field in self.fields))


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A named value of a card. The value is Markdown, one line of it."""

    name: Line
    value: Annotated[str, Meta(min_length=1, max_length=500, pattern=_VISIBLE)]


class Card(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="card"
):
    """A framed piece of information. With a `url` its title is a link."""

    title: Line
    text: Markdown = ""
    facts: Annotated[tuple[Fact, ...], Meta(max_length=10)] = ()
    image_url: Url | None = None
    url: Url | None = None


class Feedback(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="feedback"):
    """Thumbs up and down for an answer."""

    id: ComponentId


Component = Buttons | Select | Form | Card | Feedback

Components = Annotated[tuple[Component, ...], Meta(max_length=10)]


def forms_of(components: tuple[Component, ...]) -> tuple[Form, ...]:
    """Pick the forms, which have to be kept until somebody opens them."""
    return tuple(each for each in components if isinstance(each, Form))


_ABILITIES: Final = {
    Buttons: Ability.BUTTONS,
    Select: Ability.SELECTS,
    Form: Ability.FORMS,
    Card: Ability.CARDS,
    Feedback: Ability.FEEDBACK,
}


def ability_of(component: Component) -> Ability:
    """Tell which ability of the platform a component needs."""
    return _ABILITIES[type(component)]


def _refuse_twice(field: str, values: Iterable[Hashable]) -> None:
    listed = list(values)
    if len(set(listed)) < len(listed):
        # A platform refuses the whole message, or nobody could tell which was meant.
        raise ValueError(f"{field} hold one twice")
