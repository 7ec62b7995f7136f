"""The Web API method that tells of people: users.info.

https://docs.slack.dev/reference/methods/users.info/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway.sandbox.slack.calls import Call, SlackError
from gateway.sandbox.slack.directory import Directory, User
from gateway.sandbox.wire import JsonObject


class PeopleMethods:
    """Reading of users as the app's bot."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def table(self) -> Mapping[str, Callable[[Call], JsonObject]]:
        """Method name to what carries it out."""
        return {"users.info": self.info}

    def info(self, call: Call) -> JsonObject:
        """One user object; its locale for those who ask."""
        user = self._directory.user_seen_by(call.team, call.required("user"))
        if user is None:
            raise SlackError("user_not_found")
        teams = self._directory.teams_with(user.user_id, user.enterprise_id)
        body = _user_json(user, teams) | {"is_bot": user.user_id == call.team.bot_user_id}
        return {"user": body | ({"locale": user.locale} if call.flag("include_locale") else {})}


def _user_json(user: User, teams: Sequence[str]) -> JsonObject:
    """https://docs.slack.dev/reference/objects/user-object/"""
    membership: JsonObject = {
        "id": user.user_id,
        "enterprise_id": user.enterprise_id,
        "teams": sorted({user.home_team_id, *teams}),
    }
    return {
        **({"enterprise_user": membership} if user.enterprise_id else {}),
        "id": user.user_id,
        "team_id": user.home_team_id,
        "name": user.name.lower(),
        "real_name": user.name,
        "deleted": False,
        "profile": {"display_name": user.name, "real_name": user.name},
        "is_admin": user.role in {"primary_owner", "owner", "admin"},
        "is_owner": user.role in {"primary_owner", "owner"},
        "is_primary_owner": user.role == "primary_owner",
        "is_restricted": user.role in {"guest", "single_channel_guest"},
        "is_ultra_restricted": user.role == "single_channel_guest",
    }
