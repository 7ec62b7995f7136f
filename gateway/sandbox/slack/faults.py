"""What can go wrong between an app and Slack, as values, and the plan of what goes wrong next."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimited:
    """HTTP 429 with Retry-After. https://docs.slack.dev/apis/web-api/rate-limits/"""

    retry_after_s: int = 1


@dataclass(frozen=True, slots=True)
class HttpStatus:
    """An answer that is no Slack answer at all, as from a load balancer."""

    status: int = 500


@dataclass(frozen=True, slots=True)
class ApiError:
    """HTTP 200 with `ok: false`."""

    error: str


@dataclass(frozen=True, slots=True)
class ResetBefore:
    """The connection is reset, at once or later, and the call was never carried out."""

    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ResetAfter:
    """The call was carried out at once and its answer is lost, sooner or later: the ambiguous
    case.
    """

    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Slow:
    """The call is carried out and answered, but only after `seconds`."""

    seconds: float


Fault = RateLimited | HttpStatus | ApiError | ResetBefore | ResetAfter | Slow


@dataclass(slots=True)
class _Planned:
    fault: Fault
    team_id: str | None
    left: int


class FaultPlan:
    """The faults of the coming calls, first planned first used."""

    def __init__(self) -> None:
        self._planned: defaultdict[str, deque[_Planned]] = defaultdict(deque)

    def add(self, method: str, fault: Fault, *, times: int, team_id: str | None) -> None:
        """Make the next `times` calls of `method` fail, those of one team only if it is named."""
        self._planned[method].append(_Planned(fault, team_id, times))

    def clear(self) -> None:
        """Let no more calls fail."""
        self._planned.clear()

    def take(self, method: str, team_id: str | None) -> Fault | None:
        """The fault of this call, used up by asking."""
        queue = self._planned[method]
        for planned in queue:
            if planned.team_id in (None, team_id):
                planned.left -= 1
                if planned.left <= 0:
                    queue.remove(planned)
                return planned.fault
        return None
