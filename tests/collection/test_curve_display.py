"""A curve shows itself in a notebook: charts, what they rest on, and the same as a table."""

from __future__ import annotations

import re

import pytest
from tone_recordings import PITCHES, windows_of

from explorer.collection.collection import Collection


@pytest.fixture(scope="module")
def classifier(tones: Collection):
    hostile = "<script>alert(1)</script>"
    examples = {name: windows_of(tones, name, 3) for name in PITCHES[:2]}
    return tones.classifier({**examples, hostile: windows_of(tones, PITCHES[2], 3)})


def test_a_curve_is_two_charts_a_sentence_and_a_table(classifier):
    curve = classifier.curve(PITCHES[0])
    page = curve._repr_html_()
    assert page.count("<svg") == 2
    assert curve.sentence in page
    assert page.count("<tr>") == 12  # a heading, and every tenth from 0 to 1
    assert re.search(r"<td>0\.50</td><td>\d+% \(\d+% to \d+%\)</td>", page)
    assert "http" not in page.replace("http://www.w3.org", "")
    assert len(repr(curve)) < 300


def test_names_of_classes_are_text(classifier):
    page = classifier.curves()._repr_html_()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count('class="chart"') == 6
