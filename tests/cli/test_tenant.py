"""`channel-gateway tenant` and `workspace`, as an operator types them."""

from __future__ import annotations

import pytest

from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.store.connection import connect
from gateway.store.keys import Pepper
from gateway.store.tenants import TenantLookup
from tests.cli.conftest import PEPPER, CommandLine

ENDPOINT = "https://agent.example/events"
WORKSPACE = "T0AAAAAAAAA"
TOKEN = "xoxb-token-of-acme"


async def owner_of_key(cli: CommandLine, key: str) -> TenantId | None:
    async with connect(cli.env["REDIS_URL"]) as client:
        holder = await TenantLookup(client, Pepper(PEPPER.encode()), 4).holder_of_key(key)
        return None if holder is None else holder.tenant


async def is_bound(cli: CommandLine) -> bool:
    async with connect(cli.env["REDIS_URL"]) as client:
        lookup = TenantLookup(client, Pepper(PEPPER.encode()), 4)
        return await lookup.resolve(Platform.SLACK, [WorkspaceId(WORKSPACE)]) is not None


async def shown(cli: CommandLine) -> dict[str, str]:
    """What a person reads of the rules of the protocol."""
    wanted = {"reactions", "commanders", "history", "reply token required"}
    lines = (await cli.done("tenant", "show", "acme")).out.splitlines()
    cells = [
        [cell.strip() for cell in line.split("\N{BOX DRAWINGS LIGHT VERTICAL}")] for line in lines
    ]
    return {each[1]: each[2] for each in cells if len(each) > 2 and each[1] in wanted}


async def test_a_new_tenants_secrets_are_shown_once(cli: CommandLine) -> None:
    """Unfolded, so that they can be copied, and never again."""
    added = await cli.done("tenant", "add", "acme", "--endpoint", ENDPOINT)
    secrets = dict(line.split(": ") for line in added.out.splitlines())

    assert ["agent key", "signing secret"] == list(secrets)
    assert TenantId("acme") == await owner_of_key(cli, secrets["agent key"])
    for command in (("tenant", "show", "acme"), ("tenant", "show", "acme", "--json")):
        shown = await cli.done(*command)
        assert ENDPOINT in shown.out
        assert not any(secret in shown.out for secret in secrets.values())


async def test_every_rule_can_be_set_when_a_tenant_is_added(cli: CommandLine) -> None:
    """What is typed is what routing will read."""
    options = (
        *("--name", "Acme", "--timeout", "5", "--agent", "front", "--rate", "60/min"),
        *("--burst", "5", "--max-queued", "50", "--concurrency", "2", "--no-dm", "--no-mention"),
        *("--channel-agent", "C1=sales", "--channel-agent", "C2=support", "--open-channel", "C3"),
        *("--allow-channel", "C1", "--allow-channel", "C2", "--allow-user", "U1"),
        *("--max-file", "5", "--max-files", "100"),
        *("--when-full", "drop", "--max-attempts", "7", "--max-age", "2h"),
        *("--history", "5", "--history-scope", "all", "--reactions", "off"),
        *("--commander", "owner", "--commander", "U2", "--require-reply-token"),
    )
    await cli.done("tenant", "add", "acme", "--endpoint", ENDPOINT, *options)
    spec = (await cli.done("tenant", "show", "acme", "--json")).json["tenant"]["spec"]

    assert ("Acme", 5, ENDPOINT) == (spec["name"], spec["timeout_s"], spec["endpoint_url"])
    assert {"default": "front", "by_channel": {"C1": "sales", "C2": "support"}} == spec["agents"]
    assert {
        "direct_messages": False,
        "require_mention": False,
        "channels_without_mention": ["C3"],
        "allowed_channels": ["C1", "C2"],
        "allowed_users": ["U1"],
        "reactions": "off",
        "commanders": ["owner", "U2"],
    } == spec["access"]
    assert ({"messages": 5, "scope": "all"}, True) == (
        spec["history"],
        spec["require_reply_token"],
    )
    assert {
        "events_per_minute": 60,
        "event_burst": 5,
        "max_queued": 50,
        "concurrency": 2,
        "overflow": "drop",
        "file_bytes": 5 * 1024 * 1024,
        "stored_file_bytes": 100 * 1024 * 1024,
    } == spec["limits"]
    assert (7, 7200) == (spec["retry"]["max_attempts"], spec["retry"]["max_age_s"])


async def test_set_changes_what_is_given_and_nothing_else(cli: CommandLine) -> None:
    """An operator who moves an endpoint must not lose the allow-list."""
    await cli.done("tenant", "add", "acme", "--endpoint", ENDPOINT, "--allow-user", "U1", "--no-dm")
    moved = await cli.done("tenant", "set", "acme", "--endpoint", "http://10.0.0.7/", "--json")
    emptied = await cli.done("tenant", "set", "acme", "--allow-user", "", "--json")

    assert "http://10.0.0.7/" == moved.json["spec"]["endpoint_url"]
    assert ["U1"] == moved.json["spec"]["access"]["allowed_users"]
    assert [] == emptied.json["spec"]["access"]["allowed_users"]
    assert emptied.json["spec"]["access"]["direct_messages"] is False


async def test_the_rules_of_the_protocol_are_shown_and_changed(cli: CommandLine) -> None:
    """From their defaults to others and back, each for itself."""
    await cli.done("tenant", "add", "acme", "--endpoint", ENDPOINT)
    assert {
        "reactions": "own",
        "commanders": "owner, admin",
        "history": "the last 20 messages, that it missed",
        "reply token required": "False",
    } == await shown(cli)

    changes = ("--history-scope", "all", "--commander", "everyone", "--reactions", "all")
    await cli.done("tenant", "set", "acme", *changes, "--require-reply-token")
    assert {
        "reactions": "all",
        "commanders": "everyone",
        "history": "the last 20 messages, whatever it got",
        "reply token required": "True",
    } == await shown(cli)

    changes = ("--history", "0", "--commander", "", "--reactions", "own")
    await cli.done("tenant", "set", "acme", *changes, "--no-require-reply-token")
    assert {
        "reactions": "own",
        "commanders": "nobody",
        "history": "none",
        "reply token required": "False",
    } == await shown(cli)


async def test_suspend_and_resume_are_seen_in_the_list(cli: CommandLine) -> None:
    """The list says who is served."""
    await cli.done("tenant", "add", "acme", "--endpoint", ENDPOINT)
    for command, status in (("suspend", "suspended"), ("resume", "active")):
        await cli.done("tenant", command, "acme")
        listed = await cli.done("tenant", "list", "--json")
        assert [status] == [record["status"] for record in listed.json]
        assert status in (await cli.done("tenant", "list")).out


async def test_removal_asks_first_and_spares_tenants_with_workspaces(cli: CommandLine) -> None:
    """Without a terminal it needs --yes, with workspaces it needs --force."""
    await cli.done("tenant", "add", "acme", "--endpoint", ENDPOINT)
    await cli.done("workspace", "bind", "acme", "slack", WORKSPACE)

    unasked = await cli("tenant", "remove", "acme")
    assert 2 == unasked.code
    assert "--yes" in unasked.err
    refused = await cli("tenant", "remove", "acme", "--yes")
    assert 1 == refused.code
    assert "unbind" in refused.err
    await cli.done("tenant", "remove", "acme", "--yes", "--force")
    assert [] == (await cli.done("tenant", "list", "--json")).json
    assert not await is_bound(cli)


async def test_rotation_keeps_the_old_key_for_the_grace_only(cli: CommandLine) -> None:
    """No grace, no old key."""
    first = (await cli.done("tenant", "add", "acme", "--endpoint", ENDPOINT, "--json")).json
    rotate = ("tenant", "rotate-key", "acme")
    second = (await cli.done(*rotate, "--grace", "1h", "--json")).json
    assert TenantId("acme") == await owner_of_key(cli, first["agent_key"])

    third = (await cli.done(*rotate, "--grace", "0", "--json")).json
    assert await owner_of_key(cli, first["agent_key"]) is None
    assert await owner_of_key(cli, second["agent_key"]) is None
    assert TenantId("acme") == await owner_of_key(cli, third["agent_key"])
    signing = (await cli.done(*rotate, "--which", "signing", "--json")).json
    assert signing["signing_secret"].startswith("whsec_")
    assert 2 == (await cli.done("tenant", "show", "acme", "--json")).json["signing_secrets"]


async def test_a_token_is_read_from_standard_input_and_never_shown(cli: CommandLine) -> None:
    """Arguments can be read by everybody on the machine."""
    await cli.done("tenant", "add", "acme", "--endpoint", ENDPOINT)
    bind = ("workspace", "bind", "acme", "slack", WORKSPACE)
    bound = await cli.done(
        *bind, "--token-stdin", "--bot-user", "U0AAAAAAAAA", "--json", stdin=f"{TOKEN}\n"
    )

    assert bound.json["has_credential"]
    assert "U0AAAAAAAAA" == bound.json["bot_user"]
    listed = await cli.done("workspace", "list", "--tenant", "acme")
    assert WORKSPACE in listed.out
    for text in (bound.out, bound.err, listed.out):
        assert TOKEN not in text


async def test_a_binding_without_a_token_says_what_it_cannot_do(cli: CommandLine) -> None:
    """Better now than with the first answer that is lost."""
    await cli.done("tenant", "add", "acme", "--endpoint", ENDPOINT)
    bound = await cli.done("workspace", "bind", "acme", "slack", WORKSPACE)

    assert "not answer" in bound.err
    assert await is_bound(cli)
    await cli.done("workspace", "unbind", "slack", WORKSPACE)
    assert not await is_bound(cli)


async def test_a_workspace_of_another_tenant_is_refused_by_name(cli: CommandLine) -> None:
    """The operator learns whose it is and what to do."""
    for tenant in ("acme", "globex"):
        await cli.done("tenant", "add", tenant, "--endpoint", ENDPOINT)
    await cli.done("workspace", "bind", "acme", "slack", WORKSPACE)
    refused = await cli("workspace", "bind", "globex", "slack", WORKSPACE)

    assert 1 == refused.code
    assert "acme" in refused.err
    assert "unbind" in refused.err


async def test_a_rebuild_after_the_loss_of_redis(cli: CommandLine) -> None:
    """One command brings every look-up key back."""
    added = await cli.done("tenant", "add", "acme", "--endpoint", ENDPOINT, "--json")
    await cli.done("workspace", "bind", "acme", "slack", WORKSPACE)
    async with connect(cli.env["REDIS_URL"]) as client:
        await client.flushall()
    rebuilt = await cli.done("registry", "rebuild", "--json")

    assert {"tenants": 1, "bindings": 1, "agent_keys": 1, "pruned": 0} == rebuilt.json
    assert await is_bound(cli)
    assert TenantId("acme") == await owner_of_key(cli, added.json["agent_key"])
    resealed = await cli.done("registry", "reseal", "--json")
    assert {"signing_secrets": 1, "credentials": 0, "direct_tokens": 0} == resealed.json


@pytest.mark.parametrize(
    ("args", "code", "named"),
    [
        (("tenant", "add", "Acme:1", "--endpoint", ENDPOINT), 2, "tenant id"),
        (("tenant", "add", "acme", "--endpoint", "nowhere"), 1, "endpoint_url"),
        (("tenant", "add", "acme", "--endpoint", ENDPOINT, "--rate", "fast"), 2, "600/min"),
        (("tenant", "add", "acme", "--endpoint", ENDPOINT, "--channel-agent", "C1"), 2, "="),
        (("tenant", "add", "acme", "--endpoint", ENDPOINT, "--history", "51"), 2, "--history"),
        (("tenant", "add", "acme", "--endpoint", ENDPOINT, "--history", "-1"), 2, "--history"),
        (("tenant", "add", "acme", "--endpoint", ENDPOINT, "--reactions", "few"), 2, "--reactions"),
        (
            ("tenant", "add", "acme", "--endpoint", ENDPOINT, "--history-scope", "x"),
            2,
            "--history-scope",
        ),
        (
            ("tenant", "add", "acme", "--endpoint", ENDPOINT, "--commander", "the boss"),
            1,
            "commanders",
        ),
        (("tenant", "show", "nobody"), 1, "nobody"),
        (("tenant", "rotate-key", "acme", "--grace", "soon"), 2, "24h"),
        (("workspace", "bind", "acme", "irc", "T1"), 2, "irc"),
        (("workspace", "bind", "acme", "slack", "T1", "--token-stdin"), 2, "empty"),
        (("workspace", "bind", "acme", "slack", "T1", "--bot-user", "U1"), 2, "--bot-user"),
        (("workspace", "unbind", "slack", "T1"), 1, "T1"),
    ],
)
async def test_wrong_input_is_refused_with_its_name(
    cli: CommandLine, args: tuple[str, ...], code: int, named: str
) -> None:
    """Usage ends with 2, what cannot be with 1, and neither with a traceback."""
    answer = await cli(*args)

    assert code == answer.code
    assert named in answer.err
    assert "Traceback" not in answer.err


async def test_a_token_of_the_wrong_kind_is_refused_unseen(cli: CommandLine) -> None:
    """An app-level token pasted by mistake stays out of the terminal's history."""
    await cli.done("tenant", "add", "acme", "--endpoint", ENDPOINT)
    bind = ("workspace", "bind", "acme", "slack", WORKSPACE, "--token-stdin")
    refused = await cli(*bind, stdin="xapp-1-secret")

    assert 1 == refused.code
    assert "bot_token" in refused.err
    assert "xapp-1-secret" not in refused.err
    assert not await is_bound(cli)


async def test_text_that_looks_like_markup_is_shown_as_it_is(cli: CommandLine) -> None:
    """A name is data: it must neither colour the terminal nor end in a traceback."""
    await cli.done("tenant", "add", "acme", "--endpoint", ENDPOINT, "--name", "[/] [red]Acme")

    assert "[/] [red]Acme" in (await cli.done("tenant", "list")).out
