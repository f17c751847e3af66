"""``explorer users``: who may come in to a served dashboard, and what each may do."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.dashboard.serving.accounts import Accounts

app = typer.Typer(help="Keep the accounts of people who use a served dashboard.")


class Role(StrEnum):
    """What a person may do."""

    viewer = "viewer"
    annotator = "annotator"
    owner = "owner"


RoleOf = Annotated[
    Role, typer.Option(help="viewer looks, annotator labels, owner embeds and saves too.")
]
Name = Annotated[str, typer.Argument(help="Name of the person; labels are kept under it.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@app.callback()
def users(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="File of accounts; made when there is none.")
    ],
) -> None:
    """Keep the accounts of people who use a served dashboard; no password is written anywhere."""
    context.obj = file


@app.command()
def add(
    context: typer.Context,
    name: Name,
    role: RoleOf = Role.annotator,
    password_stdin: FromStdin = False,
) -> None:
    """Add a person; the password is asked for."""
    from explorer.dashboard.serving.accounts import Account, write  # noqa: PLC0415

    accounts = _read(context.obj, make=True)
    free = accounts.free_name(name)
    password = _password(password_stdin)
    write(accounts.with_(free, Account.of(password, role.value)), context.obj)
    typer.echo(
        f"{free} can log in as {_a(role.value)}: explorer serve COLLECTION --users {context.obj}"
    )


@app.command()
def passwd(context: typer.Context, name: Name, password_stdin: FromStdin = False) -> None:
    """Give a person a new password; whoever is logged in with the old one is out."""
    from explorer.dashboard.serving.accounts import Account, write  # noqa: PLC0415

    accounts = _read(context.obj)
    known, old = accounts.must_have(name)
    password = _password(password_stdin)
    write(accounts.with_(known, Account.of(password, old.role)), context.obj)
    typer.echo(f"{known} has a new password.")


@app.command("role")
def set_role(
    context: typer.Context, name: Name, role: Annotated[Role, typer.Argument(help="The new role.")]
) -> None:
    """Give a person another role, from the next page she opens."""
    from dataclasses import replace  # noqa: PLC0415

    from explorer.dashboard.serving.accounts import write  # noqa: PLC0415

    accounts = _read(context.obj)
    known, old = accounts.must_have(name)
    write(accounts.with_(known, replace(old, role=role.value)), context.obj)
    typer.echo(f"{known} is {_a(role.value)} now.")


@app.command()
def remove(context: typer.Context, name: Name) -> None:
    """Remove a person; her labels stay."""
    from explorer.dashboard.serving.accounts import write  # noqa: PLC0415

    write(_read(context.obj).without(name), context.obj)
    typer.echo(f"{name} cannot log in any more; what {name} labelled stays.")


@app.command("list")
def list_(context: typer.Context) -> None:
    """List who may come in."""
    accounts = _read(context.obj)
    for name, account in accounts.people.items():
        typer.echo(f"{account.role:<10} {name}")
    n = len(accounts.people)
    typer.echo(f"{n} {'person' if n == 1 else 'people'} in {context.obj}.")


@app.command()
def convert(context: typer.Context, role: RoleOf = Role.annotator) -> None:
    """Make a file of plain passwords one that holds none; everybody in it gets one role."""
    from explorer.dashboard.serving.accounts import converted, write  # noqa: PLC0415

    accounts = converted(context.obj, role.value)
    write(accounts, context.obj)
    typer.echo(
        f"{len(accounts.people)} passwords in {context.obj} cannot be read any more; everybody is "
        f"{_a(role.value)}. Copies of the old file still hold them."
    )


def _read(path: Path, *, make: bool = False) -> Accounts:
    from explorer.dashboard.serving.accounts import Accounts, is_plain, read  # noqa: PLC0415

    if make and not path.exists():
        return Accounts()
    if is_plain(path):
        raise ParameterError(
            f"{path}: this file holds passwords as plain text; first run: "
            f'explorer users "{path}" convert'
        )
    return read(path)


def _password(from_stdin: bool) -> str:
    from explorer.dashboard.serving.accounts import check_password  # noqa: PLC0415

    if from_stdin:
        return check_password(sys.stdin.readline().rstrip("\r\n"))
    return check_password(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _a(role: str) -> str:
    return f"{'a' if role == 'viewer' else 'an'} {role}"
