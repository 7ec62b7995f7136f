"""What people can press, choose and fill in: one model, rendered for each platform.

Sizes are the largest that all platforms hold, so that a message never has to be refused for the
platform it goes to. Adapters render, and lower what a platform lacks by its table of capabilities.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

ComponentId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,60}$")]
"""The agent's own name of a component; it comes back with `action.invoked`."""

Label = Annotated[str, Meta(min_length=1, max_length=75)]
Value = Annotated[str, Meta(max_length=90)]
Line = Annotated[str, Meta(min_length=1, max_length=150)]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s<>|]+$", max_length=1000)]
Markdown = Annotated[str, Meta(max_length=2000)]


class ButtonStyle(StrEnum):
    """How loud a button is."""

    DEFAULT = "default"
    PRIMARY = "primary"
    DANGER = "danger"


class Button(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A button. With a `url` it opens a page, and nobody is told of it."""

    id: ComponentId
    label: Label
    value: Value = ""
    style: ButtonStyle = ButtonStyle.DEFAULT
    url: Url | None = None


class Buttons(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="buttons"):
    """A row of buttons."""

    buttons: Annotated[tuple[Button, ...], Meta(min_length=1, max_length=25)]


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One choice."""

    label: Label
    value: Annotated[str, Meta(min_length=1, max_length=90)]


Options = Annotated[tuple[Option, ...], Meta(min_length=1, max_length=25)]


class Select(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="select"
):
    """A menu of choices; `multiple` lets people choose several."""

    id: ComponentId
    options: Options
    placeholder: Line | None = None
    multiple: bool = False


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
    is answered as YYYY-MM-DD, a checkbox as `true` or `false`.
    """

    id: ComponentId
    label: Annotated[str, Meta(min_length=1, max_length=45)]
    kind: FieldKind = FieldKind.TEXT
    required: bool = True
    placeholder: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    options: Annotated[tuple[Option, ...], Meta(max_length=25)] = ()

    def __post_init__(self) -> None:
        if bool(self.options) != (self.kind in {FieldKind.SELECT, FieldKind.MULTISELECT}):
            raise ValueError(
                "`options` belong to the kinds select and multiselect, and to no other"
            )


class Form(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="form"
):
    """Questions behind a button. Where a platform has no dialog they stand in the message."""

    id: ComponentId
    title: Annotated[str, Meta(min_length=1, max_length=24)]
    fields: Annotated[tuple[FormField, ...], Meta(min_length=1, max_length=5)]
    label: Label = "Open"
    submit: Annotated[str, Meta(min_length=1, max_length=24)] = "Submit"


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A named value of a card."""

    name: Line
    value: Annotated[str, Meta(min_length=1, max_length=500)]


class Card(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="card"
):
    """A framed piece of information."""

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
