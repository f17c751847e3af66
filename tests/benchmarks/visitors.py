"""People at a served dashboard, without browsers: they load pages, look, judge, lasso, turn pages.

A visitor speaks what a browser speaks: it logs in, fetches the page, opens the websocket, pulls the
document, and sends the messages that the pieces' JavaScript sends. What a browser computes by
itself (drawing) it does not do; all that the server does is done.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.parse
from collections import defaultdict
from typing import Any

import numpy as np
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

PATIENCE_S = 60.0
PER_PAGE = 9


class Visitor:
    """One person with a page open.

    Parameters
    ----------
    address
        Of the server, such as ``localhost:5006``.
    page
        Path and query of the page.
    name, password
        To log in with; None where the server asks for none.
    """

    def __init__(
        self,
        address: str,
        page: str = "/",
        name: str | None = None,
        password: str = "",
        seed: int = 0,
    ) -> None:
        self.address, self.page, self.name, self.password = address, page, name, password
        self.rng = np.random.default_rng(seed)
        self.took_s: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        self.bytes = 0
        self.load_s = 0.0
        self._cookie = ""
        self._pieces: dict[str, str] = {}
        self._data: dict[str, dict[str, Any]] = {}
        self._of: dict[str, str] = {}
        self._waiting: list[tuple[Any, asyncio.Future[Any]]] = []
        self._number = 0
        self._reading: asyncio.Task[None] | None = None

    # --- coming in ----------------------------------------------------------------------------

    async def enter(self) -> None:
        """Log in, load the page, and wait until there are cards."""
        if self.name is not None:
            await self._log_in()
        began = time.perf_counter()
        fetched = await self._fetch(self.page)
        html = fetched.body.decode()
        self.bytes += len(fetched.body)
        found = re.search(r'"token":"([^"]+)"', html)
        assert found is not None, html[:400]
        query = urllib.parse.urlsplit(self.page).query
        path = urllib.parse.urlsplit(self.page).path.rstrip("/")
        headers = {"Origin": f"http://{self.address}", "Cookie": self._cookie}
        self._socket = await websocket_connect(
            HTTPRequest(f"ws://{self.address}{path}/ws?{query}", headers=headers),
            subprotocols=["bokeh", found[1]],
            max_message_size=2**28,
        )
        await self._receive()  # ACK
        self._write("PULL-DOC-REQ", {})
        _, content = await self._receive()
        self._remember(json.loads(content))
        self._reading = asyncio.create_task(self._read())
        self._event("document_ready", None, None)
        self.send("Gallery", "per_page", count=PER_PAGE)
        await self._until(lambda: bool(self.cards))
        self.look()
        self.load_s = time.perf_counter() - began

    async def leave(self) -> None:
        """Close the page."""
        if self._reading is not None:
            self._reading.cancel()
        self._socket.close()

    async def _log_in(self) -> None:
        form = await self._fetch("/login")
        token = re.search(r'name="_xsrf" value="([^"]*)"', form.body.decode())
        assert token is not None
        fields = {"username": self.name, "password": self.password, "_xsrf": token[1], "next": "/"}
        try:
            await self._fetch("/login", method="POST", body=urllib.parse.urlencode(fields))
        except HTTPClientError as answer:
            if answer.code != 302:
                raise
            self._take_cookies(answer.response)

    async def _fetch(self, path: str, **options: Any) -> Any:
        request = HTTPRequest(
            f"http://{self.address}{path}",
            headers={"Cookie": self._cookie},
            follow_redirects=False,
            request_timeout=PATIENCE_S,
            **options,
        )
        answer = await AsyncHTTPClient().fetch(request)
        self._take_cookies(answer)
        return answer

    def _take_cookies(self, answer: Any) -> None:
        kept = dict(pair.split("=", 1) for pair in self._cookie.split("; ") if pair)
        for line in answer.headers.get_list("Set-Cookie"):
            name, value = line.split(";", 1)[0].split("=", 1)
            kept[name] = value
        self._cookie = "; ".join(f"{name}={value}" for name, value in kept.items())

    # --- what is on the page ------------------------------------------------------------------

    @property
    def cards(self) -> list[dict[str, Any]]:
        """The cards of the gallery."""
        found: list[dict[str, Any]] = self._data["Gallery"].get("cards", [])
        return found

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return [one["name"] for one in self._data["ClassesPanel"].get("classes", [])]

    def look(self) -> None:
        """Ask for the pictures of the cards, as a browser does."""
        self.send("Gallery", "pictures", rows=[card["row"] for card in self.cards])

    # --- what a person does -------------------------------------------------------------------

    async def judge(self) -> None:
        """Yes or no to a card; done when the gallery is ranked anew."""
        free = [card for card in self.cards if not card["judgement"]]
        if not free:
            await self.turn_page()
            return
        row = int(self.rng.choice([card["row"] for card in free]))
        judgement = str(self.rng.choice(["positive", "negative"]))
        await self._do(
            "judge",
            lambda: self.send("Gallery", "judge", rows=[row], judgement=judgement),
            _cards,
        )

    async def activate(self) -> None:
        """Go over to another class."""
        if len(self.classes) < 2:
            return
        now = self._data["ClassesPanel"].get("active")
        name = str(self.rng.choice([one for one in self.classes if one != now]))
        await self._do(
            "activate",
            lambda: self.send("ClassesPanel", "activate", name=name),
            _cards,
        )
        self.look()

    async def turn_page(self) -> None:
        """To the next page, or back to the first."""
        data = self._data["Gallery"]
        first = data.get("first", 0) + PER_PAGE
        if first >= data.get("total", 0):
            first = 0
        if first == data.get("first", 0):
            return
        await self._do(
            "page",
            lambda: self.send("Gallery", "page", first=first),
            _cards,
        )
        self.look()

    async def lasso(self) -> None:
        """Draw around a place on the map."""
        x, y = self.rng.uniform(0.3, 0.7, 2)
        angles = np.linspace(0, 2 * np.pi, 24)
        corners = np.c_[x + 0.12 * np.cos(angles), y + 0.12 * np.sin(angles)].tolist()
        await self._do(
            "lasso",
            lambda: self.send("MapPiece", "select", corners=corners, add=False),
            lambda piece, attr, new: piece == "Gallery" and attr in ("cards", "total"),
        )
        self.look()
        self.send("Gallery", "place", place="ranked")

    async def listen(self) -> None:
        """Play a card."""
        if not self.cards:
            return
        row = int(self.rng.choice([card["row"] for card in self.cards]))
        await self._do(
            "sound",
            lambda: self.send("Gallery", "sound", row=row),
            lambda piece, attr, new: attr == "sound" and new == row,
        )

    async def work(self, until: float, think_s: float) -> None:
        """Do one thing after the other, with time to think between."""
        acts = [self.judge, self.turn_page, self.listen, self.activate, self.lasso]
        shares = [0.55, 0.15, 0.15, 0.08, 0.07]
        await asyncio.sleep(float(self.rng.uniform(0, think_s)))
        while time.perf_counter() < until:
            act = acts[int(self.rng.choice(len(acts), p=shares))]
            try:
                await act()
            except TimeoutError:
                self.errors.append(f"{act.__name__}: no answer in {PATIENCE_S:.0f} s")
            await asyncio.sleep(float(self.rng.exponential(think_s)))

    # --- the protocol -------------------------------------------------------------------------

    def send(self, piece: str, action: str, **more: Any) -> None:
        """What a piece's JavaScript sends."""
        self._event("data_event", piece, {"action": action, **more})

    def _event(self, name: str, piece: str | None, data: dict[str, Any] | None) -> None:
        entries: list[Any] = []
        if piece is not None:
            entries = [["model", {"id": self._pieces[piece]}], ["data", _map(data or {})]]
        event = {"type": "event", "name": name, "values": {"type": "map", "entries": entries}}
        sent = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}
        self._write("PATCH-DOC", {"events": [sent]})

    def _write(self, kind: str, content: dict[str, Any]) -> None:
        self._number += 1
        header = {"msgid": f"{id(self)}-{self._number}", "msgtype": kind}
        for part in (header, {}, content):
            self._socket.write_message(json.dumps(part))

    async def _receive(self) -> tuple[dict[str, Any], Any]:
        header = json.loads(await self._next())
        await self._next()
        content = await self._next()
        for _ in range(header.get("num_buffers", 0)):
            await self._next()
            await self._next()
        return header, content

    async def _next(self) -> Any:
        message = await self._socket.read_message()
        if message is None:
            raise ConnectionError("the server closed the connection")
        self.bytes += len(message)
        return message

    async def _read(self) -> None:
        try:
            while True:
                header, content = await self._receive()
                if header["msgtype"] == "PATCH-DOC":
                    for event in json.loads(content)["events"]:
                        self._patch(event)
                elif header["msgtype"] == "ERROR":
                    self.errors.append(content[:300])
        except (ConnectionError, asyncio.CancelledError) as error:
            if isinstance(error, ConnectionError):
                self.errors.append(str(error))

    def _patch(self, event: dict[str, Any]) -> None:
        if event["kind"] == "ModelChanged":
            piece = self._of.get(event["model"]["id"])
            if piece is not None:
                new = _plain(event["new"])
                self._data[piece][event["attr"]] = new
                if event["attr"] == "notice" and new and new.get("kind") == "error":
                    self.errors.append(f"told: {new['text']}")
                self._tell(piece, event["attr"], new)
        elif event["kind"] == "MessageSent":
            values = _plain(event["msg_data"]).get("values", {})
            data = values.get("data") if isinstance(values, dict) else None
            if isinstance(data, dict) and data.get("kind") == "sound":
                self._tell("Gallery", "sound", data["row"])

    def _tell(self, piece: str, attr: str, new: Any) -> None:
        for wanted, future in list(self._waiting):
            if not future.done() and wanted(piece, attr, new):
                future.set_result(None)

    async def _do(self, what: str, act: Any, done: Any) -> None:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((done, future))
        began = time.perf_counter()
        act()
        try:
            await asyncio.wait_for(future, PATIENCE_S)
        finally:
            self._waiting.remove((done, future))
        self.took_s[what].append(time.perf_counter() - began)

    async def _until(self, holds: Any) -> None:
        end = time.perf_counter() + PATIENCE_S
        while not holds():
            if time.perf_counter() > end:
                raise TimeoutError(f"{self.name}: the page did not come")
            await asyncio.sleep(0.02)

    def _remember(self, document: Any) -> None:
        """Which model is which piece, and what it shows."""
        for one in _objects(document):
            attributes = one.get("attributes", {})
            if "class_name" in attributes and isinstance(attributes.get("data"), dict):
                name = attributes["class_name"]
                self._pieces[name] = one["id"]
                self._of[attributes["data"]["id"]] = name
                values = attributes["data"].get("attributes", {})
                self._data[name] = {key: _plain(value) for key, value in values.items()}


def _objects(value: Any) -> list[dict[str, Any]]:
    found = []
    if isinstance(value, dict):
        if value.get("type") == "object" and "id" in value:
            found.append(value)
        for inner in value.values():
            found += _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            found += _objects(inner)
    return found


def _map(value: Any) -> Any:
    if isinstance(value, dict):
        return {"type": "map", "entries": [[key, _map(inner)] for key, inner in value.items()]}
    return [_map(inner) for inner in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("type") == "map":
            return {key: _plain(inner) for key, inner in value.get("entries", [])}
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _cards(piece: str, attr: str, new: Any) -> bool:
    """Whether the gallery shows other sounds."""
    return piece == "Gallery" and attr == "cards"
