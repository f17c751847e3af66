"""Pictures and sounds are made once for everybody, by settings, and everybody gets a turn."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from explorer.audio.listening import Listening
from explorer.dashboard.frame.kept import Kept
from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.frame.turns import Turns


def test_the_same_window_is_read_once_and_drawn_once_for_each_setting(fake):
    collection = fake(recordings=2)
    read = Counter()
    clip = collection.clip

    def counted(row, **more):
        read[row] += 1
        return clip(row, **more)

    collection.clip = counted
    pictures = Pictures(collection, collection.run)
    wide, bird = Listening(), Listening.of("bird")
    assert pictures.picture(3, wide, "light") is pictures.picture(3, wide, "light")
    assert pictures.picture(3, bird, "light").png != pictures.picture(3, wide, "light").png
    assert pictures.picture(3, wide, "dark").png != pictures.picture(3, wide, "light").png
    louder = wide.with_(volume_db=12.0)
    assert pictures.picture(3, louder, "light") is pictures.picture(3, wide, "light")
    assert pictures.sound(3, louder).wav != pictures.sound(3, wide).wav
    brighter = wide.with_(gain_db=6.0)
    assert pictures.sound(3, brighter) is pictures.sound(3, wide)
    assert pictures.sound(3, wide.with_(speed=0.5)).speed == 0.5
    assert read == {3: 1}


def test_the_least_used_goes_when_there_is_no_room():
    kept: Kept[bytes] = Kept(30, len)
    made = Counter()

    def get(key):
        def make():
            made[key] += 1
            return bytes(10)

        return kept.get(key, make)

    for key in (1, 2, 3, 1, 4, 1, 2):
        get(key)
    assert made == {1: 1, 2: 2, 3: 1, 4: 1}
    assert kept.bytes == 30


def test_an_error_in_the_making_is_told_to_all_and_made_again():
    kept: Kept[int] = Kept(100, lambda made: 1)

    def fail():
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        kept.get("a", fail)
    assert kept.get("a", lambda: 5) == 5


def test_threads_that_want_the_same_wait_for_one_making():
    kept: Kept[int] = Kept(100, lambda made: 1)
    made, begun, go_on = Counter(), threading.Event(), threading.Event()

    def make():
        made["a"] += 1
        begun.set()
        go_on.wait(5)
        return 7

    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(kept.get("a", make))) for _ in "abc"]
    threads[0].start()
    assert begun.wait(5)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert results == [7, 7, 7]
    assert made["a"] == 1


def test_one_persons_sixty_pictures_do_not_keep_another_waiting():
    turns = Turns(workers=1)
    done: list[str] = []
    hold, finished = threading.Event(), threading.Event()
    turns.ask("ada", lambda: hold.wait(5))
    for i in range(60):
        turns.ask("ada", lambda i=i: done.append(f"ada {i}"))
    turns.ask("ben", lambda: done.append("ben"))
    turns.ask("cy", lambda: done.append("cy"))
    turns.forget("cy")
    turns.ask("dee", finished.set)
    hold.set()
    assert finished.wait(5)
    assert "ben" in done[:3]
    assert "cy" not in done
