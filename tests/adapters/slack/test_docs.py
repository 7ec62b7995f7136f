"""docs/slack.md names what the code asks for."""

from __future__ import annotations

from pathlib import Path

from adapters.slack.http_source import PATHS
from adapters.slack.oauth.scopes import BOT_SCOPES, EVENT_SCOPES

DOCUMENT = (Path(__file__).parents[3] / "docs" / "slack.md").read_text()


def test_every_scope_event_and_path_is_written_down() -> None:
    """Whoever makes the app by hand must not miss one."""
    names = [*BOT_SCOPES, *EVENT_SCOPES]
    assert [] == [name for name in names if f"`{name}`" not in DOCUMENT]
    assert [] == [path for path in PATHS.values() if f"{path}`" not in DOCUMENT]
