"""cProfile, switched on and off by commands."""

from __future__ import annotations

import cProfile
import io
import pstats

from loadtests.commands import Fields, Handler

_LINES = 15
_ROADS = (
    r"gateway/|plugin_bridge/|routing/|structlog/_|metrics.py|webhooks.py|client.py|tenacity/async"
)
"""Where our own calls and those to the libraries of the hot path are seen with all they cause."""


class Profiling:
    """One profile at a time, of the thread that obeys."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile()

    def handlers(self) -> dict[str, Handler]:
        """The commands, by name."""
        return {"profile": self.begin, "profiled": self.end}

    async def begin(self, _: Fields) -> Fields:
        """Forget the last profile and begin."""
        self._profile = cProfile.Profile()
        self._profile.enable()
        return {}

    async def end(self, _: Fields) -> Fields:
        """End; answers the functions with most time of their own, then ours with all they call."""
        self._profile.disable()
        text = io.StringIO()
        stats = pstats.Stats(self._profile, stream=text)
        stats.sort_stats("tottime").print_stats(_LINES)
        stats.sort_stats("cumulative").print_stats(_ROADS, 2 * _LINES)
        return {"text": text.getvalue()}
