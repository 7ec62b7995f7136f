"""The app manifest: as Slack's documents want it, and with all that the adapter uses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

import adapters.slack
from adapters.slack.inbound import _ACCESS, _EVENTS
from adapters.slack.oauth.manifest import ManifestOptions, checked, manifest
from adapters.slack.oauth.scopes import (
    APP_METHODS,
    BOT_SCOPES,
    EVENT_SCOPES,
    METHOD_SCOPES,
    OLDER_VIEW_EVENTS,
)
from gateway.core.errors import ConfigError

UNDERSTOOD = _EVENTS.keys() | _ACCESS
PUBLIC = "https://gateway.example"
HTTP = ManifestOptions(public_url=PUBLIC, over_sockets=False, over_http=True)

_METHOD = re.compile(r'"([a-z]+(?:\.[a-zA-Z]+)+)"')
_FAMILIES = {name.partition(".")[0] for name in [*METHOD_SCOPES, *APP_METHODS]}

# https://docs.slack.dev/reference/app-manifest : the fields that are used here, and their bounds.
# No other field may stand there, which forbid_unknown_fields holds.
Https = Annotated[str, msgspec.Meta(pattern="^https://", max_length=2048)]


class Display(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=35)]
    description: Annotated[str, msgspec.Meta(max_length=140)]


class AgentView(msgspec.Struct, forbid_unknown_fields=True):
    agent_description: Annotated[str, msgspec.Meta(max_length=300)]


class AppHome(msgspec.Struct, forbid_unknown_fields=True):
    home_tab_enabled: bool
    messages_tab_enabled: bool
    messages_tab_read_only_enabled: bool


class BotUser(msgspec.Struct, forbid_unknown_fields=True):
    display_name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_.-]+$", max_length=80)]
    always_online: bool


class SlashCommand(msgspec.Struct, forbid_unknown_fields=True):
    command: Annotated[str, msgspec.Meta(pattern="^/", max_length=32)]
    description: Annotated[str, msgspec.Meta(max_length=2000)]
    usage_hint: Annotated[str, msgspec.Meta(max_length=1000)]
    should_escape: bool
    url: Https | None = None


class Features(msgspec.Struct, forbid_unknown_fields=True):
    agent_view: AgentView
    app_home: AppHome
    bot_user: BotUser
    slash_commands: Annotated[list[SlashCommand], msgspec.Meta(max_length=50)] = []


class Scopes(msgspec.Struct, forbid_unknown_fields=True):
    bot: Annotated[list[str], msgspec.Meta(min_length=1, max_length=255)]


class OAuth(msgspec.Struct, forbid_unknown_fields=True):
    scopes: Scopes
    redirect_urls: Annotated[list[Https], msgspec.Meta(max_length=1000)] = []


class Events(msgspec.Struct, forbid_unknown_fields=True):
    bot_events: Annotated[list[str], msgspec.Meta(max_length=100)]
    request_url: Https | None = None


class Interactivity(msgspec.Struct, forbid_unknown_fields=True):
    is_enabled: bool
    request_url: Https | None = None


class AppSettings(msgspec.Struct, forbid_unknown_fields=True):
    event_subscriptions: Events
    interactivity: Interactivity
    org_deploy_enabled: bool
    socket_mode_enabled: bool
    token_rotation_enabled: bool


class Metadata(msgspec.Struct, forbid_unknown_fields=True):
    major_version: Literal[1, 2]
    minor_version: int


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    _metadata: Metadata
    display_information: Display
    features: Features
    oauth_config: OAuth
    settings: AppSettings


def read(options: ManifestOptions) -> Manifest:
    """Read a manifest as strictly as the documents describe it."""
    return msgspec.convert(manifest(checked(options)), Manifest)


@pytest.mark.parametrize(
    "options",
    [
        ManifestOptions(),
        ManifestOptions(public_url=PUBLIC, rotates=True),
        ManifestOptions(name="Ünïcode Agent & Co.", command=""),
        ManifestOptions(name="x" * 35, command="/" + "y" * 31),
        HTTP,
        ManifestOptions(public_url=PUBLIC + "/", over_http=True),
    ],
)
def test_every_manifest_is_of_the_documented_shape(options: ManifestOptions) -> None:
    """Whatever it is made for; unknown fields and lengths would be refused when it is pasted."""
    made = read(options)

    assert options.over_sockets == made.settings.socket_mode_enabled
    assert options.rotates == made.settings.token_rotation_enabled


def test_over_http_every_address_is_named() -> None:
    """Events, interactions, commands and the way back from the consent page."""
    made = read(HTTP)

    assert (
        f"{PUBLIC}/slack/events",
        f"{PUBLIC}/slack/interactive",
        f"{PUBLIC}/slack/commands",
        [f"{PUBLIC}/slack/oauth_redirect"],
    ) == (
        made.settings.event_subscriptions.request_url,
        made.settings.interactivity.request_url,
        made.features.slash_commands[0].url,
        made.oauth_config.redirect_urls,
    )


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (ManifestOptions(name=""), "name"),
        (ManifestOptions(name="x" * 36), "name"),
        (ManifestOptions(name="a\nb"), "name"),
        (ManifestOptions(command="ask"), "command"),
        (ManifestOptions(command="/" + "x" * 32), "command"),
        (ManifestOptions(command="/Ask me"), "command"),
        (ManifestOptions(over_http=True), "GATEWAY_PUBLIC_URL"),
        (ManifestOptions(rotates=True), "GATEWAY_PUBLIC_URL"),
    ],
)
def test_what_slack_would_refuse_is_refused_here(options: ManifestOptions, named: str) -> None:
    """With its name, before anybody pastes it."""
    with pytest.raises(ConfigError, match=f"^{named}"):
        checked(options)


def test_every_event_that_is_understood_is_subscribed_to() -> None:
    """What the parser knows and Slack never sends would look like a bug for ever."""
    subscribed = {event.partition(".")[0] for event in EVENT_SCOPES}

    assert set() == UNDERSTOOD - subscribed - OLDER_VIEW_EVENTS
    assert set() == subscribed - UNDERSTOOD
    assert {"message.channels", "message.groups", "message.im", "message.mpim"} <= set(
        read(ManifestOptions()).settings.event_subscriptions.bot_events
    )


def test_every_method_that_is_called_has_its_scopes() -> None:
    """A call without its scope fails in every workspace, and only there."""
    sources = sorted(Path(str(adapters.slack.__file__)).parent.glob("*.py"))
    called = {
        name
        for source in sources
        for name in _METHOD.findall(source.read_text(encoding="utf-8"))
        if name.partition(".")[0] in _FAMILIES
    }

    assert {"chat.postMessage", "apps.connections.open", "users.info"} <= called
    assert set() == called - METHOD_SCOPES.keys() - APP_METHODS
    asked = set(read(ManifestOptions()).oauth_config.scopes.bot)
    assert (
        set() == {scope for name in called - APP_METHODS for scope in METHOD_SCOPES[name]} - asked
    )
    assert set() == {scope for scopes in EVENT_SCOPES.values() for scope in scopes} - asked
    assert sorted(asked) == list(BOT_SCOPES)
