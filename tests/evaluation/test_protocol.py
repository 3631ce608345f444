"""Protocols: layers, prompts, hashes, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.evaluation import suite
from tvo_cli.evaluation.protocol import STRAY, Decoding, protocol_ks_of_pass_at_k, resolve_protocol
from tvo_cli.types import Problem

if TYPE_CHECKING:
    from tvo_cli.evaluation.protocol import Protocol

PROBLEM = Problem("p", r"What is \frac{1}{2} of {4}?", "2", "s", level="3")


def protocol(*overrides: str, suites: str = "arithmetic") -> Protocol:
    tree = config.resolved_tree(config.compose([f"evaluation=[{suites}]", "output_dir=x", *overrides], "eval"))
    return resolve_protocol(tree["evaluation"]["suites"][suites], tree["protocol"], tree["decoding"], "g")


def test_a_suite_decodes_as_it_says_unless_somebody_chooses() -> None:
    assert protocol(suites="aime24").decoding == Decoding(32, 0.6, 0.95, 0, False)
    assert protocol("protocol=minerva", suites="math500").decoding == Decoding(1, 0.0, 1.0, 0, False)
    assert protocol("protocol=r1", suites="math500").decoding.temperature == 0.6, "a protocol's own decoding wins"
    assert protocol("protocol=r1", "decoding.temperature=0.9", suites="math500").decoding.temperature == 0.9


def test_one_key_changes_a_suites_own_protocol_and_a_named_one_replaces_it() -> None:
    found = protocol("protocol.system=Hello", suites="math500")
    assert (found.name, found.template, found.system) == ("qwen-cot", "chat", "Hello")
    replaced = protocol("protocol=plain", suites="math500")
    assert (replaced.template, replaced.system) == ("plain", None)
    assert (replaced.suffix or "").endswith("\\boxed{}."), "plain takes the data set's own ending"


def test_the_prompt_around_the_question() -> None:
    boxed = protocol("protocol=boxed")
    assert boxed.render(PROBLEM, None) == PROBLEM.question + (boxed.suffix or "")
    graded = protocol("protocol=boxed", "protocol.prompt='L{level}: {question}'", "protocol.suffix=''")
    assert graded.render(PROBLEM, None) == r"L3: What is \frac{1}{2} of {4}?", "fields of the question stay as they are"
    assert not STRAY.findall(r"\frac{a}{b} \boxed{}"), "LaTeX arguments are no fields"


@pytest.mark.slow
def test_the_strategies_of_diffadapt_have_their_temperature_and_share_of_the_budget() -> None:
    """0.4, 1 and 0.5 of the data set's own limit."""
    limit = protocol("protocol=plain", suites="gsm8k").max_tokens
    wanted = {"easy": (0.5, 0.4), "normal": (0.8, 1.0), "hard": (0.4, 0.5)}
    for name, (temperature, share) in wanted.items():
        found = protocol(f"protocol=diffadapt_{name}", suites="gsm8k")
        assert (found.decoding.temperature, found.max_tokens) == (temperature, round(share * limit)), name
    assert protocol("protocol=diffadapt_hard", "protocol.max_tokens=1", suites="gsm8k").max_tokens == 1


@pytest.mark.slow
def test_a_switch_is_part_of_the_protocol_and_without_one_nothing_has_changed() -> None:
    plain, paired = protocol(), protocol("protocol=entropy_adaptive", "protocol.switch.threshold=0.5")
    assert "switch" not in plain.record() and paired.fingerprint != plain.fingerprint
    assert (paired.name, paired.suffix, paired.switch["threshold"]) == (plain.name, plain.suffix, 0.5)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("protocol.prompt='{foo} {question}'", r"protocol\.prompt=\{foo\}: is no field of a problem"),
        ("protocol.prompt=hello", "does not ask the question"),
        ("protocol.template=xml", r"protocol\.template=xml"),
        ("protocol.answer=last", r"protocol\.answer=last"),
        ("decoding.temperature=-1", r"decoding\.temperature=-1"),
        ("decoding.temperature=0", r"decoding\.samples=8: greedy"),
        ("decoding.top_p=0", r"decoding\.top_p=0"),
        ("decoding.top_k=1.5", r"decoding\.top_k=1\.5"),
        ("decoding.samples=0", r"decoding\.samples=0"),
        ("protocol.max_tokens=-3", r"protocol\.max_tokens=-3"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(override: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        protocol(override)


@pytest.mark.slow
def test_the_hash_sees_everything_that_changes_a_number_and_nothing_else() -> None:
    plain = protocol()
    for override in ("protocol.max_tokens=21", "decoding.samples=4", "protocol.suffix=x", "protocol.unfinished=graded"):
        assert protocol(override).fingerprint != plain.fingerprint, override
    assert protocol("rollout.batch_size=7", "evaluation.limit=3").fingerprint == plain.fingerprint


def test_the_ks_of_pass_at_k() -> None:
    assert protocol_ks_of_pass_at_k(8, None) == (1, 2, 4, 8)
    assert protocol_ks_of_pass_at_k(6, None) == (1, 2, 4, 6)
    assert protocol_ks_of_pass_at_k(8, [8, 3]) == (3, 8)
    with pytest.raises(UserError, match=r"evaluation\.pass_at=9: pass@9 cannot be had from 8 samples"):
        protocol_ks_of_pass_at_k(8, [9])


def test_a_chat_protocol_needs_a_chat_template() -> None:
    class Bare:
        chat_template = None

    with pytest.raises(UserError, match=r"protocol\.template=chat.*protocol=boxed"):
        protocol(suites="math500").render(PROBLEM, Bare())


@pytest.mark.slow
def test_every_suite_and_every_protocol_composes() -> None:
    """Each with one of the other, until all of both have had their turn."""
    suites, protocols = suite.suite_names(), config.choices_of_group("protocol")
    for turn in range(max(len(suites), len(protocols))):
        name, chosen = suites[turn % len(suites)], protocols[turn % len(protocols)]
        assert protocol(f"protocol={chosen}", "path=x", suites=name).fingerprint


@pytest.mark.slow
def test_minervas_examples_come_from_the_training_split(shared: Path) -> None:
    overrides = ["evaluation=[math500]", "protocol=minerva", f"data_dir={shared}", "evaluation.limit=1", "output_dir=x"]
    (found,) = suite.load_suites(config.compose(overrides, "eval"))
    prompt = found.protocol.render(found.problems[0], None)
    assert prompt.count("Problem:") == 5
    assert prompt.count("Final Answer: The final answer is $") == 4
    assert prompt.endswith("\n\nSolution:")
    assert "$24$. I hope" in prompt
