"""The workspaces that installed the app: teams, channels, users, tokens. Knows no messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

ChannelKind = Literal["channel", "group", "im", "mpim"]
Role = Literal["primary_owner", "owner", "admin", "member", "guest", "single_channel_guest"]


@dataclass(frozen=True, slots=True)
class Team:
    """A workspace and the app's bot in it. Teams of one org-wide install share one `bot_token`,
    which reaches the organisation's other workspaces, too.
    """

    team_id: str
    name: str
    bot_token: str
    bot_user_id: str
    bot_id: str
    enterprise_id: str | None = None
    is_enterprise_install: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """A conversation of one team; the same id may exist in another team and is another channel.

    `is_member` tells whether the app's bot is in it, `team_ids` in which workspaces it stands when
    those are several.
    """

    team_id: str
    channel_id: str
    kind: ChannelKind
    name: str
    is_member: bool = True
    is_archived: bool = False
    team_ids: tuple[str, ...] = ()

    @property
    def is_visible(self) -> bool:
        """Whether the bot can know of it: who is not in a private channel does not see it."""
        return self.is_member or self.kind == "channel"


@dataclass(frozen=True, slots=True)
class User:
    """A person or bot as one team sees it. `home_team_id` is another team's for a stranger in a
    channel that is shared with that team; `enterprise_id` is set for those of an organisation.
    """

    user_id: str
    name: str
    home_team_id: str
    locale: str = "en-US"
    role: Role = "member"
    enterprise_id: str | None = None


class Directory:
    """Everything that has a name. Channels and users that speak are entered on the way."""

    def __init__(self) -> None:
        self._teams: dict[str, Team] = {}
        self._channels: dict[tuple[str, str], Channel] = {}
        self._users: dict[tuple[str, str], User] = {}
        self._direct: dict[tuple[str, frozenset[str]], str] = {}
        self._members: dict[tuple[str, str], tuple[str, ...]] = {}
        self._successors: dict[str, str] = {}

    def add_team(self, team: Team) -> None:
        """Install the app in `team`, or replace what was installed."""
        self._teams[team.team_id] = team
        self.add_user(team.team_id, team.bot_user_id, "sandbox-app")

    def team(self, team_id: str) -> Team:
        """Raises KeyError when the team was never added."""
        return self._teams[team_id]

    def teams(self) -> list[Team]:
        """All teams, in the order in which they were added."""
        return list(self._teams.values())

    def renew_token(self, old: str, new: str) -> None:
        """Give a new token to those who have `old`, which works beside it."""
        for team in self.teams():
            if team.bot_token == old:
                self._teams[team.team_id] = replace(team, bot_token=new)
        self._successors[old] = new

    def team_of(
        self, token: str, channel_id: str | None, team_id: str | None = None
    ) -> Team | None:
        """The team a bot token speaks for; of an org-wide token, the one that is named, else the
        one that has the channel. https://docs.slack.dev/enterprise/organization-ready-apps/
        """
        good = {token, self._successors.get(token)}
        own = [team for team in self._teams.values() if team.bot_token in good]
        orgs = {team.enterprise_id for team in own if team.is_enterprise_install}
        teams = own + [each for each in self.teams() if each.enterprise_id in orgs - {None}]
        named = [team for team in teams if team.team_id == team_id]
        having = [team for team in teams if (team.team_id, channel_id) in self._channels]
        return next(iter(named or having or teams), None)

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

    def change_channel(self, channel: Channel) -> None:
        """Put a changed channel in the place of the old one."""
        self._channels[channel.team_id, channel.channel_id] = channel

    def channel(self, team_id: str, channel_id: str) -> Channel | None:
        """None when this team has no such channel, whoever else has."""
        return self._channels.get((team_id, channel_id))

    def channels(self, team_id: str) -> list[Channel]:
        """All channels of a team, by id."""
        own = (each for each in self._channels.values() if each.team_id == team_id)
        return sorted(own, key=lambda channel: channel.channel_id)

    def open_direct(self, team_id: str, user_ids: Iterable[str]) -> tuple[Channel, bool]:
        """The direct message with these users, and whether it existed before."""
        users = frozenset(user_ids)
        channel_id = self._direct.get((team_id, users))
        if channel_id is None:
            kind: ChannelKind = "im" if len(users) == 1 else "mpim"
            channel_id = f"{'D' if kind == 'im' else 'G'}0DIRECT{len(self._direct)}"
            self._direct[team_id, users] = channel_id
            self._members[team_id, channel_id] = tuple(sorted(users))
            return self.add_channel(team_id, channel_id, kind), False
        return self._channels[team_id, channel_id], True

    def add_user(self, team_id: str, user_id: str, name: str | None = None) -> None:
        """Enter a user; a name once given is kept."""
        known = self._users.get((team_id, user_id))
        if known is None:
            team = self._teams.get(team_id)
            known = User(
                user_id=user_id,
                name=user_id.lower(),
                home_team_id=team_id,
                enterprise_id=None if team is None else team.enterprise_id,
            )
        self._users[team_id, user_id] = replace(known, name=name or known.name)

    def enter(self, team_id: str, channel_id: str, user_id: str) -> None:
        """Let a user be in a channel, as everybody is who speaks there."""
        members = self.members(team_id, channel_id)
        if user_id not in members:
            self._members[team_id, channel_id] = (*members, user_id)

    def members(self, team_id: str, channel_id: str) -> tuple[str, ...]:
        """The people of a channel, as far as they have spoken or been spoken to."""
        return self._members.get((team_id, channel_id), ())

    def user_seen_by(self, team: Team, user_id: str) -> User | None:
        """The user as a team's bot sees them: that of an org-wide install sees all workspaces."""
        seen = self.user(team.team_id, user_id)
        if seen is not None or not team.is_enterprise_install:
            return seen
        found = (self.user(each, user_id) for each in self.teams_with(user_id, team.enterprise_id))
        return next(found, None)

    def teams_with(self, user_id: str, enterprise_id: str | None) -> list[str]:
        """The workspaces of an organisation that a user is at home in."""
        org = (each.team_id for each in self.teams() if each.enterprise_id == enterprise_id)
        users = ((each, self.user(each, user_id)) for each in org)
        return [each for each, user in users if user is not None and user.home_team_id == each]

    def change_user(self, team_id: str, user: User) -> None:
        """Put a changed user in the place of the old one."""
        self._users[team_id, user.user_id] = user

    def user(self, team_id: str, user_id: str) -> User | None:
        """None when this team has no such user."""
        return self._users.get((team_id, user_id))

    def user_name(self, team_id: str, user_id: str) -> str | None:
        """None when this team has no such user."""
        user = self.user(team_id, user_id)
        return None if user is None else user.name


def _kind_of(channel_id: str) -> ChannelKind:
    if channel_id.startswith("D"):
        return "im"
    return "group" if channel_id.startswith("G") else "channel"
