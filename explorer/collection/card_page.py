"""A classifier's card as one HTML page that needs nothing else: no network, no script that runs.

Names of classes, files, sites and people are hostile text: everything goes through ``_text``.
"""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.audio.spectrogram import PRESETS, SpectrogramSettings, spectrogram, to_png
from explorer.collection.card_charts import curve_chart, roc_chart
from explorer.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.collection.archive import Clip
    from explorer.collection.collection import Collection

Facts = Mapping[str, Any]

WIDTH_PX, HEIGHT_PX = 280, 150
BAT_RATE_HZ = 128_000
"""Recorders set this high listen to bats."""
HIGHEST_RATE_HZ = 48_000
"""Faster recordings are played slower: browsers and ears end there."""


def page(facts: Facts, collection: Collection | None = None) -> str:
    """The page of a card; with a collection at hand, its examples play."""
    about = facts["classifier"]
    title = about["name"] or " and ".join(about["classes"])
    body = [
        _head(facts, title),
        '<main><section class="two">',
        _list("What it is for", facts["uses"]),
        _list("What it is not for, and what is not known", facts["limits"]),
        "</section>",
        *(_class(each, facts, collection) for each in facts["classes"]),
        _made_of(facts),
        "</main>",
    ]
    style = (files("explorer.collection") / "card.css").read_text(encoding="utf-8")
    # "<" would end the element early; JSON has another way to write it.
    data = json.dumps(facts, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; media-src data:; style-src 'unsafe-inline'\">"
        f"<title>{_text(title)}: classifier card</title><style>{style}</style></head>"
        f"<body>{''.join(body)}"
        f'<script type="application/json" id="card">{data}</script></body></html>\n'
    )


def _head(facts: Facts, title: str) -> str:
    about, encoder = facts["classifier"], facts["encoder"]
    line = (
        f"A {about['kind']} on {encoder['name']} {encoder['version']}, made in {about['made_in']}"
    )
    names = "".join(f"<li>{_text(name)}</li>" for name in about["classes"])
    why = f"<p>{_text(about['why'])}</p>" if about["why"] else ""
    adapted = ""
    if facts["adaptation"]:
        adapted = f'<p class="note">{_text(facts["adaptation"]["sentence"])}</p>'
    return (
        f"<header><p>Classifier card · {_text(facts['made_at'][:10])}</p><h1>{_text(title)}</h1>"
        f'<p class="line">{_text(line)}</p><ul class="names" aria-label="Classes">{names}</ul>'
        f"{why}{adapted}</header>"
    )


def _class(each: Facts, facts: Facts, collection: Collection | None) -> str:
    counts = each["labels"]
    level = 100 * each["level"]
    at = f"at {_score(each['threshold'])}"
    figures = [
        ("AUC", _parts(each["auc"], _score), "in recordings left out"),
        ("Precision", _parts(each["precision"], _percent), f"of detections {at} are right"),
        ("Recall", _parts(each["recall"], _percent), f"of calls are found {at}"),
        ("Detections", (f"{each['detections']:,}", ""), f"windows here {at}"),
    ]
    if each["density"]:
        figures.append(
            ("How much", _parts(_whole(each["density"]), _percent), "of windows, by a study")
        )
    told = "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}<small>{_text(between)} {_text(note)}"
        "</small></dd></div>"
        for name, (value, between), note in figures
    )
    rests = (
        f"{each['sentence']} {each['message']} Brackets hold {level:.0f} % intervals, which allow "
        "for labels of one recording being alike."
    )
    return (
        f'<section class="class"><h2>{_text(each["name"])}</h2><dl class="figures">{told}</dl>'
        f'<p class="note">{_text(rests)}</p>'
        f'<div class="charts">{curve_chart(each)}{roc_chart(each)}</div>'
        f"{_sounds(each, facts, collection)}"
        f'<div class="two">{_mixed_up(each)}{_people(each, counts)}</div>'
        f"{_study(each)}{_curve_table(each)}</section>"
    )


def _sounds(each: Facts, facts: Facts, collection: Collection | None) -> str:
    examples = each["examples"]
    if not examples:
        made_in = facts["classifier"]["made_in"]
        return f'<p class="note">Its examples are recordings of {_text(made_in)}.</p>'
    cards = "".join(_sound(example, facts, collection) for example in examples)
    where = counted(each["made_of"]["examples"], "example")
    return (
        f'<h3>What it sounds like</h3><div class="sounds">{cards}</div>'
        f'<p class="note">{len(examples)} of {where}, of {each["example_recordings"]} '
        "recordings.</p>"
    )


def _sound(example: Facts, facts: Facts, collection: Collection | None) -> str:
    where = f"{example['recording']} at {example['start_s']:g} s"
    words = " · ".join(filter(None, [example["site"], (example["started_at"] or "")[:19]]))
    inside = ""
    if collection is not None:
        try:
            clip = collection.clip_of(example["recording"], example["start_s"], example["end_s"])
            inside = _picture(clip, where) + _player(clip, where, float(facts["run"]["speed"]))
        except (ExplorerError, OSError) as error:
            inside = f'<p class="note">{_text(error)}</p>'
    caption = f"<figcaption>{_text(where)}<small>{_text(words)}</small></figcaption>"
    return f"<figure>{inside}{caption}</figure>"


def _picture(clip: Clip, where: str) -> str:
    name = "bat" if clip.rate >= BAT_RATE_HZ else "wide"
    settings = PRESETS.get(name, SpectrogramSettings())
    made = spectrogram(clip.samples, clip.rate, settings, width_px=WIDTH_PX, height_px=HEIGHT_PX)
    light, dark = (
        base64.b64encode(to_png(made, theme=theme)).decode() for theme in ("light", "dark")
    )
    return (
        '<picture><source media="(prefers-color-scheme: dark)" '
        f'srcset="data:image/png;base64,{dark}"><img width="{WIDTH_PX}" height="{HEIGHT_PX}" '
        f'alt="Spectrogram of {_text(where)}" src="data:image/png;base64,{light}"></picture>'
    )


def _player(clip: Clip, where: str, speed: float) -> str:
    """The sound as the encoder heard it, or slower still where it is beyond what can be heard."""
    import soundfile  # noqa: PLC0415

    slower = min(1.0, speed, HIGHEST_RATE_HZ / clip.rate) if clip.rate else 1.0
    factor = speed if speed > 1 else slower
    out = io.BytesIO()
    peak = max(1.0, float(np.abs(clip.samples).max(initial=0)))
    rate = max(1, round(clip.rate * factor))
    soundfile.write(out, clip.samples / peak, rate, format="FLAC", subtype="PCM_16")
    sound = base64.b64encode(out.getvalue()).decode()
    note = "" if factor == 1 else f"<small>played at {factor:g} × speed</small>"
    return (
        f'<audio controls preload="none" aria-label="{_text(where)}" '
        f'src="data:audio/flac;base64,{sound}"></audio>{note}'
    )


def _mixed_up(each: Facts) -> str:
    n = each["found"] + sum(part["windows"] for part in each["missed"])
    if not n:
        return ""
    at = _score(each["threshold"])
    lines = [f"{each['found']} of {n} examples are found at {at} when they are left out."]
    for part in each["missed"]:
        lines.append(
            f"{part['windows']} missed, "
            + (f"taken for {part['class']} instead" if part["class"] else "taken for nothing else")
        )
    for part in each["mistaken"]:
        windows = counted(part["windows"], "window")
        lines.append(
            f"{windows} of {part['class']} taken for it"
            if part["class"]
            else f"{windows} taken for it that somebody refused"
        )
    return _list("What it confuses", lines, tag="h3")


def _people(each: Facts, counts: Facts) -> str:
    rows = "".join(
        f"<tr><th scope=row>{_text(who)}</th><td>{n['positive']}</td><td>{n['negative']}</td>"
        f"<td>{n['unsure']}</td></tr>"
        for who, n in each["by_person"].items()
    )
    if not rows:
        return ""
    total = (
        f"<tr><th scope=row>all</th><td>{counts['positive']}</td><td>{counts['negative']}</td>"
        f"<td>{counts['unsure']}</td></tr>"
    )
    return (
        "<div><h3>Who labelled</h3><table><thead><tr><td></td><th scope=col>yes</th>"
        f"<th scope=col>no</th><th scope=col>unsure</th></tr></thead><tbody>{rows}"
        f"{total if len(each['by_person']) > 1 else ''}</tbody></table></div>"
    )


def _study(each: Facts) -> str:
    density = each["density"]
    if not density:
        return ""
    rows = "".join(
        f"<tr><th scope=row>{_text(row['site'] or 'no site')}</th><td>{row['windows']:,}</td>"
        f"<td>{_text(_share(_whole(row), _percent))}</td></tr>"
        for row in density["sites"]
    )
    table = (
        "<table><thead><tr><th scope=col>site</th><th scope=col>windows</th>"
        f"<th scope=col>share with it</th></tr></thead><tbody>{rows}</tbody></table>"
    )
    return (
        f"<h3>How much of it there is</h3><p>{_text(density['sentence'])}</p>"
        f"{table if rows else ''}"
    )


def _curve_table(each: Facts) -> str:
    rows = "".join(
        f"<tr><th scope=row>{_score(row['threshold'])}</th><td>{_range(row, 'precision')}</td>"
        f"<td>{_range(row, 'recall')}</td><td>{row['detections']}</td></tr>"
        for row in each["curve"][::5]
    )
    return (
        "<details><summary>The curve as a table</summary><table><thead><tr>"
        "<th scope=col>threshold</th><th scope=col>precision</th><th scope=col>recall</th>"
        f"<th scope=col>labelled windows</th></tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _made_of(facts: Facts) -> str:
    about, encoder, run = facts["classifier"], facts["encoder"], facts["run"]
    recordings, labels, program = facts["recordings"], facts["labels"], facts["program"]
    band = [run["low_hz"], run["high_hz"]]
    heard = "all" if band == [None, None] else f"{band[0] or 0:g} to {band[1] or 'the top'} Hz"
    weights = ", ".join(f"{name} sha256 {digest}" for name, digest in encoder["weights"].items())
    versions = ", ".join(
        f"{name} {program[name]}" for name in ("python", "torch", "numpy") if name in program
    )
    rows = [
        ("File", about["file"] or "not saved yet"),
        ("SHA-256 of the file", about["sha256"] or "not saved yet"),
        ("Thresholds", ", ".join(f"{n} {_score(t)}" for n, t in about["thresholds"].items())),
        ("Encoder", f"{encoder['name']} {encoder['version']}. {encoder['reference']}"),
        ("Licence of its weights", encoder["licence"] or "unknown"),
        ("Weights", weights or encoder["note"]),
        ("Windows", f"{run['window_s']:g} s every {run['hop_s']:g} s, {run['dimension']} numbers"),
        ("Speed", f"{run['speed']:g} ×"),
        ("Frequencies", f"{heard}, at {run['sample_rate']:,} samples a second"),
        ("Channel", run["channel"]),
        ("Run", run["name"]),
        (
            "Collection",
            f"{recordings['collection']}: {counted(recordings['recordings'], 'recording')}, "
            f"{recordings['hours']:g} h, {counted(recordings['windows'], 'window')}",
        ),
        ("Sites", ", ".join(recordings["sites"]) or "unknown"),
        ("Days", _days(recordings)),
        ("Recorders", ", ".join(recordings["devices"]) or "unknown"),
        (
            "Labels",
            f"{counted(labels['windows'], 'window')} by {', '.join(labels['people']) or 'nobody'}"
            + (f", {labels['without_label']} given by hand" if labels["without_label"] else ""),
        ),
        ("SHA-256 of the labels", labels["sha256"] or "none"),
        ("Label events", _ranges(labels["events"]) or "none"),
        ("Made with", f"{program['name']} {program['version']} ({versions})"),
        ("Card made at", facts["made_at"]),
    ]
    told = "".join(
        f"<tr><th scope=row>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in rows
    )
    return f'<section><h2>What it is made of</h2><table class="facts">{told}</table></section>'


def _list(title: str, lines: Sequence[str], *, tag: str = "h2") -> str:
    items = "".join(f"<li>{_text(line)}</li>" for line in lines)
    return f"<div><{tag}>{_text(title)}</{tag}><ul>{items}</ul></div>"


def _days(recordings: Facts) -> str:
    first, last = recordings["first_day"], recordings["last_day"]
    return "unknown" if not first else first if first == last else f"{first} to {last}"


def _ranges(numbers: Sequence[int]) -> str:
    """Whole numbers, neighbours joined: 1–4, 7."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in parts)


def _whole(row: Facts) -> Facts:
    row = row.get("whole", row)
    return {"value": row["density"], "low": row["low"], "high": row["high"]}


def _parts(found: Facts | None, figure: Callable[[float], str]) -> tuple[str, str]:
    """A number and its interval."""
    if found is None or found["value"] is None:
        return "not known", ""
    return figure(found["value"]), f"({figure(found['low'])} to {figure(found['high'])})"


def _share(found: Facts | None, figure: Callable[[float], str]) -> str:
    return " ".join(_parts(found, figure)).strip()


def _range(row: Facts, name: str) -> str:
    values = {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}
    return _text(_share(values, _percent))


def _score(value: float) -> str:
    """The way papers print scores: .74."""
    return "1.0" if value >= 0.995 else f"{value:.2f}".removeprefix("0")


def _percent(value: float) -> str:
    share = 100 * value
    return f"{share:.0f} %" if share >= 10 or share == 0 else f"{share:.1f} %"


def counted(number: int, one: str) -> str:
    """A number and what is counted, in words."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def _text(value: object) -> str:
    return html.escape(str(value))
