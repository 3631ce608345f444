"""experiment=math_0.5b, math_1.5b, math_7b fit their GPUs by the plan; the page has the plan's numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.memory import networks
from tvo_cli import config
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.memory.bounds import USED
from tvo_cli.memory.memory_plan import MemoryPlan, plan_memory
from tvo_cli.memory.planned_run import planned_run

PAGE = (Path(__file__).parent.parent.parent / "docs" / "memory.md").read_text(encoding="utf-8")
CARDS = {"0.5b": 24, "1.5b": 40, "7b": 80}  # GB
ROW = re.compile(r"^\| `experiment=math_(\S+?)((?: \S+)*)` \| (\d+) GB \| ([\d.]+) \| (\w+) \|$", flags=re.MULTILINE)


def plan_of(size: str, *words: str) -> MemoryPlan:
    chosen = config.compose([f"experiment=math_{size}", "trainer.device=cuda", "output_dir=x", *words])
    check_across_keys(chosen)
    return plan_memory(planned_run(chosen, networks.qwen2_shape(size), int(chosen.dataset.max_prompt_tokens)).request)


@pytest.mark.parametrize(("size", "card"), CARDS.items())
def test_a_preset_fits_its_card_with_a_tenth_to_spare(size: str, card: int) -> None:
    assert plan_of(size).peak <= USED * card * 1e9
    assert re.search(rf"one GPU of {card} GB", (config.conf_dir() / "experiment" / f"math_{size}.yaml").read_text())


@pytest.mark.slow
def test_without_their_settings_the_larger_ones_would_not_fit() -> None:
    assert plan_of("7b", "adapter=none", "model.dtype=auto").peak > 80e9
    assert plan_of("1.5b", "trainer.microbatch_rows=32", "rollout.cache_gb=24").peak > USED * 40e9


def test_the_page_has_what_the_plan_says() -> None:
    rows = ROW.findall(PAGE)
    assert {size for size, *_ in rows} == set(CARDS)
    for size, words, card, told, phase in rows:
        plan = plan_of(size, *words.split())
        assert (f"{plan.peak / 1e9:.1f}", plan.phase) == (told, phase), f"the page is stale: math_{size}{words}"
        assert float(told) <= USED * int(card)
