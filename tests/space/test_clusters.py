"""Clusters of a map: what lies together, at any size, every time the same."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from explorer.errors import ParameterError
from explorer.space.clusters import MOST_CLUSTERS, find_clusters

Places = NDArray[np.float64]


def islands(n: int, count: int, *, seed: int = 0, even: bool = False) -> tuple[Places, NDArray]:
    """Islands of different size and shape on a wide sea, as UMAP draws them."""
    rng = np.random.default_rng(seed)
    middles = np.stack(np.meshgrid(np.arange(8), np.arange(8)), axis=-1).reshape(-1, 2)[:count] * 6
    share = np.ones(count) if even else 0.8 ** np.arange(count)
    kind = np.sort(rng.choice(count, n, p=share / share.sum()))
    stretch = rng.uniform(0.2, 1.0, (count, 2))
    return middles[kind] + rng.normal(0, 1, (n, 2)) * stretch[kind], kind


@pytest.mark.parametrize("n, count", [(180, 5), (20_000, 12)])
def test_islands_are_found_at_any_number_of_windows(n: int, count: int) -> None:
    places, kind = islands(n, count)
    found = find_clusters(places)
    inside = found.codes >= 0
    assert inside.mean() > 0.9
    assert adjusted_rand_score(kind[inside], found.codes[inside]) > 0.95


def test_the_largest_comes_first_and_all_are_counted() -> None:
    found = find_clusters(islands(5000, 9)[0])
    assert (np.diff(found.sizes) <= 0).all()
    assert found.codes.dtype == np.int32
    assert found.sizes.sum() == (found.codes >= 0).sum()
    assert set(np.unique(found.codes)) <= set(range(-1, len(found)))


def test_a_centre_is_the_place_of_one_of_its_windows() -> None:
    places = islands(3000, 6)[0].astype(np.float32)
    found = find_clusters(places)
    for code, centre in enumerate(found.centres):
        assert (places[found.codes == code] == centre).all(axis=1).any()


def test_a_crescent_is_one_cluster_and_what_it_holds_another() -> None:
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, np.pi, 4000)
    crescent = np.c_[np.cos(angle), np.sin(angle)] * 5 + rng.normal(0, 0.3, (4000, 2))
    ball = rng.normal(0, 0.4, (2000, 2))
    found = find_clusters(np.concatenate([crescent, ball]))
    assert len(found) == 2
    assert (found.codes[:4000] == 0).mean() > 0.95
    assert (found.codes[4000:] == 1).mean() > 0.95


def test_the_same_map_gives_the_same_clusters_and_half_of_it_nearly_the_same() -> None:
    places, _ = islands(10_000, 14)
    found = find_clusters(places)
    np.testing.assert_array_equal(found.codes, find_clusters(places).codes)
    half = find_clusters(places[::2])
    assert adjusted_rand_score(found.codes[::2], half.codes) > 0.95


def test_no_more_than_can_be_read_and_small_islands_far_off_belong_to_none() -> None:
    places, kind = islands(40_000, 60)
    found = find_clusters(places)
    assert 20 <= len(found) <= MOST_CLUSTERS
    assert (found.codes[kind == 0] >= 0).mean() > 0.95
    assert len(find_clusters(places, most=5)) <= 5


def test_islands_of_one_size_are_not_given_up_together() -> None:
    assert len(find_clusters(islands(20_000, 50, even=True)[0])) == MOST_CLUSTERS


def test_a_few_windows_far_out_do_not_blur_the_rest() -> None:
    places, kind = islands(6000, 8)
    places[:2] = [1e5, -1e5]
    found = find_clusters(places)
    inside = found.codes >= 0
    assert adjusted_rand_score(kind[inside], found.codes[inside]) > 0.95


@pytest.mark.parametrize("n", [0, 1, 4])
def test_fewer_windows_than_a_cluster_give_none(n: int) -> None:
    found = find_clusters(np.zeros((n, 2)))
    assert len(found) == 0
    assert (found.codes == -1).all()


def test_windows_on_one_spot_are_a_cluster() -> None:
    assert find_clusters(np.ones((50, 2))).sizes.tolist() == [50]


def test_a_window_without_a_place_is_in_none() -> None:
    places, _ = islands(500, 3)
    places[7] = np.nan
    found = find_clusters(places)
    assert found.codes[7] == -1
    assert (found.codes >= 0).mean() > 0.9


def test_what_is_no_map_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"\[n, 2\]"):
        find_clusters(np.zeros((5, 3)))
    with pytest.raises(ParameterError, match="most"):
        find_clusters(np.zeros((5, 2)), most=0)
