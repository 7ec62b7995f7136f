"""Secrets: sealed at rest, shown once, replaced with a grace, sealed anew under a new key."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook

from gateway.archive.connection import fetch
from gateway.core.clock import utc_now
from gateway.core.errors import NotFoundError, RegistryError, StoreError
from gateway.core.ids import Platform
from gateway.core.tenants import Credential
from gateway.provisioning.operations import Provisioning
from gateway.sealing import Seal
from gateway.store.connection import run
from tests.provisioning.conftest import House, spec
from tests.provisioning.test_write_through import (
    ACME,
    CREDENTIAL,
    HOLDER,
    WORKSPACE,
    endpoint_of,
    everything,
)

DAY = timedelta(days=1)
_TABLES = ("tenants", "agent_keys", "signing_secrets", "bindings", "installations")


async def all_text(house: House) -> str:
    """All that both stores hold, as text."""
    rows = [await fetch(house.pool, f"SELECT t::text FROM {table} t") for table in _TABLES]  # noqa: S608 - constants
    return f"{rows} {await everything(house)}"


async def sealed_credential(house: House) -> bytes:
    found = await house.lookup.bound_workspace(Platform.SLACK, WORKSPACE)
    assert found is not None
    assert found.sealed_credential is not None
    return found.sealed_credential


async def sealed_secrets(house: House) -> tuple[str, ...]:
    endpoint = await endpoint_of(house, ACME)
    assert endpoint is not None
    return endpoint.sealed_secrets


async def test_neither_store_holds_a_secret_in_plain_text(
    house: House, provisioning: Provisioning
) -> None:
    """A stolen backup must open nothing."""
    created = await provisioning.add_tenant(spec())
    await provisioning.bind(ACME, Platform.SLACK, WORKSPACE, CREDENTIAL)
    text = await all_text(house)

    assert "acme" in text
    for secret in (CREDENTIAL.bot_token, created.agent_key, created.signing_secret):
        assert secret not in text
    opened = Seal([house.sealing_key]).open(await sealed_credential(house))
    assert CREDENTIAL == msgspec.json.decode(opened, type=Credential)


async def test_a_signing_secret_is_one_that_agents_can_verify_with(
    house: House, provisioning: Provisioning
) -> None:
    """The form of Standard Webhooks, and what is stored is what was shown."""
    created = await provisioning.add_tenant(spec())
    [sealed] = await sealed_secrets(house)

    assert created.signing_secret == Seal([house.sealing_key]).open(sealed)
    now = utc_now()
    signature = Webhook(created.signing_secret).sign("dlv_0", now, "{}")
    assert signature.startswith("v1,")


async def test_an_old_agent_key_ends_after_its_grace(
    house: House, provisioning: Provisioning
) -> None:
    """Both keys work while containers are restarted with the new one; Redis ends the old one."""
    created = await provisioning.add_tenant(spec())
    key = await provisioning.rotate_agent_key(ACME, DAY)

    for valid in (created.agent_key, key):
        assert HOLDER == await house.lookup.holder_of_key(valid)
    left_ms = await run(house.redis, "PTTL", house.pepper.agent_key(created.agent_key))
    assert 0 < left_ms <= DAY / timedelta(milliseconds=1)
    assert -1 == await run(house.redis, "PTTL", house.pepper.agent_key(key))
    assert 2 == (await provisioning.show(ACME)).agent_keys


async def test_a_leaked_agent_key_ends_at_once(house: House, provisioning: Provisioning) -> None:
    """No grace ends keys that were still in theirs, too."""
    created = await provisioning.add_tenant(spec())
    second = await provisioning.rotate_agent_key(ACME, DAY)
    third = await provisioning.rotate_agent_key(ACME, timedelta(0))

    for ended in (created.agent_key, second):
        assert await house.lookup.holder_of_key(ended) is None
    assert HOLDER == await house.lookup.holder_of_key(third)
    assert 1 == (await provisioning.show(ACME)).agent_keys


async def test_a_later_rotation_does_not_lengthen_an_earlier_grace(
    house: House, provisioning: Provisioning
) -> None:
    """Who said "one day" must not find the key alive after two."""
    created = await provisioning.add_tenant(spec())
    await provisioning.rotate_agent_key(ACME, timedelta(hours=1))
    await provisioning.rotate_agent_key(ACME, DAY)

    left_ms = await run(house.redis, "PTTL", house.pepper.agent_key(created.agent_key))
    assert 0 < left_ms <= timedelta(hours=1) / timedelta(milliseconds=1)


async def test_two_signing_secrets_are_valid_during_a_rotation(
    house: House, provisioning: Provisioning
) -> None:
    """The newest first; the older one goes when its grace has ended."""
    created = await provisioning.add_tenant(spec())
    secret = await provisioning.rotate_signing_secret(ACME, DAY)
    seal = Seal([house.sealing_key])

    assert [secret, created.signing_secret] == [
        seal.open(sealed) for sealed in await sealed_secrets(house)
    ]
    assert 0 == await provisioning.expire()
    house.clock.ahead = 2 * DAY
    assert 1 == await provisioning.expire()
    assert [secret] == [seal.open(sealed) for sealed in await sealed_secrets(house)]


async def test_a_rebuild_leaves_ended_secrets_out(house: House, provisioning: Provisioning) -> None:
    """Nothing that has ended comes back to life."""
    created = await provisioning.add_tenant(spec())
    await provisioning.rotate_agent_key(ACME, DAY)
    await provisioning.rotate_signing_secret(ACME, DAY)
    house.clock.ahead = 2 * DAY
    counts = await provisioning.rebuild()

    assert (1, 1) == (counts.agent_keys, counts.pruned)
    assert await house.lookup.holder_of_key(created.agent_key) is None
    assert 1 == len(await sealed_secrets(house))


async def test_after_a_change_of_the_sealing_key_the_old_one_can_go(
    house: House, provisioning: Provisioning
) -> None:
    """New key first, reseal, drop the old key: no secret is lost and none is left behind."""
    created = await provisioning.add_tenant(spec())
    await provisioning.bind(ACME, Platform.SLACK, WORKSPACE, CREDENTIAL)
    new_key = Fernet.generate_key().decode()
    counts = await house.provisioning(new_key, house.sealing_key).reseal()

    assert (1, 1) == (counts.signing_secrets, counts.credentials)
    seal = Seal([new_key])
    opened = seal.open(await sealed_credential(house))
    assert CREDENTIAL == msgspec.json.decode(opened, type=Credential)
    assert [created.signing_secret] == [seal.open(text) for text in await sealed_secrets(house)]


async def test_resealing_without_the_right_key_changes_nothing(
    house: House, provisioning: Provisioning
) -> None:
    """A wrong key must not make secrets unreadable."""
    await provisioning.add_tenant(spec())
    before = await all_text(house)

    with pytest.raises(StoreError, match="GATEWAY_SEALING_KEYS"):
        await house.provisioning(Fernet.generate_key().decode()).reseal()
    assert before == await all_text(house)


async def test_rotating_for_nobody_or_with_a_negative_grace_is_refused(
    provisioning: Provisioning,
) -> None:
    """Said before anything is changed."""
    with pytest.raises(NotFoundError):
        await provisioning.rotate_agent_key(ACME, DAY)
    with pytest.raises(NotFoundError):
        await provisioning.rotate_signing_secret(ACME, DAY)
    await provisioning.add_tenant(spec())
    with pytest.raises(RegistryError, match="grace"):
        await provisioning.rotate_agent_key(ACME, -DAY)
