"""In which settings arms differ, and why: own code that only some arms name follows the setting that names it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tvo_cli.comparison.analysis.differing_settings import settings_in_which_arms_differ
from tvo_cli.runs.trial import Trial
from tvo_cli.runs.trial_settings import describe_settings, flat_trial_settings


def arm(name: str, **config: Any) -> list[Trial]:
    settings = flat_trial_settings({"algorithm": {"name": name}, **config})
    return [cast("Trial", SimpleNamespace(settings=settings))]


@pytest.mark.parametrize(("theirs", "why"), [({}, "brought by the algorithm"), ({"mine.py": "b" * 64}, "not intended")])
def test_code_of_one_arm_is_no_difference_that_was_not_intended_and_changed_code_is(
    theirs: dict[str, str], why: str
) -> None:
    mine = arm("mine", plugins=["mine.py"], own_code={"mine.py": "a" * 64})
    found = settings_in_which_arms_differ({"mine": mine, "grpo": arm("grpo", own_code=theirs)}, ["algorithm.name"])
    assert {one.key: one.why for one in found} == {
        "algorithm.name": "compared",
        "own_code.mine.py": why,
        "plugins": "harmless",
    }


def test_a_sha256_of_own_code_is_shown_by_its_first_digits() -> None:
    (mine,) = arm("mine", own_code={"./mine.py": "f7f8d71a" * 8})
    (other,) = arm("mine", own_code={"./mine.py": "0123abcd" * 8})
    assert describe_settings(mine, ["own_code../mine.py"]) == "own_code../mine.py=f7f8d71a"
    (found,) = settings_in_which_arms_differ({"a": [mine], "b": [other]}, ["algorithm.name"])
    assert (found.why, found.values) == ("not intended", ("f7f8d71a", "0123abcd"))


def test_own_code_of_a_reward_that_one_arm_has_is_not_intended() -> None:
    call = {"functions": {"brevity": {"call": "./mine.py:brevity"}}}
    mine = arm("mine", reward=call, own_code={"./mine.py": "a" * 64})
    found = settings_in_which_arms_differ({"mine": mine, "grpo": arm("grpo")}, ["algorithm.name"])
    assert "not intended" in {one.why for one in found}
