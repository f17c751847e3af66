"""Who gets in, from where, and what can be asked for: the server without a browser."""

from __future__ import annotations

import asyncio
import json
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

from explorer.dashboard.serving.serve import make_server, read_users
from explorer.errors import ParameterError

FAKE = Path(__file__).with_name("fake_collection.py")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server of two collections with accounts, in a process of its own."""
    users = tmp_path_factory.mktemp("users") / "users.json"
    users.write_text(json.dumps({"ada": "lovelace"}))
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


def log_in(address, name, password):
    who = visitor()
    form = urllib.parse.urlencode({"username": name, "password": password}).encode()
    who.open(f"{address}login").read()
    return who, who.open(f"{address}login", data=form)


def test_nobody_gets_in_without_a_name_and_its_password(address):
    assert visitor().open(f"{address}spring-2026-survey").geturl().startswith(f"{address}login")
    for name, password in (("ada", "wrong"), ("eve", "lovelace"), ("", "lovelace")):
        _, answer = log_in(address, name, password)
        assert "do not belong together" in answer.read().decode()


def test_with_them_one_gets_in(address):
    who, _ = log_in(address, "ada", "lovelace")
    answer = who.open(f"{address}spring-2026-survey")
    assert answer.geturl() == f"{address}spring-2026-survey"
    assert "Soundscape Explorer" in answer.read().decode()


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


@pytest.mark.parametrize("content", ['"one password"', "{}", '{"ada": ""}', "[1]", "no json"])
def test_a_users_file_holds_names_and_passwords_or_is_refused(tmp_path, content):
    path = tmp_path / "users.json"
    path.write_text(content)
    with pytest.raises(ParameterError, match=r"users\.json"):
        read_users(path)
    with pytest.raises(ParameterError, match="cannot be read"):
        read_users(tmp_path / "missing.json")


def test_there_must_be_something_to_serve():
    with pytest.raises(ParameterError, match="no collection"):
        make_server([])
