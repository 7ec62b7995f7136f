"""Forms that wait to be opened: whose they are, and whether this person may have them.

The press of a form's button passes the same steps as an event, tenant first, and is on record; but
it is no delivery, for the agent hears of what was filled in and not of the opening.
"""

from __future__ import annotations

import msgspec

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.components import Form
from gateway.core.decisions import Dropped
from gateway.core.deliveries import Reason
from gateway.core.ids import TenantId
from gateway.core.ports import FormOwner, FormPress
from gateway.core.tenants import Binding, Credential
from gateway.sealing import Seal
from gateway.store.deliveries import DeliveryStore
from gateway.store.ledger import Ledger
from gateway.store.tenants import TenantLookup
from routing.pipeline import decide


class KeptForms:
    """Forms as adapters ask for them."""

    def __init__(
        self, lookup: TenantLookup, seal: Seal, ledger: Ledger, store: DeliveryStore
    ) -> None:
        self._lookup = lookup
        self._seal = seal
        self._ledger = ledger
        self._store = store

    async def owner(self, press: FormPress) -> FormOwner | None:
        """Find the tenant; None when the press goes nowhere, which is on record then. Raises
        StoreError.
        """
        decision = await decide(press.event, self._lookup.resolve)
        if isinstance(decision, Dropped):
            await self._store.record(_dropped(press, decision))
            return None
        tenant = decision.binding.tenant.id
        credential = await self._credential(decision.binding)
        if credential is None:
            record = _record(press, tenant, "dropped")
            record = msgspec.structs.replace(record, reason=Reason.NOT_INSTALLED)
            await self._store.record(record)
            return None
        return FormOwner(tenant=tenant, credential=credential)

    async def find(self, press: FormPress, owner: FormOwner) -> Form | None:
        """Find the form among the owner's own, and put the press on record. Raises StoreError."""
        form = await self._ledger.form(owner.tenant, press.message, press.form)
        await self._store.record(_record(press, owner.tenant, "gone" if form is None else "found"))
        return form

    async def _credential(self, binding: Binding) -> Credential | None:
        bound = await self._lookup.bound_workspace(binding.platform, binding.workspace)
        # Another's since the decision: its credential is not this tenant's to use.
        if bound is None or bound.binding.tenant.id != binding.tenant.id:
            return None
        if bound.sealed_credential is None:
            return None
        return self._seal.credential(bound.sealed_credential, bound.binding)


def _dropped(press: FormPress, dropped: Dropped) -> AuditRecord:
    record = _record(press, dropped.tenant, "dropped")
    return msgspec.structs.replace(record, reason=dropped.reason, trail=dropped.trail)


def _record(press: FormPress, tenant: TenantId, outcome: str) -> AuditRecord:
    event = press.event
    return AuditRecord(
        tenant=tenant,
        action=AuditAction.FORM_REQUESTED,
        outcome=outcome,
        detail=press.form,
        platform=event.conversation.platform,
        workspace=event.conversation.workspace,
        conversation=event.conversation.id,
        event_id=event.id,
    )
