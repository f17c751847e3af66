"""A curve in a notebook, to lay over another one."""

from __future__ import annotations

import holoviews as hv
from tone_recordings import make_tones, windows_of


def test_curves_of_two_classifiers_lie_over_each_other(tmp_path):
    tones = make_tones(tmp_path)
    low, high = windows_of(tones, "low"), windows_of(tones, "high")
    one = tones.classifier({"low": low[:4]}, negatives={"low": high[:4]}).curve("low")
    two = tones.classifier({"low": low}, negatives={"low": high}).curve("low")
    both = one.plot() * two.plot(1)
    lines = [element for element in both if type(element) is hv.Curve]  # an Area is a Curve
    assert [line.vdims[0].name for line in lines] == ["precision", "recall"] * 2
    known = two.table.dropna(subset=["precision"])
    assert lines[2].dimension_values("precision").tolist() == known["precision"].tolist()
    colours = {hv.Store.lookup_options("bokeh", line, "style").kwargs["color"] for line in lines}
    assert len(colours) == 2
    assert hv.render(both, backend="bokeh") is not None
