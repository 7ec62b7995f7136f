"""`channel-gateway secrets`: make the two secrets that the gateway cannot do without."""

from __future__ import annotations

import base64
import secrets

import typer

from gateway.cli.arguments import AsJson
from gateway.cli.console import json_out

app = typer.Typer(add_completion=False, help="Make a pepper and a sealing key.")


@app.callback(invoke_without_command=True)
def make(as_json: AsJson = False) -> None:
    """Print a new pepper and a new sealing key, as lines for an environment file."""
    made = {
        "GATEWAY_PEPPER": secrets.token_urlsafe(32),
        # What Fernet.generate_key() makes, without the time that loading it takes.
        "GATEWAY_SEALING_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }
    if as_json:
        json_out(made)
        return
    for name, value in made.items():
        typer.echo(f"{name}={value}")
