"""Dynamic sampling's judgement: raw accuracy of each group, nothing else."""

from __future__ import annotations

import pytest

from tvo_cli.errors import UserError
from tvo_cli.rollout import EveryGroup, MixedGroups

RIGHT = [True, False, True, True, False, False, None, True, None, False, True, None]
GROUP = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_only_groups_with_right_and_wrong_answers_are_fit() -> None:
    assert MixedGroups(size=1, most=10).fit(RIGHT, GROUP) == [True, False, False, False, False, False]


def test_what_the_grader_could_not_judge_is_neither() -> None:
    right, group = [True, None, False, None, None, None], [0, 0, 0, 1, 1, 1]
    assert MixedGroups(size=1, most=10).fit(right, group) == [True, False]


def test_without_a_rule_every_group_is_fit_and_one_draw_is_all() -> None:
    rule = EveryGroup()
    assert (rule.fit(RIGHT, GROUP), rule.size, rule.most) == ([True] * 6, 1, 1)


@pytest.mark.parametrize("key", ["size", "most"])
def test_a_count_of_nothing_is_refused(key: str) -> None:
    with pytest.raises(UserError, match=rf"^algorithm\.sampling\.{key}=0"):
        MixedGroups(**{"size": 1, "most": 1, key: 0})
