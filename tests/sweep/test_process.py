"""hydra/launcher=process: what reaches a job, what is written, what a sweep in a config file does."""

from __future__ import annotations

import pytest

from .conftest import Sweep


@pytest.mark.slow
def test_slots_reach_the_jobs_and_secrets_reach_no_file(sweep: Sweep) -> None:
    words = ("seed=range(2)", "hydra.launcher.gpus=[4,6]", "+vault.api_key=hush", "+note='a, b'")
    code, said, _ = sweep.run(*words)
    assert code == 0 and "2 of 2 finished" in said and "2 at a time, GPUs 4, 6" in said
    lines = [line.split() for line in (sweep.folder / "starts.txt").read_text().splitlines()]
    assert {gpu for _, gpu, _ in lines} == {"4", "6"} and {threads for *_, threads in lines} == {"1"}
    assert sorted(name for name, *_ in lines) == ["s0", "s1"] == sorted(sweep.jobs())
    files = [path for path in sweep.folder.rglob("*") if path.is_file()]
    assert [path.name for path in files if "hush" in path.read_text(errors="replace")] == []
    assert sweep.jobs()["s1"]["command"].startswith("tvo train seed=1 ")


@pytest.mark.slow
def test_a_sweep_in_a_config_file_needs_no_flag_and_one_job_twice_runs_once(sweep: Sweep) -> None:
    mine = sweep.place / "mine" / "experiment"
    mine.mkdir(parents=True)
    text = "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '0,0,1', optimizer.lr: '1e-4'}}}\n"
    (mine / "own.yaml").write_text(text)
    code, said, _ = sweep.run("--config-dir", str(sweep.place / "mine"), "experiment=own", multirun=False)
    assert code == 0 and sorted(sweep.starts()) == ["s0", "s1"]
    assert "sweep: 2 jobs (3 asked, 1 the same as another)" in said
    assert "2 of 2 finished (3 asked, 1 the same as another)" in said
    command = sweep.jobs()["s1"]["command"]
    assert "--config-dir" in command and "optimizer.lr=0.0001" in command and command.endswith(" hydra.mode=RUN")


@pytest.mark.slow
def test_a_job_that_differs_in_no_number_is_said(sweep: Sweep) -> None:
    code, said, _ = sweep.run("logger.console=off,plain")
    assert code == 0 and "sweep: 1 job (2 asked, 1 the same as another)" in said and len(sweep.starts()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [("seed=0,1", "hydra.launcher.n_jobs=0"), ("algorithm=tvo,nope",), ("seed=range(3,3)",)],
    ids=["launcher", "job", "no job"],
)
def test_a_sweep_that_is_refused_leaves_no_folder(sweep: Sweep, words: tuple[str, ...]) -> None:
    assert sweep.run(*words)[0] == 2 and list(sweep.place.iterdir()) == []
    sweep.folder.mkdir()
    (sweep.folder / "mine.txt").write_text("kept")
    assert sweep.run(*words)[0] == 2 and (sweep.folder / "mine.txt").read_text() == "kept"


@pytest.mark.slow
def test_a_changed_setting_has_a_folder_of_its_own(sweep: Sweep) -> None:
    assert sweep.run("seed=0,1")[0] == 0
    code, said, _ = sweep.run("seed=0,1", "trainer.keep=1")
    assert code == 0 and "2 of 2 finished." in said, "nothing was done before"
    names = sorted(sweep.jobs())
    assert names[0] == "s0" and names[1].startswith("s0-") and len(names) == 4


@pytest.mark.slow
def test_resume_never_begins_jobs_anew_that_are_done(sweep: Sweep) -> None:
    assert sweep.run("seed=0,1")[0] == 0
    code, said, _ = sweep.run("seed=0,1")
    assert code == 0 and "2 already finished" in said and sorted(sweep.starts()) == ["s0", "s1"]
    code, said, _ = sweep.run("seed=0,1", "resume=never")
    assert code == 0 and "already finished" not in said and sorted(sweep.starts()) == ["s0", "s0", "s1", "s1"]
