"""Whether less or more of a metric is better: of our metrics known, of others told by their names or assumed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tvo_cli.errors import UserError

AUTO, LESS, MORE = "auto", "less", "more"
SET = r"eval/(?:[\w.-]+/)?"  # an evaluation, or a test set's

# Patterns of our metrics' names (docs/metrics.md); of two that fit the first counts.
NEITHER_IS_BETTER = (  # more of it is better in one run, and worse in the next
    *(
        r"reward/std",
        r"reward/factor",
        r"reward/[\w.-]+/(?:std|weight)",
        r"sampling/(?:generated|used|branched|taken_over|branch_\w+)",
    ),
    *(r"data/.+", r"answer/.+", r"neutral/.+", r"vote/share", r"response/length(?:_max)?", rf"{SET}length"),
    *(r"policy/entropy(?:_sampled)?", r"policy/ratio_.+", r"policy/(?:clipped|damped)", r"policy/kl_(?:old|ref)_k1"),
    *(r"gradient/(?:norm|norm_max|clipped)", r"thermo/(?!free_energy).+", r"law/(?:a|b|ceiling|error)", r"cliff/.+"),
    *(r"layer/.+", r"representation/.+", r"valley/(?!loss).+", r"control/beta", r"replay/(?:kept|used|weight)"),
    *(r"optimizer/(?:lr|steps|box|flips|lyapunov)", r"objective/.+", r"sft/tokens", r"rollouts", r"tokens"),
    *(r"eval/reward/[\w.-]+/(?:std|none|failed|weight)", rf"{SET}support/change"),
)
LESS_IS_BETTER = (
    *(r"group/zero_advantage", r"sampling/draws", r"(?:response|eval(?:/[\w.-]+)?)/truncated", rf"{SET}unanswered"),
    *(
        r"grader/(?:failed|unanswered)",
        rf"{SET}grader_failed",
        r"reward/[\w.-]+/(?:none|failed)",
        rf"{SET}support/lost",
    ),
    *(r"policy/tv(?:_max)?", r"policy/kl_(?:old|ref)", r"policy/mismatch(?:_max|_response)?"),
    *(
        r"gradient/(?:variance|normalised_variance(?:_raw)?|noise_scale(?:_raw)?|log_fluctuation)",
        r"thermo/free_energy",
    ),
    *(r"law/rmse", r"loss/.+", r"(?:valley|critic|sft|eval)/loss", r"(?:replay|optimizer)/skipped", r"stability/.+"),
    *(r"time/(?!tokens_per_second).+", r"memory/peak"),
)
MORE_IS_BETTER = (
    *(r"reward/[\w.-]+", r"eval/reward(?:/[\w.-]+)?", r"accuracy/.+", r"sampling/mixed", r"vote/right"),
    *(r"gradient/signal(?:_resolved)?", r"law/r2", r"critic/explained_variance", r"time/tokens_per_second"),
    *(rf"{SET}(?:pass@\d+(?:_low|_high)?|maj(?:@\d+)?|greedy)", r"eval/hypervolume"),
    *(rf"{SET}support/(?:kept|gained|retention|discovery)",),
)
LESS_WORDS = re.compile(
    r"loss|losses|err|errors?|perplexity|ppl|kl|divergence|var|variance|nll|rmse|mse|mae|wer|cer|mismatch|truncated"
    r"|unanswered|failed|failures?|skipped|nonfinite|regret|cost|latency|seconds|time|memory"
)
MORE_WORDS = re.compile(
    r"rewards?|returns?|scores?|acc|accuracy|correct|solved|success|win|pass|maj|match|f1|bleu|auc|throughput"
)
OUR_PATTERNS = ((NEITHER_IS_BETTER, None), (LESS_IS_BETTER, True), (MORE_IS_BETTER, False))


@dataclass(frozen=True, slots=True)
class MetricDirection:
    """Which of two values of a metric is taken for the better one, and why."""

    less: bool
    why: str  # "told" by the option, "known", by its "name", "assumed"

    def note(self, metric: str) -> str:
        """Return what a report says of the direction; nothing where it is what everybody takes it to be."""
        taken, other = (LESS, MORE) if self.less else (MORE, LESS)
        notes = {
            "told": f"Of {metric} {taken} is taken for better, as --direction says.",
            "known": f"Of {metric} less is better." if self.less else "",
            "name": f"Of {metric} {taken} is taken for better, by its name; else: --direction {other}.",
            "assumed": f"Whether more or less of {metric} is better nobody knows: {taken} is taken for better; "
            f"else: --direction {other}.",
        }
        return notes[self.why]


def direction_of_metric(metric: str, wanted: str = AUTO) -> MetricDirection:
    """Return which direction of a metric is better: as wanted, else as it is known, else by the words of its name.

    Of several such words the last counts, `reward_loss` is a loss; without one more is taken for better.
    """
    if wanted != AUTO:
        return MetricDirection(wanted == LESS, "told")
    for patterns, less in OUR_PATTERNS:
        if any(re.fullmatch(pattern, metric) for pattern in patterns):
            return MetricDirection(False, "assumed") if less is None else MetricDirection(less, "known")
    spelled = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", metric).lower()
    told = [(word, LESS_WORDS.fullmatch(word)) for word in re.findall(r"f1|[a-z]+", spelled)]
    known = [less is not None for word, less in told if less or MORE_WORDS.fullmatch(word)]
    return MetricDirection(known[-1], "name") if known else MetricDirection(False, "assumed")


def check_direction(direction: str) -> None:
    """Refuse what `--direction` cannot be."""
    if direction not in (AUTO, LESS, MORE):
        raise UserError("--direction", direction, "not a choice.", f"Choose {AUTO}, {LESS} or {MORE}.")
