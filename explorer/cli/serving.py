"""``explorer serve``: the dashboard for one person, a lab or a classroom."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from explorer.cli.arguments import open_old
from explorer.cli.users import Role
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

Port = Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")]
Browser = Annotated[bool, typer.Option(help="Open the browser.")]


class Provider(StrEnum):
    """Where people may have accounts, as Panel knows it."""

    github = "github"
    google = "google"
    gitlab = "gitlab"
    azure = "azure"
    bitbucket = "bitbucket"
    okta = "okta"
    auth0 = "auth0"
    generic = "generic"


def serve(
    collections: Annotated[
        list[Path], typer.Argument(metavar="COLLECTION…", help="One collection or several.")
    ],
    port: Port = 5006,
    address: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")
    ] = "localhost",
    users: Annotated[
        Path | None,
        typer.Option(help="File of accounts; see explorer users.", show_default=False),
    ] = None,
    workshop: Annotated[
        bool, typer.Option("--workshop", help="Serve a classroom's exercises too.")
    ] = False,
    role: Annotated[
        Role | None,
        typer.Option(help="What everybody may do who has no role.", show_default="owner"),
    ] = None,
    oauth_provider: Annotated[
        Provider | None,
        typer.Option(help="Log in with accounts elsewhere.", show_default=False),
    ] = None,
    oauth_key: Annotated[
        str, typer.Option(envvar="PANEL_OAUTH_KEY", help="What the provider gave.")
    ] = "",
    oauth_secret: Annotated[
        str, typer.Option(envvar="PANEL_OAUTH_SECRET", help="What the provider gave.")
    ] = "",
    oauth_redirect: Annotated[
        str | None,
        typer.Option(
            envvar="PANEL_OAUTH_REDIRECT_URI", help="Address of this server, as others reach it."
        ),
    ] = None,
    oauth_user: Annotated[
        str | None,
        typer.Option(help="Field of the provider's answer that is the name.", show_default=False),
    ] = None,
    roles: Annotated[
        Path | None,
        typer.Option(
            help='With OAuth: JSON file of who may what, {"ada": "owner"}.', show_default=False
        ),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Name under which a proxy is reached, such as lab.example:443.",
            show_default=False,
        ),
    ] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="Believe a proxy's X-Forwarded headers.")
    ] = False,
    browser: Browser = True,
) -> None:
    """Serve the dashboard; on this machine alone, unless --address says otherwise."""
    opened = [open_old(path) for path in collections]
    options: dict[str, Any] = {}
    if oauth_provider is not None:
        options["oauth"] = oauth_of(
            oauth_provider, oauth_key, oauth_secret, oauth_redirect, oauth_user
        )
    for collection in opened:
        if collection.run is not None:
            project(collection)
    open_dashboard(
        opened,
        port=port,
        address=address,
        users=users,
        workshop=workshop,
        role=None if role is None else role.value,
        roles=roles,
        origins=origin or (),
        behind_proxy=behind_proxy,
        browser=browser,
        **options,
    )


def oauth_of(
    provider: Provider, key: str, secret: str, redirect: str | None, user: str | None
) -> Any:
    """What is handed on to Panel, if all of it is there."""
    from explorer.dashboard.serving.entry import OAuth  # noqa: PLC0415

    missing = [name for name, value in (("key", key), ("secret", secret)) if not value]
    if missing:
        raise ParameterError(
            f"OAuth needs a {' and a '.join(missing)} from {provider.value}: give --oauth-"
            f"{missing[0]}, or better set PANEL_OAUTH_{missing[0].upper()}, which nobody else sees"
        )
    return OAuth(provider.value, key, secret, redirect, user)


def open_dashboard(collections: list[Collection], *, browser: bool, **options: Any) -> None:
    """Serve until Ctrl-C, and say where."""
    from explorer.dashboard.serving.serve import serve as serve_dashboard  # noqa: PLC0415

    serve_dashboard(
        collections,
        show=browser,
        on_ready=lambda url: typer.echo(f"The dashboard is at {url} (Ctrl-C stops it)."),
        on_classroom=typer.echo,
        **options,
    )
    typer.echo("Stopped; every label is in its collection.")


def project(collection: Collection) -> None:
    """Make the map, if it is not there, with a progress bar."""
    if collection.projection() is not None or collection.n_windows() == 0:
        return
    collection.project()
