"""The door: logging in with a name and a password, against hashed accounts.

Panel's own basic auth compares plain text. Here passwords are checked in a thread against what
scrypt made of them; a login that fails often has to wait; the form carries a token against forged
requests; cookies are signed, out of reach of scripts and of other sites; and one is only ever sent
on to pages of this server. Who is removed from the file, or has a new password, is out at the next
page.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from bokeh.server.auth_provider import AuthProvider
from jinja2 import Environment
from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

from explorer.dashboard.frame.piece import asset
from explorer.dashboard.serving.accounts import Accounts, read
from explorer.dashboard.serving.guessing import Guessing
from explorer.errors import ExplorerError

log = logging.getLogger(__name__)

USER, STAMP = "user", "explorer-stamp"
"""Cookies: the name, which Panel reads too, and what makes it void when the password changes."""

STAYS_DAYS = 14
MOST_WAITING = 40
"""Logins under way at once; more are asked to come back, so that a flood does not fill memory."""

_checker = ThreadPoolExecutor(1, thread_name_prefix="explorer-login")
_templates = Environment(autoescape=True)


class Roster:
    """The accounts as the file has them now: it is read again whenever it changes."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).resolve()
        self._lock = threading.Lock()
        self._seen = self._look()
        self._accounts = read(self.path)
        self.secret = self._accounts.secret

    @property
    def accounts(self) -> Accounts:
        """What is in the file; what was in it before, while it cannot be read."""
        with self._lock:
            now = self._look()
            if now != self._seen:
                self._seen = now
                try:
                    self._accounts = read(self.path)
                except ExplorerError:
                    log.exception("the users file cannot be read; the accounts before it hold")
            return self._accounts

    def role_of(self, name: str | None) -> str | None:
        """The role of a person, or None."""
        return self.accounts.role_of(name)

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size


def safe_next(wanted: str | None) -> str:
    """A page of this server to go on to: the one wanted, or the first.

    Examples
    --------
    >>> safe_next("/reef?class=grunt"), safe_next("//evil.example/"), safe_next("https://e.example")
    ('/reef?class=grunt', '/', '/')
    """
    if not wanted or not wanted.startswith("/") or wanted[1:2] in ("/", "\\"):
        return "/"
    # Browsers pass over tabs and line ends, and read a backslash as a slash.
    if "\\" in wanted or any(ord(sign) < 32 for sign in wanted):
        return "/"
    parts = urlsplit(wanted)
    return "/" if parts.scheme or parts.netloc else wanted


class Door(AuthProvider):
    """Lets those in who are on the roster.

    Parameters
    ----------
    roster
        Who that is.
    """

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        guessing = Guessing()

        class OurLogin(Login):
            """The login of this server."""

        class OurLogout(Logout):
            """The logout of this server."""

        OurLogin.roster, OurLogin.guessing = roster, guessing
        self._login, self._logout = OurLogin, OurLogout
        super().__init__()

    @property
    def get_user(self):  # type: ignore[no-untyped-def]  # as Bokeh declares it
        """Who asks, by her cookies."""
        return self._user

    def _user(self, handler: RequestHandler | HTTPServerRequest) -> str | None:
        assert isinstance(handler, RequestHandler)
        name = handler.get_secure_cookie(USER, max_age_days=STAYS_DAYS)
        stamp = handler.get_secure_cookie(STAMP, max_age_days=STAYS_DAYS)
        if not name or not stamp:
            return None
        who = name.decode("utf-8", "replace")
        account = self.roster.accounts.people.get(who)
        good = account is not None and stamp.decode("ascii", "replace") == f"{who}:{account.stamp}"
        return who if good else None

    @property
    def login_handler(self) -> type[RequestHandler]:
        """The page with the form."""
        return self._login

    @property
    def login_url(self) -> str:
        """Where that page is."""
        return "/login"

    @property
    def logout_handler(self) -> type[RequestHandler]:
        """The page that logs out."""
        return self._logout

    @property
    def logout_url(self) -> str:
        """Where that page is."""
        return "/logout"

    @property
    def get_user_async(self) -> None:
        """There is nothing to wait for."""

    @property
    def get_login_url(self) -> None:
        """It is always the same: `login_url`."""


class _Page(RequestHandler):
    def set_default_headers(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "frame-ancestors 'self'")
        self.set_header("Referrer-Policy", "same-origin")


class Login(_Page):
    """The form, and what is filled in."""

    roster: Roster
    guessing: Guessing
    _waiting = 0

    def get(self) -> None:
        """Show the form."""
        self._show("", safe_next(self.get_argument("next", "/")))

    async def post(self) -> None:
        """Check name and password."""
        name = self.get_argument("username", "")[:200]
        password = self.get_argument("password", "", strip=False)
        then = safe_next(self.get_argument("next", "/"))
        place = self.request.remote_ip or ""
        wait_s = self.guessing.wait_s(place, name)
        if wait_s or Login._waiting >= MOST_WAITING:
            seconds = math.ceil(wait_s) or 5
            self.set_status(429)
            self.set_header("Retry-After", str(seconds))
            self._show(f"Too many tries. Wait {_time(seconds)}, then try again.", then, name)
            return
        accounts = self.roster.accounts
        Login._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            good = await loop.run_in_executor(_checker, accounts.opens, name, password)
        finally:
            Login._waiting -= 1
        if not good:
            self.guessing.failed(place, name)
            log.warning("a login as %r from %s failed", name, place)
            self.set_status(403)
            self._show("That name and password do not belong together.", then, name)
            return
        self.guessing.succeeded(place, name)
        who, account = accounts.must_have(name)
        for cookie, value in ((USER, who), (STAMP, f"{who}:{account.stamp}")):
            self.set_secure_cookie(
                cookie, value, expires_days=STAYS_DAYS, httponly=True, samesite="Lax",
                secure=self.request.protocol == "https",
            )  # fmt: skip
        self.redirect(then)

    def _show(self, error: str, then: str, name: str = "") -> None:
        form = _templates.from_string(asset("login.html"))
        token = self.xsrf_token.decode()
        self.finish(form.render(error=error, then=then, name=name, token=token))

    def write_error(self, status_code: int, **_: object) -> None:
        """A form that is too old, or was made elsewhere; or something that the log tells."""
        said = "This page was open for too long. Please log in once more."
        self._show(said if status_code == 403 else "That did not work. Please try again.", "/")


class Logout(_Page):
    """Cookies away, and a page that says so."""

    def get(self) -> None:
        """Log out."""
        for cookie in (USER, STAMP):
            self.clear_cookie(cookie)
        self.finish(_templates.from_string(asset("logout.html")).render())


def _time(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} second{'s' * (seconds != 1)}"
    return f"{math.ceil(seconds / 60)} minutes"
