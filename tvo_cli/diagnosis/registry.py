"""All failures that a diagnosis looks for. A new one: a file in failures/, a line here."""

from __future__ import annotations

from tvo_cli.diagnosis.failures.accuracy_collapse import ACCURACY_COLLAPSE
from tvo_cli.diagnosis.failures.all_right import ALL_RIGHT
from tvo_cli.diagnosis.failures.all_wrong import ALL_WRONG
from tvo_cli.diagnosis.failures.clip_saturation import CLIP_SATURATION
from tvo_cli.diagnosis.failures.entropy_blow_up import ENTROPY_BLOW_UP
from tvo_cli.diagnosis.failures.entropy_collapse import ENTROPY_COLLAPSE
from tvo_cli.diagnosis.failures.format_bought import FORMAT_BOUGHT
from tvo_cli.diagnosis.failures.gradient_noise import GRADIENT_NOISE
from tvo_cli.diagnosis.failures.gradient_spike import GRADIENT_SPIKE
from tvo_cli.diagnosis.failures.length_bought import LENGTH_BOUGHT
from tvo_cli.diagnosis.failures.mode_collapse import MODE_COLLAPSE
from tvo_cli.diagnosis.failures.no_gradient import NO_GRADIENT
from tvo_cli.diagnosis.failures.nonfinite import NONFINITE
from tvo_cli.diagnosis.failures.plateau import PLATEAU
from tvo_cli.diagnosis.failures.policy_drift import POLICY_DRIFT
from tvo_cli.diagnosis.failures.problems_used_up import PROBLEMS_USED_UP
from tvo_cli.diagnosis.failures.reward_composition import REWARD_COMPOSITION
from tvo_cli.diagnosis.failures.reward_hacking import REWARD_HACKING
from tvo_cli.diagnosis.failures.sampler_mismatch import SAMPLER_MISMATCH
from tvo_cli.diagnosis.failures.stale_weights import STALE_WEIGHTS
from tvo_cli.diagnosis.failures.step_rule_limit import STEP_RULE_LIMIT
from tvo_cli.diagnosis.failures.sudden_fall import SUDDEN_FALL
from tvo_cli.diagnosis.failures.truncation import TRUNCATION
from tvo_cli.diagnosis.failures.wrong_verdicts import WRONG_VERDICTS

FAILURES = (  # of two that are equally severe and began together the first is the more telling
    NONFINITE,
    NO_GRADIENT,
    ALL_WRONG,
    ALL_RIGHT,
    PROBLEMS_USED_UP,
    REWARD_HACKING,
    WRONG_VERDICTS,
    LENGTH_BOUGHT,
    FORMAT_BOUGHT,
    REWARD_COMPOSITION,
    ENTROPY_BLOW_UP,
    ENTROPY_COLLAPSE,
    MODE_COLLAPSE,
    STALE_WEIGHTS,
    SAMPLER_MISMATCH,
    ACCURACY_COLLAPSE,
    SUDDEN_FALL,
    POLICY_DRIFT,
    GRADIENT_SPIKE,
    CLIP_SATURATION,
    STEP_RULE_LIMIT,
    TRUNCATION,
    GRADIENT_NOISE,
    PLATEAU,
)
BY_NAME = {failure.name: failure for failure in FAILURES}
