"""What is known and said of the probe of `protocol=diffadapt` once it is trained."""

from __future__ import annotations

import pytest
import torch

from tvo_cli.experiment import strategy_probe
from tvo_cli.experiment.strategy_labels import LabelledQuestions
from tvo_cli.model.difficulty_probe import DifficultyProbe


@pytest.mark.parametrize(("labels", "said"), [(["easy", "easy"], True), (["easy", "hard"], False)])
def test_one_label_for_all_is_said(caplog: pytest.LogCaptureFixture, labels: list[str], said: bool) -> None:
    labelled = LabelledQuestions(("a", "b"), torch.zeros(2, 3), labels, tokens=8, prompt_tokens=6)
    strategy_probe._facts_of_probe(labelled, torch.zeros(2, dtype=torch.bool), DifficultyProbe(3, 4, 3))
    assert ("all 2 labelled questions are easy, so every problem is answered as such" in caplog.text) == said
