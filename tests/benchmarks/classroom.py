"""Thirty students in one room: how soon each hears her first clip, and what an answer takes.

    python tests/benchmarks/classroom.py [--students 30] [--clips 12]

A server in a process of its own serves a workshop of the demo's recordings. The students are real
visitors without a browser's drawing: each loads the page with its scripts (packed, as a browser
asks for them), opens the websocket, joins, fetches picture and sound of the first clip and then
answers every clip, a few seconds apart; a teacher's page looks on. All of them come at the same
moment, which is worse than any class. They run on the same cores as the server.

Beside each answer stands the limit of this machine: the same answer committed to the catalogue
alone, with nobody else there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

import explorer as ex

sys.path.append(str(Path(__file__).resolve().parents[1]))

from server_process import serve

DEMO = Path(__file__).parents[2] / "data" / "demo"
THINKS_S = (2.0, 6.0)
"""How long a student listens and thinks about a clip: from, to."""


class Visitor:
    """A page without a screen: loads it, speaks Bokeh's protocol, waits for messages."""

    def __init__(self, url: str, path: str = "") -> None:
        self.url, self.path = url, path
        self.http = AsyncHTTPClient()
        self.n_bytes = 0
        self.news: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.shown: dict[str, Any] = {}
        self._number = 0

    async def get(self, path: str) -> bytes:
        answer = await self.http.fetch(
            HTTPRequest(self.url + path, decompress_response=False,
                        headers={"Accept-Encoding": "gzip"}, request_timeout=120)
        )  # fmt: skip
        self.n_bytes += len(answer.body)
        return answer.body

    async def open(self) -> None:
        """The page, its scripts, its websocket and its document."""
        html = (await self.get(self.path)).decode()
        for script in re.findall(r'src="([^"]+)"', html):
            await self.get(script)
        token = re.search(r'"token":"([^"]+)"', html)
        assert token is not None
        address = self.url.replace("http", "ws") + f"{self.path}/ws".lstrip("/")
        self.socket = await websocket_connect(
            HTTPRequest(address, headers={"Origin": self.url.rstrip("/")}, request_timeout=120),
            subprotocols=["bokeh", token[1]],
        )
        self.listening = asyncio.create_task(self._listen())
        await self.news.get()  # the server says that it is ready
        await self._send("PULL-DOC-REQ", {})
        while True:
            message = await asyncio.wait_for(self.news.get(), 120)
            if "doc" in message:
                break
        await self._event("document_ready", {})  # a browser says that it has drawn the page
        # The page is the one model that was made of a piece of ours.
        self.page = next(
            model["id"] for model in _models(message) if "class_name" in model["attributes"]
        )

    async def say(self, action: str, **more: Any) -> None:
        """What a click in the browser sends."""
        data = {"type": "map", "entries": [[k, v] for k, v in {"action": action, **more}.items()]}
        await self._event("data_event", {"model": {"id": self.page}, "data": data})

    async def _event(self, name: str, values: dict[str, Any]) -> None:
        entries = {"type": "map", "entries": [[key, value] for key, value in values.items()]}
        event = {"type": "event", "name": name, "values": entries}
        content = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}
        await self._send("PATCH-DOC", {"events": [content]})

    async def hears(self, *kinds: str) -> dict[str, Any]:
        """Wait for a message from the server to the page."""
        while True:
            message = await asyncio.wait_for(self.news.get(), 120)
            for found in _messages(message):
                if found.get("kind") in kinds:
                    return found

    async def _send(self, kind: str, content: dict[str, Any]) -> None:
        self._number += 1
        header = {"msgid": str(self._number), "msgtype": kind}
        for part in (header, {}, content):
            await self.socket.write_message(json.dumps(part))

    async def _listen(self) -> None:
        while True:
            header = await self.socket.read_message()
            if header is None:
                return
            await self.socket.read_message()
            content = await self.socket.read_message()
            self.n_bytes += len(header) + len(content)
            for _ in range(json.loads(header).get("num_buffers", 0) * 2):
                self.n_bytes += len(await self.socket.read_message())
            self.news.put_nowait(json.loads(content))


def _models(value: Any) -> list[dict[str, Any]]:
    """Every model with an id in a message."""
    if isinstance(value, dict):
        own = [value] if "id" in value and "attributes" in value else []
        return own + [model for part in value.values() for model in _models(part)]
    return [model for part in value for model in _models(part)] if isinstance(value, list) else []


def _messages(message: dict[str, Any]) -> list[dict[str, Any]]:
    """What was told to pieces of the page."""
    found = []
    for event in message.get("events", []):
        values = event.get("msg_data", {}).get("values", {})
        for key, value in values.get("entries", []):
            if key == "data":
                found.append(_plain(value))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and value.get("type") == "map":
        return {key: _plain(part) for key, part in value.get("entries", [])}
    return value


async def student(url: str, number: int, token: str, clips: int) -> dict[str, Any]:
    visitor = Visitor(url)
    began = time.perf_counter()
    await visitor.open()
    opened = time.perf_counter()
    await visitor.say("join", name=f"student {number}")
    await visitor.hears("joined")
    joined = time.perf_counter()
    for kind in ("light", "sound"):
        await visitor.get(f"workshop/clip/{token}/0.{kind}")
    heard = time.perf_counter()
    taken, generator = [], random.Random(number)
    for clip in range(clips):
        await asyncio.sleep(generator.uniform(*THINKS_S))
        if clip:
            for kind in ("light", "sound"):
                await visitor.get(f"workshop/clip/{token}/{clip}.{kind}")
        started = time.perf_counter()
        await visitor.say("answer", clip=clip, answer=generator.choice(["yes", "no", "unsure"]))
        await visitor.hears("kept")
        taken.append(time.perf_counter() - started)
    return {
        "page": opened - began,
        "join": joined - opened,
        "first clip": heard - began,
        "answers": taken,
        "bytes": visitor.n_bytes,
    }


async def lesson(url: str, n: int, token: str, clips: int, server: psutil.Process) -> None:
    AsyncHTTPClient.configure(None, max_clients=10 * n)
    teacher = Visitor(url, "teacher")
    await teacher.open()
    before = server.memory_info().rss
    everybody = [student(url, number, token, clips) for number in range(n)]
    started, cpu = time.perf_counter(), server.cpu_times()
    results = await asyncio.gather(*everybody)
    lasted, spent = time.perf_counter() - started, server.cpu_times()
    after = server.memory_info().rss
    print(f"{n} students at once, {clips} clips, {os.cpu_count()} cores shared with the server")
    for what in ("page", "join", "first clip"):
        times = [result[what] for result in results]
        said = {"page": "page opened", "join": "joined", "first clip": "first clip seen and heard"}
        print(f"  {said[what]:28} median {np.median(times):6.2f} s   slowest {max(times):6.2f} s")
    answers = np.concatenate([result["answers"] for result in results]) * 1000
    most = np.percentile(answers, 95)
    print(f"  {'answer there and back':28} median {np.median(answers):6.0f} ms  "
          f"95 % {most:6.0f} ms  slowest {answers.max():6.0f} ms")  # fmt: skip
    sent = np.mean([result["bytes"] for result in results])
    print(f"  {'sent to each':28} {sent / 1e6:6.2f} MB")
    print(f"  {'memory of the server':28} {before / 2**20:6.0f} MiB before, "
          f"{after / 2**20:.0f} MiB with all of them")  # fmt: skip
    used = spent.user + spent.system - cpu.user - cpu.system
    print(f"  {'server busy':28} {100 * used / lasted:6.0f} % of one core over {lasted:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--clips", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "class.collection"
        reef = ex.open(path, audio=DEMO, timezone="+10:00")
        reef.embed("spectral", progress=False)
        reef.project()
        exercise = reef.new_exercise("whoop", range(options.clips))
        exercise.start()
        alone = []
        for clip in range(options.clips):
            started = time.perf_counter()
            exercise.answer("nobody", clip, "yes")
            alone.append(time.perf_counter() - started)
        reef.catalogue.remember("workshop exercise", exercise.name)
        process, url = serve(path, workshop=True)
        try:
            token = exercise.about.token
            server = psutil.Process(process.pid)
            asyncio.run(lesson(url, options.students, token, options.clips, server))
        finally:
            process.terminate()
            process.wait(10)
        print(f"  {'(an answer committed alone)':28} median {1000 * np.median(alone):6.0f} ms")


if __name__ == "__main__":
    main()
