"""What people did with components, read from Slack's interaction payloads. Pure; never raises.

https://docs.slack.dev/reference/interaction-payloads
"""

from __future__ import annotations

import msgspec

from adapters.components import chosen, filled_in, read_as, read_trace
from adapters.slack.components import ANSWER
from gateway.core.events import Action, ActionKind

_VERDICTS = frozenset({"positive", "negative"})


class _Choice(msgspec.Struct, frozen=True):
    value: str


class _Element(msgspec.Struct, frozen=True):
    """An element and its state: in `actions` of block_actions, in the state of a view."""

    type: str
    action_id: str = ""
    value: str | None = None
    selected_option: _Choice | None = None
    selected_options: tuple[_Choice, ...] | None = None
    selected_date: str | None = None


class _State(msgspec.Struct, frozen=True):
    values: dict[str, dict[str, _Element]] = {}


class _View(msgspec.Struct, frozen=True):
    callback_id: str
    state: _State = _State()


def action_of(element: object) -> Action | None:
    """Read one of the `actions` of a block_actions payload.

    None when it is none of ours, a link, or the button of a form (see form_to_open).
    """
    used = read_as(element, _Element)
    trace = read_trace(used.action_id) if used is not None else None
    if used is None or trace is None:
        return None
    values = _values(used)
    if trace.kind is ActionKind.BUTTON and used.type == "button":
        return chosen(trace, values or ("",))
    if trace.kind is ActionKind.SELECT and used.type.endswith("static_select"):
        return chosen(trace, values)
    if trace.kind is ActionKind.FEEDBACK and _VERDICTS.issuperset(values) and values:
        return chosen(trace, values)
    return None


def form_to_open(element: object) -> str | None:
    """Return the id of the form whose button was pressed, None when it was no such button."""
    used = read_as(element, _Element)
    trace = read_trace(used.action_id) if used is not None else None
    return trace.id if trace is not None and trace.kind is ActionKind.FORM else None


def submission_of(view: object) -> Action | None:
    """Read the `view` of a view_submission payload; None when it is none of our forms."""
    submitted = read_as(view, _View)
    trace = read_trace(submitted.callback_id) if submitted is not None else None
    if submitted is None or trace is None or trace.kind is not ActionKind.FORM:
        return None
    inputs = submitted.state.values.items()
    return filled_in(trace, ((field, _answer(elements)) for field, elements in inputs))


def _answer(elements: dict[str, _Element]) -> tuple[str, ...]:
    return _values(elements[ANSWER]) if ANSWER in elements else ()


def _values(element: _Element) -> tuple[str, ...]:
    match element.type:
        case "static_select":
            return () if element.selected_option is None else (element.selected_option.value,)
        case "multi_static_select":
            return tuple(each.value for each in element.selected_options or ())
        case "checkboxes":
            return ("true" if element.selected_options else "false",)
        case "datepicker":
            return (element.selected_date,) if element.selected_date else ()
        case _:
            return (element.value,) if element.value else ()
