"""The command line: one file a noun. Holds no logic of its own."""

from __future__ import annotations

import typer

from gateway.cli import (
    audit,
    demo,
    dlq,
    openclaw,
    registry,
    secrets,
    serve,
    slack,
    tenant,
    workspace,
)

app = typer.Typer(
    name="channel-gateway",
    help="One Slack app, one Teams bot and one Discord bot for many tenants.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would print tokens.
    pretty_exceptions_show_locals=False,
)
app.command("serve")(serve.serve)
app.command("worker", hidden=True)(serve.worker)
app.command("demo")(demo.demo)
app.add_typer(tenant.app, name="tenant")
app.add_typer(workspace.app, name="workspace")
app.add_typer(slack.app, name="slack")
app.add_typer(openclaw.app, name="openclaw")
app.add_typer(registry.app, name="registry")
app.add_typer(dlq.app, name="dlq")
app.add_typer(audit.app, name="audit")
app.add_typer(secrets.app, name="secrets")


def main() -> None:
    """Run the command line."""
    app()
