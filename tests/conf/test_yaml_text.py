"""What is written as YAML is read back by OmegaConf as it was, and looks as OmegaConf writes it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from omegaconf import OmegaConf

from tvo_cli import config
from tvo_cli.config.yaml_text import to_yaml

HOSTILE = [
    *("1e-3", "1E5", "12", "1_000", "0x1f", "1:30", "inf", ".inf", "-.INF", "nan", ".nan", "NaN", "+.5", "1.", "-0"),
    *(
        "yes",
        "No",
        "on",
        "true",
        "null",
        "~",
        "",
        " ",
        "- a",
        "a: b",
        "#c",
        "'",
        '"',
        "'1'",
        "\\boxed{",
        "{a",
        "[b",
        "*c",
    ),
    *(
        "2026-11-29",
        "line\nbreak",
        "tab\there",
        "é ∇ 漢",
        "\u200f",
        "gr\udcc3\udcb6\udcc3\udc9fe",  # a path that the locale cannot name
        "x" * 200,
        "%",
        "@",
        "`",
        "!tag",
        "&",
        "|",
        ">",
        "?",
    ),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_stay_texts(text: str) -> None:
    tree = {"a": text, "b": [text, {text or "empty": text}]}
    assert OmegaConf.to_container(OmegaConf.create(to_yaml(tree))) == tree


def test_numbers_and_nothing_stay_what_they_are() -> None:
    tree: dict[str, Any] = {"a": [1, -2, 1.0, 1e-5, 3e20, -math.inf, math.inf, True, None, {}, []], "b": {}}
    read = OmegaConf.to_container(OmegaConf.create(to_yaml(tree)))
    assert repr(read) == repr(tree)
    assert math.isnan(OmegaConf.create(to_yaml({"a": math.nan})).a)


def test_a_config_is_written_as_omegaconf_writes_it() -> None:
    tree = config.resolved_tree(config.compose(["output_dir=x"]))
    tree["again"] = tree["trainer"]
    assert to_yaml(tree) == OmegaConf.to_yaml(OmegaConf.create(tree))
