"""Warnings of a comparison's report: unequal lengths, unintended differences, unknown rates, unfinished runs."""

from __future__ import annotations

from collections.abc import Sequence

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.comparison.analysis.run_values import ends_without_finite_value
from tvo_cli.runs.trial import FAILED, FINISHED, UNFINISHED, Trial


def left_out_suites_notes(gathered: Sequence[Trial], compared: Sequence[Trial], metric: str | None) -> list[str]:
    """Return a note on what a comparison of one suite leaves out, of all that was found."""
    left = len(gathered) - len(compared)
    others = formatting.count_of(left, "other run or evaluation", "other runs and evaluations")
    return [f"{metric}: of one suite alone; {others} left out."] if left else []


def unfinished_runs_notes(trials: Sequence[Trial]) -> list[str]:
    """Return notes on the runs that did not finish, each with what is known of its end."""
    found = []
    for state in (FAILED, UNFINISHED):
        reasons = [f"{trial.name} ({trial.why})" for trial in trials if trial.state == state]
        if reasons:
            found.append(f"{formatting.count_of(len(reasons), f'{state} run')}: {formatting.join_names(reasons, 4)}.")
    return found


def direction_notes(how: MetricChoice) -> list[str]:
    """Return the note on which direction of the metric is better, where it is not the usual one and not assumed."""
    note = how.direction.note(how.metric)
    return [note] if note and how.direction.why != "assumed" else []


def warn_of_assumed_direction(how: MetricChoice) -> list[str]:
    """Return a warning where nothing says which direction of the metric is better."""
    return [how.direction.note(how.metric)] if how.direction.why == "assumed" else []


def warn_of_nonfinite_finals(found: BlockAnalysis) -> list[str]:
    """Return a warning of finished runs that have finite values of the metric and do not end with one."""
    trials = [trial for arm in found.block.arms for trial in arm.trials if trial.state == FINISHED]
    broken = [one.name for one in trials if one.has(found.how.metric) and ends_without_finite_value(one, found.how)]
    if not broken:
        return []
    one = len(broken) == 1
    told = f"{formatting.count_of(len(broken), 'finished run')} {'ends' if one else 'end'} without a finite"
    how = "it counts as failed in it" if one else "they count as failed in it"
    return [f"{told} {found.how.metric} ({formatting.join_names(broken, 4)}): {how}."]


def warn_of_unknown_rates(found: BlockAnalysis) -> list[str]:
    """Return a warning of runs of a swept arm whose learning rate is not known."""
    lost = [trial.name for arm in found.block.arms if arm.rates for trial in arm.trials if trial.rate is None]
    if not lost:
        return []
    told = f"no learning rate is known of {formatting.count_of(len(lost), 'run')} ({formatting.join_names(lost, 4)})"
    return [f"{told[0].upper()}{told[1:]}: in no comparison by rate, in no choice of one, in no area."]


def warn_of_rates_with_few_seeds(found: BlockAnalysis) -> list[str]:
    """Return a warning an arm whose rate was chosen without those of too few seeds."""
    why = "A rate competes with half of the seeds of the arm's fullest rate, two at least."
    return [f"{one}. {why}" for one in rates_not_in_choice_in_words(found)]


def rates_not_in_choice_in_words(found: BlockAnalysis) -> list[str]:
    """Return, an arm each, which rates did not compete for being its own: `TVO: … 1e-3 (2 of 5 seeds)`."""
    told = []
    for arm in found.block.arms:
        chosen = found.chosen[arm.label]
        listed = [
            f"{formatting.format_rate(rate)} ({seeds} of {formatting.count_of(chosen.fullest, 'seed')})"
            for rate, seeds in sorted(chosen.not_competing.items())
        ]
        if listed:
            told.append(f"{arm.title}: not in the choice of its rate: {', '.join(listed)}")
    return told


def warn_of_single_arm(found: BlockAnalysis) -> list[str]:
    """Return a warning where a block has one arm, which nothing can be compared with."""
    arms_found = found.block.arms
    return (
        [f"One arm only ({arms_found[0].label}): there is nothing to compare it with."] if len(arms_found) < 2 else []
    )


def warn_of_unintended_differences(found: BlockAnalysis) -> list[str]:
    """Return warnings where arms differ in more than was asked for, or in their rates."""
    wrong = [f"{one.key} ({' | '.join(one.values)})" for one in found.block.differing if one.why == "not intended"]
    told = []
    if wrong:
        told.append(
            f"The arms differ in more than was asked for: {formatting.join_names(wrong)}. "
            "A difference may come from that."
        )
    single = {arm.rates for arm in found.block.arms}
    unmeant = any(one.why == "the rate" for one in found.block.differing)
    if unmeant and not found.swept and len(single) > 1:
        listed = ", ".join(
            f"{arm.label} {formatting.format_rate(arm.rates[0] if arm.rates else None)}" for arm in found.block.arms
        )
        told.append(f"Every arm has a learning rate of its own ({listed}): a difference may come from the rate.")
    return told


def warn_of_unequal_lengths(found: BlockAnalysis) -> list[str]:
    """Return a warning where the finished runs of arms are of different lengths."""
    lengths = {arm.label: {trial.last_step for trial in arm.trials if trial.run.summary} for arm in found.block.arms}
    known = {label: steps for label, steps in lengths.items() if steps}
    if len({step for steps in known.values() for step in steps}) < 2:
        return []
    listed = "; ".join(f"{label} {', '.join(map(str, sorted(steps)))}" for label, steps in known.items())
    return [f"Finished runs have different lengths in steps ({listed}): each counts as it ended."]
