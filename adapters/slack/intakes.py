"""The two ways in, and what they share: an app may listen on sockets, be called, or both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import aiohttp

from adapters.slack.authorizations import Authorizations
from adapters.slack.config import SlackConfig
from adapters.slack.dialogs import Dialogs
from adapters.slack.http_source import SlackWebhook
from adapters.slack.observer import SocketObserver
from adapters.slack.source import SlackSource
from adapters.slack.web_api import WebApi
from gateway.core.budgets import Budget
from gateway.core.events import Ignored
from gateway.core.ports import Forms


class Observer(SocketObserver, Protocol):
    """Hears of what is ignored, too."""

    def ignored(self, ignored: Ignored) -> None:
        """A frame or a request was acknowledged that is no event."""


class Intakes:
    """Makes the ways in."""

    def __init__(
        self,
        config: SlackConfig,
        observe: Observer,
        dialogs: Dialogs,
        authorizations: Authorizations | None,
    ) -> None:
        self._config = config
        self._observe = observe
        self._dialogs = dialogs
        self._authorizations = authorizations

    def source(self) -> SlackSource:
        """Socket Mode."""
        return SlackSource(
            self._config,
            ignore=self._observe.ignored,
            observe=self._observe,
            dialogs=self._dialogs,
            authorizations=self._authorizations,
        )

    def webhook(self) -> SlackWebhook:
        """Requests of Slack."""
        return SlackWebhook(
            self._config,
            ignore=self._observe.ignored,
            observe=self._observe,
            dialogs=self._dialogs,
            authorizations=self._authorizations,
        )


@asynccontextmanager
async def open_intakes(
    config: SlackConfig,
    session: aiohttp.ClientSession,
    observe: Observer,
    forms: Forms,
    budget: Budget | None = None,
) -> AsyncIterator[Intakes]:
    """Open what both ways share; on leaving, dialogs that wait for their form are left as they are.

    Without an app token nobody can say who shares a channel. `budget` as in SlackSender.
    """
    api = WebApi(config, session, budget)
    dialogs = Dialogs(api, forms)
    authorizations = Authorizations(api, config.app_token) if config.app_token else None
    try:
        yield Intakes(config, observe, dialogs, authorizations)
    finally:
        await dialogs.close()
