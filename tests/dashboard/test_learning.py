"""What the labels of several people teach."""

from __future__ import annotations

from small_recordings import Listener, write_recordings

import explorer
from explorer.dashboard.state.learning import learn


def test_people_who_disagree_on_the_only_example_leave_nothing_to_learn(tmp_path):
    audio = write_recordings(tmp_path / "recordings", count=2)
    reef = explorer.open(tmp_path / "reef.collection", audio=audio)
    reef.embed(Listener(), progress=False)
    reef.label([2], "hum", "positive", who="ana")
    reef.label([2], "hum", "negative", who="ben")
    learned = learn(reef, None, "ana")
    assert learned.judgements == {"hum": {2: "positive"}}
    assert learned.classes == ()
    assert learned.scores is None
