"""One attempt to install the app, as slack-bolt runs it: state, browser, code, in this order. Alone
imports slack-bolt.

An attempt is made for each request, so that what a state was good for is never another request's.
Bolt's own stores, its client and the environment variables that it reads are all kept out of it.
https://docs.slack.dev/tools/bolt-python/concepts/authenticating-oauth
"""

from __future__ import annotations

from typing import Final

from slack_bolt.error import BoltError
from slack_bolt.oauth.async_callback_options import (
    AsyncCallbackOptions,
    AsyncFailureArgs,
    AsyncSuccessArgs,
)
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.oauth import OAuthStateUtils
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from yarl import URL

from adapters.slack.oauth import pages
from adapters.slack.oauth.manifest import INSTALL_PATH, REDIRECT_PATH
from adapters.slack.oauth.tokens import AppKeys, SlackTokens
from gateway.core.errors import ConflictError, NotFoundError, RegistryError, SendError
from gateway.core.installs import Invitations, NewInstallation, Offer

COOKIE: Final = "slack-app-install-state"
STATE_LASTS_S: Final = 600


class Attempt(AsyncOAuthFlow):
    """Bolt's flow, with our stores, our calls and our pages."""

    def __init__(
        self,
        invitations: Invitations,
        tokens: SlackTokens,
        place: Place,
        *,
        link: str = "",
        offer: Offer | None = None,
    ) -> None:
        """`link` and what it offers are those of a person who begins."""
        self._invitations = invitations
        self._tokens = tokens
        self._place = place
        self._link = link
        self.offer = offer
        self._new: NewInstallation | None = None
        super().__init__(settings=_settings(place, States(self)))

    async def issue(self) -> str:
        """Begin. Raises LinkGoneError when the link was used up a moment ago."""
        state = await self._invitations.begin(self._link)
        if state is None:
            raise LinkGoneError
        return state

    async def consume(self, state: str) -> bool:
        """Learn what a state is good for, which uses it up."""
        self.offer = await self._invitations.resume(state)
        return self.offer is not None

    async def build_authorize_url(self, state: str, request: AsyncBoltRequest) -> str:
        """https://docs.slack.dev/authentication/installing-with-oauth/#asking"""
        del request  # it could name a team, which would be the installer's word
        place = self._place
        query = {
            "client_id": place.keys.client_id,
            "scope": ",".join(place.scopes),
            "user_scope": "",
            "redirect_uri": place.redirect_uri,
            "state": state,
        }
        return str(URL(place.authorize_url).with_query(query))

    async def build_install_page_html(self, url: str, request: AsyncBoltRequest) -> str:
        """Name the tenant before anybody agrees to anything."""
        del request
        return pages.consent(_shown(self.offer), url)[1]

    async def run_installation(self, code: str) -> Installation | None:
        """Exchange the code. Raises SendError when Slack cannot be asked."""
        try:
            self._new = await self._tokens.exchange(code, self._place.redirect_uri)
        except SendError as exc:
            if exc.permanent:
                self.logger.warning("the code of an installation was refused: %s", exc.detail)
                return None
            raise
        # Bolt passes it on to the next two steps only, which know what they need.
        return Installation(user_id=self._new.installed_by)

    async def store_installation(
        self, request: AsyncBoltRequest, installation: Installation
    ) -> None:
        """Bind the workspace, or change nothing. Raises BoltError with the name of a page."""
        del request, installation
        if self.offer is None or self._new is None:
            raise BoltError("invalid_state")
        try:
            await self._invitations.accept(self.offer, self._new)
        except ConflictError as exc:
            # The token that Slack has just made is not revoked: without rotation it is the very one
            # that the other tenant uses.
            raise BoltError("taken") from exc
        except NotFoundError as exc:
            raise BoltError("link_gone") from exc
        except RegistryError as exc:
            self.logger.warning("an installation cannot be stored: %s", exc)
            raise BoltError("refused") from exc

    def what(self) -> tuple[str, str]:
        """Name the workspace and the tenant, for the last page."""
        new = self._new
        workspace = (new.name or new.workspace) if new is not None else ""
        return workspace, _shown(self.offer)


class LinkGoneError(Exception):
    """The link was used up between two looks at it."""


class Place:
    """Where an installation happens: the app, what it asks for, and the addresses on the way."""

    def __init__(
        self, keys: AppKeys, scopes: tuple[str, ...], *, public_url: str, api_base_url: str
    ) -> None:
        """Both addresses are https, or http on loopback."""
        self.keys = keys
        self.scopes = scopes
        self.redirect_uri = f"{public_url.rstrip('/')}{REDIRECT_PATH}"
        self.authorize_url = str(URL(api_base_url).with_path("/oauth/v2/authorize"))
        self.is_secure = URL(public_url).scheme == "https"


class States(AsyncOAuthStateStore):
    """The states of one attempt, in our own store."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    async def async_issue(self, *args: object, **kwargs: object) -> str:
        """Make a state."""
        return await self._attempt.issue()

    async def async_consume(self, state: str) -> bool:
        """Use a state up."""
        return await self._attempt.consume(state)


class _Cookies(OAuthStateUtils):
    """Bolt's cookie, which ties a state to a browser, but for two things.

    Lax: the way back from Slack is a link, any other request from elsewhere need not bring it. And
    without Secure where the address is plain http, on loopback: not every client takes that for a
    secure place, and then the cookie would never come back.
    """

    def __init__(self, *, is_secure: bool) -> None:
        super().__init__(cookie_name=COOKIE, expiration_seconds=STATE_LASTS_S)
        self._flags = f"{'Secure; ' if is_secure else ''}HttpOnly; SameSite=Lax; Path=/slack"

    def build_set_cookie_for_new_state(self, state: str) -> str:
        return f"{COOKIE}={state}; {self._flags}; Max-Age={STATE_LASTS_S}"

    def build_set_cookie_for_deletion(self) -> str:
        return f"{COOKIE}=deleted; {self._flags}; Max-Age=0"


class _NoStore(AsyncInstallationStore):
    """Bolt wants one, or it makes one in the home folder; nothing is ever asked of this one."""


def _settings(place: Place, states: States) -> AsyncOAuthSettings:
    # Everything is given, for bolt looks into the environment for what is not.
    settings = AsyncOAuthSettings(
        client_id=place.keys.client_id,
        client_secret=place.keys.client_secret,
        scopes=place.scopes,
        user_scopes=(),
        redirect_uri=place.redirect_uri,
        install_path=INSTALL_PATH,
        redirect_uri_path=REDIRECT_PATH,
        authorization_url=place.authorize_url,
        installation_store=_NoStore(),
        state_store=states,
        callback_options=AsyncCallbackOptions(success=_succeeded, failure=_failed),
        state_expiration_seconds=STATE_LASTS_S,
    )
    settings.state_utils = _Cookies(is_secure=place.is_secure)
    return settings


async def _succeeded(args: AsyncSuccessArgs) -> BoltResponse:
    return _outcome("", args.settings)


async def _failed(args: AsyncFailureArgs) -> BoltResponse:
    # What bolt calls a storage error has a name of ours.
    return _outcome(str(args.error) if args.error else args.reason, args.settings)


def _outcome(reason: str, settings: AsyncOAuthSettings) -> BoltResponse:
    """Hand the name of a page on; `routes` makes the page."""
    cookie = settings.state_utils.build_set_cookie_for_deletion()
    return BoltResponse(status=200, body=reason, headers={"Set-Cookie": [cookie]})


def _shown(offer: Offer | None) -> str:
    return "" if offer is None else offer.tenant_name or offer.tenant
