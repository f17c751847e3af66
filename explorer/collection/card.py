"""The card of a classifier: what it is, what it was made of, how good it is, what it is not for.

A classifier that goes into a paper or to another lab needs a page that travels with it. `Card`
holds the facts as plain values: `to_json` writes them (with a version, and `from_json` reads them
again), `to_html` writes one page that needs nothing else, with spectrograms and sounds of examples.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.classify.weights import check_version
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier
    from explorer.collection.collection import Collection

FORMAT = "explorer classifier card"
FORMAT_VERSION = 1

EXAMPLES = 4
"""Of each class; each carries its sound, some 0.3 MB."""


@dataclass(frozen=True, eq=False)
class Card:
    """The card of a classifier; `Classifier.card` makes it.

    Attributes
    ----------
    facts
        Everything, as JSON values: format, version, made_at, program, classifier, encoder, run,
        recordings, labels, classes, adaptation, uses, limits.
    collection
        Where the examples' sounds are; None for a card that was read from a file.

    Examples
    --------
    >>> grunts.card().to_html("grunts.html")              # doctest: +SKIP
    """

    facts: Mapping[str, Any]
    collection: Collection | None = None

    def __repr__(self) -> str:
        about = self.facts["classifier"]
        return f"<Card of {about['name'] or 'a classifier'}: {', '.join(about['classes'])}>"

    def to_json(self, path: str | Path | None = None) -> str:
        """The facts as JSON; also written to a file, if one is named."""
        text = json.dumps(self.facts, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
        return _written(text, path)

    def to_html(self, path: str | Path | None = None) -> str:
        """One page that needs no network; also written to a file, if one is named.

        It follows the reader's light or dark, and prints.
        """
        from explorer.collection.card_page import page  # noqa: PLC0415

        return _written(page(self.facts, self.collection), path)

    @classmethod
    def from_json(cls, text: str | Path) -> Card:
        """The card that `to_json` wrote, from its text or its file.

        Raises
        ------
        FormatVersionError
            If a newer program wrote it.
        ParameterError
            If it is no card.
        """
        what = "this text"
        if isinstance(text, Path) or not text.lstrip().startswith("{"):
            what = str(text)
            try:
                text = Path(text).read_text(encoding="utf-8")
            except OSError as error:
                raise ParameterError(f"{what}: the card cannot be read ({error})") from error
        try:
            facts = json.loads(text)
        except json.JSONDecodeError as error:
            raise ParameterError(f"{what}: this is no card ({error})") from error
        check_version(what, facts, FORMAT, FORMAT_VERSION)
        return cls(facts)


def card(
    classifier: Classifier,
    *,
    cuts: Mapping[str, float],
    examples: int = EXAMPLES,
) -> Card:
    """Gather what there is to say about a classifier; see `Classifier.card`."""
    from explorer.collection import card_facts  # noqa: PLC0415

    collection = classifier.collection
    classes = card_facts.classes(classifier, cuts, examples)
    encoder, run = card_facts.encoder(classifier), card_facts.run(classifier)
    recordings = card_facts.recordings(classifier)
    facts = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "program": program(),
        "classifier": card_facts.classifier(classifier, cuts),
        "encoder": encoder,
        "run": run,
        "recordings": recordings,
        "labels": card_facts.labels(classifier),
        "classes": classes,
        "adaptation": card_facts.adaptation(classifier),
        "uses": card_facts.uses(classes, encoder, run, recordings),
        "limits": card_facts.limits(classes, encoder, recordings),
    }
    return Card(facts, collection)


def program() -> dict[str, str]:
    """What made the card, with versions."""
    from importlib.metadata import version  # noqa: PLC0415

    from explorer import __version__  # noqa: PLC0415

    return {
        "name": "Soundscape Explorer",
        "version": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy")},
    }


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        place = Path(path)
        temporary = place.with_name(place.name + ".writing")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(place)
    return text
