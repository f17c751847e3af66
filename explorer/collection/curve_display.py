"""A curve as a notebook shows it: two charts, a sentence on what they rest on, and a table.

The colours stand on white and on black, so that nothing need be known of the notebook's theme.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.collection.card_charts import curve_chart, roc_chart

if TYPE_CHECKING:
    from explorer.classify.density import Estimate
    from explorer.collection.curve import Curve

DRAWN, LISTED = 50, 10
"""Thresholds are drawn at every fiftieth and listed at every tenth."""

STYLE = """<style>
.explorer-curve { max-width: 760px; font-variant-numeric: tabular-nums; line-height: 1.45; }
.explorer-curve .charts { display: flex; flex-wrap: wrap; gap: 20px; margin: 8px 0; }
.explorer-curve figure { margin: 0; flex: 2 1 340px; max-width: 460px; }
.explorer-curve figure + figure { flex: 1 1 190px; max-width: 220px; }
.explorer-curve figcaption { font-size: 12px; text-align: center; white-space: pre; opacity: .8; }
.explorer-curve svg { width: 100%; display: block; }
.explorer-curve svg text { fill: currentColor; fill-opacity: .8; font-size: 11px; }
.explorer-curve .grid { stroke: currentColor; stroke-opacity: .18; }
.explorer-curve .chance { stroke: currentColor; stroke-opacity: .5; stroke-dasharray: 2 4; }
.explorer-curve .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.explorer-curve .line.precision { stroke: #1a8f8a; }
.explorer-curve .line.recall { stroke: #d0682e; stroke-dasharray: 6 4; }
.explorer-curve .band { opacity: .16; stroke: none; }
.explorer-curve .band.precision { fill: #1a8f8a; }
.explorer-curve .band.recall { fill: #d0682e; }
.explorer-curve p { margin: 4px 0; }
</style>"""


def as_html(curves: Mapping[str, Curve]) -> str:
    """The curves of some classes; all names are hostile text."""
    return f'{STYLE}<div class="explorer-curve">{"".join(map(_one, curves.values()))}</div>'


def _one(curve: Curve) -> str:
    name = html.escape(curve.class_)
    said = " ".join(filter(None, [curve.sentence, curve.message]))
    auc = "" if isnan(curve.auc.value) else f": AUC {_told(curve.auc)}"
    charts = curve_chart({"curve": _at_every(curve, DRAWN), "threshold": None}) + roc_chart(
        {
            "auc": None if isnan(curve.auc.value) else {"value": curve.auc.value},
            "roc": curve.roc.to_numpy().tolist(),
        }
    )
    cells = "".join(
        f"<tr><td>{row['threshold']:.2f}</td><td>{_share(row, 'precision')}</td>"
        f"<td>{_share(row, 'recall')}</td><td>{row['detections']}</td></tr>"
        for row in _at_every(curve, LISTED)
    )
    table = (
        "<details><summary>as a table</summary><table><thead><tr><th>threshold</th>"
        "<th>precision</th><th>recall</th><th>labelled windows above</th></tr></thead>"
        f"<tbody>{cells}</tbody></table></details>"
    )
    drawn = f'<div class="charts">{charts}</div>{table}' if charts else ""
    return f"<p><b>{name}</b>{auc}</p>{drawn}<p>{html.escape(said)}</p>"


def _at_every(curve: Curve, part: int) -> list[dict[Any, Any]]:
    """Rows of the table at round thresholds; what is not known is None."""
    parts = curve.table["threshold"] * part
    table = curve.table[np.isclose(parts, parts.round())]
    # Scores may lie so near to a round threshold that they pass for it.
    table = table[~parts[table.index].round().duplicated()]
    return table.astype(object).where(table.notna(), None).to_dict(orient="records")


def _told(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def _share(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return "not known"
    return f"{row[name]:.0%} ({row[f'{name}_low']:.0%} to {row[f'{name}_high']:.0%})"
