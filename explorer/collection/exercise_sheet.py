"""What a class answered, on one page: counts, agreement, who was right, and the majority.

Arrays and names, no collection: the same page is filled from the catalogue by a notebook, and in
memory while a class answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify.agreement import Agreement, contested, fleiss_kappa, settled

NOT_ANSWERED = -1
FEWEST_FOR_MAJORITY = 2
"""One answer is an opinion, not a majority."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """Who answered what.

    Attributes
    ----------
    choices
        The possible answers.
    right
        The right answer of each clip, None where it is not known.
    people
        Everybody who takes part.
    given
        int8 ``[n_people, n_clips]``: which choice, `NOT_ANSWERED` where none yet.

    Examples
    --------
    >>> given = np.array([[0, 1], [0, 0], [0, -1]], dtype=np.int8)
    >>> sheet = Sheet(("yes", "no"), ("yes", "no"), ("ada", "ben", "cleo"), given)
    >>> sheet.majority
    ['yes', None]
    >>> sheet.scores()["right"].tolist()
    [2, 1, 1]
    """

    choices: tuple[str, ...]
    right: tuple[str | None, ...]
    people: tuple[str, ...]
    given: NDArray[np.int8]

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How many people gave each answer, ``[n_clips, n_choices]``."""
        if not len(self.people):
            return np.zeros((len(self.right), len(self.choices)), dtype=np.int64)
        return np.stack([(self.given == c).sum(axis=0) for c in range(len(self.choices))], axis=1)

    @cached_property
    def answered(self) -> NDArray[np.int64]:
        """How many clips each person has answered, ``[n_people]``."""
        return np.asarray((self.given != NOT_ANSWERED).sum(axis=1), dtype=np.int64)

    @cached_property
    def disagreement(self) -> NDArray[np.float64]:
        """Share of pairs of people who differ, for each clip ``[n_clips]``; 0 where all agree."""
        return contested(self.counts)

    @cached_property
    def majority(self) -> list[str | None]:
        """What more than half answered to each clip; None where no answer has so many."""
        enough = self.counts.sum(axis=1) >= FEWEST_FOR_MAJORITY
        clear = settled(self.counts) & enough
        best = self.counts.argmax(axis=1)
        return [self.choices[b] if c else None for b, c in zip(best, clear, strict=True)]

    def agreement(self, *, draws: int = 1000) -> Agreement:
        """How far all agree: Fleiss' kappa, and the share of pairs of answers that are the same."""
        return fleiss_kappa(self.counts, people=len(self.people), draws=draws)

    def scores(self) -> pd.DataFrame:
        """For each person: answered, right, of (answered clips whose right answer is known)."""
        known = np.array([r is not None for r in self.right], dtype=bool)
        codes = self._right_codes
        told = (self.given != NOT_ANSWERED) & known
        return pd.DataFrame(
            {
                "who": list(self.people),
                "answered": self.answered,
                "right": ((self.given == codes) & told).sum(axis=1),
                "of": told.sum(axis=1),
            }
        )

    def share_right(self) -> NDArray[np.float64]:
        """Share of right answers to each clip ``[n_clips]``; NaN where it cannot be told."""
        totals = self.counts.sum(axis=1)
        codes = self._right_codes
        right = self.counts[np.arange(len(codes)), np.maximum(codes, 0)].astype(np.float64)
        return np.divide(
            right, totals, out=np.full(len(codes), np.nan), where=(totals > 0) & (codes >= 0)
        )

    def confusion(self) -> pd.DataFrame:
        """How often what was right (rows) was answered how (columns), all people together."""
        rows = [c for c in self.choices if c in self.right]
        table = [self.counts[[r == row for r in self.right]].sum(axis=0) for row in rows]
        index = pd.Index(rows, name="right", dtype=object)
        columns = pd.Index(self.choices, name="answer", dtype=object)
        shape = np.array(table, dtype=np.int64).reshape(len(rows), len(self.choices))
        return pd.DataFrame(shape, index=index, columns=columns)

    @cached_property
    def _right_codes(self) -> NDArray[np.int64]:
        # -2 is nobody's answer, so that a clip without a right answer counts for nobody.
        known = {choice: code for code, choice in enumerate(self.choices)}
        return np.array([-2 if r is None else known[r] for r in self.right], dtype=np.int64)
