"""The diagnosis of a run of ours, written into its folder at its end; `tvo ls` and `tvo compare` read it there."""

from __future__ import annotations

from pathlib import Path

from tvo_cli.diagnosis.diagnosis import diagnose
from tvo_cli.diagnosis.logs_to_diagnose import log_of_trial
from tvo_cli.diagnosis.render.json_format import diagnosis_as_mapping
from tvo_cli.report.known_failure import DIAGNOSIS_FILE
from tvo_cli.runs.tolerant_run_reading import read_run_folder
from tvo_cli.runs.trial import FINISHED, Trial
from tvo_cli.runs.trial_settings import flat_trial_settings
from tvo_cli.tracking.atomic_files import write_json_atomically


def write_diagnosis(folder: Path) -> None:
    """Diagnose a run folder and write diagnosis.json into it."""
    run, _ = read_run_folder(folder)
    trial = Trial(folder.name, str(folder), run, flat_trial_settings(run.config), FINISHED)
    write_json_atomically(folder / DIAGNOSIS_FILE, diagnosis_as_mapping(diagnose(log_of_trial(trial))))
