"""The pages that a person sees while the app is installed. Says what happened and what to do next;
must never show what a request said of itself, nor a token.
"""

from __future__ import annotations

from html import escape
from typing import Final

from aiohttp import web

HEADERS: Final = {
    # The address of an install page is a secret: it must stay in no cache and in no Referer.
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}

_ASK: Final = "Ask whoever runs this service for a new link."
_AGAIN: Final = "Open your install link again to start over."

_PAGES: Final[dict[str, tuple[int, str, str]]] = {
    "no_link": (
        403,
        "An install link is needed",
        "This app is installed with a link that is made for one organisation. " + _ASK,
    ),
    "link_gone": (
        410,
        "This link cannot be used",
        "It has been used already, or it has expired. " + _ASK,
    ),
    "access_denied": (
        200,
        "Nothing was installed",
        "The installation was cancelled. Your install link is still good.",
    ),
    "invalid_browser": (
        400,
        "Another browser began this",
        "The installation has to end in the browser in which it began, with cookies allowed. "
        + _AGAIN,
    ),
    "invalid_state": (
        401,
        "This attempt is over",
        "It was used already, or it took longer than ten minutes. " + _AGAIN,
    ),
    "missing_code": (400, "Slack sent no code", _AGAIN),
    "invalid_code": (401, "Slack did not accept the code", _AGAIN),
    "taken": (
        409,
        "This workspace is connected already",
        "Another customer of this service has it. Nothing was changed. "
        "Ask whoever runs this service.",
    ),
    "refused": (
        400,
        "Slack gave an answer that cannot be used",
        "Nothing was changed. Ask whoever runs this service.",
    ),
    "slack_away": (502, "Slack does not answer", "Nothing was changed. " + _AGAIN),
    "busy": (503, "Too many at once", "Please try again in a minute."),
    "store_away": (503, "Something is out of order here", "Please try again in a few minutes."),
}
_OTHER: Final = (400, "Slack ended the installation", _AGAIN)


def problem(reason: str) -> web.Response:
    """Tell why it did not work, by one of the names above; any other is Slack's own."""
    status, title, text = _PAGES.get(reason, _OTHER)
    return _page(status, title, f"<p>{escape(text)}</p>")


def consent(tenant: str, url: str) -> tuple[str, str]:
    """Ask before leaving for Slack; return the type of the page and the page.

    Whoever follows a link has to see whose it is: a workspace is given to that tenant.
    """
    body = (
        f"<p>You are about to connect your Slack workspace to <strong>{escape(tenant)}</strong>. "
        "Its agents will be able to read and answer messages there. "
        "Go on only if you know who that is.</p>"
        f'<p><a href="{escape(url)}">Add to Slack</a></p>'
    )
    return "text/html; charset=utf-8", _document("Connect your Slack workspace", body)


def done(workspace: str, tenant: str) -> web.Response:
    """Tell that it worked."""
    return _page(
        200,
        "Connected",
        f"<p><strong>{escape(workspace)}</strong> is now connected to "
        f"<strong>{escape(tenant)}</strong>. You can close this page.</p>",
    )


def _page(status: int, title: str, body: str) -> web.Response:
    text = _document(title, body)
    return web.Response(status=status, text=text, content_type="text/html", headers=HEADERS)


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title></head><body><h1>{escape(title)}</h1>{body}</body></html>"
    )
