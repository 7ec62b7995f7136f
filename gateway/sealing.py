"""Encryption of secrets at rest: platform tokens and signing secrets. Never logs what it opens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway.core.budgets import Account
from gateway.core.errors import ConfigError, StoreError
from gateway.core.tenants import Binding, Credential


class Seal:
    """Seals with the first key and opens with any, so that keys can be rotated (MultiFernet)."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys` are Fernet keys (32 url-safe base64 bytes), newest first. Raises ConfigError."""
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as exc:
            raise ConfigError(
                "GATEWAY_SEALING_KEYS must be Fernet keys, newest first, separated by commas"
            ) from exc
        # Opening costs 50 us and the hot paths open the same few tokens again and again. Keyed by
        # the sealed text, so a rotated secret is another entry.
        self._open = lru_cache(maxsize=1024)(self._open_uncached)

    def seal(self, secret: str) -> str:
        """Encrypt `secret` with the newest key."""
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str | bytes) -> str:
        """Decrypt. Raises StoreError when no key fits."""
        return self._open(sealed)

    def credential(self, sealed: str | bytes, binding: Binding) -> Credential:
        """Open the credential that came with a binding. Raises StoreError when no key fits."""
        account = Account(
            tenant=binding.tenant.id, platform=binding.platform, workspace=binding.workspace
        )
        opened = msgspec.json.decode(self.open(sealed), type=Credential)
        return msgspec.structs.replace(opened, account=account)

    def reseal(self, sealed: str) -> str:
        """Encrypt again with the newest key. Raises StoreError when no key fits."""
        try:
            return self._fernet.rotate(sealed.encode()).decode()
        except InvalidToken as exc:
            raise _no_key_fits() from exc

    def _open_uncached(self, sealed: str | bytes) -> str:
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as exc:
            raise _no_key_fits() from exc


def _no_key_fits() -> StoreError:
    return StoreError("a stored secret opens with none of GATEWAY_SEALING_KEYS")
