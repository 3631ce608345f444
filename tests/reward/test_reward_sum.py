"""No opinion is the mean of the group's opinions; a group without any gets nothing from the term."""

from __future__ import annotations

from tvo_cli.reward.reward_sum import filled_opinions, weighted_reward_sum

GROUP = [0, 0, 0, 1, 1]


def test_no_opinion_is_the_mean_of_the_groups_opinions() -> None:
    assert filled_opinions([1.0, None, 0.5, None, None], GROUP) == [1.0, 0.75, 0.5, 0.0, 0.0]


def test_terms_are_weighted_and_added_to_what_there_was() -> None:
    terms: dict[str, list[float | None]] = {"a": [1.0, None, 0.5, None, None], "b": [1.0] * 5, "watched": [9.0] * 5}
    found = weighted_reward_sum(terms, {"a": 2.0, "b": -0.5, "watched": 0.0}, GROUP, [1.0, 0.0, 0.0, 1.0, 0.0])
    assert found == [2.5, 1.0, 0.5, 0.5, -0.5]
