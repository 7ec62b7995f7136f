"""`channel-gateway slack`: the manifest, install links, pasted tokens, what is installed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from yarl import URL

from gateway.sandbox.slack import SlackSandbox
from tests.cli.conftest import Answer, CommandLine

ALPHA = "T0AAAA"
TOKEN = f"xoxb-{ALPHA}"
PUBLIC = {
    "GATEWAY_PUBLIC_URL": "https://gateway.example",
    "SLACK_CLIENT_ID": "1.2",
    "SLACK_CLIENT_SECRET": "client-secret-of-tests",
}


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    """Slack with one workspace that has the app."""
    async with SlackSandbox() as sandbox:
        sandbox.add_team(ALPHA, name="Alpha")
        yield sandbox


@pytest.fixture
async def tenant(cli: CommandLine) -> str:
    """A tenant without workspaces."""
    await cli.done("tenant", "add", "acme", "--endpoint", "https://agent.example/events")
    return "acme"


async def paste(
    cli: CommandLine, slack: SlackSandbox, token: str, tenant: str = "acme", *more: str
) -> Answer:
    """Add a workspace by its token."""
    return await cli(
        "slack",
        "add-workspace",
        tenant,
        *more,
        stdin=f"{token}\n",
        SLACK_API_BASE_URL=slack.base_url,
    )


async def test_the_manifest_follows_the_settings(cli: CommandLine) -> None:
    """Socket Mode needs no address; over HTTP every one is named."""
    sockets = (await cli.done("slack", "manifest")).json["settings"]
    http = await cli("slack", "manifest", "--token-rotation", SLACK_MODE="http", **PUBLIC)

    assert (True, False) == (sockets["socket_mode_enabled"], sockets["token_rotation_enabled"])
    assert "request_url" not in sockets["event_subscriptions"]
    settings = http.json["settings"]
    assert (False, True) == (settings["socket_mode_enabled"], settings["token_rotation_enabled"])
    assert "https://gateway.example/slack/events" == settings["event_subscriptions"]["request_url"]


@pytest.mark.parametrize(
    ("args", "env", "named"),
    [
        ((), {"SLACK_MODE": "http"}, "GATEWAY_PUBLIC_URL"),
        ((), {"GATEWAY_PUBLIC_URL": "http://gateway.example"}, "GATEWAY_PUBLIC_URL"),
        ((), {"GATEWAY_PUBLIC_URL": "https://gateway.example/path"}, "GATEWAY_PUBLIC_URL"),
        (("--name", "x" * 36), {}, "name"),
        (("--command", "ask"), {}, "command"),
    ],
)
async def test_a_manifest_that_slack_would_refuse_is_not_printed(
    cli: CommandLine, args: tuple[str, ...], env: dict[str, str], named: str
) -> None:
    """What is wrong is named."""
    answer = await cli("slack", "manifest", *args, **env)

    assert (2, "") == (answer.code, answer.out)
    assert named in answer.err


async def test_a_link_is_printed_once_and_is_for_the_install_page(
    cli: CommandLine, tenant: str
) -> None:
    """Every one is another; for whom it is stands in the store, not in the link."""
    first = await cli("slack", "install-link", tenant, **PUBLIC)
    second = await cli("slack", "install-link", tenant, "--valid", "7d", "--json", **PUBLIC)

    url = URL(first.out.strip())
    assert ("https://gateway.example", "/slack/install") == (str(url.origin()), url.path)
    assert 43 == len(url.query["link"])
    assert first.out.strip() != second.json["url"]
    assert tenant not in first.out


@pytest.mark.parametrize(
    ("args", "env", "code", "named"),
    [
        (("nobody",), PUBLIC, 1, "nobody"),
        (("acme", "--valid", "31d"), PUBLIC, 1, "30 days"),
        (("acme", "--valid", "0"), PUBLIC, 1, "valid"),
        (("acme",), {}, 2, "GATEWAY_PUBLIC_URL"),
        (("acme",), {"SLACK_CLIENT_ID": "1.2"}, 2, "SLACK_CLIENT_SECRET"),
    ],
)
async def test_a_link_that_leads_nowhere_is_not_made(
    cli: CommandLine,
    tenant: str,
    args: tuple[str, ...],
    env: dict[str, str],
    code: int,
    named: str,
) -> None:
    """No page, no tenant, no sensible time."""
    answer = await cli("slack", "install-link", *args, **env)

    assert (code, "") == (answer.code, answer.out)
    assert named in answer.err


async def test_a_pasted_token_binds_the_workspace_that_it_is_of(
    cli: CommandLine, slack: SlackSandbox, tenant: str
) -> None:
    """Slack says whose it is; it is shown, the token never."""
    answer = await paste(cli, slack, TOKEN, tenant, "--json")

    assert {
        "tenant": "acme",
        "workspace": ALPHA,
        "name": "Alpha",
        "org_wide": False,
        "bot_user": "U0BOT0AAAA",
    } == answer.json
    assert ALPHA in answer.err
    assert TOKEN not in answer.out + answer.err
    [bound] = (await cli.done("workspace", "list", "--json")).json
    assert (True, "U0BOT0AAAA") == (bound["has_credential"], bound["bot_user"])
    [installed] = (await cli.done("slack", "installs", "--json")).json
    assert ("active", None, "Alpha") == (
        installed["state"],
        installed["expires"],
        installed["name"],
    )


@pytest.mark.parametrize(
    ("token", "named"),
    [
        ("", "bot token is needed"),
        ("xoxp-of-a-person", "bot_token"),
        ("xoxb with spaces", "bot_token"),
        ("xoxb-unknown", "invalid_auth"),
    ],
)
async def test_a_token_that_is_of_no_use_binds_nothing(
    cli: CommandLine, slack: SlackSandbox, tenant: str, token: str, named: str
) -> None:
    """What cannot be a bot's token is sent to nobody."""
    answer = await paste(cli, slack, token, tenant)

    assert 0 != answer.code
    assert named in answer.err
    assert [] == (await cli.done("workspace", "list", "--json")).json


async def test_a_workspace_of_another_tenant_stays_there(
    cli: CommandLine, slack: SlackSandbox, tenant: str
) -> None:
    """Whoever has a token of it."""
    await paste(cli, slack, TOKEN, tenant)
    await cli.done("tenant", "add", "globex", "--endpoint", "https://other.example/events")
    answer = await paste(cli, slack, TOKEN, "globex")

    assert (1, True) == (answer.code, "bound to tenant 'acme'" in answer.err)


async def test_a_slack_that_is_away_or_no_address_is_named(
    cli: CommandLine, slack: SlackSandbox, tenant: str
) -> None:
    """Nothing is sent over plain http to anywhere but this machine."""
    away = await cli(
        "slack", "add-workspace", tenant, stdin=TOKEN, SLACK_API_BASE_URL="http://127.0.0.1:1/api/"
    )
    plain = await cli(
        "slack",
        "add-workspace",
        tenant,
        stdin=TOKEN,
        SLACK_API_BASE_URL="http://slack.example/api/",
    )

    assert (1, True) == (away.code, "platform_unreachable" in away.err)
    assert (2, True) == (plain.code, "SLACK_API_BASE_URL" in plain.err)


async def test_installs_are_listed_for_people(
    cli: CommandLine, slack: SlackSandbox, tenant: str
) -> None:
    """One in full, several in a table, none of the secrets."""
    await paste(cli, slack, TOKEN, tenant)
    one = await cli.done("slack", "installs")
    slack.add_team("T0BBBB", name="Beta")
    await paste(cli, slack, "xoxb-T0BBBB", tenant)
    two = await cli.done("slack", "installs", "--tenant", tenant)

    assert "bot user" in one.out
    assert "Alpha" in two.out
    assert "Beta" in two.out
    assert "xoxb" not in one.out + two.out
    assert [] == msgspec.json.decode(
        (await cli.done("slack", "installs", "--tenant", "nobody", "--json")).out
    )
