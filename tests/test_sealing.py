"""Secrets at rest: sealed with the newest key, opened with any that is still listed."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import ConfigError, StoreError
from gateway.sealing import Seal

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRET = "xoxb-placeholder"


@given(secret=st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_again(secret: str) -> None:
    """As text or as the bytes that Redis gives."""
    seal = Seal([NEW])
    sealed = seal.seal(secret)

    assert secret == seal.open(sealed)
    assert secret == seal.open(sealed.encode())


def test_a_sealed_secret_shows_nothing_and_is_never_the_same_twice() -> None:
    """Equal tokens of two tenants cannot be told from their sealed forms."""
    seal = Seal([NEW])

    assert SECRET not in seal.seal(SECRET)
    assert seal.seal(SECRET) != seal.seal(SECRET)


def test_an_old_key_still_opens_during_a_rotation() -> None:
    """The new key is put in front, the old one stays until everything is sealed again."""
    sealed = Seal([OLD]).seal(SECRET)

    assert SECRET == Seal([NEW, OLD]).open(sealed)


def test_the_newest_key_seals() -> None:
    """Else the old key could never be dropped."""
    sealed = Seal([NEW, OLD]).seal(SECRET)

    assert SECRET == Seal([NEW]).open(sealed)


def test_after_resealing_the_old_key_may_go() -> None:
    """What the rotation is for."""
    sealed = Seal([NEW, OLD]).reseal(Seal([OLD]).seal(SECRET))

    assert SECRET == Seal([NEW]).open(sealed)


@pytest.mark.parametrize("sealed", [Seal([OLD]).seal(SECRET), "", "plain text", "gAAAAAB"])
def test_what_no_key_opens_is_a_fault_that_quotes_nothing(sealed: str) -> None:
    """Not an empty secret, and not the sealed text in the message."""
    seal = Seal([NEW])

    for use in (seal.open, seal.reseal):
        with pytest.raises(StoreError) as caught:
            use(sealed)
        assert "a stored secret opens with none of GATEWAY_SEALING_KEYS" == str(caught.value)


@pytest.mark.parametrize(
    "keys", [["short"], [NEW, "short"], ["x" * 44], ["caf\u00e9" * 11], [""], [f"{NEW} "[1:]], []]
)
def test_a_key_of_another_form_is_a_setting_that_does_not_work(keys: list[str]) -> None:
    """Named, but not quoted: it may be most of a real key."""
    with pytest.raises(ConfigError, match="GATEWAY_SEALING_KEYS") as caught:
        Seal(keys)

    assert [] == [key for key in keys if key and key in str(caught.value)]
