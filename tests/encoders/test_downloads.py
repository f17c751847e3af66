"""Downloads: whole or not at all, taken up where they stopped, and what to do without internet."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from filelock import FileLock

from explorer.encoders import downloads
from explorer.encoders.downloads import RemoteFile, fetch
from explorer.errors import EncoderError

CONTENT = bytes(range(256)) * 4096 * 3  # three blocks of the reader


@dataclass
class Server:
    """A server on this machine, and how it behaves."""

    address: str = ""
    content: bytes = CONTENT
    knows_ranges: bool = True
    stops_after: int | None = None  # bytes of each answer, then the line is cut
    status: int = 200
    points_to: str | None = None
    asked: list[str | None] = field(default_factory=list)  # the Range of each request

    def file(self) -> RemoteFile:
        """The file as it was published: it is CONTENT, whatever the server has."""
        return RemoteFile(
            name="owl.onnx",
            url=f"{self.address}/owl.onnx",
            page="https://example.org/owl",
            size=len(CONTENT),
            sha256=hashlib.sha256(CONTENT).hexdigest(),
        )


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.headers["Range"])
            if state.points_to and "moved" not in self.path:
                self.send_response(302)
                self.send_header("Location", state.points_to)
                self.end_headers()
                return
            start = 0
            if state.knows_ranges and self.headers["Range"]:
                start = int(re.findall(r"\d+", self.headers["Range"])[0])
                self.send_response(206)
                total = len(state.content)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            else:
                self.send_response(state.status)
            body = state.content[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.stops_after])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Not a word of clients that hang up: some tests do."""

    http = Quiet(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{http.server_port}"
    threading.Thread(target=http.serve_forever, args=[0.01], daemon=True).start()
    yield state
    http.shutdown()
    http.server_close()


def test_a_file_arrives_whole_with_a_bar_and_is_not_fetched_twice(server, tmp_path, capsys):
    (path,) = fetch("owl", [server.file()], tmp_path)
    assert path == tmp_path / "owl.onnx"
    assert path.read_bytes() == CONTENT
    assert re.search(r"owl\.onnx.*100%.*B/s", capsys.readouterr().err)
    fetch("owl", [server.file()], tmp_path)
    assert len(server.asked) == 1
    assert not list(tmp_path.glob("*.part"))


def test_a_broken_download_is_taken_up_where_it_stopped(server, tmp_path):
    (tmp_path / "owl.onnx.part").write_bytes(CONTENT[:1000])
    (path,) = fetch("owl", [server.file()], tmp_path)
    assert server.asked == ["bytes=1000-"]
    assert path.read_bytes() == CONTENT


def test_a_line_that_is_cut_again_and_again_still_brings_the_file(server, tmp_path):
    server.stops_after = len(CONTENT) // 3
    (path,) = fetch("owl", [server.file()], tmp_path)
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 3


def test_a_server_without_ranges_sends_the_whole_file_again(server, tmp_path):
    (tmp_path / "owl.onnx.part").write_bytes(b"x" * 1000)
    server.knows_ranges = False
    (path,) = fetch("owl", [server.file()], tmp_path)
    assert path.read_bytes() == CONTENT


def test_a_download_that_brings_nothing_more_ends_and_what_came_is_kept(server, tmp_path):
    (tmp_path / "owl.onnx.part").write_bytes(CONTENT[:1000])
    server.stops_after = 0
    with pytest.raises(EncoderError, match="Run the command again to go on where it stopped"):
        fetch("owl", [server.file()], tmp_path)
    assert (tmp_path / "owl.onnx.part").read_bytes() == CONTENT[:1000]
    assert not (tmp_path / "owl.onnx").exists()


def test_other_content_of_the_right_size_is_thrown_away(server, tmp_path):
    server.content = b"\0" * len(CONTENT)
    with pytest.raises(EncoderError, match=r"not the published file: its size or SHA-256 differs"):
        fetch("owl", [server.file()], tmp_path)
    assert not list(tmp_path.glob("owl*"))


def test_a_page_instead_of_the_file_is_not_even_fetched(server, tmp_path):
    server.content = b"<html>Please sign in to the hotel's network</html>"
    with pytest.raises(EncoderError, match="does not have the 3145728 bytes"):
        fetch("owl", [server.file()], tmp_path)
    assert not list(tmp_path.glob("owl*"))


def test_a_damaged_file_that_is_there_already_is_replaced(server, tmp_path):
    (tmp_path / "owl.onnx").write_bytes(b"\0" * len(CONTENT))
    (path,) = fetch("owl", [server.file()], tmp_path)
    assert path.read_bytes() == CONTENT


def test_offline_the_message_says_what_to_copy_where(tmp_path):
    nobody = RemoteFile("owl.onnx", "http://127.0.0.1:9/x", "https://example.org/owl", 9, "")
    names = replace(nobody, name="names.csv")
    with pytest.raises(EncoderError) as offline:
        fetch("owl", [nobody, names], tmp_path)
    message = str(offline.value)
    assert "no connection" in message
    assert "owl.onnx (0.0 MB) and names.csv (0.0 MB) from https://example.org/owl" in message
    assert "into one folder here" in message
    assert message.endswith("run: explorer encoders add owl PATH/owl.onnx")


def test_a_server_that_refuses_is_quoted(server, tmp_path):
    server.status = 404
    with pytest.raises(EncoderError, match=r"127\.0\.0\.1:\d+ answers 404"):
        fetch("owl", [server.file()], tmp_path)


def test_a_full_disk_is_seen_before_the_download(server, tmp_path):
    huge = replace(server.file(), size=1 << 60)
    with pytest.raises(EncoderError, match=r"free, and .* are missing of owl.onnx"):
        fetch("owl", [huge], tmp_path)
    assert not server.asked


@pytest.mark.parametrize("address", ["http://example.org/owl", "file:///etc/hostname", "ftp://x/y"])
def test_only_https_is_spoken_also_where_a_server_points_elsewhere(server, tmp_path, address):
    with pytest.raises(EncoderError, match="is not an https address"):
        fetch("owl", [replace(server.file(), url=address)], tmp_path)
    server.points_to = address
    with pytest.raises(EncoderError, match=r"is not (an https address|allowed)"):
        fetch("owl", [server.file()], tmp_path)
    assert not (tmp_path / "owl.onnx").exists()


def test_a_servers_pointer_to_another_address_is_followed(server, tmp_path):
    (tmp_path / "owl.onnx.part").write_bytes(CONTENT[:1000])
    server.points_to = f"{server.address}/moved/owl.onnx"
    (path,) = fetch("owl", [server.file()], tmp_path)
    assert server.asked == ["bytes=1000-", "bytes=1000-"]
    assert path.read_bytes() == CONTENT


def test_two_downloads_of_the_same_encoder_do_not_write_into_each_other(server, tmp_path):
    with (
        FileLock(tmp_path / "download.lock"),
        pytest.raises(EncoderError, match="another process is downloading owl"),
    ):
        fetch("owl", [server.file()], tmp_path)


def test_a_silent_server_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/owl"
        with pytest.raises(EncoderError, match="timed out"):
            fetch("owl", [RemoteFile("owl.onnx", url, "https://example.org", 9, "")], tmp_path)
