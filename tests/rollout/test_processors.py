"""What oneDNN makes of a CPU is not ours to choose: the same tests as if on others, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent.parent
CONCERNED = (
    *(
        "tests/model/forward_pass/test_shared_prefix.py",
        "tests/model/forward_pass/test_tiled_logprobs.py",
        "tests/golden/test_run.py",
    ),
    *(
        "tests/model/forward_pass/test_sequence_packing.py",
        "tests/rollout/test_fast_pieces.py",
        "tests/rollout/decoding/test_onednn.py",
        "tests/rollout/test_generation.py",
        "tests/rollout/decoding/test_kv_cache.py",
    ),
)
OLD = {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"}
LAPTOP = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
SERVER = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}
ROUNDING = ("-p", "tests.rollout.rounding")


@pytest.mark.parametrize(
    ("processor", "plugin"),
    [(OLD, ()), (LAPTOP, ()), (SERVER, ()), ({}, ROUNDING)],
    ids=["sse", "avx2", "avx512", "rounded to bf16"],
)
def test_fast_products_on_another_processor(processor: dict[str, str], plugin: tuple[str, ...]) -> None:
    """None is skipped: where quick products are not accurate, they are tried in full fp32, and the fall-back too."""
    line = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n0", *plugin, *CONCERNED]
    done = subprocess.run(line, cwd=ROOT, env={**os.environ, **processor}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout and " skipped" not in done.stdout
