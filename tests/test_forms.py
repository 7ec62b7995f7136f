"""Forms that wait to be opened: for their own tenant, and for whom its rules let in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

import msgspec
import pytest
from cryptography.fernet import Fernet

from gateway.core.audit import AuditAction
from gateway.core.components import Form, FormField
from gateway.core.errors import StoreError
from gateway.core.events import Action, ActionKind, EventKind
from gateway.core.ids import UNROUTED, MessageId, Platform, TenantId, WorkspaceId
from gateway.core.ports import FormPress
from gateway.core.tenants import AccessPolicy, Binding, Credential, Tenant, TenantStatus
from gateway.forms import KeptForms
from gateway.sealing import Seal
from gateway.store.keys import Shard
from gateway.store.ledger import Ledger
from gateway.store.ledger_changes import with_forms
from tests.support.passage import Passage, event, open_passage
from tests.support.queues import ACME, GLOBEX

ORDER = Form(id="order", title="Order", fields=(FormField(id="dish", label="Dish"),))
TEAM, OTHER, MESSAGE = "T0ACME", "T0GLOBEX", MessageId("msg_1")
SEAL = Seal([Fernet.generate_key().decode()])
BOT = Credential(bot_token="xoxb-acme", bot_user="U0BOT")


@pytest.fixture
async def passage(clean_redis: str) -> AsyncIterator[Passage]:
    """Two tenants, of whom the first has sent a form."""
    async with open_passage(clean_redis) as opened:
        await bind(opened, ACME, TEAM)
        await bind(opened, GLOBEX, OTHER)
        await opened.lookup.mark_filled()
        key = Shard(0).ledger(ACME, MESSAGE)
        for field, value in with_forms([ORDER]).items():
            await opened.client.hset(key, field, value)
        yield opened


@pytest.fixture
def forms(passage: Passage) -> KeptForms:
    """Forms over the same stores."""
    return KeptForms(passage.lookup, SEAL, Ledger(passage.client, 1), passage.store)


async def bind(
    passage: Passage,
    tenant: TenantId,
    team: str,
    rules: Mapping[str, object] = MappingProxyType({}),
    *,
    credential: bool = True,
) -> None:
    """Bind a workspace, with a bot's token unless it has none."""
    binding = Binding(
        tenant=msgspec.structs.replace(Tenant(id=tenant), **rules),
        platform=Platform.SLACK,
        workspace=WorkspaceId(team),
        epoch=1,
    )
    sealed = SEAL.seal(msgspec.json.encode(BOT).decode()).encode() if credential else None
    await passage.lookup.put_binding(binding, sealed)


def press(team: str = TEAM, *, user: str = "U0ANN") -> FormPress:
    """Somebody presses the button of the form."""
    heard = msgspec.structs.replace(
        event(team, "", channel="C0LOBBY", ts="1.1", event_id="int_1", user=user),
        kind=EventKind.ACTION_INVOKED,
        detail=Action(id=ORDER.id, kind=ActionKind.FORM),
    )
    return FormPress(event=heard, message=MESSAGE, form=ORDER.id)


async def recorded(passage: Passage) -> list[tuple[TenantId, str, str]]:
    """What is on record of presses."""
    entries = [entry.record for entry in await passage.records()]
    assert {AuditAction.FORM_REQUESTED} >= {each.action for each in entries}
    return [(each.tenant, each.outcome, each.reason) for each in entries]


async def test_a_form_is_found_for_its_owner(passage: Passage, forms: KeptForms) -> None:
    """With the credential of its workspace, and on record."""
    owner = await forms.owner(press())
    assert owner is not None
    assert (ACME, BOT.bot_token) == (owner.tenant, owner.credential.bot_token)
    assert ORDER == await forms.find(press(), owner)
    assert [(ACME, "found", "")] == await recorded(passage)


async def test_it_is_not_found_for_another_tenant(passage: Passage, forms: KeptForms) -> None:
    """Law 4: the same message id is another message."""
    owner = await forms.owner(press(OTHER))
    assert owner is not None
    assert None is await forms.find(press(OTHER), owner)
    assert [(GLOBEX, "gone", "")] == await recorded(passage)


async def test_nobodys_workspace_opens_nothing(passage: Passage, forms: KeptForms) -> None:
    """Law 2: fail closed."""
    assert None is await forms.owner(press("T0NOBODYS"))
    assert [(UNROUTED, "dropped", "unbound_workspace")] == await recorded(passage)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"status": TenantStatus.SUSPENDED}, "tenant_suspended"),
        ({"access": AccessPolicy(allowed_users=("U0BEN",))}, "user_not_allowed"),
        ({"access": AccessPolicy(allowed_channels=("C0OTHER",))}, "channel_not_allowed"),
    ],
)
async def test_rules_hold_for_forms_too(
    passage: Passage, forms: KeptForms, rules: dict[str, object], reason: str
) -> None:
    """Whose answers would be dropped is not asked."""
    await bind(passage, ACME, TEAM, rules)
    assert None is await forms.owner(press())
    assert [(ACME, "dropped", reason)] == await recorded(passage)


async def test_without_a_credential_nothing_can_be_opened(
    passage: Passage, forms: KeptForms
) -> None:
    """The workspace has been bound before the app was installed."""
    await passage.lookup.remove_binding(Platform.SLACK, WorkspaceId(TEAM))
    await bind(passage, ACME, TEAM, credential=False)
    assert None is await forms.owner(press())
    assert [(ACME, "dropped", "not_installed")] == await recorded(passage)


async def test_a_store_that_has_lost_its_keys_is_a_fault(
    passage: Passage, forms: KeptForms
) -> None:
    """Law 9: nobody may be told that the form is gone."""
    await passage.client.flushall()
    with pytest.raises(StoreError):
        await forms.owner(press())
