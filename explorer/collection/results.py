"""Tables that know their sounds: search hits and detections.

Both are pandas DataFrames, so everything that works on a table works on them. In a notebook they
show spectrograms and play.
"""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from explorer.audio.decoding import to_wav_bytes
from explorer.audio.spectrogram import SpectrogramSettings, spectrogram, to_png
from explorer.collection.handover import Format, write
from explorer.errors import AudioError, ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

SHOWN = 6
"""Sounds that a table shows in a notebook; each carries its audio, some 0.3 MB."""

LOST = "this table has lost its collection; slice it, do not rebuild it"


class SoundTable(pd.DataFrame):
    """A table of time ranges (recording, start_s, end_s, …) that can show and play them."""

    _metadata = ("collection",)  # pandas hands these attributes on to slices
    collection: Collection | None = None

    @property
    def _constructor(self) -> type[SoundTable]:
        return type(self)

    @classmethod
    def of(cls, table: pd.DataFrame, collection: Collection) -> SoundTable:
        """Give a table its collection."""
        made = cls(table)
        made.collection = collection
        return made

    def listen(self, **options: Any) -> Any:
        """Look at them, play them and judge them in a notebook's cell; see `Collection.listen`.

        Examples
        --------
        >>> reef.search("grunt.wav").listen()                # doctest: +SKIP
        """
        if self.collection is None:
            raise ParameterError(LOST)
        return self.collection.listen(self, **options)

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self).to_html(max_rows=10, border=0)
        if self.collection is None or not {"recording", "start_s", "end_s"} <= set(self.columns):
            return table
        cards = "".join(
            _card(self.collection, row) for row in self.head(SHOWN).to_dict(orient="records")
        )
        more = len(self) - SHOWN
        note = f"<p>The first {SHOWN} of {len(self):,}.</p>" if more > 0 else ""
        return (
            f'<div style="display:flex;flex-wrap:wrap;gap:12px">{cards}</div>{note}'
            f"<details><summary>table of {len(self):,}</summary>{table}</details>"
        )


class SearchHits(SoundTable):
    """Windows that sound like the query, best first; the index holds window numbers.

    Columns: recording, start_s, end_s, started_at, site, score (cosine, dot product, or the
    Euclidean distance).
    """


class Detections(SoundTable):
    """Windows, or merged neighbouring windows, at or above a threshold.

    Columns: recording, start_s, end_s, class, score (the highest of its windows), probability
    (where the classifier is calibrated), windows, site, started_at (of the event, ISO 8601 with
    zone).

    Examples
    --------
    >>> found = reef.classifier({"grunt": hits.index[:4]}).detections(0.8)  # doctest: +SKIP
    >>> found.to_raven("out/")                                             # doctest: +SKIP
    """

    def to_raven(self, path: str | Path) -> list[Path]:
        """Write Raven selection tables: one per recording into a folder, or one ``.txt`` file."""
        return self._write(path, "raven")

    def to_audacity(self, path: str | Path) -> list[Path]:
        """Write an Audacity label track per recording into a folder."""
        return self._write(path, "audacity")

    def to_csv_file(self, path: str | Path) -> Path:
        """Write a CSV file that a spreadsheet opens safely (pandas' ``to_csv`` is there too)."""
        return self._write(path, "csv")[0]

    def to_parquet_file(self, path: str | Path) -> Path:
        """Write a Parquet file."""
        return self._write(path, "parquet")[0]

    def _write(self, path: str | Path, format: Format) -> list[Path]:
        if self.collection is None:
            raise ParameterError(LOST)
        return write(self, path, format, self.collection)


def _card(collection: Collection, row: dict[Any, Any]) -> str:
    """Spectrogram, audio and words for one time range; all names are hostile text."""
    where = f"{row['recording']} · {row['start_s']:.1f} s"
    said = f" · {row['score']:.2f}" if "score" in row else ""
    said = f" · {row['reason']}" if "reason" in row else said
    try:
        clip = collection.clip_of(row["recording"], row["start_s"], row["end_s"])
        picture = to_png(
            spectrogram(clip.samples, clip.rate, SpectrogramSettings(), width_px=240, height_px=120)
        )
        sound = to_wav_bytes(clip.samples, clip.rate)
        body = (
            f'<img width="240" height="120" alt="spectrogram of {html.escape(where)}" '
            f'src="data:image/png;base64,{base64.b64encode(picture).decode()}"><br>'
            f'<audio controls preload="none" style="width:240px;height:32px" '
            f'src="data:audio/wav;base64,{base64.b64encode(sound).decode()}"></audio>'
        )
    except AudioError as error:
        body = f"<em>{html.escape(str(error))}</em>"
    caption = f"<figcaption>{html.escape(where + said)}</figcaption>"
    return f'<figure style="margin:0;max-width:240px">{body}{caption}</figure>'
