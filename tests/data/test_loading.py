"""One door for every kind of data; the yamls that ship; what importing costs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from tvo_cli import data
from tvo_cli.config import register_resolvers
from tvo_cli.data.addition import AdditionSettings
from tvo_cli.data.arithmetic import ArithmeticSettings
from tvo_cli.data.generated_settings import settings_of
from tvo_cli.data.loading import KINDS
from tvo_cli.errors import UserError

CONF = Path(__file__).parent.parent.parent / "conf" / "dataset"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))


def changed(name: str, **keys: int) -> Any:
    return OmegaConf.merge(node(name), keys)


def node(name: str) -> Any:
    from hydra import compose, initialize_config_dir

    register_resolvers()
    with initialize_config_dir(str(CONF.parent), version_base="1.3"):
        return compose(overrides=[f"+dataset={name}"]).dataset


@pytest.mark.parametrize("name", NAMES)
def test_every_yaml_composes_and_says_what_the_rest_needs(name: str) -> None:
    composed = node(name)
    assert (CONF / f"{name}.yaml").read_text().startswith("# ")
    assert composed.kind in KINDS
    assert composed.profile in ("math", "aime", "digits")
    assert composed.max_tokens >= 16
    assert isinstance(composed.suffix, str) or name == "mixture"  # whose sources bring their own
    assert composed.name == ("addition" if name == "addition_sparse" else name)


@pytest.mark.parametrize(("name", "settings"), [("arithmetic", ArithmeticSettings), ("addition", AdditionSettings)])
def test_defaults_in_code_and_yaml_are_the_same_numbers(name: str, settings: type[Any]) -> None:
    assert settings_of(settings, node(name)) == settings()
    assert set(asdict(settings())) <= set(node(name))


def test_the_sparse_variant() -> None:
    assert settings_of(AdditionSettings, node("addition_sparse")) == AdditionSettings(
        hard_share=0.6, hard_error=0.75, easy_error=0.2
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("operations", [1, 2, 3]),
        ("operations", "five"),
        ("operations", 2.5),
        ("hard_share", 1.5),
        ("easy_error", "often"),
        ("modulus", 2.5),
        ("table_seed", "x"),
    ],
)
def test_wrong_numbers_name_their_key(key: str, value: object) -> None:
    with pytest.raises(UserError) as caught:
        data.load({"kind": "arithmetic", "name": "arithmetic", key: value}, split="train", seed=0)
    assert caught.value.key == f"dataset.{key}"


def test_the_seed_of_the_node_wins() -> None:
    free = data.load(node("arithmetic"), split="train", seed=4)
    fixed = data.load(changed("arithmetic", seed=4), split="train", seed=9)
    assert free.problem(3) == fixed.problem(3)
    assert data.load(node("arithmetic"), split="train", seed=9).problem(3) != free.problem(3)


def test_a_limit_makes_generated_data_finite() -> None:
    problems = data.load(changed("addition", limit=8), split="train", seed=0)
    cursor = data.Cursor(problems, seed=0)
    taken = [{problem.id for problem in cursor.take(8)} for _ in range(2)]
    assert problems.size == 8
    assert taken[0] == taken[1]


def test_unknown_kinds_and_splits() -> None:
    with pytest.raises(UserError, match=r"dataset\.kind=csv"):
        data.load({"kind": "csv", "name": "x"}, split="train", seed=0)
    with pytest.raises(UserError, match="split=validation"):
        data.load(node("arithmetic"), split="validation", seed=0)


def test_the_room_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "datasets", "numpy", "reasoning_gym", "omegaconf", "hydra", "jinja2")
    code = (
        "import sys; from tvo_cli import data;"
        "data.load({'kind': 'arithmetic', 'name': 'a'}, split='train', seed=0).problem(0);"
        f" print([name for name in {heavy!r} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
