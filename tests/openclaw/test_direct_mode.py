"""The real OpenClaw without the plugin: turns by its own HTTP surface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from gateway.archive.records import TenantSpec
from gateway.core.tenants import DirectRoad, Mode, Surface
from tests.openclaw.program import PATIENCE_S, TOKEN
from tests.openclaw.stage import Stage
from tests.support.waiting import eventually
from tests.support.worlds import ACME

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(600, func_only=True)]


@asynccontextmanager
async def direct_road(stage: Stage, mode: Mode, surface: Surface) -> AsyncIterator[None]:
    """Let the tenant have it for a while."""
    provisioning = stage.world.stores.provisioning
    road = DirectRoad(url=stage.acme.url, surface=surface)

    def with_it(spec: TenantSpec) -> TenantSpec:
        return msgspec.structs.replace(spec, mode=mode, direct=road)

    def without(spec: TenantSpec) -> TenantSpec:
        return msgspec.structs.replace(spec, mode=Mode.AUTO, direct=None)

    await provisioning.edit_tenant(ACME, with_it, TOKEN)
    yield
    await provisioning.edit_tenant(ACME, without)


@pytest.mark.parametrize("surface", list(Surface))
async def test_a_turn_goes_by_its_own_surface(stage: Stage, surface: Surface) -> None:
    """And the answer to the platform; the plugin hears nothing of it."""
    place = stage.direct()
    received = stage.acme.received()
    async with direct_road(stage, Mode.DIRECT, surface):
        stage.side.say(place, f"do:echo by {surface}")
        await stage.answer(place, lambda each: f"You said: by {surface}" in each.text)

    assert [f"You said: by {surface}"] == stage.texts(place)
    assert received == stage.acme.received()


async def test_a_tenant_falls_back_while_the_plugin_is_off_and_comes_back(stage: Stage) -> None:
    """What was said meanwhile is answered once; then the plugin hears again."""
    away, back = stage.direct(), stage.direct()

    async def is_back() -> bool:
        endpoint = await stage.world.stores.breakers.endpoint_of(ACME)
        return endpoint is not None and endpoint.fallback is None

    async with direct_road(stage, Mode.AUTO, Surface.RESPONSES):
        stage.acme.configure(enabled=False)
        await stage.acme.closed()
        stage.side.say(away, "do:echo while it is off")
        await stage.answer(away, lambda each: "while it is off" in each.text)
        received = stage.acme.received()
        stage.acme.configure(enabled=True)
        await stage.acme.ready()
        await eventually(is_back, timeout_s=PATIENCE_S)
        stage.side.say(back, "do:echo when it is on")
        await stage.answer(back, lambda each: "when it is on" in each.text)

    assert ["You said: while it is off"] == stage.texts(away)
    assert received < stage.acme.received()
