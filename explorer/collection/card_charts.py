"""The charts of a classifier's card, as SVG that takes its colours from the page's style."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]

WIDTH, HEIGHT = 460, 220
SQUARE = 220
LEFT, RIGHT, TOP, BOTTOM = 40, 10, 10, 30


def curve_chart(each: Facts) -> str:
    """Precision and recall against the threshold, with their intervals and the threshold itself."""
    rows = each["curve"]
    known = [row for row in rows if row["precision"] is not None]
    if not known:
        return ""
    x0, x1 = rows[0]["threshold"], rows[-1]["threshold"]

    def place(row: Facts, name: str) -> tuple[float, float] | None:
        if row[name] is None:
            return None
        across = (row["threshold"] - x0) / (x1 - x0)
        return (
            LEFT + across * (WIDTH - LEFT - RIGHT),
            TOP + (1 - row[name]) * (HEIGHT - TOP - BOTTOM),
        )

    parts = [_axes(WIDTH, HEIGHT, x0, x1, "threshold")]
    for name in ("recall", "precision"):
        told = known if name == "precision" else rows
        band = [place(row, f"{name}_high") for row in told]
        band += [place(row, f"{name}_low") for row in reversed(told)]
        parts.append(f'<path class="band {name}" d="{_path(band)}z"/>')
    for name in ("recall", "precision"):
        told = known if name == "precision" else rows
        parts.append(f'<path class="line {name}" d="{_path(place(row, name) for row in told)}"/>')
    caption = "— precision   - - recall"
    if each["threshold"] is not None:
        caption += "   | threshold"
        at = LEFT + (each["threshold"] - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)
        parts.append(
            f'<line class="cut" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        )
    said = "Precision (solid) and recall (dashed) against the threshold, with their intervals"
    return _figure(WIDTH, HEIGHT, parts, said, caption)


def roc_chart(each: Facts) -> str:
    """The ROC curve."""
    if each["auc"] is None:
        return ""
    side, floor, right = SQUARE - LEFT - RIGHT, SQUARE - BOTTOM, SQUARE - RIGHT

    points = [
        (LEFT + x * side, SQUARE - BOTTOM - y * (SQUARE - TOP - BOTTOM)) for x, y in each["roc"]
    ]
    parts = [
        _axes(SQUARE, SQUARE, 0, 1, "false alarms"),
        f'<line class="chance" x1="{LEFT}" x2="{right}" y1="{floor}" y2="{TOP}"/>',
        f'<path class="line precision" d="{_path(points)}"/>',
    ]
    said = f"ROC curve: found against false alarms, area {each['auc']['value']:.2f}"
    return _figure(SQUARE, SQUARE, parts, said, "ROC: found against false alarms")


def _axes(width: int, height: int, x0: float, x1: float, name: str) -> str:
    right, floor = width - RIGHT, height - BOTTOM
    lines = [
        f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        for share in (0, 0.5, 1)
        for y in [TOP + (1 - share) * (floor - TOP)]
    ]
    lines += [
        f'<text x="{x}" y="{floor + 15}" text-anchor="{anchor}">{value:g}</text>'
        for x, anchor, value in ((LEFT, "start", x0), (right, "end", x1))
    ]
    lines.append(
        f'<text x="{(LEFT + right) / 2:.1f}" y="{floor + 15}" text-anchor="middle">{name}</text>'
    )
    return "".join(lines)


def _path(points: Iterable[tuple[float, float] | None]) -> str:
    known = [point for point in points if point is not None]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in known)


def _figure(width: int, height: int, parts: Sequence[str], said: str, caption: str) -> str:
    return (
        f'<figure class="chart"><svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{said}">{"".join(parts)}</svg><figcaption>{caption}</figcaption></figure>'
    )
