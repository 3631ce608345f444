"""Templates of `tvo new`: for each kind of own code a yaml, a function and a test, which run as they are."""

from __future__ import annotations

from string import Template

ALGORITHM = {
    "conf/algorithm/$name.yaml": """\
# @package _global_
# yaml-language-server: $$schema=../schema/algorithm.json
# $name: tokens of low probability learn less. Changes GRPO at: weight.
defaults: [grpo, _self_]
plugins: [./$name.py]
algorithm:
  name: $name
  objective:
    weight: {_target_: "./$name.py:$name", _partial_: true, floor: 0.1}
""",
    "$name.py": '''\
"""$name: an algorithm of one's own, GRPO with another weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from tvo_cli.types import Tokens


def $name(tokens: Tokens, *, floor: float) -> Tensor:
    """w = floor + (1 - floor) * pi(y_t), [B, T]: tokens of low probability learn less. floor = 1 is GRPO."""
    return floor + (1 - floor) * tokens.logp.detach().exp()
''',
    "test_$name.py": '''\
"""What any weight must be, and the contract of every algorithm. Run: pytest test_$name.py (pip install pytest)"""

import subprocess
import sys

import torch

from tvo_cli import config
from tvo_cli.experiment.contract.contract_samples import sample_tokens


def test_the_weight_of_a_token():
    chosen = config.compose(["algorithm=$name", "output_dir=unused"]).algorithm.objective.weight
    tokens = sample_tokens()
    weight = config.build(chosen)(tokens)
    assert weight.shape == tokens.mask.shape, "one number a token"
    assert torch.isfinite(weight[tokens.mask]).all()
    # Add the values that you worked out by hand: assert weight[0, 0] == …


def test_it_keeps_the_contract():
    done = subprocess.run([sys.executable, "-m", "tvo_cli", "check-algorithm", "$name", "--no-run"])
    assert done.returncode == 0
''',
}
REWARD = {
    "conf/reward/$name.yaml": """\
# yaml-language-server: $$schema=../schema/reward.json
# $name: a right answer in few words.
defaults: [math, _self_]
functions:
  - {call: "./$name.py:$name", weight: 0.2, target_words: 30}
""",
    "$name.py": '''\
"""$name: a reward of one's own."""

from __future__ import annotations

from collections.abc import Sequence


def $name(responses: Sequence[str], target_words: int) -> list[float | None]:
    """One number a response: 1 up to so many words, then less. None: no opinion."""
    return [min(1.0, target_words / max(len(text.split()), 1)) for text in responses]
''',
    "test_$name.py": '''\
"""The reward at values worked by hand. Run: pytest test_$name.py"""

from $name import $name


def test_short_responses_are_rewarded():
    assert $name(["a b", "a b c d", ""], target_words=2) == [1.0, 0.5, 1.0]
''',
}
DATASET = {
    "conf/dataset/$name.yaml": """\
# @package _global_
# yaml-language-server: $$schema=../schema/dataset.json
# $name: sums of six numbers, modulo 16.
plugins: [./$name.py]
dataset:
  name: $name
  kind: own
  make: {_target_: "./$name.py:$name", count: 256, modulus: 16}
  limit: null
  max_tokens: 20
  profile: math
  suffix: ""
""",
    "$name.py": '''\
"""$name: a data set of one's own."""

from __future__ import annotations

import random
from collections.abc import Iterator


def $name(split: str, seed: int, *, count: int, modulus: int) -> Iterator[dict[str, object]]:
    """Problems of a split, train or test: question and answer, and if you like id, level, subject, scorer."""
    draw = random.Random(f"{split} {seed}")  # the same problems from the same seed
    for _ in range(count):
        numbers = [draw.randrange(modulus) for _ in range(6)]
        yield {"question": " + ".join(map(str, numbers)) + " =", "answer": sum(numbers) % modulus}
''',
    "test_$name.py": '''\
"""The problems: as many as asked for, the same from the same seed, others to test on. Run: pytest test_$name.py"""

from $name import $name


def test_the_answer_is_that_of_the_question():
    for row in $name("train", 0, count=5, modulus=16):
        numbers = map(int, row["question"].removesuffix(" =").split(" + "))
        assert row["answer"] == sum(numbers) % 16


def test_problems_are_drawn_by_split_and_seed():
    def made(*given):
        return list($name(*given, count=5, modulus=16))

    assert made("train", 0) == made("train", 0)
    assert made("train", 0) != made("train", 1)
    assert made("train", 0) != made("test", 0)
''',
}
TEMPLATES = {"algorithm": ALGORITHM, "reward": REWARD, "dataset": DATASET}


def rendered(kind: str, name: str) -> dict[str, str]:
    """Return the files of a kind by path, with a name in place."""
    files = TEMPLATES[kind].items()
    return {Template(path).substitute(name=name): Template(text).substitute(name=name) for path, text in files}
