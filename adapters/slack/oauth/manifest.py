"""The app manifest: what an operator pastes into Slack to make the app. Pure.

https://docs.slack.dev/reference/app-manifest
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from adapters.slack.frames import EVENTS_API, INTERACTIVE, SLASH_COMMANDS
from adapters.slack.http_source import PATHS
from adapters.slack.oauth.scopes import BOT_SCOPES, EVENT_SCOPES
from gateway.core.errors import ConfigError

INSTALL_PATH: Final = "/slack/install"
REDIRECT_PATH: Final = "/slack/oauth_redirect"

MAX_NAME_CHARS: Final = 35

_COMMAND: Final = re.compile(r"/[a-z0-9_-]{1,31}")
_NO_HANDLE: Final = re.compile(r"[^a-z0-9._-]+")
_DESCRIPTION: Final = "Talk to your own agent, in channels and in direct messages."


class ManifestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between apps. `public_url` is where Slack and browsers reach the gateway, "" for
    nowhere. With `over_http` events come there, with `over_sockets` through Socket Mode.

    With `rotates` tokens last for twelve hours and are renewed; Slack lets nobody turn that off
    again. Without a `command` there is no slash command.
    """

    name: str = "Channel Gateway"
    command: str = "/ask"
    public_url: str = ""
    over_sockets: bool = True
    over_http: bool = False
    rotates: bool = False


def checked(options: ManifestOptions) -> ManifestOptions:
    """Refuse what Slack would not take. Raises ConfigError that names each."""
    problems = []
    if not 1 <= len(options.name) <= MAX_NAME_CHARS or not options.name.isprintable():
        problems.append(f"name: must be 1-{MAX_NAME_CHARS} printable characters")
    if options.command and not _COMMAND.fullmatch(options.command):
        problems.append("command: must be / and 1-31 of a-z, 0-9, - and _")
    if options.over_http and not options.public_url:
        problems.append("GATEWAY_PUBLIC_URL is not set: Slack has to be told where events go")
    if options.rotates and not options.public_url:
        problems.append("GATEWAY_PUBLIC_URL is not set: tokens that expire come by an install page")
    if problems:
        raise ConfigError("\n".join(problems))
    return options


def manifest(options: ManifestOptions) -> dict[str, object]:
    """Make the manifest, as a JSON object."""
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {"name": options.name, "description": _DESCRIPTION},
        "features": _features(options),
        "oauth_config": _oauth(options),
        "settings": _settings(options),
    }


def _features(options: ManifestOptions) -> dict[str, object]:
    features: dict[str, object] = {
        "agent_view": {"agent_description": _DESCRIPTION},
        # The messages tab is where people talk to the agent.
        "app_home": {
            "home_tab_enabled": False,
            "messages_tab_enabled": True,
            "messages_tab_read_only_enabled": False,
        },
        "bot_user": {"display_name": _handle(options.name), "always_online": True},
    }
    if options.command:
        features["slash_commands"] = [
            {
                "command": options.command,
                "description": "Ask the agent.",
                "usage_hint": "your question",
                # People and channels come with their ids, as in messages.
                "should_escape": True,
                **_address("url", options, SLASH_COMMANDS),
            }
        ]
    return features


def _oauth(options: ManifestOptions) -> dict[str, object]:
    oauth: dict[str, object] = {"scopes": {"bot": list(BOT_SCOPES)}}
    if options.public_url:
        oauth["redirect_urls"] = [options.public_url.rstrip("/") + REDIRECT_PATH]
    return oauth


def _settings(options: ManifestOptions) -> dict[str, object]:
    return {
        "event_subscriptions": {
            **_address("request_url", options, EVENTS_API),
            "bot_events": sorted(EVENT_SCOPES),
        },
        "interactivity": {"is_enabled": True, **_address("request_url", options, INTERACTIVE)},
        "org_deploy_enabled": True,
        # While it is on, Slack sends nothing over HTTP: a move there ends with turning it off.
        "socket_mode_enabled": options.over_sockets,
        "token_rotation_enabled": options.rotates,
    }


def _handle(name: str) -> str:
    """The bot's name as people type it: a-z, 0-9 and three signs are all that it may be made of."""
    return _NO_HANDLE.sub("-", name.lower()).strip("-")[:80] or "agent"


def _address(field: str, options: ManifestOptions, kind: str) -> dict[str, str]:
    if not options.over_http:
        return {}
    return {field: options.public_url.rstrip("/") + PATHS[kind]}
