"""Where `tvo eval` names no suite, a run on other data than the default suite's is asked what it held out."""

from __future__ import annotations

from pathlib import Path

from tests.experiment.test_automatic_settings import composed
from tests.experiment.test_heldout_suite import OWN, recorded_run
from tvo_cli.experiment.run_of_policy import recorded_config_of_policy
from tvo_cli.experiment.unnamed_suite import name_heldout_suite, notes_on_unnamed_suite


def test_a_run_on_other_data_names_the_suite_itself(tmp_path: Path) -> None:
    run, file, said = tmp_path / "it is", tmp_path / "mine.jsonl", list[str]()
    recorded_run(run, *OWN, f"dataset.path={file}")
    word = f"model.path='{run}'"
    assert name_heldout_suite([word], said.append) == [word, "evaluation=[heldout]"]
    assert len(said) == 1 and str(file) in said[0]
    for words in ([word, "evaluation=[math500]"], ["model.path=packaged:tiny"], []):
        assert name_heldout_suite(words, said.append) == words
    assert len(said) == 1
    sweep = [f"model.path=packaged:tiny,'{run}'", "-m"]
    assert name_heldout_suite(sweep, said.append) == sweep and len(said) == 2
    assert said[1].startswith(f"arithmetic is not what {run} was trained on, jsonl {file}")
    chosen, recorded = composed(word, root="eval"), recorded_config_of_policy(str(run))
    [note] = notes_on_unnamed_suite(chosen, recorded, ["model.path"])
    assert note.endswith("evaluation=heldout") and note.startswith("arithmetic is not what")
    assert not list(notes_on_unnamed_suite(chosen, recorded, ["evaluation"]))
