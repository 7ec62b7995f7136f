"""What may be registered. Pure: looks nothing up, names the field of everything it refuses."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from gateway.archive.records import TenantSpec
from gateway.core.errors import RegistryError
from gateway.core.ids import Platform, WorkspaceId, parse_agent_id, parse_tenant_id
from gateway.core.retry import RetryPolicy
from gateway.core.tenants import (
    AccessPolicy,
    Agents,
    Credential,
    DirectRoad,
    HistoryPolicy,
    Limits,
    Mode,
)

MAX_ID_CHARS = 128
MAX_NAME_CHARS = 200
MAX_URL_CHARS = 2048
MAX_TIMEOUT_S = 300.0
MAX_TURN_S = 900.0
MAX_TOKEN_CHARS = 512
MAX_LIMIT = 1_000_000
MAX_FILE_BYTES = 2**30
MAX_STORED_FILE_BYTES = 2**40
MAX_HISTORY_MESSAGES = 50
MAX_ATTEMPTS = 1000
MAX_AGE_S = 7 * 86_400
# https://docs.slack.dev/authentication/tokens/ - xoxe.xoxb- once token rotation is on.
SLACK_BOT_TOKENS = ("xoxb-", "xoxe.xoxb-")


def check_spec(spec: TenantSpec) -> None:
    """Raise RegistryError that names every field that cannot be."""
    _refuse(
        problem
        for problems in (
            _slug_problems(spec),
            _named("endpoint_url", _url_problem(spec.endpoint_url)),
            _named("name", None if _is_name(spec.name) else "must be printable, 200 at most"),
            _named("timeout_s", _timeout_problem(spec.timeout_s)),
            _access_problems(spec.access, spec.agents),
            _limit_problems(spec.limits),
            _retry_problems(spec.retry),
            _named("history.messages", _history_problem(spec.history)),
            _direct_problems(spec.mode, spec.direct),
        )
        for problem in problems
    )


def check_direct_token(spec: TenantSpec, token: str | None) -> None:
    """Raise RegistryError when the token cannot be, or has nothing to open."""
    if token is None:
        return
    if spec.direct is None:
        _refuse(["direct_token: there is no direct.url that it could open"])
    if len(token) > MAX_TOKEN_CHARS or not token.isascii() or not _is_id_text(token):
        # Into a header it would go as it is.
        _refuse([f"direct_token: must be 1-{MAX_TOKEN_CHARS} ASCII characters without spaces"])


def check_binding(
    platform: Platform, workspace: WorkspaceId, credential: Credential | None
) -> None:
    """Raise RegistryError when the workspace id or the token cannot be."""
    problems = list(_named("workspace", _id_problem(workspace)))
    if credential is not None:
        problems += _named("bot_token", _token_problem(platform, credential.bot_token))
        if credential.bot_user is not None:
            problems += _named("bot_user", _id_problem(credential.bot_user))
    _refuse(problems)


def _refuse(problems: Iterable[str]) -> None:
    text = "\n".join(problems)
    if text:
        raise RegistryError(text)


def _named(field: str, problem: str | None) -> Iterator[str]:
    if problem is not None:
        yield f"{field}: {problem}"


def _slug_problems(spec: TenantSpec) -> Iterator[str]:
    try:
        parse_tenant_id(spec.id)
    except ValueError as exc:
        yield f"id: {exc}"
    for agent in (spec.agents.default, *spec.agents.by_channel.values()):
        try:
            parse_agent_id(agent)
        except ValueError as exc:
            yield f"agents: {exc}"


def _url_problem(url: str) -> str | None:
    if len(url) > MAX_URL_CHARS or not _is_id_text(url):
        return f"must be at most {MAX_URL_CHARS} printable characters without spaces"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        return f"cannot be read: {exc}"
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        return "must be http://host/... or https://host/..."
    if "@" in parts.netloc:
        return "must hold no user name and no password: requests are signed"
    if parts.fragment:
        return "must hold no fragment (#...)"
    return _address_problem(host)


def _address_problem(host: str) -> str | None:
    # 169.254.169.254 hands out a cloud machine's own credentials to whoever can ask it.
    address = _literal(host)
    if address is None:
        return None
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return f"{host} is a link-local, multicast or unspecified address, where no agent can be"
    return None


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return _loose_ipv4(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _loose_ipv4(host: str) -> IPv4Address | None:
    # The resolver takes 0xa9fea9fe and 2852039166 for addresses, so the check has to as well.
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _timeout_problem(timeout_s: float, most_s: float = MAX_TIMEOUT_S) -> str | None:
    if math.isfinite(timeout_s) and 0 < timeout_s <= most_s:
        return None
    return f"must be more than 0 and at most {most_s:g} seconds"


def _direct_problems(mode: Mode, direct: DirectRoad | None) -> Iterator[str]:
    if direct is None:
        if mode is Mode.DIRECT:
            yield "direct.url: is needed for mode direct"
        return
    yield from _named("direct.url", _url_problem(direct.url) or _more_than_origin(direct.url))
    yield from _named("direct.timeout_s", _timeout_problem(direct.timeout_s, MAX_TURN_S))
    if direct.agent is not None:
        try:
            parse_agent_id(direct.agent)
        except ValueError as exc:
            yield f"direct.agent: {exc}"


def _more_than_origin(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.query or parts.path not in {"", "/"}:
        return "must be the address alone, http://host:18789: the path is OpenClaw's own"
    return None


def _access_problems(access: AccessPolicy, agents: Agents) -> Iterator[str]:
    lists = {
        "access.allowed_channels": access.allowed_channels,
        "access.allowed_users": access.allowed_users,
        "access.channels_without_mention": access.channels_without_mention,
        "access.commanders": access.commanders,
        "agents.by_channel": tuple(agents.by_channel),
    }
    for field, ids in lists.items():
        for text in ids:
            yield from _named(field, _id_problem(text))


def _limit_problems(limits: Limits) -> Iterator[str]:
    for field in ("events_per_minute", "event_burst", "max_queued", "concurrency"):
        if not 1 <= getattr(limits, field) <= MAX_LIMIT:
            yield f"limits.{field}: must be 1-{MAX_LIMIT}"
    for field, most in (
        ("file_bytes", MAX_FILE_BYTES),
        ("stored_file_bytes", MAX_STORED_FILE_BYTES),
    ):
        if not 1 <= getattr(limits, field) <= most:
            yield f"limits.{field}: must be 1-{most}"


def _history_problem(history: HistoryPolicy) -> str | None:
    if 0 <= history.messages <= MAX_HISTORY_MESSAGES:
        return None
    return f"must be 0-{MAX_HISTORY_MESSAGES}; 0 keeps none"


def _token_problem(platform: Platform, token: str) -> str | None:
    if not token.isascii() or not _is_id_text(token):
        return "must be one line of printable characters without spaces"
    if platform is Platform.SLACK and not token.startswith(SLACK_BOT_TOKENS):
        return "must be a Slack bot token (xoxb-... or xoxe.xoxb-...)"
    return None


def _id_problem(text: str) -> str | None:
    if len(text) <= MAX_ID_CHARS and _is_id_text(text):
        return None
    return f"must be 1-{MAX_ID_CHARS} printable characters without spaces"


def _is_id_text(text: str) -> bool:
    return bool(text) and text.isprintable() and " " not in text


def _is_name(text: str) -> bool:
    return len(text) <= MAX_NAME_CHARS and text.isprintable()


def _retry_problems(retry: RetryPolicy) -> Iterator[str]:
    if not 1 <= retry.max_attempts <= MAX_ATTEMPTS:
        yield f"retry.max_attempts: must be 1-{MAX_ATTEMPTS}"
    if not 0 < retry.max_age_s <= MAX_AGE_S:
        yield f"retry.max_age_s: must be over 0 and at most {MAX_AGE_S}"
    if not 0 <= retry.base_s <= retry.cap_s:
        yield "retry.base_s: must be between 0 and retry.cap_s"
