"""`channel-gateway openclaw setup`: what it writes is what the plugin and OpenClaw take."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from gateway.provisioning.openclaw import EVENTS_PATH
from tests.cli.conftest import CommandLine

PLUGIN = Path(__file__).parents[2] / "plugin_bridge" / "openclaw"
ENDPOINT = f"http://acme-openclaw:18789{EVENTS_PATH}"
ADD = ("tenant", "add", "acme", "--endpoint", ENDPOINT)
SETUP = ("openclaw", "setup", "acme", "--gateway-url", "http://gateway:8080")


def manifest() -> Any:
    """What the plugin says of itself."""
    return json.loads((PLUGIN / "openclaw.plugin.json").read_text())


async def test_the_configuration_is_that_of_the_plugin(cli: CommandLine) -> None:
    """Its keys are those of the schema, its secrets are references."""
    await cli.done(*ADD, "--agent", "front")

    found = (await cli.done(*SETUP, "--json")).json

    aegis = found["config"]["channels"]["aegis"]
    assert {
        "enabled": True,
        "gatewayUrl": "http://gateway:8080",
        "agentKey": "${AEGIS_AGENT_KEY}",
        "webhookSecrets": ["${AEGIS_WEBHOOK_SECRET}"],
        "agentId": "front",
    } == aegis
    schema = manifest()["channelConfigs"]["aegis"]["schema"]
    assert set() == set(aegis) - set(schema["properties"])
    assert manifest()["id"] in found["config"]["plugins"]["entries"]
    assert ["/home/node/.openclaw/aegis"] == found["config"]["plugins"]["load"]["paths"]
    assert "gateway" not in found["config"]
    assert {"AEGIS_AGENT_KEY": "", "AEGIS_WEBHOOK_SECRET": ""} == found["environment"]


def test_the_path_is_the_one_that_the_plugin_serves() -> None:
    """Named in two languages, once in each."""
    source = (PLUGIN / "src" / "webhook.js").read_text()

    assert f'"{EVENTS_PATH}"' in source
    assert f'"{EVENTS_PATH.removesuffix("events")}health"' in source


async def test_the_surface_of_direct_mode_is_switched_on(cli: CommandLine) -> None:
    """The one that is set, and only if it is to be used."""
    await cli.done(*ADD, "--direct-url", "http://acme-openclaw:18789", "--direct-surface", "chat")
    found = (await cli.done(*SETUP, "--json")).json
    assert {"http": {"endpoints": {"chatCompletions": {"enabled": True}}}} == found["config"][
        "gateway"
    ]
    assert any("owner" in note for note in found["notes"])

    await cli.done("tenant", "set", "acme", "--mode", "plugin")
    assert "gateway" not in (await cli.done(*SETUP, "--json")).json["config"]


async def test_all_files_are_written_with_the_plugin(cli: CommandLine, tmp_path: Path) -> None:
    """Again too, over what was written before; what holds secrets is its owner's alone."""
    await cli.done(*ADD)
    folder = tmp_path / "acme"
    await cli.done(*SETUP, "--write", str(folder))

    printed = await cli.done(*SETUP, "--write", str(folder), "--new-secrets")

    assert ["aegis", "aegis.env", "aegis.patch.json"] == sorted(os.listdir(folder))
    assert {"index.js", "openclaw.plugin.json", "package.json", "src"} == set(
        os.listdir(folder / "aegis")
    )
    env = dict(line.split("=", 1) for line in (folder / "aegis.env").read_text().splitlines())
    assert ["cgk_", "whsec_"] == [
        env["AEGIS_AGENT_KEY"][:4],
        env["AEGIS_WEBHOOK_SECRET"][:6],
    ]
    assert 0o600 == stat.S_IMODE((folder / "aegis.env").stat().st_mode)
    assert not any(secret in printed.out for secret in env.values())
    patch = json.loads((folder / "aegis.patch.json").read_text())
    assert (await cli.done(*SETUP, "--json")).json["config"] == patch


async def test_the_commands_name_the_container_and_its_folder(cli: CommandLine) -> None:
    """With Docker and without, ready to be pasted."""
    await cli.done(*ADD)

    printed = (await cli.done(*SETUP, "--folder", "/data/open claw")).out

    assert "docker cp aegis/. acme-openclaw:'/data/open claw/aegis'\n" in printed
    assert "docker exec acme-openclaw openclaw channels status --probe\n" in printed
    assert "cp -R aegis/. '/data/open claw/aegis'\n" in printed
    assert "openclaw config patch --file aegis.patch.json\n" in printed


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.0.0.7", "claw.example.com", "[::1]"]
)
async def test_an_address_is_no_containers_name(cli: CommandLine, host: str) -> None:
    """Then the tenant's name is the best guess."""
    await cli.done("tenant", "add", "acme", "--endpoint", f"http://{host}:18789{EVENTS_PATH}")

    printed = (await cli.done(*SETUP)).out

    assert "docker restart acme\n" in printed


async def test_what_is_still_to_be_done_is_told(cli: CommandLine) -> None:
    """An endpoint that is not the plugin's, an address that no container reaches, no secrets, a key
    that may not speak.
    """
    endpoint = ("--endpoint", "http://acme-openclaw:18789/hook")
    await cli.done("tenant", "add", "acme", *endpoint, "--require-reply-token")

    told = (await cli.done("openclaw", "setup", "acme")).err

    assert f"tenant set acme --endpoint http://HOST:18789{EVENTS_PATH}" in told
    assert "--gateway-url" in told
    assert "--new-secrets" in told
    assert "tenant set acme --no-require-reply-token" in told


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--gateway-url", "gateway:8080"), 2, "--gateway-url"),
        (("--folder", "openclaw"), 2, "--folder"),
        (("--write", "/proc/nowhere"), 2, "--write"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_is_made(
    cli: CommandLine, options: tuple[str, ...], code: int, said: str
) -> None:
    """Secrets that nobody could read would lock the container out."""
    await cli.done(*ADD)

    answer = await cli("openclaw", "setup", "acme", "--new-secrets", *options)

    assert code == answer.code
    assert said in answer.err
    assert 1 == (await cli.done("tenant", "show", "acme", "--json")).json["agent_keys"]


async def test_nobody_s_container_cannot_be_set_up(cli: CommandLine) -> None:
    """The tenant has to be there first."""
    answer = await cli("openclaw", "setup", "nobody")

    assert 1 == answer.code
    assert "nobody" in answer.err
