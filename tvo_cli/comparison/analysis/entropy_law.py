"""The entropy law R = −a·e^H + b of a run."""

from __future__ import annotations

from tvo_cli.comparison.analysis import run_values
from tvo_cli.runs.trial import Trial
from tvo_cli.stats import entropy_law_fit


def fit_entropy_law_of_run(trial: Trial) -> entropy_law_fit.EntropyLawFit | None:
    """Fit R = −a·e^H + b over a run's steps, R the fresh accuracy, or the reward where there is none."""
    steps, spent = trial.run.curve("policy/entropy")
    name = run_values.FRESH if trial.has(run_values.FRESH) else "reward/mean"
    got = dict(zip(*trial.run.curve(name)))
    pairs = [(h, got[step]) for step, h in zip(steps, spent, strict=True) if step in got]
    return entropy_law_fit.fit_entropy_law([h for h, _ in pairs], [r for _, r in pairs]) if pairs else None
