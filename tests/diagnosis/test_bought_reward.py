"""What is learnt first is not what a reward was bought with, unless the answers never follow."""

from __future__ import annotations

from tests.diagnosis.logs import Column, found_in, line, noisy
from tvo_cli.diagnosis.bought_reward import correlation_of, moved_together
from tvo_cli.diagnosis.curve import Curve

STEPS = 200
FORM = [min(0.3 + 0.05 * at, 0.98) for at in range(STEPS)]  # learnt within 14 steps


def log_with_answers(accuracy: Column) -> dict[str, Column]:
    """A reward of answers and form."""
    reward = [(a or 0.0) + 0.3 * f for a, f in zip(accuracy, FORM, strict=True)]
    return {"accuracy/fresh": accuracy, "reward/mean": reward, "reward/format": FORM}


def test_a_form_that_is_learnt_before_the_answers_is_healthy() -> None:
    later = noisy([0.1] * 40 + line(0.1, 0.6, STEPS - 40), 0.02)
    assert found_in("format_bought", log_with_answers(later), planned=STEPS) is None
    never = found_in("format_bought", log_with_answers(noisy([0.1] * STEPS, 0.02)), planned=STEPS)
    assert never is not None and never.alarm_step >= 0.2 * STEPS > never.first_step


def test_a_length_that_grows_by_itself_has_not_paid_for_a_form() -> None:
    longer = {**log_with_answers(noisy([0.1] * STEPS, 0.02)), "response/length": line(100, 150, STEPS)}
    assert found_in("length_bought", longer, planned=STEPS) is None
    paid = {**longer, "reward/mean": noisy(line(0.2, 0.7, STEPS), 0.02)}
    assert found_in("length_bought", paid, planned=STEPS) is not None


def test_curves_move_together_or_not() -> None:
    rising, jumping = (Curve.of(range(50), values) for values in (line(0, 1, 50), [0.0] * 5 + [1.0] * 45))
    assert moved_together(rising, Curve.of(range(50), line(3, 1, 50)))  # either way
    assert not moved_together(rising, jumping)
    assert correlation_of([1.0, 1.0], [0.0, 1.0]) == 0.0
