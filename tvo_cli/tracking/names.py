"""Every metric, once: its name, its unit, and how to read it. docs/metrics.md has the formulas."""

from __future__ import annotations

import re
from typing import NamedTuple


class Metric(NamedTuple):
    """One reading of a step."""

    name: str
    unit: str
    meaning: str


METRICS = (
    Metric("reward/mean", "reward", "mean reward of the step's responses, all terms"),
    Metric("reward/std", "reward", "spread of those rewards; 0: nothing to learn from"),
    Metric("accuracy/fresh", "share", "correct responses among the step's own: pass@1 on training problems"),
    Metric("group/zero_advantage", "share", "groups whose rewards are all equal: they teach nothing"),
    Metric("sampling/draws", "draws", "draws that dynamic sampling took for the step"),
    Metric("sampling/generated", "responses", "responses sampled for the step"),
    Metric("sampling/used", "responses", "responses learned from"),
    Metric("sampling/mixed", "share", "groups drawn that had right and wrong answers"),
    Metric("answer/entropy", "nats", "entropy of the final answers inside a group"),
    Metric("answer/distinct", "share", "distinct final answers of a group over the answers given"),
    Metric("neutral/entropy", "nats", "entropy of the neutral words, which no reward touches: shows mode collapse"),
    Metric("neutral/share", "share", "responses that begin with a neutral word at all"),
    Metric("response/length", "tokens", "mean response length, the end token included"),
    Metric("response/length_max", "tokens", "the longest response"),
    Metric("response/truncated", "share", "responses that met the length limit"),
    Metric("grader/failed", "responses", "responses that the grader could not judge"),
    Metric("grader/unanswered", "share", "responses without a final answer"),
    Metric("policy/entropy", "nats", "mean entropy of a token in the last pass over the batch"),
    Metric("policy/entropy_sampled", "nats", "mean −log π of the sampled tokens"),
    Metric("policy/tv", "share", "mean |π − π_old| over tokens: the binary total variation of the step"),
    Metric("policy/tv_max", "share", "its largest value over tokens"),
    Metric("policy/kl_old", "nats", "KL to the policy that sampled, a token (k3)"),
    Metric("policy/kl_old_k1", "nats", "the same, k1: unbiased, of either sign"),
    Metric("policy/kl_ref", "nats", "KL to the frozen reference, a token (k3)"),
    Metric("policy/kl_ref_k1", "nats", "the same, k1"),
    Metric("policy/ratio_p01", "1", "importance ratio: 1st percentile over tokens"),
    Metric("policy/ratio_p50", "1", "importance ratio: median over tokens"),
    Metric("policy/ratio_p99", "1", "importance ratio: 99th percentile over tokens"),
    Metric("policy/ratio_max", "1", "importance ratio: the largest"),
    Metric("policy/clipped", "share", "tokens without any policy gradient"),
    Metric("policy/damped", "share", "mean of 1 − w, w a token's gradient factor against the unclipped one"),
    Metric("policy/mismatch", "nats", "mean |log π of the sampler − of the trainer| at the same weights"),
    Metric("policy/mismatch_max", "nats", "the largest such difference"),
    Metric("policy/mismatch_response", "nats", "the largest such sum over one response"),
    Metric("gradient/variance", "squared gradient", "trace of the covariance of the whole rollout batch's gradient"),
    Metric("gradient/signal", "squared gradient", "squared norm of the true gradient, debiased; it may be negative"),
    Metric("gradient/normalised_variance", "1", "variance over signal, both smoothed over steps"),
    Metric("gradient/normalised_variance_raw", "1", "the same of this step alone"),
    Metric("gradient/noise_scale", "responses", "responses at which noise and signal of the gradient are equal"),
    Metric("gradient/noise_scale_raw", "responses", "the same of this step alone"),
    Metric(
        "gradient/signal_resolved", "0 or 1", "whether the signal stands out of the noise; if not, the ratios are cut"
    ),
    Metric("gradient/norm", "gradient", "norm before clipping, mean over the step's updates"),
    Metric("gradient/norm_max", "gradient", "the largest of them"),
    Metric("gradient/clipped", "share", "updates whose norm was clipped"),
    Metric("gradient/log_fluctuation", "1", "mean |log ratio| of consecutive gradient norms"),
    Metric("thermo/free_energy", "reward", "F = U − T·S: minus the mean reward, minus temperature times entropy"),
    Metric("thermo/entropy", "nats", "S, of a whole response"),
    Metric("thermo/temperature", "reward/nat", "T, the price of entropy in units of reward"),
    Metric(
        "thermo/dissipation",
        "reward",
        "−ΔF between consecutive batches at one temperature",
    ),
    Metric("thermo/viscosity", "1", "ν, by which the learning rate is divided"),
    Metric("thermo/set_point", "share", "the binary total variation that the viscosity aims at"),
    Metric("law/a", "accuracy", "a of the law R = −a·e^H + b over the steps so far: the price of accuracy in entropy"),
    Metric("law/b", "accuracy", "b of that law"),
    Metric("law/ceiling", "accuracy", "b − a: the accuracy that law predicts where the entropy is spent"),
    Metric("law/rmse", "accuracy", "root mean square of that law's residuals"),
    Metric("law/r2", "1", "share of the accuracy's variance that the law explains; below a half, do not extrapolate"),
    Metric("law/error", "accuracy", "this step's accuracy minus what the law of the steps before it predicts"),
    Metric("control/beta", "reward", "coefficient of the control variate"),
    Metric("loss/nonfinite", "0 or 1", "something was not finite; the update was left out"),
    Metric("critic/loss", "reward²", "the critic's loss"),
    Metric("critic/explained_variance", "share", "1 − variance of the critic's error over that of the returns"),
    Metric("optimizer/lr", "1", "learning rate of the step's last update: schedule and viscosity included"),
    Metric("optimizer/steps", "updates", "updates taken"),
    Metric("optimizer/skipped", "updates", "updates left out because something was not finite"),
    Metric("stability/rollbacks", "times", "rollbacks so far"),
    Metric("rollouts", "responses", "responses sampled so far"),
    Metric("tokens", "tokens", "response tokens sampled so far"),
    Metric("eval/pass@1", "share", "correct samples on the held-out problems"),
    Metric("eval/pass@1_low", "share", "lower end of its interval"),
    Metric("eval/pass@1_high", "share", "upper end of its interval"),
    Metric("eval/length", "tokens", "mean response length on the held-out problems"),
    Metric("eval/truncated", "share", "held-out responses that met the length limit"),
    Metric("eval/unanswered", "share", "held-out responses without a final answer"),
    Metric("eval/grader_failed", "responses", "held-out responses that the grader could not judge"),
    Metric("time/generation", "s", "sampling"),
    Metric("time/reward", "s", "grading"),
    Metric("time/scoring", "s", "log-probabilities, values, advantages before the update"),
    Metric("time/update", "s", "the inner epochs"),
    Metric("time/evaluation", "s", "held-out evaluation"),
    Metric("time/step", "s", "the whole step"),
    Metric("time/tokens_per_second", "tokens/s", "response tokens over the whole step"),
)

BY_NAME = {metric.name: metric for metric in METRICS}


def groups() -> dict[str, list[Metric]]:
    """The metrics by the part of the name before the slash, in reading order."""
    found: dict[str, list[Metric]] = {}
    for metric in METRICS:
        found.setdefault(metric.name.partition("/")[0], []).append(metric)
    return found


def is_known(name: str) -> bool:
    """Whether a name is one of ours; `loss/PART` and `eval/pass@K` are families."""
    return name in BY_NAME or name.startswith("loss/") or bool(re.fullmatch(r"eval/pass@\d+", name))


def is_evaluation(name: str) -> bool:
    """Whether a metric belongs to an evaluation, not to a training step."""
    return name.startswith("eval/")
