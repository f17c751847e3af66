"""Soundscape Explorer: see, hear, search, label and count the sounds in your recordings.

>>> import explorer as ex
>>> reef = ex.open("reef.collection", audio="recordings/")   # doctest: +SKIP
>>> reef.embed(encoder="birdnet")                            # doctest: +SKIP
>>> reef.explore()                                           # doctest: +SKIP

Names are handed on lazily, so that ``import explorer`` costs almost nothing.
"""

from typing import TYPE_CHECKING

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["audio", "classify", "collection", "encoders", "errors", "exchange", "space"],
    submod_attrs={
        "classify.centroid": ["NearestCentroid"],
        "collection.collection": ["Collection", "open"],
        "errors": ["ExplorerError"],
    },
)

if TYPE_CHECKING:
    from .classify.centroid import NearestCentroid as NearestCentroid
    from .collection.collection import Collection as Collection
    from .collection.collection import open as open
    from .errors import ExplorerError as ExplorerError
