"""Links that say where they lead. Pure.

No label may pass for another address than that of its link, and nothing becomes a link that the
platform's dialect has no scheme for. Images are links too: a picture that loads by itself would
carry whatever an agent was tricked into writing in its address.
"""

from __future__ import annotations

import re
import unicodedata

from adapters.markdown.dialect import Dialect

# A longer link could not be kept whole within one message, so it is written out as text.
MAX_LINK_CHARS = 1_000

_ADDRESS = re.compile(r"://|www\.|\w@\w|\w[.\u3002][^\W\d_]{2}")
# Coding agents link files by name; a name that the address ends with hides nothing.
_FILE = re.compile(r"[\w/-][\w./-]*\.(?:css|go|html|js|json|md|py|rs|sh|toml|ts|txt|ya?ml)")
_RISKY = re.compile(r'[\s<>|"`\\]|@(?=everyone|here|channel)', re.IGNORECASE)


def write_link(dialect: Dialect, target: str, label: str) -> str:
    """Write a link of the agent; what may be no link is text."""
    shown = label if target in {"", label, f"mailto:{label}"} else f"{label} ({target})".lstrip()
    if not target.lower().startswith(dialect.schemes):
        return dialect.text(shown)
    safe = _RISKY.sub(lambda match: f"%{ord(match[0]):02X}", target)
    if not label or (target.startswith(label) and "://" in label):
        link = dialect.address(safe)
    elif _pretends(label, target):
        link = f"{dialect.text(label)} ({dialect.address(safe)})"
    else:
        link = dialect.link(safe, label)
    return link if len(link) <= MAX_LINK_CHARS else dialect.text(shown)


def _pretends(label: str, target: str) -> bool:
    """Whether `label` reads as an address that is not the one of the link."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", label) if c.isprintable())
    if not _ADDRESS.search(visible):
        return False
    if _FILE.fullmatch(visible) and target.endswith(f"/{visible}"):
        return False
    named, real = _bare(visible), _bare(target)
    return not (real == named or real.startswith((f"{named}/", f"{named}?", f"{named}#")))


def _bare(address: str) -> str:
    return re.sub(r"^(?:https?://|mailto:)", "", address.strip(), flags=re.I).rstrip("/")
