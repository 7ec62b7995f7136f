"""What people did with components, read from the `data` of Discord's interactions. Pure.

Never raises.
https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object-interaction-data
"""

from __future__ import annotations

import msgspec

from adapters.components import chosen, filled_in, read_as, read_trace
from gateway.core.events import Action, ActionKind

_BUTTON, _MENU = 2, 3
_VERDICTS = frozenset({"positive", "negative"})


class _Answer(msgspec.Struct, frozen=True):
    """An input of a modal: a text, what was chosen, or whether a box was ticked."""

    custom_id: str
    value: str | bool | None = None
    values: tuple[str, ...] = ()


class _Question(msgspec.Struct, frozen=True):
    component: _Answer


class _Used(msgspec.Struct, frozen=True):
    """A component of a message that was used."""

    custom_id: str
    component_type: int
    values: tuple[str, ...] = ()


class _Submitted(msgspec.Struct, frozen=True):
    """A modal that was sent off."""

    custom_id: str
    components: tuple[_Question, ...]


def action_of(data: object) -> Action | None:
    """Read the data of a MESSAGE_COMPONENT interaction.

    None when it is none of ours, or the button of a form (see form_to_open).
    """
    used = read_as(data, _Used)
    trace = read_trace(used.custom_id) if used is not None else None
    if used is None or trace is None:
        return None
    if trace.kind is ActionKind.SELECT and used.component_type == _MENU:
        return chosen(trace, used.values)
    if used.component_type != _BUTTON:
        return None
    is_verdict = trace.kind is ActionKind.FEEDBACK and trace.value in _VERDICTS
    return chosen(trace, (trace.value,)) if trace.kind is ActionKind.BUTTON or is_verdict else None


def form_to_open(data: object) -> str | None:
    """Return the id of the form whose button was pressed, None when it was no such button."""
    used = read_as(data, _Used)
    trace = read_trace(used.custom_id) if used is not None else None
    return trace.id if trace is not None and trace.kind is ActionKind.FORM else None


def submission_of(data: object) -> Action | None:
    """Read the data of a MODAL_SUBMIT interaction; None when it is none of our forms."""
    submitted = read_as(data, _Submitted)
    trace = read_trace(submitted.custom_id) if submitted is not None else None
    if submitted is None or trace is None or trace.kind is not ActionKind.FORM:
        return None
    answers = (question.component for question in submitted.components)
    return filled_in(trace, ((answer.custom_id, _values(answer)) for answer in answers))


def _values(answer: _Answer) -> tuple[str, ...]:
    match answer.value:
        case bool():
            return ("true" if answer.value else "false",)
        case str():
            return (answer.value,)
        case None:
            return answer.values
