"""A piece that is called with a batch is a function with `_partial_: true`; a class is built once, without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.errors import UserError

SHAPED, SHAPER = "+algorithm.reward_shaping.a", "tvo_cli.methods.pear.pear, alpha: 1.0, right: 1.0, least: 0.0"
MINE = "def half(experience, share): ...\ndef low(experience, advantage, share): ...\nclass Half: ..."
WRONG = [  # override, and what is said of it
    (f"{SHAPED}={{_target_: {SHAPER}}}", r"a\._partial_=: is missing: .*pear is a function, called with experience"),
    (f"{SHAPED}={{_target_: {SHAPER}}}", r"Add it: \+algorithm\.reward_shaping\.a\._partial_=true$"),
    (
        f"{SHAPED}={{_target_: {SHAPER}, _partial_: false}}",
        r"a\._partial_=false: must be true.* Set algorithm\.reward_shaping\.a\._partial_=true$",
    ),
    (
        "+algorithm.advantage_shaping.a={_target_: tvo_cli.advantage.ReweightedSources, _partial_: true, window: 3}",
        r"a\._partial_=true: does not go with .*ReweightedSources: a class is built once",
    ),
    ("+algorithm.estimator._partial_=true", r"Set algorithm\.estimator\._partial_=false$"),
    ("algorithm.objective.weight._partial_=false", r"must be true: .*every_token is a function, called with tokens"),
    (
        "algorithm.objective.weight._target_=tvo_cli.methods.steer.steer",
        r"weight\.estimator=: is missing: .*steer needs",
    ),
]
OWN = [
    (
        "reward_shaping.weight={_target_: mine.py:half, _partial_: true}",
        r"\.weight\.share=: is missing: mine\.py:half needs",
    ),
    (
        "advantage_shaping.weight={_target_: mine.py:low, _partial_: true}",
        r"\.weight\.share=: is missing: mine\.py:low needs",
    ),
    ("reward_shaping.a={_target_: mine.py:half, share: 1.0}", r"_partial_=: is missing: mine\.py:half is a function"),
    ("reward_shaping.a={_target_: mine.py:Half, _partial_: true}", r"does not go with mine\.py:Half"),
]


@pytest.mark.parametrize(("override", "said"), WRONG)
def test_a_piece_that_is_called_or_built_at_the_wrong_time_is_refused(override: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        config.compose([override, "algorithm=grpo"])


@pytest.mark.parametrize(("override", "said"), OWN)
def test_so_is_a_piece_of_own_code(override: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE)
    with pytest.raises(UserError, match=said):
        config.compose([f"+algorithm.{override}", "plugins=[mine.py]"])


def test_a_function_whose_call_brings_what_it_lacks_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE)
    node = "{_target_: mine.py:low, _partial_: true, share: 0.5}"
    composed = config.compose([f"+algorithm.advantage_shaping.weight={node}", "plugins=[mine.py]"])
    assert composed.algorithm.advantage_shaping.weight.share == 0.5


def test_a_decorated_function_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its decorator may bring what the signature asks for."""
    monkeypatch.chdir(tmp_path)
    filled = "from functools import partial\nfilled = lambda f: partial(f, share=0.5)\n"
    Path("mine.py").write_text(f"{filled}@filled\ndef half(experience, *, share): ...")
    node = "{_target_: mine.py:half, _partial_: true}"
    composed = config.compose([f"+algorithm.reward_shaping.a={node}", "plugins=[mine.py]"])
    assert composed.algorithm.reward_shaping.a._partial_
