"""Whether a run folder may be resumed: those of version 0.1 go on, and a refusal says what differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli.errors import UserError
from tvo_cli.training.resume import resume_compatibility


def test_a_record_of_before_held_null_for_it() -> None:
    resume_compatibility.check_same_settings(Path("run"), {"surrogate.low": None}, {"surrogate.low": "inf"}, ())
    for before, wanted in ((None, 0.2), ("inf", 0.2), (0.2, "inf")):
        with pytest.raises(UserError, match=r"surrogate\.low"):
            resume_compatibility.check_same_settings(
                Path("run"), {"surrogate.low": before}, {"surrogate.low": wanted}, ()
            )


def test_choices_are_told_first_and_no_allowance_covers_less_than_all() -> None:
    before = {f"algorithm.estimator.k{i}": i for i in range(9)} | {"algorithm.name": "tvo", "dataset.path": "a"}
    wanted = {key: f"{value}x" for key, value in before.items()}
    with pytest.raises(UserError) as caught:
        resume_compatibility.check_same_settings(Path("run"), before, wanted, ())
    assert "settings: algorithm.name=tvox (recorded: tvo), dataset.path=ax (recorded: a), " in str(caught.value)
    assert "and 7 more" in str(caught.value) and "resume.allow" not in str(caught.value)
    few = {"optimizer.lr": 1, "seed": 2}
    with pytest.raises(UserError, match=r"resume\.allow=\[optimizer\.lr,seed\]\.$"):
        resume_compatibility.check_same_settings(Path("run"), few, {"optimizer.lr": 3, "seed": 4}, ())
