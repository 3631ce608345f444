"""A plugin of pytest (`-p tests.rollout.rounding`): this CPU is one whose products no accuracy satisfies."""

from __future__ import annotations


def pytest_sessionstart() -> None:
    """Before the first test asks."""
    from tvo_cli.rollout.decoding import onednn

    onednn.TOLERANCE = 0.0
    onednn.onednn_keeps_accuracy.cache_clear()
    assert not onednn.onednn_keeps_accuracy()
