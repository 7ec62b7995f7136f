"""What people do besides writing: react, come and go, open the app, run commands, press buttons.

Events are sent until they are acknowledged. A slash command or an interaction comes once: without
an acknowledgement in three seconds its user is shown an error (`given_up` has its envelope's id).
https://docs.slack.dev/interactivity/handling-user-interaction/#acknowledgment_response
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

from gateway.sandbox.slack.book import Message
from gateway.sandbox.slack.directory import Channel, User
from gateway.sandbox.slack.feed import Feed
from gateway.sandbox.slack.happenings import (
    access_event,
    archived_event,
    assistant_started_event,
    bot_left_event,
    closed_event,
    context_changed_event,
    home_opened_event,
    joined_event,
    left_event,
    revoked_event,
    stopped_event,
    uninstalled_event,
)
from gateway.sandbox.slack.interactions import (
    Actor,
    Answers,
    block_actions_payload,
    command_payload,
    message_shortcut_payload,
    shortcut_payload,
    used_element,
    user_id_of,
    view_payload,
)
from gateway.sandbox.slack.oauth import OAuthServer
from gateway.sandbox.slack.population import SlackPopulation
from gateway.sandbox.slack.rules import SlackRules
from gateway.sandbox.slack.sessions import SessionMethods
from gateway.sandbox.slack.streams import StreamMethods
from gateway.sandbox.wire import JsonObject

_ANSWERABLE = frozenset({"slash_commands", "view_submission"})


class SlackActs(SlackPopulation):
    """The acting part of SlackSandbox. Each method returns an event's or an envelope's id."""

    def __init__(self, app_id: str, rules: SlackRules) -> None:
        super().__init__(app_id, rules)
        self._act_app_id = app_id
        self._feed = Feed(app_id, self._directory, self._book, self._courier, self._sharing)
        self.looks: dict[tuple[str, str], JsonObject] = {}
        self.oauth = OAuthServer(app_id, self._directory, self.revoke_token)
        own_feed = self._feed if rules.echo_own_messages else None
        self.sessions = SessionMethods(self._directory, enabled=rules.agent_view)
        self.streams = StreamMethods(
            app_id, self._directory, self._book, own_feed, rules.stream_lifetime_s
        )

    # -- events -------------------------------------------------------------------------------

    def react(self, team_id: str, channel_id: str, user_id: str, ts: str, name: str) -> None:
        """Put an emoji on a message, by its name. Raises KeyError when there is no message."""
        message = self._found(team_id, channel_id, ts)
        self._book.react(message, name, user_id)
        self._feed.reacted("reaction_added", message, name, user_id)

    def unreact(self, team_id: str, channel_id: str, user_id: str, ts: str, name: str) -> None:
        """Take an emoji off again. Raises KeyError when there is no message."""
        message = self._found(team_id, channel_id, ts)
        self._book.unreact(message, name, user_id)
        self._feed.reacted("reaction_removed", message, name, user_id)

    def join(
        self, team_id: str, channel_id: str, user_id: str, *, inviter: str | None = None
    ) -> str:
        """Join a channel; the bot joins by its own user id."""
        team, channel = self._directory.team(team_id), self._entered(team_id, channel_id)
        if user_id == team.bot_user_id:
            self._directory.change_channel(replace(channel, is_member=True))
        event = joined_event(channel, team, user_id, self._book.new_ts(), inviter)
        return self._feed.send(team_id, event)

    def leave(
        self, team_id: str, channel_id: str, user_id: str, *, actor_id: str | None = None
    ) -> str:
        """Leave a channel, or be removed by `actor_id`. Of itself the bot hears `channel_left`."""
        team, channel = self._directory.team(team_id), self._entered(team_id, channel_id)
        at_ts = self._book.new_ts()
        if user_id != team.bot_user_id:
            return self._feed.send(team_id, left_event(channel, team, user_id, at_ts))
        self._directory.change_channel(replace(channel, is_member=False))
        return self._feed.send(team_id, bot_left_event(channel, actor_id or user_id, at_ts))

    def open_home(
        self, team_id: str, user_id: str, channel_id: str | None = None, *, tab: str = "messages"
    ) -> str:
        """Open the app; `channel_id` is the user's direct message with it, made if not given."""
        channel = self._direct(team_id, user_id, channel_id)
        event = home_opened_event(channel, user_id, tab, self._book.new_ts())
        seen = self.looks.get((team_id, user_id))
        return self._feed.send(team_id, event | ({} if seen is None else {"context": seen}))

    def look_at(self, team_id: str, user_id: str, channel_id: str) -> str:
        """Look at a channel, with the app's messages tab beside it: what is written or opened there
        from now on says so.
        """
        channel = self._direct(team_id, user_id, None)
        entity: JsonObject = {
            "type": "slack#/types/channel_id",
            "value": channel_id,
            "team_id": team_id,
        }
        seen: JsonObject = {"entities": [entity]}
        self.looks[team_id, user_id] = seen
        event = context_changed_event(channel, user_id, seen, self._book.new_ts())
        return self._feed.send(team_id, event)

    def start_assistant_thread(
        self, team_id: str, user_id: str, channel_id: str | None = None
    ) -> str:
        """Begin a thread in the older assistant view. Returns its ts, not the event's id."""
        channel = self._direct(team_id, user_id, channel_id)
        thread_ts = self._book.new_ts()
        event = assistant_started_event(channel, user_id, thread_ts, self._book.new_ts())
        self._feed.send(team_id, event)
        return thread_ts

    def stop_agent(
        self,
        team_id: str,
        channel_id: str,
        user_id: str,
        thread_ts: str,
        *,
        streaming: Sequence[str] = (),
    ) -> str:
        """Press stop in a thread; `streaming` are the messages that were growing there, and grow no
        more.
        """
        channel = self._entered(team_id, channel_id)
        for ts in streaming:
            if self._book.get(team_id, channel_id, ts) is not None:
                self.streams.stopped_by_user(team_id, channel_id, ts)
        event = stopped_event(channel, user_id, thread_ts, streaming, self._book.new_ts())
        return self._feed.send(team_id, event)

    def archive(self, team_id: str, channel_id: str, user_id: str) -> str:
        """Archive a channel."""
        channel = self._entered(team_id, channel_id)
        self._directory.change_channel(replace(channel, is_archived=True))
        return self._feed.send(team_id, archived_event(channel, user_id, self._book.new_ts()))

    def close_direct(self, team_id: str, channel_id: str, user_id: str) -> str:
        """Close a direct message with the app."""
        channel = self._entered(team_id, channel_id)
        return self._feed.send(team_id, closed_event(channel, user_id, self._book.new_ts()))

    def revoke_token(self, team_id: str) -> str:
        """Revoke the bot's token: it is worth nothing from now on."""
        team = self._directory.team(team_id)
        self._directory.add_team(replace(team, bot_token=f"revoked-{uuid.uuid4().hex}"))
        # The documents show these without authorizations: there is nothing left to authorize.
        return self._feed.send(team_id, revoked_event(team), {"authorizations": []})

    def uninstall(self, team_id: str) -> str:
        """Remove the app from a workspace: tokens_revoked and app_uninstalled. Returns the id of
        the latter.
        """
        self.revoke_token(team_id)
        return self._feed.send(team_id, uninstalled_event(), {"authorizations": []})

    def revoke_access(self, team_id: str) -> str:
        """Take a workspace from the organisation's app: its token does not reach there any more."""
        team = self._directory.team(team_id)
        self._directory.add_team(replace(team, bot_token=f"revoked-{uuid.uuid4().hex}"))
        return self._access_changed(team.enterprise_id, [team_id], granted=False)

    def grant_access(self, team_id: str, bot_token: str) -> str:
        """Give a workspace to the organisation's app, whose token is `bot_token`."""
        team = self._directory.team(team_id)
        self._directory.add_team(replace(team, bot_token=bot_token))
        return self._access_changed(team.enterprise_id, [team_id], granted=True)

    def _access_changed(
        self, enterprise_id: str | None, team_ids: list[str], *, granted: bool
    ) -> str:
        authorization: JsonObject = {
            "enterprise_id": enterprise_id,
            "team_id": team_ids[0],
            "is_bot": False,
            "is_enterprise_install": False,
        }
        outer: JsonObject = {"team_id": None, "enterprise_id": enterprise_id}
        outer["authorizations"] = [authorization]
        return self._feed.send(team_ids[0], access_event(team_ids, granted=granted), outer)

    # -- commands and interactions ------------------------------------------------------------

    def run_command(
        self, team_id: str, channel_id: str, user_id: str, command: str, text: str = ""
    ) -> str:
        """Run a slash command such as "/ask"."""
        actor, channel = self._actor(team_id, user_id), self._entered(team_id, channel_id)
        return self._once("slash_commands", team_id, command_payload(actor, channel, command, text))

    def use_shortcut(self, team_id: str, user_id: str, callback_id: str) -> str:
        """Use a global shortcut."""
        return self._interact(team_id, shortcut_payload(self._actor(team_id, user_id), callback_id))

    def use_message_shortcut(
        self, team_id: str, channel_id: str, user_id: str, ts: str, callback_id: str
    ) -> str:
        """Use a shortcut on a message. Raises KeyError when there is none."""
        message = self._found(team_id, channel_id, ts)
        actor, channel = self._actor(team_id, user_id), self._entered(team_id, channel_id)
        return self._interact(
            team_id, message_shortcut_payload(actor, channel, message, callback_id)
        )

    def press(
        self,
        team_id: str,
        channel_id: str,
        user_id: str,
        ts: str,
        action_id: str,
        *values: str,
    ) -> str:
        """Use an element of a message: a button, a menu with the `values` of its options, feedback
        buttons with the value of one. Raises KeyError when there is no such thing.
        """
        message = self._found(team_id, channel_id, ts)
        actor, channel = self._actor(team_id, user_id), self._entered(team_id, channel_id)
        action = used_element(message, action_id, values)
        return self._interact(team_id, block_actions_payload(actor, channel, message, action))

    def submit(
        self, team_id: str, user_id: str, view: JsonObject, answers: Answers | None = None
    ) -> str:
        """Fill in a dialog, as the app gave it to views.open, and submit it. Raises KeyError for an
        answer to what it does not ask.
        """
        actor = self._actor(team_id, user_id)
        return self._interact(team_id, view_payload("view_submission", actor, view, answers or {}))

    def close_view(self, team_id: str, user_id: str, view: JsonObject) -> str:
        """Close a dialog; Slack tells of it only if the view asks for it (`notify_on_close`)."""
        actor = self._actor(team_id, user_id)
        return self._interact(team_id, view_payload("view_closed", actor, view, {}))

    # -- inside -------------------------------------------------------------------------------

    def _interact(self, team_id: str, payload: JsonObject) -> str:
        return self._once("interactive", team_id, payload)

    def _once(self, kind: str, team_id: str, payload: JsonObject) -> str:
        self._triggers.issue(str(payload["trigger_id"]), team_id, user_id_of(payload))
        answerable = kind in _ANSWERABLE or payload.get("type") in _ANSWERABLE
        return self._courier.offer_once(
            {"type": kind, "accepts_response_payload": answerable, "payload": payload}
        )

    def _actor(self, team_id: str, user_id: str) -> Actor:
        self._directory.add_user(team_id, user_id)
        user = self._directory.user(team_id, user_id)
        user = user or User(user_id=user_id, name=user_id, home_team_id=team_id)
        return Actor(self._directory.team(team_id), user, self._act_app_id)

    def _entered(self, team_id: str, channel_id: str) -> Channel:
        return self._directory.add_channel(team_id, channel_id)

    def _direct(self, team_id: str, user_id: str, channel_id: str | None) -> Channel:
        self._directory.add_user(team_id, user_id)
        if channel_id is not None:
            return self._entered(team_id, channel_id)
        return self._directory.open_direct(team_id, [user_id])[0]

    def _found(self, team_id: str, channel_id: str, ts: str) -> Message:
        shown = {each.ts: each for each in self._book.shown(team_id, channel_id)}
        message = self._book.get(team_id, channel_id, ts) or shown.get(ts)
        if message is None:
            raise KeyError(f"no message {ts} in {channel_id} of {team_id}")
        return message
