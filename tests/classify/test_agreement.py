"""Agreement beyond chance, against worked examples from print, and where little is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta
from sklearn.metrics import cohen_kappa_score

from explorer.classify.agreement import (
    NOT_JUDGED,
    agreement,
    cohen_kappa,
    contested,
    counts_of,
    fleiss_kappa,
    settled,
)
from explorer.errors import ParameterError

PATIENTS = (
    "00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031 "
    "00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006"
)
FLEISS_1971 = [[int(people) for people in patient] for patient in PATIENTS.split()]
"""Fleiss (1971), table 1: 30 patients, five diagnoses, six psychiatrists; kappa .430."""

FOURTEEN_PEOPLE = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip
"""The worked example of Wikipedia's article on Fleiss' kappa: .210."""


def people(table):
    """Judgements of two people from how often one said this and the other that."""
    cells = [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    first, second = zip(*cells, strict=True)
    return list(first), list(second)


@pytest.mark.parametrize(
    ("table", "kappa", "error"),
    [
        ([[20, 5], [10, 15]], 0.400, None),  # Wikipedia's grant proposals
        ([[88, 14, 18], [10, 40, 10], [2, 6, 12]], 0.492, None),  # Cohen (1960)
        ([[106, 10, 4], [22, 28, 10], [2, 12, 6]], 0.429, 0.0537),  # Fleiss, Cohen & Everitt (1969)
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.676, 0.088),  # Fleiss, Levin & Paik (2003), ch. 18
    ],
)
def test_cohens_kappa_and_its_error_are_those_in_print(table, kappa, error):
    found = cohen_kappa(*people(table))
    assert found.kappa == pytest.approx(kappa, abs=5e-4)
    assert found.kappa == pytest.approx(cohen_kappa_score(*people(table)))
    assert found.windows == np.sum(table)
    if error is not None:
        assert found.standard_error == pytest.approx(error, abs=5e-4)
        # The interval of 90 % is about as wide as that error says.
        assert (found.high - found.low) / (2 * 1.645) == pytest.approx(error, rel=0.12)


@pytest.mark.parametrize(
    ("counts", "kappa", "n_people"), [(FLEISS_1971, 0.430, 6), (FOURTEEN_PEOPLE, 0.210, 14)]
)
def test_fleiss_kappa_is_that_in_print(counts, kappa, n_people):
    found = fleiss_kappa(counts)
    assert found.kappa == pytest.approx(kappa, abs=5e-4)
    assert (found.windows, found.people) == (len(counts), n_people)
    assert found.low < found.kappa < found.high


def test_what_only_one_of_them_judged_is_left_out():
    ada = [1, 0, 1, 0, NOT_JUDGED, 1]
    ben = [1, 0, 0, 0, 1, NOT_JUDGED]
    assert cohen_kappa(ada, ben) == cohen_kappa(ada[:4], ben[:4])
    carl = [NOT_JUDGED] * 4 + [1, 1]
    table = np.array([ada, ben, carl]).T
    three = agreement(table)
    assert (three.windows, three.people) == (6, 3)
    assert three.observed == pytest.approx(5 / 6)


def test_unsure_is_an_answer_of_its_own():
    yes_no = cohen_kappa([1, 1, 0, 0], [1, 1, 0, 0])
    one_unsure = cohen_kappa([1, 1, 0, 0], [1, 2, 0, 0])
    assert one_unsure.kappa < yes_no.kappa == 1


def test_few_windows_are_no_certainty_even_where_all_agree():
    few, many = (cohen_kappa(*people([[n, 0], [0, n]])) for n in (3, 100))
    assert few.kappa == few.high == many.kappa == 1
    assert few.low < 0.4 < 0.9 < many.low
    # Of raw agreement it is Clopper and Pearson's interval.
    assert few.observed_low == pytest.approx(beta.ppf(0.05, 6, 1), abs=0.02)


def test_intervals_hold_what_they_promise():
    rng = np.random.default_rng(4)
    right = 0.9
    both = right**2 + (1 - right) ** 2
    truth = (both - 0.5) / 0.5
    holds = []
    for _ in range(200):
        calls = rng.random((30, 1)) < 0.5
        judged = np.where(rng.random((30, 3)) < right, calls, ~calls).astype(int)
        for found in (agreement(judged[:, :2]), agreement(judged)):
            holds.append(found.low <= truth <= found.high)
    assert 0.88 < np.mean(holds) < 0.98


def test_where_everybody_always_says_the_same_kappa_is_not_known():
    found = cohen_kappa([1, 1, 1], [1, 1, 1])
    assert np.isnan(found.kappa) and np.isnan(found.low) and found.in_a_word == ""
    assert found.observed == 1
    assert np.isnan(fleiss_kappa([[3, 0], [3, 0]]).kappa)


def test_nothing_judged_in_common_is_said_and_no_error():
    assert cohen_kappa([1, -1], [-1, 1]).windows == 0
    assert agreement(np.full((4, 3), NOT_JUDGED)).windows == 0


def test_the_usual_words():
    assert [cohen_kappa(*people(t)).in_a_word for t in ([[20, 5], [10, 15]], [[9, 0], [0, 9]])] == [
        "fair",
        "almost perfect",
    ]


def test_a_window_is_open_until_more_than_half_say_the_same():
    counts = counts_of([[1, 0, -1], [1, 0, 1], [1, 2, -1], [1, -1, -1], [0, 1, 2]])
    assert settled(counts).tolist() == [False, True, False, True, False]
    assert contested(counts) == pytest.approx([1, 2 / 3, 1, 0, 1])


def test_what_is_no_judgement_is_refused():
    with pytest.raises(ParameterError, match="whole numbers"):
        cohen_kappa([0.5, 1.0], [1, 1])
    with pytest.raises(ParameterError, match="one length"):
        cohen_kappa([0, 1], [1])
    with pytest.raises(ParameterError, match="below 0"):
        fleiss_kappa([[-1, 3]])
