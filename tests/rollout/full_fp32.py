"""Our attention and the fused steps on any CPU, also where oneDNN would round their products."""

from __future__ import annotations

import pytest

from tvo_cli.rollout.decoding import onednn


@pytest.fixture
def quick_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick products are on; where "medium" rounds (AMX, some arm64 CPUs) in PyTorch's own full fp32."""
    if not onednn.onednn_keeps_accuracy():
        monkeypatch.setattr(onednn, "onednn_keeps_accuracy", lambda: True)
        monkeypatch.setattr(onednn, "PRECISION", "highest")
