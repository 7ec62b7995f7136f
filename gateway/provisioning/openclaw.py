"""What an OpenClaw container needs to be a tenant's: configuration, environment, commands. Pure.

The one place that names keys of the plugin's configuration; what they mean stands in
plugin_bridge/openclaw/openclaw.plugin.json.
"""

from __future__ import annotations

import posixpath
import shlex
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gateway.archive.records import TenantSpec
from gateway.core.tenants import Mode, Surface

EVENTS_PATH: Final = "/aegis/v1/events"
KEY_VARIABLE: Final = "AEGIS_AGENT_KEY"
SECRET_VARIABLE: Final = "AEGIS_WEBHOOK_SECRET"  # noqa: S105 - a name
PLUGIN_FOLDER, PATCH_FILE, ENV_FILE = "aegis", "aegis.patch.json", "aegis.env"
_ENDPOINTS: Final = {Surface.RESPONSES: "responses", Surface.CHAT: "chatCompletions"}
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Both of a tenant's, in plain: only right after they were made."""

    agent_key: str
    signing_secret: str

    def __repr__(self) -> str:
        """Keep them out of logs and tracebacks."""
        return "Secrets()"


class OpenClawSetup(msgspec.Struct, frozen=True, kw_only=True):
    """How a tenant's container is set up. `config` is a patch for `openclaw config patch`,
    `environment` what it refers to, `docker` and `plain` the commands for a container and for a
    machine without one.
    """

    tenant: str
    config: dict[str, object]
    environment: dict[str, str]
    docker: tuple[str, ...]
    plain: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def patch(self) -> str:
        """The file for `openclaw config patch`."""
        return msgspec.json.format(msgspec.json.encode(self.config), indent=2).decode() + "\n"

    @property
    def env(self) -> str:
        """The lines for the `.env` in OpenClaw's folder."""
        return "".join(f"{name}={value}\n" for name, value in self.environment.items())


def setup_of(
    spec: TenantSpec, *, gateway_url: str, folder: str, secrets: Secrets | None = None
) -> OpenClawSetup:
    """Describe the set-up. `gateway_url` is where the container reaches the gateway's agent API,
    `folder` where OpenClaw keeps its state, as the container sees it.
    """
    return OpenClawSetup(
        tenant=spec.id,
        config=_config(spec, gateway_url, folder),
        environment={
            KEY_VARIABLE: secrets.agent_key if secrets else "",
            SECRET_VARIABLE: secrets.signing_secret if secrets else "",
        },
        docker=_docker(spec, folder),
        plain=_plain(folder),
        notes=tuple(_notes(spec, gateway_url, secrets)),
    )


def _config(spec: TenantSpec, gateway_url: str, folder: str) -> dict[str, object]:
    config: dict[str, object] = {
        "plugins": {
            "load": {"paths": [posixpath.join(folder, PLUGIN_FOLDER)]},
            "entries": {"aegis": {"enabled": True}},
        },
        "channels": {
            "aegis": {
                "enabled": True,
                "gatewayUrl": gateway_url,
                "agentKey": f"${{{KEY_VARIABLE}}}",
                "webhookSecrets": [f"${{{SECRET_VARIABLE}}}"],
                "agentId": spec.agents.default,
            }
        },
    }
    if _is_direct(spec) and spec.direct is not None:
        endpoint = {_ENDPOINTS[spec.direct.surface]: {"enabled": True}}
        config["gateway"] = {"http": {"endpoints": endpoint}}
    return config


def _is_direct(spec: TenantSpec) -> bool:
    return spec.direct is not None and spec.mode is not Mode.PLUGIN


def _docker(spec: TenantSpec, folder: str) -> tuple[str, ...]:
    name = shlex.quote(_container(spec))
    inside = [posixpath.join(folder, each) for each in (PLUGIN_FOLDER, PATCH_FILE, ".env")]
    plugin, patch, env = map(shlex.quote, inside)
    return (
        # What is in the folder, not the folder: over an older plugin it would come to lie in it.
        f"docker cp {PLUGIN_FOLDER}/. {name}:{plugin}",
        f"docker cp {PATCH_FILE} {name}:{patch}",
        f"docker exec -i {name} sh -c {shlex.quote(f'umask 077; cat >> {env}')} < {ENV_FILE}",
        f"docker exec {name} openclaw config patch --file {patch}",
        f"docker restart {name}",
        f"docker exec {name} openclaw channels status --probe",
    )


def _container(spec: TenantSpec) -> str:
    """On a network of Docker's the container's name is its host; an address or a domain is none."""
    host = urlsplit(spec.endpoint_url).hostname or ""
    is_name = host and host not in _LOOPBACK and not {".", ":"} & set(host)
    return host if is_name else spec.id


def _plain(folder: str) -> tuple[str, ...]:
    plugin, env = (shlex.quote(posixpath.join(folder, each)) for each in (PLUGIN_FOLDER, ".env"))
    return (
        f"mkdir -p {plugin} && cp -R {PLUGIN_FOLDER}/. {plugin}",
        f"(umask 077; cat {ENV_FILE} >> {env})",
        f"openclaw config patch --file {PATCH_FILE}",
        "openclaw gateway restart",
        "openclaw channels status --probe",
    )


def _notes(spec: TenantSpec, gateway_url: str, secrets: Secrets | None) -> list[str]:
    notes = []
    if secrets is None:
        notes.append(
            f"{ENV_FILE} lacks both secrets, which are shown once: paste those that `tenant add` "
            "printed, or make new ones with --new-secrets"
        )
    if urlsplit(spec.endpoint_url).path != EVENTS_PATH:
        at = f"http://HOST:18789{EVENTS_PATH}"
        notes.append(f"the plugin listens at {EVENTS_PATH}: tenant set {spec.id} --endpoint {at}")
    if spec.require_reply_token:
        notes.append(
            f"OpenClaw needs its key to speak: tenant set {spec.id} --no-require-reply-token"
        )
    if urlsplit(gateway_url).hostname in _LOOPBACK:
        notes.append(f"a container cannot reach {gateway_url}: say another with --gateway-url")
    notes.append("gateway.bind has to let the gateway in, such as `lan`, when it runs elsewhere")
    notes.append("plugins.load.paths replaces what stands there; plugins.allow must hold aegis")
    if _is_direct(spec):
        notes.append("in direct mode whoever may write to the agent is an owner to OpenClaw")
    return notes
