"""What is typed beyond ASCII is taken, and what is refused is told by its own key with advice that works."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from tvo_cli import config
from tvo_cli.errors import UserError

BEYOND_ASCII = [
    ("output_dir=größe/${seed}", "output_dir", "größe/0"),
    ("run_name=日本", "run_name", "日本"),
    ("rollout.stop=[ende,schön]", "rollout.stop", ["ende", "schön"]),
    ("rollout.stop=ü", "rollout.stop", ["ü"]),
    ("dataset.suffix=ü\\", "dataset.suffix", "ü\\"),  # a backslash before the quote that closes
    ("dataset.suffix='ü, ä'", "dataset.suffix", "ü, ä"),
    ("output_dir=gr\udcc3\udcb6", "output_dir", "gr\udcc3\udcb6"),  # bytes that the locale cannot read
]


@pytest.mark.parametrize(("word", "key", "meant"), BEYOND_ASCII)
def test_values_beyond_ascii_need_no_quotes_of_their_own(word: str, key: str, meant: object) -> None:
    assert OmegaConf.select(config.compose([word]), key) == meant


def test_quotes_beyond_ascii_leave_sweeps_options_and_prose_alone() -> None:
    words = ["run_name=ä,b,ü", "--config-dir=ü", "dataset.suffix=schön: ja", "seed=1"]
    assert config.normalised_overrides(words) == ["run_name='ä',b,'ü'", *words[1:]]
    with pytest.raises(UserError, match=r"""quoted twice.*"dataset\.suffix='schön: ja'\""""):
        config.compose(words[2:3])


ADVICE = [
    ("sft", ["trainer=default"], r"^trainer=default: `tvo sft` has no such group\. It has: adapter, dataset, model,"),
    ("sft", ["trainer.steps=2"], r"no such key\. Nearest: steps"),
    (
        "eval",
        ["dataset=shop"],
        r"no such group\. Its problems are suites: .*heldout.* It has: evaluation, logger, model,",
    ),
    ("variance", ["dataset=arithmetic"], r"has no such group\. It has: model"),
    ("variance", ["seeds=3"], r"^seeds=3: there is no such key\. Nearest: seed"),
    ("train", ["logger.wandb_key=def"], r"^logger\.wandb_key=\*\*\*: there is no such key"),
    ("train", ["adapter.rank=8"], r"^adapter\.rank=8: there is no such key\. adapter=lora has it\."),
    ("train", ["optimizer.schedule.hold=0.5"], r"optimizer=adamw_river_valley has it"),
    ("train", ["dataset.shots=2"], r"dataset=chain_sums has it"),
    ("train", ["adapter.rnk=8"], r"no such key\. Nearest: adapter"),
    ("eval", ["modl.path=x"], r"^modl\.path=x: there is no such key\. Nearest: model\.path"),
    ("train", ["model=custom", "modl.path=x"], r"^modl\.path=x: there is no such key\. Nearest: model\.path"),
    ("train", ["model=custom", "model.path=x", "model.checkpoint=best"], r"Add it: \+model\.checkpoint=best"),
    ("train", ["+algorithm.foo=1"], r"no such key\. Nearest: algorithm, algorithm\.name"),
    ("train", ["+experiment=quick"], r"^experiment=quick: has a value already\. Without the \+: experiment=quick"),
    ("train", ["optimizer.lr = 1e-3"], r"spaces around `=`\. Write optimizer\.lr=1e-3"),
    ("train", ["=3"], r"^override==3: has no key\. Settings are written key=value"),
    ("train", ["+@foo=3"], r"has no key"),
    ("train", ["'seed=1'"], r"cannot be read: .* Settings are written key=value"),
    ("train", ["run_name=~/x"], r"""quoted twice, .* "run_name='~/x'\""""),
    ("train", ["rollout.stop=42"], r"""quote it twice: "rollout\.stop='42'\""""),
    ("sft", ["lr=0"], r"^lr=0: must be a number, more than 0 or auto\.$"),
    ("train", ["dataset.suffix=3"], r"^dataset\.suffix=3: must be a text"),
]


@pytest.mark.parametrize(("root", "words", "said"), ADVICE)
def test_a_refusal_names_the_key_that_was_typed_and_advice_that_works(root: str, words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        config.compose(words, root)
