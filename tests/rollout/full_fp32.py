"""Our attention and the fused steps on any CPU, also where oneDNN would round their products."""

from __future__ import annotations

import pytest

from tvo_cli.rollout import products


@pytest.fixture
def quick_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick products are on; where "medium" rounds (AMX, some arm64 CPUs) in PyTorch's own full fp32."""
    if not products.accurate():
        monkeypatch.setattr(products, "accurate", lambda: True)
        monkeypatch.setattr(products, "PRECISION", "highest")
