"""`channel-gateway registry`: bring Redis and the sealed secrets in line with PostgreSQL."""

from __future__ import annotations

import msgspec
import typer

from gateway.cli.arguments import AsJson
from gateway.cli.console import json_out, pairs
from gateway.cli.session import with_stores

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The registry as a whole.")


@app.command()
def rebuild(as_json: AsJson = False) -> None:
    """Write every look-up key again from PostgreSQL; remove those that it does not know."""
    counts = with_stores(lambda stores: stores.provisioning.rebuild())
    _show(as_json, "Rebuilt", counts)


@app.command()
def reseal(as_json: AsJson = False) -> None:
    """Encrypt every stored secret with the newest of GATEWAY_SEALING_KEYS."""
    counts = with_stores(lambda stores: stores.provisioning.reseal())
    _show(as_json, "Encrypted again", counts)


def _show(as_json: bool, title: str, counts: msgspec.Struct) -> None:
    if as_json:
        json_out(counts)
    else:
        fields = msgspec.structs.asdict(counts)
        pairs(title, {name.replace("_", " "): count for name, count in fields.items()})
