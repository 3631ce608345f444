"""How many rows the sampler decodes at once: what a bound on the cache's bytes must be seen in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tvo_cli.rollout.decoding.decoding_state import DecodingState

if TYPE_CHECKING:
    import pytest


def note_rows_of_each_step(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that gets the number of running rows at every step of decoding from now on."""
    found, step = list[int](), DecodingState.step

    def noting(self: Any, *given: Any) -> Any:
        found.append(len(self.starts))
        return step(self, *given)

    monkeypatch.setattr(DecodingState, "step", noting)
    return found
