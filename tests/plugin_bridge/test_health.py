"""Asking containers how they are: the plugin's page, and OpenClaw's own surface."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import web

from gateway.core.errors import StoreError
from gateway.core.ids import TenantId
from gateway.core.tenants import DirectRoad, Endpoint, TenantStatus
from gateway.sandbox.openclaw import OpenClawSandbox
from gateway.sandbox.wire import LoopbackServer
from plugin_bridge.health import HealthProbe, open_health_probe
from plugin_bridge.wire import PROTOCOL_VERSION

TOKEN = "gateway-token-of-acme"


@pytest.fixture
async def probe() -> AsyncIterator[HealthProbe]:
    """A probe whose sealed tokens are the tokens behind a prefix."""
    async with open_health_probe(lambda sealed: sealed.removeprefix("sealed ")) as opened:
        yield opened


@pytest.fixture
async def openclaw() -> AsyncIterator[OpenClawSandbox]:
    """A container without a plugin."""
    async with OpenClawSandbox(token=TOKEN) as started:
        yield started


def endpoint(openclaw: OpenClawSandbox, sealed: str | None = f"sealed {TOKEN}") -> Endpoint:
    """A tenant's endpoint there."""
    return Endpoint(
        tenant=TenantId("acme"),
        status=TenantStatus.ACTIVE,
        url=f"{openclaw.url}/aegis/v1/events",
        sealed_secrets=(),
        direct=DirectRoad(url=f"{openclaw.url}/"),
        sealed_direct_token=sealed,
    )


@pytest.mark.parametrize(
    ("protocol", "well", "speaks"),
    [
        (PROTOCOL_VERSION, True, True),
        (PROTOCOL_VERSION + 1, True, True),
        (PROTOCOL_VERSION - 1, False, False),
        (None, True, False),
    ],
)
async def test_a_page_tells_which_version_of_the_protocol_is_spoken(
    probe: HealthProbe, openclaw: OpenClawSandbox, protocol: int | None, well: bool, speaks: bool
) -> None:
    """An older one is ill; of a container that names none nothing is claimed."""
    openclaw.plugin = {"status": "ok", "plugin": "0.1.0", "protocol": protocol}

    answer = await probe(endpoint(openclaw).health_url)

    assert (well, speaks) == (answer.well, answer.speaks)


async def test_an_older_plugin_is_named_with_the_remedy(
    probe: HealthProbe, openclaw: OpenClawSandbox
) -> None:
    """An operator reads it in `tenant show`."""
    openclaw.plugin = {"protocol": 0}

    answer = await probe(endpoint(openclaw).health_url)

    assert (
        "the container speaks version 0 of the agent protocol, the gateway version "
        f"{PROTOCOL_VERSION}: update its plugin"
    ) == answer.detail


async def test_a_container_without_the_page_still_answers(
    probe: HealthProbe, openclaw: OpenClawSandbox
) -> None:
    """But nobody there speaks our protocol, as far as one can tell."""
    answer = await probe(endpoint(openclaw).health_url)

    assert (True, False, "HTTP 404") == (answer.well, answer.speaks, answer.detail)


@pytest.mark.parametrize(
    "page", ["<html>protocol</html>", "[1]", '{"protocol": "1"}', "[" * 99_999]
)
async def test_somebody_else_s_page_is_no_plugin_s(probe: HealthProbe, page: str) -> None:
    """OpenClaw's own pages answer every path."""

    async def anything(_request: web.Request) -> web.Response:
        return web.Response(text=page)

    app = web.Application()
    app.router.add_get("/{path:.*}", anything)
    server = LoopbackServer(app)
    port = await server.start("127.0.0.1", 0)
    try:
        answer = await probe(f"http://127.0.0.1:{port}/aegis/v1/health")
        own = await probe.direct(
            Endpoint(
                tenant=TenantId("acme"),
                status=TenantStatus.ACTIVE,
                url="http://127.0.0.1:1/",
                sealed_secrets=(),
                direct=DirectRoad(url=f"http://127.0.0.1:{port}"),
            )
        )
    finally:
        await server.close()

    assert (True, False) == (answer.well, answer.speaks)
    assert own.well is (page == '{"protocol": "1"}')


async def test_openclaw_is_asked_without_a_turn(
    probe: HealthProbe, openclaw: OpenClawSandbox
) -> None:
    """Ready, switched on, and the token is right."""
    answer = await probe.direct(endpoint(openclaw))

    assert (True, "/v1/models: HTTP 200") == (answer.well, answer.detail)
    assert [] == openclaw.turns


async def test_what_keeps_turns_from_openclaw_is_told(
    probe: HealthProbe, openclaw: OpenClawSandbox
) -> None:
    """Each by itself."""
    wrong = await probe.direct(endpoint(openclaw, "sealed another"))
    assert (False, "/v1/models: HTTP 401") == (wrong.well, wrong.detail)

    openclaw.surfaces = set()
    off = await probe.direct(endpoint(openclaw))
    assert (False, "/v1/models: HTTP 404") == (off.well, off.detail)

    openclaw.ready = False
    starting = await probe.direct(endpoint(openclaw))
    assert (False, "/readyz: HTTP 503") == (starting.well, starting.detail)

    await openclaw.close()
    gone = await probe.direct(endpoint(openclaw))
    assert (False, "/readyz: ClientConnectorError") == (gone.well, gone.detail)


async def test_a_token_that_does_not_open_is_that_tenant_s_trouble_alone(
    openclaw: OpenClawSandbox,
) -> None:
    """It must not end the looking after all others."""

    def broken(_sealed: str) -> str:
        raise StoreError("a stored secret opens with none of GATEWAY_SEALING_KEYS")

    async with open_health_probe(broken) as probe:
        answer = await probe.direct(endpoint(openclaw))
        unsealed = await probe.direct(
            msgspec.structs.replace(endpoint(openclaw), sealed_direct_token=None)
        )

    assert (False, True) == (answer.well, "GATEWAY_SEALING_KEYS" in answer.detail)
    assert "/v1/models: HTTP 401" == unsealed.detail
