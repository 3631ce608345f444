"""The words that every format of a diagnosis shares."""

from __future__ import annotations

import pytest

from tests.diagnosis.logs import diagnosed
from tvo_cli.diagnosis.render.wording import headline


@pytest.mark.parametrize(
    ("planned", "said"),
    [(None, "(another trainer, 6 steps)"), (9, "6 of 9 steps"), (6, ", 6 steps)"), (4, ", 6 steps)")],
)
def test_a_run_that_went_further_than_its_resume_asked_for_has_its_own_steps(planned: int | None, said: str) -> None:
    assert said in headline(diagnosed({"accuracy/fresh": [0.5] * 6}, planned=planned))
