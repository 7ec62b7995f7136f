"""What people did with components, read from the `value` of Teams' message activities. Pure.

Never raises. The value is the data of an Action.Submit together with the inputs, and a modified
client could send anything in it: ids are read strictly, and nothing else is taken.
https://learn.microsoft.com/en-us/microsoftteams/platform/task-modules-and-cards/cards/cards-actions
"""

from __future__ import annotations

from collections.abc import Iterator

from adapters.components import Trace, chosen, filled_in, read_trace
from adapters.teams.components import TRACE
from gateway.core.events import Action, ActionKind

_VERDICTS = frozenset({"positive", "negative"})


def action_of(value: object) -> Action | None:
    """Read the value of a message activity; None when it comes from no component of ours."""
    if not isinstance(value, dict):
        return None
    action = value.get(TRACE)
    trace = read_trace(action)
    if trace is None:
        return None
    match trace.kind:
        case ActionKind.BUTTON:
            return chosen(trace, (trace.value,))
        case ActionKind.SELECT:
            return chosen(trace, _chosen(value.get(action)))
        case ActionKind.FORM:
            return filled_in(trace, _answers(value, f"{action}/"))
        case ActionKind.FEEDBACK:
            return _verdict(trace)


def _verdict(trace: Trace) -> Action | None:
    return chosen(trace, (trace.value,)) if trace.value in _VERDICTS else None


def _answers(value: dict[object, object], prefix: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for key, answer in value.items():
        if isinstance(key, str) and key.startswith(prefix):
            sort, _, field = key.removeprefix(prefix).partition("/")
            yield field, _chosen(answer) if sort == "choice" else _text(answer)


def _text(answer: object) -> tuple[str, ...]:
    return (answer,) if isinstance(answer, str) else ()


def _chosen(answer: object) -> tuple[str, ...]:
    if not isinstance(answer, str) or not answer:
        return ()
    return tuple(each.replace("%2C", ",").replace("%25", "%") for each in answer.split(","))
