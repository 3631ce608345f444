"""The time to go, worked by hand."""

from __future__ import annotations

import pytest

from tvo_cli.sweep.remaining_time import RunningJob, remaining_seconds


def test_nothing_is_said_before_anything_is_known() -> None:
    assert remaining_seconds([], [RunningJob(10, None)], 5, 2) is None
    assert remaining_seconds([], [RunningJob(10, 0.0)], 5, 2) is None


def test_jobs_that_ended_tell_the_rest() -> None:
    # mean 30 s; the running one needs 20 more, four wait: (20 + 120) / 2
    assert remaining_seconds([20, 40], [RunningJob(10, None)], 4, 2) == pytest.approx(70)


def test_steps_tell_before_any_job_has_ended() -> None:
    # a quarter after 10 s: 30 to go, 40 in all; two wait on one slot: 30 + 80
    assert remaining_seconds([], [RunningJob(10, 0.25)], 2, 1) == pytest.approx(110)


def test_no_job_ends_sooner_than_it_does_by_itself() -> None:
    assert remaining_seconds([10], [RunningJob(10, 0.1)], 0, 8) == pytest.approx(90)


def test_a_job_longer_than_the_mean_has_nothing_left_that_is_known() -> None:
    assert remaining_seconds([10], [RunningJob(15, None)], 0, 1) == 0


def test_a_job_that_went_on_is_timed_by_what_it_has_made_since() -> None:
    # from 0.5 to 0.75 in 10 s: 40 s in all, 10 s to go; nothing is known before its first step
    assert remaining_seconds([], [RunningJob(10, 0.75, 0.5)], 0, 1) == pytest.approx(10)
    assert remaining_seconds([], [RunningJob(10, 0.5, 0.5)], 0, 1) is None
    # others took 40 s: half of that, less the 5 s that it runs
    assert remaining_seconds([40], [RunningJob(5, 0.5, 0.5)], 0, 1) == pytest.approx(15)
