"""What a page is sent, and sends: for benchmarks of the screens."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Page


@dataclass
class Traffic:
    """Bytes that came over the websocket and as files, and those that the page sent back."""

    received: int = 0
    sent: int = 0
    marks: list[int] = field(default_factory=list)

    def since_mark(self) -> float:
        """MB that came since the last call."""
        before = self.marks[-1] if self.marks else 0
        self.marks.append(self.received)
        return (self.received - before) / 1e6


def listen(page: Page) -> Traffic:
    """Count what the page is sent."""
    traffic = Traffic()

    def came(payload: bytes | str) -> None:
        traffic.received += len(payload)

    def went(payload: bytes | str) -> None:
        traffic.sent += len(payload)

    def opened(socket: object) -> None:
        socket.on("framereceived", came)  # type: ignore[attr-defined]
        socket.on("framesent", went)  # type: ignore[attr-defined]

    page.on("websocket", opened)
    page.on(
        "response",
        lambda answer: setattr(
            traffic,
            "received",
            traffic.received + int(answer.headers.get("content-length", 0)),
        ),
    )
    return traffic
