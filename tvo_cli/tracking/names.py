"""Every metric, once: its name, its unit, and how to read it. docs/metrics.md has the formulas."""

from __future__ import annotations

from typing import NamedTuple


class Metric(NamedTuple):
    """One reading of a step."""

    name: str
    unit: str
    meaning: str


METRICS = (
    Metric("reward/mean", "reward", "mean reward of the step's responses, all terms"),
    Metric("reward/std", "reward", "spread of the rewards over the step's responses"),
    Metric(
        "accuracy/fresh",
        "share",
        "correct responses among the step's own samples: pass@1 on training problems",
    ),
    Metric("gradient/variance", "squared gradient", "trace of the covariance of the minibatch gradient"),
    Metric("gradient/normalised_variance", "1", "the variance over the squared norm of the true gradient"),
    Metric("gradient/noise_scale", "responses", "responses at which noise and signal of the gradient are equal"),
    Metric("gradient/norm", "gradient", "norm of the gradient before clipping, mean over the step's updates"),
    Metric("gradient/norm_max", "gradient", "the largest norm among the step's updates"),
    Metric("gradient/log_fluctuation", "1", "standard deviation of the log of the norm over recent steps"),
    Metric("gradient/clipped", "share", "updates whose norm was clipped"),
    Metric("policy/entropy", "nats", "mean entropy of a token under the policy that sampled"),
    Metric("policy/tv", "share", "mean binary total variation between the policy and the one that sampled"),
    Metric("policy/kl_ref", "nats", "KL to the frozen reference, a token"),
    Metric("policy/kl_old", "nats", "KL to the policy that sampled, a token"),
    Metric(
        "policy/mismatch",
        "nats",
        "mean |log-probability of the sampler − of the trainer| of the same weights",
    ),
    Metric("policy/mismatch_max", "nats", "the largest such difference of the step"),
    Metric("policy/ratio_p01", "1", "importance ratio: the 1st percentile over tokens"),
    Metric("policy/ratio_p50", "1", "importance ratio: the median over tokens"),
    Metric("policy/ratio_p99", "1", "importance ratio: the 99th percentile over tokens"),
    Metric("policy/ratio_max", "1", "importance ratio: the largest"),
    Metric("policy/damped", "share", "tokens whose gradient is clipped or damped by the trust region"),
    Metric("group/zero_advantage", "share", "groups whose responses all got the same reward: they teach nothing"),
    Metric("answer/entropy", "nats", "entropy of the final answers inside a group"),
    Metric("answer/distinct", "share", "distinct final answers of a group over its responses"),
    Metric(
        "neutral/entropy",
        "nats",
        "entropy of the neutral tokens, which no reward touches: a mode-collapse gauge",
    ),
    Metric("response/length", "tokens", "mean response length"),
    Metric("response/truncated", "share", "responses that met the length limit"),
    Metric("thermo/free_energy", "reward", "F = U − T·S: minus the mean reward minus temperature times entropy"),
    Metric("thermo/viscosity", "1", "ν, by which the step is divided"),
    Metric("thermo/temperature", "reward/nat", "T, the price of entropy in units of reward"),
    Metric("thermo/dissipation", "reward", "free energy that was paid for and did not arrive"),
    Metric("thermo/set_point", "share", "the binary total variation that the viscosity aims at"),
    Metric("control/beta", "1", "coefficient of the control variate"),
    Metric("critic/loss", "reward²", "the critic's squared error, clipped as the algorithm says"),
    Metric("critic/explained_variance", "share", "1 − variance of the critic's error over that of the returns"),
    Metric("optimizer/lr", "1", "the learning rate of the step's last update, the viscosity included"),
    Metric("optimizer/skipped", "updates", "updates left out because their gradient was not finite"),
    Metric("grader/failed", "responses", "responses that the grader could not judge"),
    Metric("grader/unanswered", "share", "responses without a final answer"),
    Metric("stability/rollbacks", "times", "rollbacks so far"),
    Metric("eval/pass@1", "share", "correct samples on the held-out problems"),
    Metric("eval/pass@1_low", "share", "lower end of its interval"),
    Metric("eval/pass@1_high", "share", "upper end of its interval"),
    Metric("eval/length", "tokens", "mean length on the held-out problems"),
    Metric("eval/truncated", "share", "held-out responses that met the length limit"),
    Metric("eval/unanswered", "share", "held-out responses without a final answer"),
    Metric("eval/grader_failed", "responses", "held-out responses that the grader could not judge"),
    Metric("time/generation", "s", "sampling"),
    Metric("time/reward", "s", "grading"),
    Metric("time/scoring", "s", "log-probabilities, values and advantages before the update"),
    Metric("time/update", "s", "the inner epochs"),
    Metric("time/evaluation", "s", "held-out evaluation"),
    Metric("time/step", "s", "the whole step"),
    Metric("time/tokens_per_second", "tokens/s", "response tokens of the step over its seconds"),
    Metric("rollouts", "responses", "responses sampled so far"),
    Metric("tokens", "tokens", "response tokens sampled so far"),
)

BY_NAME = {metric.name: metric for metric in METRICS}


def groups() -> dict[str, list[Metric]]:
    """The metrics by the part of the name before the slash, in reading order."""
    found: dict[str, list[Metric]] = {}
    for metric in METRICS:
        found.setdefault(metric.name.partition("/")[0], []).append(metric)
    return found


def is_evaluation(name: str) -> bool:
    """Whether a metric belongs to an evaluation, not to a training step."""
    return name.startswith("eval/")
