"""Where each listener stands, as the settings say."""

from __future__ import annotations

from gateway.settings import Settings
from gateway.web.server import Address


def agents_address(settings: Settings) -> Address:
    """Where agents call."""
    return Address(settings.host, settings.port, "GATEWAY_PORT")


def public_address(settings: Settings) -> Address:
    """Where platforms call."""
    return Address(settings.public_host, settings.public_port, "GATEWAY_PUBLIC_PORT")


def ops_address(settings: Settings) -> Address:
    """Where operators, orchestrators and Prometheus ask."""
    return Address(settings.ops_host, settings.ops_port, "GATEWAY_OPS_PORT")
