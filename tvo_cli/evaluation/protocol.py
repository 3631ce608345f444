"""A protocol: everything that decides a score besides the model and the problems, and its fingerprint.

Numbers of unequal protocols are not comparable: base models move by 30 points with the prompt alone.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tvo_cli.data.prompts import compose_prompt
from tvo_cli.data.special_tokens import hide_special_tokens
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tvo_cli.rollout import SamplingParams

KEYWORDS = "chat_template_kwargs"
FIELDS = ("question", "level", "subject")
OTHERS = ("easy", "hard")  # strategies that protocol.adapt holds besides the protocol itself
STRAY = re.compile(r"(?<![\w\\}])\{(\w+)\}")  # {foo}, but not the arguments of \frac{a}{b}
CHOICES = {
    "template": ("plain", "chat", "auto"),
    "answer": ("boxed", "minerva", "tagged"),
    "unfinished": ("wrong", "graded"),
}


@dataclass(frozen=True, slots=True)
class Decoding:
    """How completions are drawn; temperature 0 is greedy. The defaults: one sample of the model's own distribution."""

    samples: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    greedy: bool = False  # one greedy completion besides the samples

    @property
    def is_greedy(self) -> bool:
        """Whether the samples themselves are greedy."""
        return self.temperature == 0.0


@dataclass(frozen=True, slots=True)
class Protocol:
    """See conf/protocol/_all.yaml for each field."""

    name: str
    template: str
    system: str | None
    prompt: str
    suffix: str | None  # None: each problem's own, which the sources of a mixture bring
    shots: tuple[str, ...]
    answer: str
    unfinished: str
    stop: tuple[str, ...]
    max_tokens: int
    profile: str  # of the grader: math, aime, digits
    grader: str  # versions of what judges
    decoding: Decoding
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    switch: Mapping[str, Any] = field(default_factory=dict)  # a small model beside, and when it writes; none: {}
    adapt: Mapping[str, Any] = field(default_factory=dict)  # the other strategies, and how one is chosen; none: {}

    @property
    def fingerprint(self) -> str:
        """sha256 over every field, its first 12 letters."""
        return hashlib.sha256(json.dumps(self.record(), sort_keys=True).encode()).hexdigest()[:12]

    def record(self) -> dict[str, Any]:
        """Every field as it is written down; chat template keywords, a switch and strategies where there are any."""
        fields = asdict(self)
        return {k: v for k, v in fields.items() if k not in (KEYWORDS, "switch", "adapt") or v}

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase | None) -> str:
        """What the model is shown."""
        literal = hide_special_tokens(problem, tokenizer)
        asked = "".join((*self.shots, fill_protocol_template(self.prompt, protocol_template_fields(literal))))
        node: dict[str, Any] = {name: getattr(self, name) for name in ("template", "system", "suffix", KEYWORDS)}
        try:
            return compose_prompt(replace(literal, question=asked), node, tokenizer)
        except UserError as error:  # prompts know their keys in a run's config only
            key = error.key.replace("model.prompt.", "protocol.")
            remedy = "Take protocol=boxed, or an instruction-tuned model."
            raise UserError(key, getattr(self, key.rpartition(".")[2], self.name), error.problem, remedy) from error


def protocol_template_fields(problem: Problem) -> dict[str, str]:
    """What may stand in a prompt."""
    return {name: str(getattr(problem, name)) for name in FIELDS}


def fill_protocol_template(template: str, values: Mapping[str, str]) -> str:
    """The template with the values in their places."""
    return re.sub(r"\{(" + "|".join(values) + r")\}", lambda found: values[found[1]], template)


def resolve_protocol(
    suite: Mapping[str, Any],
    chosen: Mapping[str, Any],
    decoding: Mapping[str, Any],
    grader: str,
    keywords: Mapping[str, Any] | None = None,
) -> Protocol:
    """The suite's protocol, overlaid by its own decoding, by what the user chose, and by the user's decoding.

    `keywords`: of the model's chat template, where the protocol says none.
    """
    own, data = dict(suite["protocol"]), suite["dataset"]
    merged = dict(chosen) if chosen.get("name") else own | _stated_protocol_keys(chosen)
    drawn: dict[str, Any] = asdict(Decoding())
    for layer in (own.get("decoding"), suite.get("decoding"), chosen.get("decoding"), decoding):
        drawn |= _stated_protocol_keys(layer or {})
    _check_protocol_choices(merged)
    _check_prompt_template(str(merged["prompt"]))
    adapt = dict(chosen.get("adapt") or {})
    others = {one: resolve_protocol(suite, adapt[one], decoding, grader, keywords) for one in OTHERS if adapt}
    return Protocol(
        name=str(merged["name"]),
        template=str(merged["template"]),
        system=merged.get("system"),
        prompt=str(merged["prompt"]),
        suffix=_own_or_of_dataset("suffix", merged, data),
        shots=(),
        answer=str(merged["answer"]),
        unfinished=str(merged["unfinished"]),
        stop=tuple(_own_or_of_dataset("stop", merged, data) or ()),
        max_tokens=_token_budget(merged, data),
        profile=str(data["profile"]),
        grader=grader,
        decoding=_checked_decoding(drawn),
        chat_template_kwargs=dict(merged.get(KEYWORDS) or keywords or {}) if merged["template"] != "plain" else {},
        switch=dict(chosen.get("switch") or {}),
        adapt=adapt | {one: other.record() for one, other in others.items()},
    )


def _token_budget(protocol: Mapping[str, Any], data: Mapping[str, Any]) -> int:
    """The protocol's limit, or the data set's, times the protocol's share of it; at least 1."""
    most = _positive_protocol_integer("protocol.max_tokens", protocol.get("max_tokens") or data["max_tokens"])
    return max(1, round(most * float(protocol.get("token_share") or 1.0)))


def _own_or_of_dataset(key: str, protocol: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    """The protocol's setting; where it leaves it open, the data set's."""
    return data.get(key) if protocol.get(key) is None else protocol[key]


def _stated_protocol_keys(node: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that a protocol's node states, without those that it leaves open."""
    return {key: value for key, value in node.items() if value is not None and key != "shots"}


def _checked_decoding(node: Mapping[str, Any]) -> Decoding:
    temperature, top_p, top_k = node["temperature"], node["top_p"], node["top_k"]
    if not _is_decoding_number(temperature) or temperature < 0:
        raise UserError("decoding.temperature", temperature, "must be a number, at least 0 (0 is greedy).")
    if not _is_decoding_number(top_p) or not 0.0 < top_p <= 1.0:
        raise UserError("decoding.top_p", top_p, "must be a number in (0, 1].")
    if isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 0:
        raise UserError("decoding.top_k", top_k, "must be a whole number; 0 is off.")
    samples = _positive_protocol_integer("decoding.samples", node["samples"])
    if temperature == 0.0 and samples > 1:
        raise UserError(
            "decoding.samples", samples, "greedy completions are all the same.", "Take 1, or a temperature."
        )
    greedy = bool(node["greedy"]) and temperature > 0.0
    return Decoding(samples, float(temperature), float(top_p), top_k, greedy)


def _is_decoding_number(value: object) -> bool:
    """Whether a value of a protocol's decoding is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _positive_protocol_integer(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(key, value, "must be a whole number, more than 0.")
    return value


def _check_protocol_choices(node: Mapping[str, Any]) -> None:
    for key, offered in CHOICES.items():
        if node.get(key) not in offered:
            raise UserError(f"protocol.{key}", node.get(key), "not a choice.", f"Choose {', '.join(offered)}.")


def _check_prompt_template(prompt: str) -> None:
    unknown = [name for name in STRAY.findall(prompt) if name not in FIELDS]
    if unknown:
        known = ", ".join(f"{{{field}}}" for field in FIELDS)
        raise UserError("protocol.prompt", f"{{{unknown[0]}}}", "is no field of a problem.", f"There are {known}.")
    if "{question}" not in prompt:
        raise UserError("protocol.prompt", repr(prompt), "does not ask the question.", "Put {question} into it.")


def protocol_ks_of_pass_at_k(samples: int, wanted: Sequence[int] | None) -> tuple[int, ...]:
    """The k of pass@k: the wanted ones, else 1, 2, 4 … up to the number of samples, and that number."""
    for k in wanted or ():
        if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= samples:
            remedy = f"Take k from 1 to {samples}, or decoding.samples={k}."
            raise UserError("evaluation.pass_at", k, f"pass@{k} cannot be had from {samples} samples.", remedy)
    powers = [2**i for i in range(samples.bit_length()) if 2**i <= samples]
    return tuple(sorted(set(wanted or [*powers, samples])))


def protocol_from_record(node: Mapping[str, Any]) -> Protocol:
    """A protocol as an evaluation wrote it down."""
    tuples = {name: tuple(node[name]) for name in ("shots", "stop")}
    return Protocol(**dict(node) | tuples | {"decoding": Decoding(**node["decoding"])})


def protocol_decodings(protocol: Protocol) -> tuple[str, ...]:
    """sampled, and greedy besides it where the protocol asks for that."""
    if protocol.decoding.is_greedy:
        return ("greedy",)
    return ("sampled", "greedy") if protocol.decoding.greedy else ("sampled",)


def completions_per_problem(protocol: Protocol, decoding: str) -> int:
    """Completions of a problem."""
    return 1 if decoding == "greedy" else protocol.decoding.samples


def sampling_of_protocol(protocol: Protocol, decoding: str, batch_size: int) -> SamplingParams:
    """As the generation loop wants it."""
    from tvo_cli.rollout import SamplingParams

    drawn = protocol.decoding
    return SamplingParams(
        samples=completions_per_problem(protocol, decoding),
        max_tokens=protocol.max_tokens,
        temperature=0.0 if decoding == "greedy" else drawn.temperature,
        top_p=drawn.top_p,
        top_k=drawn.top_k,
        stop=protocol.stop,
        batch_size=batch_size,
    )
