"""Still pictures of views, as HTML: what a notebook shows where no kernel answers.

On a page on GitHub, in a printout, or before a cell has run. They are small, since each is kept in
the notebook's file, and all names in them are hostile text.
"""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageColor

from explorer.dashboard.explore.colouring import colouring
from explorer.dashboard.explore.map import map_limits
from explorer.dashboard.frame.palette import SCORE_RAMP, THEMES, UNNAMED
from explorer.dashboard.state.facts import clock
from explorer.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.dashboard.single.session import Session
    from explorer.dashboard.state.learning import Rows

MAP_PX = (640, 400)
MARGIN_PX = 16
LARGE_DOTS = 20_000
"""With more windows than this a dot is one pixel."""

SOUNDS_SHOWN = 6
HOUR_PX = 8
ALT = "A picture: run the cell for the view itself."


def map_still(session: Session) -> str:
    """The map with its colours; empty where it is not made yet."""
    state = session.state
    if state.xy is None or not len(state.xy):
        return ""
    now = colouring(state)
    low, high = map_limits(state.xy)
    width, height = (n - 2 * MARGIN_PX for n in MAP_PX)
    share = (np.asarray(state.xy) - low) / (high - low)
    x = MARGIN_PX + np.round(share[:, 0] * (width - 1)).astype(np.int64)
    y = MARGIN_PX + np.round((1 - share[:, 1]) * (height - 1)).astype(np.int64)
    shown = now.code < len(now.colours)
    if state.kept is not None:
        shown &= state.kept
    colours = [*now.colours, UNNAMED[state.theme]]
    palette = np.array([ImageColor.getrgb(colour)[:3] for colour in colours], dtype=np.uint8)
    picture = np.empty((MAP_PX[1], MAP_PX[0], 3), dtype=np.uint8)
    picture[:] = ImageColor.getrgb(THEMES[state.theme]["card"])[:3]
    rows = np.flatnonzero(shown)
    rows = rows[np.argsort(now.code[rows], kind="stable")]  # named ones lie on top
    steps = range(-2, 3) if len(rows) <= LARGE_DOTS else range(1)
    for down in steps:
        for right in steps:
            if down * down + right * right <= 5:
                picture[y[rows] + down, x[rows] + right] = palette[now.code[rows]]
    said = f"Map of {len(state.xy):,} windows, coloured by {state.colour_by}. {ALT}"
    return _image(picture, said)


def sounds_still(session: Session, rows: Rows) -> str:
    """The first few of some sounds."""
    facts, state = session.state.facts, session.state
    assert facts is not None
    cards = []
    for row in rows[:SOUNDS_SHOWN].tolist():
        where = facts.site_of(row) or facts.recordings[facts.recording[row]]
        when = facts.when(row)
        at = f"{when:%H:%M:%S}" if when else clock(float(facts.start_s[row]))
        said = html.escape(f"{where} {at}")
        try:
            made = session.pictures.picture(row, state.listening, state.theme)
            body = (
                f'<img width="200" height="130" alt="Spectrogram of {said}. {ALT}" '
                f'src="data:image/png;base64,{base64.b64encode(made.png).decode()}">'
            )
        except ExplorerError as error:
            body = f"<em>{html.escape(str(error))}</em>"
        caption = f"<figcaption>{said}</figcaption>"
        cards.append(f'<figure style="margin:0;max-width:200px">{body}{caption}</figure>')
    more = f"<p>The first {len(cards)} of {len(rows):,}.</p>" if len(rows) > len(cards) else ""
    if not cards:
        return ""
    return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(cards)}</div>{more}'


def when_still(session: Session) -> str:
    """Days and hours, darker where more is heard (or recorded, before anything is learnt)."""
    state = session.state
    learned = state.scores is not None
    table = state.collection.activity(
        ["day", "hour"],
        classifier=state.learned.classifier if learned else None,
        class_=state.active if learned else None,
        threshold=state.threshold if learned else None,
        run=state.run,
    )
    if table.empty or table["day"].isna().all():
        return ""
    value = "per_hour" if learned else "recorded_hours"
    grid = table.pivot_table(value, "hour", "day").reindex(range(24)).to_numpy()
    ramp = np.array([ImageColor.getrgb(c)[:3] for c in SCORE_RAMP[state.theme]], dtype=np.uint8)
    most = np.nanmax(grid, initial=0.0) or 1.0
    steps = np.clip(np.nan_to_num(grid) / most * len(ramp), 0, len(ramp) - 1).astype(np.int64)
    picture = ramp[steps]
    picture[np.isnan(grid)] = ImageColor.getrgb(THEMES[state.theme]["page"])[:3]
    wide = max(1, min(40, MAP_PX[0] // picture.shape[1]))
    picture = picture[::-1].repeat(HOUR_PX, axis=0).repeat(wide, axis=1)
    what = f"{state.active} per recorded hour" if learned else "Recorded time"
    days = sorted(table["day"].dropna())
    said = f"{what} by day (across, {days[0]} to {days[-1]}) and hour (up, 0 to 24)"
    return f"{_image(picture, f'{said}. {ALT}')}<p>{html.escape(said)}</p>"


def _image(picture: Any, said: str) -> str:
    held = io.BytesIO()
    Image.fromarray(picture).quantize(64).save(held, "png", optimize=True)
    data = base64.b64encode(held.getvalue()).decode()
    return (
        f'<img width="{picture.shape[1]}" height="{picture.shape[0]}" alt="{html.escape(said)}" '
        f'src="data:image/png;base64,{data}" style="max-width:100%;height:auto">'
    )
