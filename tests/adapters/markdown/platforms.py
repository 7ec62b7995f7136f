"""The renderers under test, side by side, and what may stand in the output of each."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
import pytest

from adapters.discord import outbound as discord
from adapters.slack import outbound as slack
from adapters.teams import outbound as teams


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """`own` matches the tags that the renderer makes; without them nothing may be `forbidden`.
    `page` is the file of what is expected of the one page, in the platform's folder of payloads.
    """

    name: str
    page: str = "torture.txt"
    render: Callable[[str], list[str]]
    limit: int
    measure: Callable[[str], int]
    own: re.Pattern[str]
    forbidden: re.Pattern[str]


# Between the letters stands what a platform may drop before it looks for mentions.
_NEVER = "|".join(
    [
        r"@[^\w\s!-~\u200b]*(?i:everyone|here|channel)",
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef]",
    ]
)

SLACK = Platform(
    name="slack",
    render=slack.render,
    limit=slack.MAX_MARKDOWN_CHARS,
    measure=len,
    own=re.compile("<@[UW][A-Z0-9]+>|<#[CDG][A-Z0-9]+>"),
    forbidden=re.compile(rf"{_NEVER}|<[^\w\s!-~\u200b]*[@#!]"),
)
SLACK_TEXT = Platform(
    name="slack",
    page="torture_text.txt",
    render=lambda markdown: [slack.in_mrkdwn(part) for part in slack.render(markdown)],
    limit=slack.MAX_TEXT_CHARS,
    measure=len,
    own=re.compile(r"<(?:(?:https?://|mailto:)[^<>\n]*|@[UW][A-Z0-9]+|#[CDG][A-Z0-9]+)>"),
    forbidden=re.compile(f"{_NEVER}|<"),
)
DISCORD = Platform(
    name="discord",
    render=discord.render,
    limit=discord.MAX_TEXT_CHARS,
    measure=len,
    own=re.compile("<[@#][0-9]{1,20}>"),
    forbidden=re.compile(f"{_NEVER}|<[@#]"),
)
TEAMS = Platform(
    name="teams",
    render=teams.render,
    limit=teams.MAX_TEXT_BYTES,
    measure=teams.text_bytes,
    own=re.compile("<at>29:[a-z]+</at>"),
    forbidden=re.compile(f"{_NEVER}|<(?i:/?at)"),
)

every_platform = pytest.mark.parametrize(
    "platform",
    [SLACK, SLACK_TEXT, DISCORD, TEAMS],
    ids=lambda platform: f"{platform.name}-{platform.page}",
)
