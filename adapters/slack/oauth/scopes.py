"""What the app asks of a workspace, and what for: the scopes of each method that is called and of
each event that is heard. The manifest and the consent page are made of these tables.

A method or an event that is not listed here must not be used: it would fail in every workspace that
installs the app. Sources: the page of each method under https://docs.slack.dev/reference/methods/
and of each event under https://docs.slack.dev/reference/events/
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_HISTORY: Final = ("channels:history", "groups:history", "im:history", "mpim:history")
_PLACES: Final = ("channels:read", "groups:read", "im:read", "mpim:read")
_MEMBERS: Final = ("channels:read", "groups:read")
_WRITE: Final = ("chat:write",)

METHOD_SCOPES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "agents.sessions.rename": _WRITE,
        "agents.sessions.setStatus": _WRITE,
        "assistant.threads.setStatus": _WRITE,
        "assistant.threads.setSuggestedPrompts": ("assistant:write",),
        "assistant.threads.setTitle": ("assistant:write",),
        "auth.revoke": (),
        "auth.test": (),
        "chat.appendStream": _WRITE,
        "chat.delete": _WRITE,
        "chat.postEphemeral": _WRITE,
        "chat.postMessage": _WRITE,
        "chat.startStream": _WRITE,
        "chat.stopStream": _WRITE,
        "chat.update": _WRITE,
        "conversations.history": _HISTORY,
        "conversations.info": _PLACES,
        "conversations.list": _PLACES,
        "conversations.members": _PLACES,
        "conversations.open": ("im:write", "mpim:write"),
        "conversations.replies": _HISTORY,
        "files.completeUploadExternal": ("files:write",),
        "files.getUploadURLExternal": ("files:write",),
        "files.info": ("files:read",),
        "oauth.v2.access": (),
        "auth.teams.list": (),
        "reactions.add": ("reactions:write",),
        "reactions.remove": ("reactions:write",),
        "users.info": ("users:read",),
        "views.open": (),
        "views.publish": (),
        "views.push": (),
        "views.update": (),
    }
)
"""Of bot tokens. None is needed beyond the app itself where the list is empty."""

APP_METHODS: Final = frozenset({"apps.connections.open", "apps.event.authorizations.list"})
"""Called with the app's own token, whose scopes (connections:write, authorizations:read) are given
where it is made, not in the manifest.
"""

EVENT_SCOPES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "agent_session_stopped": _WRITE,
        "app_home_opened": (),
        "app_mention": ("app_mentions:read",),
        "app_uninstalled": (),
        "channel_archive": ("channels:read",),
        "channel_deleted": ("channels:read",),
        "channel_left": ("channels:read",),
        "group_archive": ("groups:read",),
        "group_deleted": ("groups:read",),
        "group_left": ("groups:read",),
        "im_close": ("im:read",),
        "member_joined_channel": _MEMBERS,
        "member_left_channel": _MEMBERS,
        "message.channels": ("channels:history",),
        "message.groups": ("groups:history",),
        "message.im": ("im:history",),
        "message.mpim": ("mpim:history",),
        "reaction_added": ("reactions:read",),
        "reaction_removed": ("reactions:read",),
        "team_access_granted": (),
        "team_access_revoked": (),
        "tokens_revoked": (),
    }
)
"""Every event that the manifest subscribes to."""

OLDER_VIEW_EVENTS: Final = frozenset({"assistant_thread_started"})
"""Understood, for apps that still have the older assistant view, but not to be had in the agent
view that the manifest asks for. https://docs.slack.dev/ai/migrating-to-agent-messaging/
"""

FEATURE_SCOPES: Final = ("assistant:write", "commands", "files:read")
"""Of the agent view, of slash commands and shortcuts, and of files that people share."""

BOT_SCOPES: Final = tuple(
    sorted(
        {
            *FEATURE_SCOPES,
            *(scope for scopes in METHOD_SCOPES.values() for scope in scopes),
            *(scope for scopes in EVENT_SCOPES.values() for scope in scopes),
        }
    )
)
"""All that the app asks for."""
