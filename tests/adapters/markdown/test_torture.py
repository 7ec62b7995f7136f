"""One page of everything that is hard, and what each platform is sent for it.

The expected files hold the parts, each after a line `===== part`. After a change that is meant,
look at what `render` makes of the page and write it there.
"""

from __future__ import annotations

from pathlib import Path

from tests.adapters.markdown.platforms import Platform, every_platform

PAYLOADS = Path(__file__).parents[2] / "payloads"


@every_platform
def test_the_page_is_rendered_as_expected(platform: Platform) -> None:
    """Lists, tables, code and quotes in lists, links, mentions, emoji, RTL, HTML, escapes."""
    page = (PAYLOADS / "torture.md").read_text(encoding="utf-8")
    expected = (PAYLOADS / platform.name / platform.page).read_text(encoding="utf-8")
    assert expected == "".join(f"===== part\n{part}\n" for part in platform.render(page))
