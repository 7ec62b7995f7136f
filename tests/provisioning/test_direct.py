"""How a container is spoken to, as operators set it: stored, sealed, published, checked."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.fernet import Fernet

from gateway.core.errors import RegistryError
from gateway.core.ids import AgentId, TenantId
from gateway.core.tenants import DirectRoad, Endpoint, Mode, Surface
from gateway.provisioning.operations import Provisioning
from gateway.provisioning.validation import check_direct_token, check_spec
from gateway.sealing import Seal
from tests.provisioning.conftest import House, spec
from tests.provisioning.test_secrets import all_text
from tests.provisioning.test_write_through import ACME, endpoint_of

TOKEN = "gateway-token-of-acme"
ROAD = DirectRoad(
    url="http://10.0.0.5:18789", surface=Surface.CHAT, agent=AgentId("front"), timeout_s=300.0
)
DIRECT = msgspec.structs.replace(spec(), mode=Mode.DIRECT, direct=ROAD)


async def endpoint(house: House) -> Endpoint:
    """What workers get."""
    found = await endpoint_of(house, ACME)
    assert found is not None
    return found


async def test_what_is_set_reaches_the_workers(house: House, provisioning: Provisioning) -> None:
    """And the token opens with the sealing key alone."""
    await provisioning.add_tenant(DIRECT, TOKEN)

    assert DIRECT == (await provisioning.show(ACME)).tenant.spec
    assert (await provisioning.show(ACME)).direct_token
    found = await endpoint(house)
    assert (Mode.DIRECT, ROAD) == (found.mode, found.direct)
    assert TOKEN == Seal([house.sealing_key]).open(found.sealed_direct_token or "")
    assert TOKEN not in await all_text(house)


async def test_by_default_a_tenant_has_its_plugin_alone(
    house: House, provisioning: Provisioning
) -> None:
    """`auto` without a second way is what it always was."""
    await provisioning.add_tenant(spec())

    found = await endpoint(house)
    assert (Mode.AUTO, None, None) == (found.mode, found.direct, found.sealed_direct_token)
    assert not found.goes_direct
    assert not found.may_fall_back


async def test_the_token_stays_until_it_is_replaced_or_opens_nothing(
    house: House, provisioning: Provisioning
) -> None:
    """Who changes a timeout need not have the token at hand."""
    seal = Seal([house.sealing_key])
    await provisioning.add_tenant(DIRECT, TOKEN)

    await provisioning.edit_tenant(ACME, lambda old: msgspec.structs.replace(old, name="Acme"))
    assert TOKEN == seal.open((await endpoint(house)).sealed_direct_token or "")
    await provisioning.edit_tenant(ACME, lambda old: old, "another-token")
    assert "another-token" == seal.open((await endpoint(house)).sealed_direct_token or "")
    await provisioning.edit_tenant(ACME, lambda _old: spec())
    assert (await endpoint(house)).sealed_direct_token is None
    assert not (await provisioning.show(ACME)).direct_token


async def test_the_token_is_sealed_anew_with_all_others(
    house: House, provisioning: Provisioning
) -> None:
    """Or the old key could not go."""
    await provisioning.add_tenant(DIRECT, TOKEN)
    new_key = Fernet.generate_key().decode()

    counts = await house.provisioning(new_key, house.sealing_key).reseal()

    assert 1 == counts.direct_tokens
    assert TOKEN == Seal([new_key]).open((await endpoint(house)).sealed_direct_token or "")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"direct": None}, "direct.url"),
        ({"direct": DirectRoad(url="nowhere")}, "direct.url"),
        ({"direct": DirectRoad(url="http://169.254.169.254")}, "direct.url"),
        ({"direct": DirectRoad(url="http://10.0.0.5/v1/responses")}, "direct.url"),
        ({"direct": DirectRoad(url="http://10.0.0.5/?x=1")}, "direct.url"),
        ({"direct": DirectRoad(url="http://10.0.0.5", timeout_s=901.0)}, "direct.timeout_s"),
        ({"direct": DirectRoad(url="http://10.0.0.5", timeout_s=0.0)}, "direct.timeout_s"),
        ({"direct": DirectRoad(url="http://10.0.0.5", agent=AgentId("A b"))}, "direct.agent"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes: dict[str, object], field: str) -> None:
    """When it is typed, not when the plugin is away."""
    with pytest.raises(RegistryError, match=rf"^{field}: "):
        check_spec(msgspec.structs.replace(DIRECT, **changes))


@pytest.mark.parametrize("token", ["", "two words", "line\n", "caf\u00e9", "x" * 513])
def test_a_token_that_cannot_stand_in_a_header_is_refused_unseen(token: str) -> None:
    """It may be a password pasted by mistake."""
    with pytest.raises(RegistryError, match=r"^direct_token: ") as caught:
        check_direct_token(DIRECT, token)
    assert not token or token not in str(caught.value)


async def test_a_token_without_a_url_is_refused(provisioning: Provisioning) -> None:
    """It would open nothing, and lie around."""
    with pytest.raises(RegistryError, match=r"^direct_token: there is no direct\.url"):
        await provisioning.add_tenant(spec(), TOKEN)
    assert [] == await provisioning.tenants()


async def test_a_refused_token_leaves_all_as_it_was(
    house: House, provisioning: Provisioning
) -> None:
    """The spec that came with it, too."""
    await provisioning.add_tenant(spec())
    with pytest.raises(RegistryError, match="direct_token"):
        await provisioning.edit_tenant(TenantId("acme"), lambda _old: DIRECT, "two words")

    assert spec() == (await provisioning.show(ACME)).tenant.spec
    assert (await endpoint(house)).direct is None
