"""How people come in, and what they may do: openly, with a name and password, or by OAuth."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from explorer.dashboard.serving.accounts import check_role, load_json
from explorer.dashboard.serving.login import Door, Roster
from explorer.errors import ExplorerError, ParameterError


@dataclass(frozen=True)
class OAuth:
    """Logging in with an account elsewhere, as Panel does it; these go on to Panel as they are.

    Attributes
    ----------
    provider
        ``github``, ``google``, ``azure``, ``gitlab``, ``okta``, ``auth0``, ``generic`` …
    key, secret
        What the provider gave out for this server.
    redirect
        Address of this server that the provider sends people back to.
    user_field
        Which field of what the provider tells is the name that labels are kept under.
    """

    provider: str
    key: str
    secret: str = field(repr=False)
    redirect: str | None = None
    user_field: str | None = None


class Entry:
    """Without a login: everybody has the same role, and labels as the one who serves.

    Parameters
    ----------
    role
        What everybody may do.
    """

    log_out = ""
    named = False

    def __init__(self, role: str = "owner") -> None:
        check_role(role)
        self.role = role

    def role_of(self, name: str | None) -> str | None:
        """What a person may do; None for nothing."""
        return self.role

    def options(self) -> dict[str, Any]:
        """What Panel's server has to be told."""
        return {}


class AccountEntry(Entry):
    """With names and passwords from a file of accounts (`explorer users`)."""

    log_out = "logout"
    named = True

    def __init__(self, users: str | Path) -> None:
        super().__init__()
        self.roster = Roster(users)

    def role_of(self, name: str | None) -> str | None:
        """The role that stands in the file."""
        return self.roster.role_of(name)

    def options(self) -> dict[str, Any]:
        """Our own door in place of Panel's, and a token in each form."""
        return {
            "auth_provider": Door(self.roster),
            # Kept in the file, so that nobody is logged out when the server starts anew.
            "cookie_secret": self.roster.secret,
            "xsrf_cookies": True,
            "xsrf_cookie_kwargs": {"httponly": True, "samesite": "Lax"},
        }


class OAuthEntry(Entry):
    """With accounts elsewhere; a file says who of them may do what here."""

    log_out = "logout"
    named = True

    def __init__(self, oauth: OAuth, roles: str | Path | None, role: str | None) -> None:
        if roles is None and role is None:
            raise ParameterError(
                f"anybody with an account at {oauth.provider} could come in: say with a file of "
                "roles who may, or with a role what everybody may do"
            )
        if role is not None:
            check_role(role)
        self.oauth = oauth
        self._everybody = role
        self._path = None if roles is None else Path(roles)
        self._lock = threading.Lock()
        self._roles = {} if self._path is None else read_roles(self._path)

    def role_of(self, name: str | None) -> str | None:
        """The role in the file, read anew each time, or what everybody has."""
        if self._path is not None:
            with self._lock:
                try:
                    self._roles = read_roles(self._path)
                except ExplorerError:
                    if not self._roles:
                        raise
        return self._roles.get((name or "").casefold(), self._everybody)

    def options(self) -> dict[str, Any]:
        """What Panel's OAuth wants."""
        import panel as pn  # noqa: PLC0415 - the command line reads the classes above without it

        given = {
            "oauth_provider": self.oauth.provider,
            "oauth_key": self.oauth.key,
            "oauth_secret": self.oauth.secret,
            "oauth_redirect_uri": self.oauth.redirect,
            "oauth_jwt_user": self.oauth.user_field,
            # Panel reads PANEL_COOKIE_SECRET too; with it people stay in when the server restarts.
            "cookie_secret": pn.config.cookie_secret or secrets.token_hex(32),
        }
        return {name: value for name, value in given.items() if value is not None}


def entry(
    users: str | Path | None = None,
    *,
    oauth: OAuth | None = None,
    roles: str | Path | None = None,
    role: str | None = None,
) -> Entry:
    """The way in that these settings mean.

    Raises
    ------
    ParameterError
        If they contradict each other.
    """
    if users is not None:
        if oauth is not None or roles is not None or role is not None:
            raise ParameterError(
                "a users file has the roles in it: give no roles and no OAuth beside it"
            )
        return AccountEntry(users)
    if oauth is not None:
        return OAuthEntry(oauth, roles, role)
    if roles is not None:
        raise ParameterError("a file of roles goes with OAuth; for passwords see: explorer users")
    return Entry(role or "owner")


def read_roles(path: str | Path) -> Mapping[str, str]:
    """Read a file of roles, ``{"ada@reef.example": "owner", …}``; names in lower case.

    Raises
    ------
    ParameterError
        If it is anything else.
    """
    path = Path(path)
    found = load_json(path, "the file of roles")
    if not isinstance(found, dict) or not found:
        raise ParameterError(f'{path}: write names and roles, such as {{"ada": "owner"}}')
    for role in found.values():
        check_role(role)
    return {str(name).casefold(): role for name, role in found.items()}
