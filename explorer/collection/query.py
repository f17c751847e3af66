"""What a search may ask with: an audio file, a moment of a recording, windows, a vector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.audio.decoding import stream_windows
from explorer.audio.recordings import describe
from explorer.audio.windows import WindowGrid
from explorer.collection.catalogue import Run
from explorer.encoders.base import Encoder
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

Query = str | Path | tuple[str, float] | int | Sequence[int] | NDArray[Any]


def query_vector(
    collection: Collection, query: Query, *, start_s: float | None, run: str
) -> NDArray[np.float32]:
    """Embedding of a query, float32 [dimension]; several windows give their mean (BIRB 1.3).

    Raises
    ------
    ParameterError
        If the query names nothing that is there, or a vector has another length.
    AudioError
        If an audio file cannot be read.
    """
    if isinstance(query, str | Path):
        return embed_file(
            Path(query), collection.catalogue.runs()[run], collection.encoder(run), start_s=start_s
        )
    vectors = collection.embeddings(run)
    if isinstance(query, tuple) and len(query) == 2 and isinstance(query[0], str):
        return vectors.take([row_at(collection, query[0], float(query[1]), run=run)])[0]
    values = np.asarray(query)
    if np.issubdtype(values.dtype, np.floating):
        if values.shape != (vectors.dimension,):
            raise ParameterError(
                f"a query vector has shape ({vectors.dimension},), not {values.shape}"
            )
        return values.astype(np.float32)
    if values.size == 0:
        raise ParameterError("the query holds no window")
    if values.min() < 0 or values.max() >= len(vectors):
        raise ParameterError(f"run {run} has windows 0 to {len(vectors) - 1}, not {values.max()}")
    return vectors.take(values.ravel()).mean(axis=0)


def row_at(collection: Collection, recording: str, second: float, *, run: str) -> int:
    """The window of a recording whose middle is nearest to a second."""
    known = collection.recordings
    found = known.index[known["recording"] == recording]
    index = collection.index(run)
    rows = index.rows_of(int(found[0])) if len(found) else np.empty(0, dtype=np.int64)
    if not rows.size:
        raise ParameterError(f"{recording!r} is not an embedded recording of {collection.name}")
    duration_s = float(known.loc[found[0], "duration_s"])
    if not 0 <= second <= duration_s:
        raise ParameterError(
            f"{recording} lasts {duration_s:.1f} s, so it has no second {second:g}"
        )
    middle = (index.start_s[rows] + index.end_s[rows]) / 2
    return int(rows[np.abs(middle - second).argmin()])


def embed_file(
    path: Path, run: Run, encoder: Encoder, *, start_s: float | None = None
) -> NDArray[np.float32]:
    """Mean embedding of a file's windows, or of the one that starts at ``start_s``.

    The windows are cut as the run cuts them, so that a file of the collection finds itself.
    """
    import torch  # noqa: PLC0415

    duration_s = describe(path).duration_s
    first, count, hop_s = 0, WindowGrid(run.window_s, run.hop_s).count(duration_s), run.hop_s
    if start_s is not None:
        if not 0 <= start_s < duration_s:
            raise ParameterError(
                f"{path} lasts {duration_s:.1f} s, so no window starts at {start_s:g} s"
            )
        # A grid whose second window starts where the question does.
        first, count, hop_s = (1, 1, start_s) if start_s > 0 else (0, 1, run.hop_s)
    total, seen = np.zeros(encoder.dimension), 0
    for block in stream_windows(
        path,
        WindowGrid(run.window_s, hop_s),
        sample_rate=run.sample_rate,
        duration_s=duration_s,
        channel=run.channel if run.channel == "mix" else int(run.channel),  # type: ignore[arg-type]
        speed=run.speed,
        band=run.band,
        first_window=first,
        block_windows=min(count, 32),
    ):
        samples = block.samples[: count - seen]
        total += encoder.encode(torch.from_numpy(samples)).cpu().numpy().sum(axis=0)
        seen += len(samples)
        if seen >= count:
            break
    return (total / seen).astype(np.float32)
