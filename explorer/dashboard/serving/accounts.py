"""Who may come in, and who may do what: a file of accounts without a single password in it.

Of each password the file holds only what scrypt (RFC 7914) makes of it and a salt, together with
the settings, so that these can be raised later. The file is written anew as a whole, readable to
its owner alone. The old plain form ``{"ada": "a password"}`` is still read, with a warning;
``explorer users FILE convert`` makes the new one of it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import logging
import os
import secrets
import tempfile
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from explorer.errors import FormatVersionError, ParameterError

log = logging.getLogger(__name__)

FORMAT, VERSION = "soundscape-explorer accounts", 1
ROLES = ("viewer", "annotator", "owner")
DEFAULT_ROLE = "annotator"
SHORTEST, LONGEST = 8, 1024
LONGEST_NAME = 60

N, R, P = 2**14, 8, 5
"""Settings of scrypt that take 16 MB and some 0.2 s, as OWASP's password storage page has them."""
MOST_MEMORY = 2**27
"""A file that asks for more than this is not obeyed."""


@dataclass(frozen=True)
class Account:
    """One person: her role, and what scrypt made of her password."""

    role: str
    salt: bytes
    key: bytes
    n: int = N
    r: int = R
    p: int = P

    @classmethod
    def of(cls, password: str, role: str = DEFAULT_ROLE, **settings: int) -> Account:
        """Make the account of a password, with a new salt."""
        check_role(role)
        made = cls(role, secrets.token_bytes(16), b"", **settings)
        return replace(made, key=made.key_of(password))

    def key_of(self, password: str) -> bytes:
        """What scrypt makes of a password with this salt and these settings; slow on purpose."""
        return hashlib.scrypt(
            unicodedata.normalize("NFKC", password)[:LONGEST].encode("utf-8", "surrogatepass"),
            salt=self.salt, n=self.n, r=self.r, p=self.p, maxmem=MOST_MEMORY, dklen=32,
        )  # fmt: skip

    def opens(self, password: str) -> bool:
        """Whether this is the password."""
        return hmac.compare_digest(self.key_of(password), self.key)

    @property
    def stamp(self) -> str:
        """Changes when the password does: a cookie that carries another one is void."""
        return hashlib.sha256(b"stamp" + self.key).hexdigest()[:16]


@dataclass(frozen=True)
class Accounts:
    """The accounts of a server, and the secret that its cookies are signed with."""

    people: Mapping[str, Account] = field(default_factory=dict)
    secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    def opens(self, name: str, password: str) -> bool:
        """Whether name and password belong together; equally slow for names that are not there."""
        known = self.people.get(_normal(name))
        if known is None:
            stranger = next(iter(self.people.values()), Account("viewer", bytes(16), bytes(32)))
            stranger.opens(password)
            return False
        return known.opens(password)

    def role_of(self, name: str | None) -> str | None:
        """The role of a person, or None for one who has no account."""
        found = self.people.get(_normal(name or ""))
        return None if found is None else found.role

    def with_(self, name: str, account: Account) -> Accounts:
        """These accounts with one more, or with a new one in its place."""
        return replace(self, people={**self.people, name: account})

    def without(self, name: str) -> Accounts:
        """These accounts without one."""
        gone, _ = self.must_have(name)
        people = {key: one for key, one in self.people.items() if key != gone}
        return replace(self, people=people)

    def must_have(self, name: str) -> tuple[str, Account]:
        """The name as it is kept, and its account; or an error that lists whom there is."""
        found = self.people.get(_normal(name))
        if found is None:
            raise ParameterError(
                f"there is no account “{name}”; there are: {', '.join(self.people) or 'none'}"
            )
        return _normal(name), found

    def free_name(self, name: str) -> str:
        """A name as it is kept, if it is fit for one and nobody has it or one just like it."""
        cleaned = _normal(name)
        odd = any(unicodedata.category(c)[0] == "C" for c in cleaned)
        if not cleaned or odd or len(cleaned) > LONGEST_NAME:
            raise ParameterError(
                f"a name has 1 to {LONGEST_NAME} letters in one line, not {name!r}"
            )
        alike = [one for one in self.people if one.casefold() == cleaned.casefold()]
        if alike:
            raise ParameterError(f"there is an account “{alike[0]}” already")
        return cleaned


def check_password(password: str) -> str:
    """A password that is long enough to be one."""
    if len(password) < SHORTEST:
        raise ParameterError(f"a password has at least {SHORTEST} characters; take a few words")
    return password


def read(path: str | Path) -> Accounts:
    """Read a file of accounts, in the present form or the old plain one.

    Raises
    ------
    ParameterError
        If it is missing or anything else; a bare password, in particular, would let in every name
        that is typed.
    FormatVersionError
        If a newer program wrote it.
    """
    path = Path(path)
    found = load_json(path, "the users file")
    if isinstance(found, dict) and found.get("format") == FORMAT:
        if found.get("version") != VERSION:
            raise FormatVersionError(
                f"{path}: written by a newer program (version {found.get('version')}, known is "
                f"{VERSION}): update Soundscape Explorer"
            )
        return _from_record(found, path)
    plain = _plain(found, path)
    log.warning(
        '%s holds passwords as plain text: make them unreadable with explorer users "%s" convert. '
        "Until then everybody in it is an annotator",
        path,
        path,
    )
    return Accounts({name: Account.of(password, n=2, p=1) for name, password in plain.items()})


def is_plain(path: str | Path) -> bool:
    """Whether a file is of the old form, with plain passwords."""
    found = load_json(Path(path), "the users file")
    return not (isinstance(found, dict) and found.get("format") == FORMAT)


def converted(path: str | Path, role: str = DEFAULT_ROLE) -> Accounts:
    """What to `write` in place of a file of plain passwords.

    Raises
    ------
    ParameterError
        If the file is not of that form.
    """
    path = Path(path)
    if not is_plain(path):
        raise ParameterError(f"{path}: there is no plain password in it; nothing to convert")
    plain = _plain(load_json(path, "the users file"), path)
    return Accounts({name: Account.of(password, role) for name, password in plain.items()})


def write(accounts: Accounts, path: str | Path) -> None:
    """Write accounts as a whole, readable to the owner of the file alone."""
    path = Path(path)
    record = {
        "format": FORMAT,
        "version": VERSION,
        "cookie_secret": accounts.secret,
        "people": {
            name: {
                "role": one.role,
                "scrypt": {"n": one.n, "r": one.r, "p": one.p},
                "salt": base64.b64encode(one.salt).decode(),
                "key": base64.b64encode(one.key).decode(),
            }
            for name, one in accounts.people.items()
        },
    }
    # A file made by mkstemp is readable to its owner only, from the first byte on.
    number, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=2, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def load_json(path: Path, what: str) -> Any:
    """What a JSON file holds, or words about why it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(f"{path}: {what} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ParameterError(f"{path}: {what} is not JSON ({error})") from error


def _from_record(found: dict[str, Any], path: Path) -> Accounts:
    try:
        people = {}
        for name, one in found["people"].items():
            settings = {key: int(one["scrypt"][key]) for key in ("n", "r", "p")}
            account = Account(
                one["role"],
                base64.b64decode(one["salt"], validate=True),
                base64.b64decode(one["key"], validate=True),
                **settings,
            )
            check_role(account.role)
            if len(account.key) != 32 or len(account.salt) < 8:
                raise ValueError(f"the key of {name}")
            people[_normal(name)] = account
        secret = found["cookie_secret"]
        if not isinstance(secret, str) or len(secret) < 32:
            raise ValueError("cookie_secret")
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        raise ParameterError(f"{path}: the users file is damaged ({error})") from error
    return Accounts(people, secret)


def _plain(found: Any, path: Path) -> dict[str, str]:
    fine = (
        isinstance(found, dict)
        and found
        and "format" not in found
        and all(isinstance(word, str) and word for pair in found.items() for word in pair)
    )
    if not fine:
        raise ParameterError(
            f'{path}: this is no users file. Make one with: explorer users "{path}" add NAME'
        )
    return {_normal(name): password for name, password in found.items()}


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()


def check_role(role: Any) -> None:
    """Refuse what is no role."""
    if role not in ROLES:
        raise ParameterError(f"{role!r} is no role: use {', '.join(ROLES)}")
