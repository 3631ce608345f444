"""Names of every metric, each once, with its unit and meaning. docs/metrics.md has the formulas."""

from __future__ import annotations

import re
from typing import NamedTuple

EVALUATION = "eval/"  # how the names of an evaluation's metrics begin


class MetricName(NamedTuple):
    """The name, unit and meaning of one metric."""

    name: str
    unit: str
    meaning: str


METRICS = (
    MetricName("reward/mean", "reward", "mean reward of the step's responses, all terms"),
    MetricName("reward/std", "reward", "spread of those rewards; 0: nothing to learn from"),
    MetricName("reward/factor", "1", "M of reward.weighting=hypervolume, by which advantages are multiplied"),
    MetricName("accuracy/fresh", "share", "correct responses among the step's own: pass@1 on training problems"),
    MetricName("group/zero_advantage", "share", "groups whose rewards are all equal: they teach nothing"),
    MetricName("sampling/draws", "draws", "draws that dynamic sampling took for the step"),
    MetricName("sampling/generated", "responses", "responses sampled for the step"),
    MetricName("sampling/used", "responses", "responses learned from"),
    MetricName("sampling/mixed", "share", "groups drawn that had right and wrong answers"),
    MetricName("sampling/branched", "share", "responses that begin with the first tokens of another"),
    MetricName("sampling/taken_over", "share", "response tokens that were not sampled, but taken over from another"),
    MetricName("sampling/branch_temperature", "1", "of SCOPE's branch, a factor on rollout.temperature"),
    MetricName("sampling/branch_entropy", "nats", "entropy a token of the batch before, which sets that temperature"),
    MetricName("vote/share", "share", "responses of a group that give its most frequent answer"),
    MetricName("vote/right", "share", "groups whose one most frequent answer is right"),
    MetricName("data/stage", "1", "stage of curriculum=levels, from 1"),
    MetricName("data/seen", "share", "training problems drawn at least once (curriculum=pass_rate)"),
    MetricName("data/weight", "1", "mean weight of the problems seen over that of one never seen"),
    MetricName("answer/entropy", "nats", "entropy of the final answers inside a group"),
    MetricName("answer/distinct", "share", "distinct final answers of a group over the answers given"),
    MetricName("neutral/entropy", "nats", "entropy of the neutral words, which no reward touches: shows mode collapse"),
    MetricName("neutral/share", "share", "responses that begin with a neutral word at all"),
    MetricName("response/length", "tokens", "mean response length, the end token included"),
    MetricName("response/length_max", "tokens", "the longest response"),
    MetricName("response/truncated", "share", "responses that met the length limit"),
    MetricName("grader/failed", "responses", "responses that the grader could not judge"),
    MetricName("grader/unanswered", "share", "responses without a final answer"),
    MetricName("policy/entropy", "nats", "mean entropy of a token in the last pass over the batch"),
    MetricName("policy/entropy_sampled", "nats", "mean −log π of the sampled tokens"),
    MetricName("policy/tv", "share", "mean |π − π_old| over tokens: the binary total variation of the step"),
    MetricName("policy/tv_max", "share", "its largest value over tokens"),
    MetricName("policy/kl_old", "nats", "KL to the policy that sampled, a token (k3)"),
    MetricName("policy/kl_old_k1", "nats", "the same, k1: unbiased, of either sign"),
    MetricName("policy/kl_ref", "nats", "KL to the frozen reference, a token (k3)"),
    MetricName("policy/kl_ref_k1", "nats", "the same, k1"),
    MetricName("policy/ratio_p01", "1", "importance ratio: 1st percentile over tokens"),
    MetricName("policy/ratio_p50", "1", "importance ratio: median over tokens"),
    MetricName("policy/ratio_p99", "1", "importance ratio: 99th percentile over tokens"),
    MetricName("policy/ratio_max", "1", "importance ratio: the largest"),
    MetricName("policy/clipped", "share", "tokens without any policy gradient"),
    MetricName("policy/damped", "share", "mean of 1 − w, w a token's gradient factor against the unclipped one"),
    MetricName("policy/mismatch", "nats", "mean |log π of the sampler − of the trainer| at the same weights"),
    MetricName("policy/mismatch_max", "nats", "the largest such difference"),
    MetricName("policy/mismatch_response", "nats", "the largest such sum over one response"),
    MetricName(
        "gradient/variance", "squared gradient", "trace of the covariance of the whole rollout batch's gradient"
    ),
    MetricName(
        "gradient/signal", "squared gradient", "squared norm of the true gradient, debiased; it may be negative"
    ),
    MetricName("gradient/normalised_variance", "1", "variance over signal, both smoothed over steps"),
    MetricName("gradient/normalised_variance_raw", "1", "the same of this step alone"),
    MetricName("gradient/noise_scale", "responses", "responses at which noise and signal of the gradient are equal"),
    MetricName("gradient/noise_scale_raw", "responses", "the same of this step alone"),
    MetricName(
        "gradient/signal_resolved", "0 or 1", "whether the signal stands out of the noise; if not, the ratios are cut"
    ),
    MetricName("gradient/norm", "gradient", "norm before clipping, mean over the step's updates"),
    MetricName("gradient/norm_max", "gradient", "the largest of them"),
    MetricName("gradient/clipped", "share", "updates whose norm was clipped"),
    MetricName("gradient/log_fluctuation", "1", "mean |log ratio| of consecutive gradient norms"),
    MetricName("thermo/free_energy", "reward", "F = U − T·S: minus the mean reward, minus temperature times entropy"),
    MetricName("thermo/entropy", "nats", "S, of a whole response"),
    MetricName("thermo/temperature", "reward/nat", "T, the price of entropy in units of reward"),
    MetricName(
        "thermo/dissipation",
        "reward",
        "−ΔF between consecutive batches at one temperature",
    ),
    MetricName(
        "thermo/predicted_dissipation",
        "reward",
        "−ΔF that the update between them promises, ‖∇F‖²_P·Σ η/ν",
    ),
    MetricName(
        "thermo/sharpening", "reward", "coefficient of ½∇Σπ² besides the reward's: above 0 the policy is sharpened"
    ),
    MetricName("thermo/viscosity", "1", "ν, by which the learning rate is divided"),
    MetricName("thermo/set_point", "share", "the binary total variation that the viscosity aims at"),
    MetricName("thermo/fluctuation", "1", "factor on that by the spread of the rewards"),
    MetricName(
        "law/a", "accuracy", "a of the law R = −a·e^H + b over the steps so far: the price of accuracy in entropy"
    ),
    MetricName("law/b", "accuracy", "b of that law"),
    MetricName("law/ceiling", "accuracy", "b − a: the accuracy that law predicts where the entropy is spent"),
    MetricName("law/rmse", "accuracy", "root mean square of that law's residuals"),
    MetricName(
        "law/r2", "1", "share of the accuracy's variance that the law explains; below a half, do not extrapolate"
    ),
    MetricName("law/error", "accuracy", "this step's accuracy minus what the law of the steps before it predicts"),
    MetricName("cliff/tied", "share", "responses with their group's largest reward"),
    MetricName("cliff/tied_answers", "answers", "different final answers among them"),
    MetricName("cliff/narrow", "share", "groups whose rewards differ by less than stability.readings.narrow"),
    MetricName("cliff/sensitivity", "share", "total variation of a group's soft optimum when one reward rises by ε"),
    MetricName("cliff/sensitivity_bound", "share", "what it cannot exceed, ε/(2a)"),
    MetricName("representation/spectral_entropy", "bits", "clusters of the first prompts' representations, log₂"),
    MetricName("valley/loss", "nats", "−log π of a token of the start's right responses"),
    MetricName("valley/heat", "nats", "that loss over the one at the running mean of the weights"),
    MetricName("valley/heat_capacity", "nats", "h/η, the heat over the learning rate"),
    MetricName("valley/temperature", "nats", "variance of the heat over its mean, at the last reading's rate"),
    MetricName("valley/directions", "1", "directions of the valley that the heat's fluctuation tells"),
    MetricName("valley/force", "nats", "slope of that loss along the river, a unit of distance in the weights"),
    MetricName("valley/entropic_force", "nats", "what the noise adds to it"),
    MetricName("control/beta", "reward", "coefficient of the control variate"),
    MetricName("loss/nonfinite", "0 or 1", "something was not finite; the update was left out"),
    MetricName("loss/next_token", "nats", "loss of the demonstrations beside the responses, a token"),
    MetricName("loss/replay", "1", "loss of the kept responses, its weight included (self-imitation)"),
    MetricName("replay/kept", "responses", "good responses kept before the step"),
    MetricName("replay/used", "responses", "of them, those that the step learned from besides its own"),
    MetricName("replay/weight", "1", "weight of their loss"),
    MetricName("replay/skipped", "updates", "updates from them left out because something was not finite"),
    MetricName("critic/loss", "reward²", "the critic's loss"),
    MetricName("critic/explained_variance", "share", "1 − variance of the critic's error over that of the returns"),
    MetricName(
        "optimizer/lr", "1", "learning rate of the step's last update: schedule, viscosity and Lion's scale included"
    ),
    MetricName("optimizer/steps", "updates", "updates taken"),
    MetricName("optimizer/box", "1", "largest weight over the box of Lion's decay: above 1 they still shrink into it"),
    MetricName("optimizer/flips", "share", "coordinates that Lion moved against its update before"),
    MetricName("optimizer/lyapunov", "loss", "what Lion's momentum adds to the loss in its Lyapunov function"),
    MetricName("optimizer/skipped", "updates", "updates left out because something was not finite"),
    MetricName("stability/rollbacks", "times", "rollbacks so far"),
    MetricName("stability/refused", "times", "refusals so far: updates taken back (stability.refuse)"),
    MetricName("stability/free_energy_z", "standard errors", "rise of F from the batch before to this one"),
    MetricName("stability/free_energy_drift", "standard errors", "CUSUM of a slow rise of F"),
    MetricName("rollouts", "responses", "responses sampled so far"),
    MetricName("tokens", "tokens", "response tokens sampled so far"),
    MetricName("eval/pass@1", "share", "correct samples on the held-out problems"),
    MetricName("eval/pass@1_low", "share", "lower end of its interval"),
    MetricName("eval/pass@1_high", "share", "upper end of its interval"),
    MetricName("eval/length", "tokens", "mean response length on the held-out problems"),
    MetricName("eval/truncated", "share", "held-out responses that met the length limit"),
    MetricName("eval/unanswered", "share", "held-out responses without a final answer"),
    MetricName("eval/grader_failed", "responses", "held-out responses that the grader could not judge"),
    MetricName("eval/loss", "nats", "of tvo sft: −log π of a learned token of the held-out demonstrations"),
    MetricName("sft/loss", "nats", "of tvo sft: −log π of a learned token of the update's rows, before it"),
    MetricName("sft/tokens", "tokens", "of tvo sft: learned tokens of the update"),
    MetricName("eval/hypervolume", "1", "volume that the evaluations' mean rewards dominate above the first one"),
    MetricName("time/exchange", "s", "handing weights to servers, and having the probe scored"),
    MetricName("time/generation", "s", "sampling"),
    MetricName("time/reward", "s", "grading"),
    MetricName("time/scoring", "s", "log-probabilities, values, advantages before the update"),
    MetricName("time/update", "s", "the inner epochs"),
    MetricName("time/evaluation", "s", "held-out evaluation"),
    MetricName("time/step", "s", "the whole step"),
    MetricName("memory/peak", "GB", "highest memory of the run so far"),
    MetricName("time/tokens_per_second", "tokens/s", "response tokens over the whole step"),
)

# Metrics whose least and largest values over a run say something that the last one does not.
WITH_EXTREMES = (
    "reward/mean",
    "accuracy/fresh",
    "eval/pass@1",
    "policy/entropy",
    "policy/tv",
    "policy/kl_ref",
    "gradient/variance",
    "gradient/norm",
    "thermo/viscosity",
    "response/length",
    "memory/peak",
)

SOURCE = r"[\w.-]+"  # of a mixture, or a test set

FAMILIES = (
    MetricName(r"loss/.+", "1", "a part of the loss"),
    MetricName(r"reward/[\w.-]+", "reward", "mean of an own function over the responses of which it has an opinion"),
    MetricName(r"reward/[\w.-]+/(std|none|failed|weight)", "1", "its spread, share without opinion, failures, weight"),
    MetricName(r"eval/reward/[\w.-]+", "reward", "mean of an own function on the held-out responses"),
    MetricName(rf"data/share/{SOURCE}", "share", "of the problems drawn for the step: those of a source of a mixture"),
    MetricName(rf"accuracy/source/{SOURCE}", "share", "correct responses of the step to problems of a source"),
    MetricName(rf"data/(stage|seen|weight)/{SOURCE}", "1", "a reading of the curriculum inside a source"),
    MetricName(r"layer/entropy/\d+", "nats", "mean entropy of a token under the policy of a layer's states"),
    MetricName(
        rf"eval/({SOURCE}/)?support/(kept|gained|lost|retention|discovery|change)",
        "1",
        "problems solved at the start and now, only now, only then, and their ratios",
    ),
    MetricName(rf"objective/weight/{SOURCE}", "1", "weight of an objective: a source, or the next-token loss (RECAP)"),
    MetricName(r"eval/pass@\d+", "share", "held-out problems with a correct one among K samples"),
    MetricName(
        rf"eval/{SOURCE}/(pass@\d+(_low|_high)?|length|truncated|unanswered|grader_failed)",
        "share",
        "the same on a test set, or on the held-out problems of a source",
    ),
)  # patterns of names
HELDOUT_SCORE = re.compile(rf"eval/({SOURCE}/)?(pass@\d+|maj(@\d+)?|greedy|accuracy|reward|loss)")
BY_NAME = {metric.name: metric for metric in METRICS}


def is_known_metric(name: str) -> bool:
    """Return whether a name is one of our metrics, or of one of the families."""
    return name in BY_NAME or any(re.fullmatch(family.name, name) for family in FAMILIES)


def is_heldout_score(name: str) -> bool:
    """Return whether a metric is what an evaluation scores a policy by, which is always a number."""
    return HELDOUT_SCORE.fullmatch(name) is not None


def is_evaluation_metric(name: str) -> bool:
    """Return whether a metric belongs to an evaluation, not to a training step."""
    return name.startswith(EVALUATION)
