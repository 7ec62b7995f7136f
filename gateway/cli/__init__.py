"""The command line: one file a noun, loaded when it is asked for. Holds no logic of its own."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

# What `--help` shows. To load all nouns for their first lines would make it four times slower.
NOUNS: Final = {
    "serve": "Run the gateway.",
    "demo": "See it work on this machine: two companies, two agents.",
    "tenant": "Tenants: who they are and what they may do.",
    "workspace": "Workspaces: which tenant they belong to.",
    "slack": "The Slack app and its workspaces.",
    "openclaw": "Containers that run OpenClaw.",
    "registry": "The registry as a whole.",
    "dlq": "Dead letters: deliveries that were given up.",
    "audit": "The audit trail.",
    "secrets": "Make a pepper and a sealing key.",
}
_HIDDEN: Final = frozenset({"worker"})


class _Nouns(TyperGroup):
    """Knows all nouns by name, and each by heart once it is used."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, help=text) for name, text in NOUNS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that is to be run; load it."""
        if args[0] in NOUNS or args[0] in _HIDDEN:
            noun = import_module(f"gateway.cli.{args[0]}")
            return args[0], typer.main.get_command(noun.app), args[1:]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="channel-gateway",
    cls=_Nouns,
    no_args_is_help=True,
    add_completion=False,
    # Rich's help loads a parser of Markdown and one of source code, longer than all the rest takes.
    rich_markup_mode=None,
    # A traceback with local variables would print tokens.
    pretty_exceptions_show_locals=False,
)


@app.callback()
def _root() -> None:
    """One Slack app, one Teams bot and one Discord bot for many tenants."""


def main() -> None:
    """Run the command line."""
    app()
