"""Who gets in, from where, and what can be asked for: the server without a browser."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import textwrap
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from tornado.websocket import websocket_connect
from typer.testing import CliRunner

import explorer
from explorer import cli
from explorer.dashboard.serving.accounts import Account, Accounts, write
from explorer.dashboard.serving.entry import OAuth, entry
from explorer.dashboard.serving.guessing import FREE
from explorer.dashboard.serving.origins import names, numbers
from explorer.dashboard.serving.serve import make_server
from explorer.errors import ParameterError

FAKE = Path(__file__).with_name("fake_collection.py")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server of two collections with accounts, in a process of its own."""
    users = tmp_path_factory.mktemp("users") / "users.json"
    write(Accounts({"ada": Account.of("lovelace", "annotator", n=2**10, p=1)}), users)
    code = f"""
        import runpy
        from explorer.dashboard.serving.serve import serve
        Fake = runpy.run_path({str(FAKE)!r})["FakeCollection"]
        first, second = Fake(recordings=3), Fake(recordings=3)
        second.name = "<b>Reef</b>"
        serve([first, second], port=0, show=False, users={str(users)!r},
              on_ready=lambda url: print("READY", url, flush=True))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    line = process.stdout.readline()
    assert line.startswith("READY")
    yield line.split()[1]
    process.terminate()
    process.wait(10)


def visitor():
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))


def token(page):
    return re.search(r'name="_xsrf" value="([^"]*)"', page)[1]


def log_in(address, name, password, then="/"):
    """Fill in the form; give the visitor, and what the server answers."""
    who = visitor()
    page = who.open(f"{address}login").read().decode()
    fields = {"username": name, "password": password, "_xsrf": token(page), "next": then}
    try:
        answer = who.open(f"{address}login", data=urllib.parse.urlencode(fields).encode())
    except urllib.error.HTTPError as error:
        answer = error
    return who, answer


def test_nobody_gets_in_without_a_name_and_its_password(address):
    assert visitor().open(f"{address}spring-2026-survey").geturl().startswith(f"{address}login")
    for name, password in (("ada", "wrong"), ("eve", "lovelace"), ("", "lovelace")):
        _, answer = log_in(address, name, password)
        assert answer.status == 403
        assert "do not belong together" in answer.read().decode()


def test_with_them_one_gets_in_and_goes_on_to_the_page_that_was_wanted(address):
    _, answer = log_in(address, "ada", "lovelace", then="/spring-2026-survey?class=grunt")
    assert answer.geturl() == f"{address}spring-2026-survey?class=grunt"
    assert "Soundscape Explorer" in answer.read().decode()


@pytest.mark.parametrize("then", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_one_is_never_sent_on_to_another_server(address, then):
    _, answer = log_in(address, "ada", "lovelace", then=then)
    assert answer.geturl() == address


def test_a_form_that_was_made_elsewhere_is_not_taken(address):
    fields = urllib.parse.urlencode({"username": "ada", "password": "lovelace"}).encode()
    with pytest.raises(urllib.error.HTTPError) as refused:
        visitor().open(f"{address}login", data=fields)
    assert refused.value.code == 403


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(address):
    who, _ = log_in(address, "ada", "lovelace")
    jar = next(h.cookiejar for h in who.handlers if hasattr(h, "cookiejar"))
    for cookie in jar:
        assert cookie.has_nonstandard_attr("HttpOnly"), cookie.name
        assert cookie.get_nonstandard_attr("SameSite") == "Lax", cookie.name


@pytest.mark.parametrize("path", ["etc/passwd", "../users.json", "static/../../users.json", "data"])
def test_no_folder_is_served(address, path):
    who, _ = log_in(address, "ada", "lovelace")
    with pytest.raises(urllib.error.HTTPError) as refused:
        who.open(address + path)
    assert refused.value.code in (403, 404)


def test_a_page_from_elsewhere_cannot_open_the_websocket(fake):
    server = make_server(fake(recordings=2), port=0)
    server.start()

    async def try_from(origin):
        from tornado.httpclient import HTTPClientError, HTTPRequest

        url = f"ws://localhost:{server.port}/ws"
        try:
            await websocket_connect(HTTPRequest(url, headers={"Origin": origin}))
        except HTTPClientError as error:
            return error.code
        return 101

    try:
        run = server.io_loop.asyncio_loop.run_until_complete
        assert run(asyncio.wait_for(try_from("http://evil.example"), 10)) == 403
        assert run(asyncio.wait_for(try_from("http://localhost:1"), 10)) == 403
        # The right origin gets past that gate, and is then asked for a session's token.
        own = f"http://localhost:{server.port}"
        assert run(asyncio.wait_for(try_from(own), 10)) != 403
    finally:
        server.stop()


def test_there_must_be_something_to_serve():
    with pytest.raises(ParameterError, match="no collection"):
        make_server([])


def test_what_panel_needs_for_oauth_arrives_there(fake, monkeypatch, tmp_path):
    given = {}

    class Told(Exception):
        """In place of a server, which would speak to the provider."""

    def get_server(pages, **options):
        given.update(options)
        raise Told

    monkeypatch.setattr("panel.io.server.get_server", get_server)
    roles = tmp_path / "roles.json"
    roles.write_text('{"Ada@Reef.example": "owner"}')
    collection = tmp_path / "reef.collection"
    explorer.open(collection)
    command = [
        "serve", str(collection), "--roles", str(roles), "--oauth-provider", "github",
        "--oauth-key", "our key", "--oauth-redirect", "https://lab.example/", "--no-browser",
    ]  # fmt: skip
    environment = {"PANEL_OAUTH_SECRET": "our secret"}
    told = CliRunner().invoke(cli.app, command, env=environment)
    assert isinstance(told.exception, Told)
    assert {name: value for name, value in given.items() if name.startswith("oauth")} == {
        "oauth_provider": "github",
        "oauth_key": "our key",
        "oauth_secret": "our secret",
        "oauth_redirect_uri": "https://lab.example/",
    }
    assert len(given["cookie_secret"]) >= 32
    told = CliRunner().invoke(cli.app, [*command[:2], *command[4:]], env=environment)
    assert isinstance(told.exception, ParameterError)  # nobody has said who may come in
    assert "anybody with an account at github" in str(told.exception)


def test_a_file_of_roles_says_who_may_what(tmp_path):
    roles = tmp_path / "roles.json"
    roles.write_text('{"Ada@Reef.example": "owner"}')
    oauth = OAuth("github", "key", "secret")
    strict = entry(oauth=oauth, roles=roles)
    assert strict.role_of("ada@reef.example") == "owner"
    assert strict.role_of("eve@reef.example") is None
    assert entry(oauth=oauth, roles=roles, role="viewer").role_of("eve@reef.example") == "viewer"
    roles.write_text('{"eve@reef.example": "annotator"}')
    assert strict.role_of("eve@reef.example") == "annotator"


def test_whoever_guesses_is_told_to_wait(address):
    answers = [log_in(address, "ada", f"guess {number}")[1] for number in range(FREE + 1)]
    assert [answer.status for answer in answers] == [403] * FREE + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert "Too many tries" in answers[-1].read().decode()


def test_other_machines_may_use_the_numbers_and_names_of_this_one():
    assert names("localhost")[0] == "localhost"
    assert names("192.168.1.7") == ["192.168.1.7"]
    everywhere = names("0.0.0.0")
    assert "localhost" in everywhere
    assert all(number in everywhere for number in numbers())
