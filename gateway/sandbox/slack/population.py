"""Who there is: teams that installed the app, channels, users. Nobody says anything here."""

from __future__ import annotations

from dataclasses import replace

from gateway.sandbox.slack.directory import Channel, ChannelKind, Role, Team
from gateway.sandbox.slack.socket_faults import SlackSocketFaults


class SlackPopulation(SlackSocketFaults):
    """The declaring part of SlackSandbox."""

    def add_team(
        self,
        team_id: str,
        *,
        name: str = "",
        bot_token: str = "",
        bot_user_id: str = "",
        bot_id: str = "",
        enterprise_id: str | None = None,
        is_enterprise_install: bool = False,
    ) -> Team:
        """Install the app in a workspace; what is left out is made from the team's id."""
        team = Team(
            team_id=team_id,
            name=name or team_id,
            bot_token=bot_token or f"xoxb-{team_id}",
            bot_user_id=bot_user_id or f"U0BOT{team_id[1:]}",
            bot_id=bot_id or f"B0BOT{team_id[1:]}",
            enterprise_id=enterprise_id,
            is_enterprise_install=is_enterprise_install,
        )
        self._directory.add_team(team)
        return team

    def add_channel(
        self,
        team_id: str,
        channel_id: str,
        kind: ChannelKind | None = None,
        *,
        name: str | None = None,
        is_member: bool = True,
        is_archived: bool = False,
    ) -> Channel:
        """Declare a channel, so that the bot can post there before anybody spoke."""
        channel = self._directory.add_channel(team_id, channel_id, kind)
        channel = replace(
            channel, name=name or channel.name, is_member=is_member, is_archived=is_archived
        )
        self._directory.change_channel(channel)
        return channel

    def share_channel(self, channel_id: str, *team_ids: str) -> None:
        """Let a channel stand in several workspaces, as Slack Connect does. What is written in it
        is kept where it was written.
        """
        self._sharing.share(channel_id, team_ids)

    def add_user(
        self,
        team_id: str,
        user_id: str,
        name: str | None = None,
        *,
        locale: str = "en-US",
        role: Role = "member",
        home_team_id: str | None = None,
    ) -> None:
        """Declare a user and what users.info tells of them; `home_team_id` for a stranger."""
        self._directory.add_user(team_id, user_id, name)
        user = self._directory.user(team_id, user_id)
        if user is not None:
            home = home_team_id or team_id
            user = replace(user, locale=locale, role=role, home_team_id=home)
            self._directory.change_user(team_id, user)
