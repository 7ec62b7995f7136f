"""The options of a tenant, which `tenant add` and `tenant set` share."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, TypeVar

import msgspec
import typer

from gateway.archive.records import TenantSpec
from gateway.cli.arguments import agent_id, assignment, duration, per_minute
from gateway.core.ids import AgentId
from gateway.core.retry import RetryPolicy
from gateway.core.tenants import (
    AccessPolicy,
    Agents,
    DirectRoad,
    HistoryScope,
    Limits,
    Mode,
    Overflow,
    Reactions,
    Surface,
)
from gateway.provisioning.validation import MAX_HISTORY_MESSAGES

Many = list[str] | None

Name = Annotated[str | None, typer.Option(help="Name for people.")]
Timeout = Annotated[float | None, typer.Option(help="Seconds that one request may take.")]
Agent = Annotated[str | None, typer.Option(help="Agent that answers by default.")]
ChannelAgent = Annotated[
    Many, typer.Option(metavar="CHANNEL=AGENT", help="Agent of one channel; repeatable.")
]
Rate = Annotated[str | None, typer.Option(metavar="N/min", help="Events a minute.")]
Burst = Annotated[int | None, typer.Option(help="Events at once, before the rate counts.")]
MaxQueued = Annotated[int | None, typer.Option(help="Deliveries that may wait.")]
Concurrency = Annotated[int | None, typer.Option(help="Deliveries at the same moment.")]
MaxFile = Annotated[int | None, typer.Option(metavar="MIB", help="Largest file, either way.")]
MaxFiles = Annotated[
    int | None, typer.Option(metavar="MIB", help="All files that its agents bring within a day.")
]
WhenFull = Annotated[Overflow | None, typer.Option(help="What a full queue does with what comes.")]
MaxAttempts = Annotated[int | None, typer.Option(help="Attempts before a dead letter.")]
MaxAge = Annotated[
    str | None, typer.Option(metavar="DURATION", help="Age before a dead letter, such as 24h.")
]
DirectMessages = Annotated[bool | None, typer.Option("--dm/--no-dm", help="Take direct messages.")]
Mention = Annotated[
    bool | None, typer.Option("--mention/--no-mention", help="Ask for a mention in channels.")
]
OpenChannel = Annotated[
    Many, typer.Option(metavar="CHANNEL", help="Channel that needs no mention; repeatable.")
]
AllowChannel = Annotated[
    Many, typer.Option(metavar="CHANNEL", help="Take only these channels; repeatable.")
]
AllowUser = Annotated[
    Many, typer.Option(metavar="USER", help="Listen only to these users; repeatable.")
]

History = Annotated[
    int | None,
    typer.Option(min=0, max=MAX_HISTORY_MESSAGES, help="Earlier messages with a delivery."),
]
Scope = Annotated[
    HistoryScope | None, typer.Option(help="Of them those that the agent missed, or all.")
]
Reacts = Annotated[Reactions | None, typer.Option(help="Reactions that the agent hears of.")]
Commander = Annotated[
    Many,
    typer.Option(metavar="ROLE|USER", help="Whose commands count; `everyone` for all; repeatable."),
]
ReplyToken = Annotated[
    bool | None,
    typer.Option(
        "--require-reply-token/--no-require-reply-token",
        help="Let the agent speak with a delivery's token only.",
    ),
]


HowSpokenTo = Annotated[
    Mode | None,
    typer.Option("--mode", help="By its plugin, direct to OpenClaw, or direct without plugin."),
]
DirectUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="OpenClaw's own address, http://host:18789; '' forgets it."),
]
DirectSurface = Annotated[
    Surface | None, typer.Option(help="Which endpoint of OpenClaw's takes turns.")
]
DirectAgent = Annotated[
    str | None, typer.Option(help="Who answers there; '' for whom routing chose.")
]
DirectTimeout = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="How long a turn may take.")
]
DirectTokenStdin = Annotated[
    bool,
    typer.Option("--direct-token-stdin", help="Read OpenClaw's gateway token from standard input."),
]


@dataclass(frozen=True, slots=True)
class DirectOptions:
    """What was given of direct mode; None is not given."""

    url: str | None
    surface: Surface | None
    agent: str | None
    timeout: float | None

    def applied_to(self, direct: DirectRoad | None) -> DirectRoad | None:
        """Change what was given. Raises typer.BadParameter."""
        if self.url == "":
            return None
        if direct is None and self.url is None:
            if self.surface or self.agent or self.timeout is not None:
                raise typer.BadParameter("--direct-url is needed first")
            return None
        road = _with(
            direct or DirectRoad(url=""),
            url=self.url,
            surface=self.surface,
            timeout_s=self.timeout,
        )
        if self.agent is None:
            return road
        return msgspec.structs.replace(road, agent=agent_id(self.agent) if self.agent else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantOptions:
    """What was given on the command line; None is not given.

    A repeatable option replaces its whole list; a single empty value empties it.
    """

    endpoint: str | None
    name: str | None
    timeout: float | None
    agent: str | None
    channel_agent: Many
    rate: str | None
    burst: int | None
    max_queued: int | None
    concurrency: int | None
    max_file: int | None
    max_files: int | None
    when_full: Overflow | None
    max_attempts: int | None
    max_age: str | None
    dm: bool | None
    mention: bool | None
    open_channel: Many
    allow_channel: Many
    allow_user: Many
    history: int | None
    history_scope: HistoryScope | None
    reactions: Reactions | None
    commander: Many
    reply_token: bool | None
    mode: Mode | None
    direct: DirectOptions

    def applied_to(self, spec: TenantSpec) -> TenantSpec:
        """Change what was given. Raises typer.BadParameter."""
        direct = self.direct.applied_to(spec.direct)
        return _with(
            msgspec.structs.replace(spec, direct=direct),
            endpoint_url=self.endpoint,
            name=self.name,
            timeout_s=self.timeout,
            agents=self._agents(spec.agents),
            access=self._access(spec.access),
            limits=self._limits(spec.limits),
            retry=self._retry(spec.retry),
            history=_with(spec.history, messages=self.history, scope=self.history_scope),
            require_reply_token=self.reply_token,
            mode=self.mode,
        )

    def _agents(self, agents: Agents) -> Agents:
        by_channel = None if self.channel_agent is None else _assignments(self.channel_agent)
        return _with(
            agents,
            default=None if self.agent is None else agent_id(self.agent),
            by_channel=by_channel,
        )

    def _access(self, access: AccessPolicy) -> AccessPolicy:
        return _with(
            access,
            direct_messages=self.dm,
            require_mention=self.mention,
            channels_without_mention=_texts(self.open_channel),
            allowed_channels=_texts(self.allow_channel),
            allowed_users=_texts(self.allow_user),
            reactions=self.reactions,
            commanders=_texts(self.commander),
        )

    def _limits(self, limits: Limits) -> Limits:
        return _with(
            limits,
            events_per_minute=None if self.rate is None else per_minute(self.rate),
            event_burst=self.burst,
            max_queued=self.max_queued,
            concurrency=self.concurrency,
            file_bytes=_mebibytes(self.max_file),
            stored_file_bytes=_mebibytes(self.max_files),
            overflow=self.when_full,
        )

    def _retry(self, retry: RetryPolicy) -> RetryPolicy:
        return _with(
            retry,
            max_attempts=self.max_attempts,
            max_age_s=None if self.max_age is None else duration(self.max_age).total_seconds(),
        )


def read_direct_token(url: str | None, *, from_stdin: bool) -> str | None:
    """Read OpenClaw's gateway token: from standard input, or unseen on a terminal when a new
    `url` was given. None when there is none. Raises typer.BadParameter.
    """
    if from_stdin:
        token = sys.stdin.readline().strip()
        if not token:
            raise typer.BadParameter("--direct-token-stdin: standard input is empty")
        return token
    if not url or not sys.stdin.isatty():
        return None
    answer: str = typer.prompt(
        "OpenClaw's gateway token (empty to keep what is stored)",
        default="",
        hide_input=True,
        show_default=False,
        err=True,
    )
    return answer.strip() or None


_S = TypeVar("_S", bound=msgspec.Struct)


def _with(struct: _S, **given: object) -> _S:
    changes = {field: value for field, value in given.items() if value is not None}
    return msgspec.structs.replace(struct, **changes)


def _mebibytes(given: int | None) -> int | None:
    return None if given is None else given * 1024 * 1024


def _texts(given: Many) -> tuple[str, ...] | None:
    return None if given is None else tuple(text for text in given if text)


def _assignments(given: list[str]) -> dict[str, AgentId]:
    pairs = (assignment(text) for text in given if text)
    return {channel: agent_id(agent) for channel, agent in pairs}
