"""A tenant as `tenant show` prints it."""

from __future__ import annotations

from gateway.archive.records import TenantRecord
from gateway.core.tenants import DirectRoad, HistoryPolicy, HistoryScope
from gateway.provisioning.views import TenantView


def fields(record: TenantRecord) -> dict[str, object]:
    """Name what is set of a tenant, in the order in which people ask."""
    spec = record.spec
    return {
        "name": spec.name,
        "status": record.status,
        "endpoint": spec.endpoint_url,
        "timeout": f"{spec.timeout_s:g} s",
        "mode": spec.mode,
        "direct": _direct(spec.direct),
        "agents": _named({"default": spec.agents.default, **spec.agents.by_channel}),
        "direct messages": spec.access.direct_messages,
        "mention required": spec.access.require_mention,
        "channels without mention": ", ".join(spec.access.channels_without_mention),
        "allowed channels": ", ".join(spec.access.allowed_channels) or "all",
        "allowed users": ", ".join(spec.access.allowed_users) or "all",
        "reactions": spec.access.reactions,
        "commanders": ", ".join(spec.access.commanders) or "nobody",
        "history": _history(spec.history),
        "reply token required": spec.require_reply_token,
        "rate": f"{spec.limits.events_per_minute}/min, {spec.limits.event_burst} at once",
        "queue": f"{spec.limits.max_queued} waiting, {spec.limits.concurrency} at a time",
        "files": f"{_mebibytes(spec.limits.file_bytes)} each, "
        f"{_mebibytes(spec.limits.stored_file_bytes)} a day",
        "when full": spec.limits.overflow,
        "retries": f"{spec.retry.max_attempts} attempts, {spec.retry.max_age_s / 3600:g} h",
        "added": record.created_at,
    }


def belongings(view: TenantView) -> dict[str, object]:
    """Name what the tenant has."""
    workspaces = [f"{bound.platform} {bound.workspace}" for bound in view.workspaces]
    return {
        "workspaces": "\n".join(workspaces) or "none",
        "agent keys": view.agent_keys,
        "signing secrets": view.signing_secrets,
        "direct token": "stored" if view.direct_token else "none",
    }


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / (1024 * 1024):g} MiB"


def _named(agents: dict[str, str]) -> str:
    return ", ".join(f"{place}: {agent}" for place, agent in agents.items())


def _direct(direct: DirectRoad | None) -> str:
    if direct is None:
        return "none"
    who = f", agent {direct.agent}" if direct.agent else ""
    return f"{direct.url} ({direct.surface}{who}, {direct.timeout_s:g} s a turn)"


def _history(history: HistoryPolicy) -> str:
    if history.messages == 0:
        return "none"
    which = "that it missed" if history.scope is HistoryScope.MISSED else "whatever it got"
    return f"the last {history.messages} messages, {which}"
