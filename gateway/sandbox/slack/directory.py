"""The workspaces that installed the app: teams, channels, users, tokens. Knows no messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ChannelKind = Literal["channel", "group", "im", "mpim"]


@dataclass(frozen=True, slots=True)
class Team:
    """A workspace and the app's bot in it. Teams of one org-wide install share one `bot_token`."""

    team_id: str
    name: str
    bot_token: str
    bot_user_id: str
    bot_id: str
    enterprise_id: str | None = None
    is_enterprise_install: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """A conversation of one team; the same id may exist in another team and is another channel."""

    team_id: str
    channel_id: str
    kind: ChannelKind
    name: str


class Directory:
    """Everything that has a name. Channels and users that speak are entered on the way."""

    def __init__(self) -> None:
        self._teams: dict[str, Team] = {}
        self._channels: dict[tuple[str, str], Channel] = {}
        self._users: dict[tuple[str, str], str] = {}

    def add_team(self, team: Team) -> None:
        """Install the app in `team`, or replace what was installed."""
        self._teams[team.team_id] = team
        self.add_user(team.team_id, team.bot_user_id, "sandbox-app")

    def team(self, team_id: str) -> Team:
        """Raises KeyError when the team was never added."""
        return self._teams[team_id]

    def team_of(self, token: str, channel_id: str | None) -> Team | None:
        """The team a bot token speaks for; of an org-wide token, the team that has the channel."""
        teams = [team for team in self._teams.values() if team.bot_token == token]
        having = [team for team in teams if (team.team_id, channel_id) in self._channels]
        return next(iter(having or teams), None)

    def add_channel(
        self, team_id: str, channel_id: str, kind: ChannelKind | None = None
    ) -> Channel:
        """Enter a channel; without `kind` the id's first letter decides, as it did on Slack."""
        known = self._channels.get((team_id, channel_id))
        if known is not None and kind in (None, known.kind):
            return known
        channel = Channel(team_id, channel_id, kind or _kind_of(channel_id), channel_id.lower())
        self._channels[team_id, channel_id] = channel
        return channel

    def channel(self, team_id: str, channel_id: str) -> Channel | None:
        """None when this team has no such channel, whoever else has."""
        return self._channels.get((team_id, channel_id))

    def add_user(self, team_id: str, user_id: str, name: str | None = None) -> None:
        """Enter a user; a name once given is kept."""
        if name is not None or (team_id, user_id) not in self._users:
            self._users[team_id, user_id] = name or user_id.lower()

    def user_name(self, team_id: str, user_id: str) -> str | None:
        """None when this team has no such user."""
        return self._users.get((team_id, user_id))


def _kind_of(channel_id: str) -> ChannelKind:
    if channel_id.startswith("D"):
        return "im"
    return "group" if channel_id.startswith("G") else "channel"
