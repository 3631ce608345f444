"""Own code in whole commands: templates, sweeps, resume, replay, two ranks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.cli.main import main

pytestmark = pytest.mark.slow
QUICK = ("evaluation=off", "logger=none", "trainer.threads=1", "rollout.prompts=8", "rollout.samples=2")


def tvo(folder: Path, *words: str, code: int = 0, start: tuple[str, ...] = (), **variables: str) -> str:
    """Run a command in a folder; what it said."""
    line = [sys.executable, *(start or ("-m", "tvo_cli")), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["algorithm", "dataset", "reward"])
def test_a_template_runs_as_it_is_and_overwrites_nothing(tmp_path: Path, kind: str) -> None:
    said = tvo(tmp_path, "new", kind, "my_own")
    names = [line.removeprefix("wrote ") for line in said.splitlines() if line.startswith("wrote ")]
    assert set(names) == {f"conf/{kind}/my_own.yaml", "my_own.py", "test_my_own.py", f"conf/schema/{kind}.json"}
    before = {name: (tmp_path / name).read_bytes() for name in names}
    assert "is there already" in tvo(tmp_path, "new", kind, "my_own", code=2)
    assert before == {name: (tmp_path / name).read_bytes() for name in names}
    tvo(tmp_path, "-q", "-p", "no:cacheprovider", "test_my_own.py", start=("-m", "pytest"))
    tvo(tmp_path, "train", f"{kind}=my_own", "trainer.steps=1", "output_dir=run", *QUICK)
    assert list(config.recorded_own_code(config.load_recorded_config((tmp_path / "run/config.yaml").read_text())))


def test_a_sweep_runs_again_what_other_code_ran(tmp_path: Path) -> None:
    tvo(tmp_path, "new", "algorithm", "my_own")
    sweep = ("train", "-m", "algorithm=my_own,grpo", "trainer.steps=1", "output_dir=s", *QUICK)
    assert "2 jobs" in tvo(tmp_path, *sweep)
    with (tmp_path / "my_own.py").open("a") as file:
        file.write("# changed\n")
    said = tvo(tmp_path, *sweep)
    assert "1 already finished" in said, "grpo has no own code"
    assert json.loads((tmp_path / "s" / "sweep.json").read_text())


def test_a_run_is_resumed_and_replayed_with_the_code_that_ran(tmp_path: Path) -> None:
    tvo(tmp_path, "new", "algorithm", "my_own")
    run = ("train", "algorithm=my_own", "output_dir=run", "recorder.steps=[1]", *QUICK)
    tvo(tmp_path, *run, "trainer.steps=1")
    text = (tmp_path / "my_own.py").read_text()
    (tmp_path / "my_own.py").write_text(text.replace("(1 - floor)", "0 * (1 - floor)"))
    said = tvo(tmp_path, *run, "trainer.steps=2", code=2)
    assert "own_code=./my_own.py: has changed since the run in" in said and "resume.allow=[own_code]" in said
    assert "own_code=./my_own.py: has changed" in tvo(tmp_path, "replay", "run", "--step", "1", code=2)
    assert "the same bits" in tvo(tmp_path, "replay", "run", "--step", "1", "--recorded-code")
    assert "resume.allow: own_code: ./my_own.py" in tvo(tmp_path, *run, "trainer.steps=2", "resume.allow=[own_code]")
    (tmp_path / "my_own.py").unlink()
    assert "there is no such file" in tvo(tmp_path, "replay", "run", "--step", "1", code=2)


def test_two_ranks_have_the_plugin(tmp_path: Path) -> None:
    tvo(tmp_path, "new", "algorithm", "my_own")
    tvo(tmp_path, "new", "dataset", "my_rows")
    start = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "tvo_cli")
    words = ("algorithm=my_own", "dataset=my_rows", "trainer.steps=1", *QUICK)
    tvo(tmp_path, "train", "parallel=replicate", "output_dir=two", *words, start=start)
    tvo(tmp_path, "train", "output_dir=one", *words)
    rows = [json.loads((tmp_path / one / "metrics.jsonl").read_text().splitlines()[0]) for one in ("one", "two")]
    assert rows[0]["reward/mean"] == pytest.approx(rows[1]["reward/mean"])
    assert rows[0]["gradient/norm"] == pytest.approx(rows[1]["gradient/norm"], rel=1e-3)


def test_the_next_lines_run_as_they_are_typed(tmp_path: Path) -> None:
    tvo(tmp_path, "new", "algorithm", "my_own", "--dir", "other place")
    (tmp_path / "my_own.py").write_text((tmp_path / "other place" / "my_own.py").read_text())
    own = str(Path("other place", "conf"))
    tvo(tmp_path, "train", "algorithm=my_own", "trainer.steps=1", "output_dir=run", *QUICK, TVO_CONF=own)
    card = (tmp_path / "run" / "card.txt").read_text().partition("next")[2].replace("\\\n", " ")
    line = next(line.strip() for line in card.splitlines() if " train " in line)
    assert line.startswith("TVO_CONF='other place/conf' tvo train algorithm=grpo")
    done = subprocess.run(
        line.replace("tvo train", f"{sys.executable} -m tvo_cli train --dry-run"), shell=True, cwd=tmp_path
    )
    assert done.returncode == 0


def test_a_mistake_in_training_is_one_line_with_key_file_and_line(tmp_path: Path) -> None:
    tvo(tmp_path, "new", "algorithm", "my_own")
    text = (tmp_path / "my_own.py").read_text()
    (tmp_path / "my_own.py").write_text(text.replace("tokens.logp", "tokens.logprob"))
    line = text.splitlines().index(next(one for one in text.splitlines() if "tokens.logp" in one)) + 1
    cause = f"'Tokens' object has no attribute 'logprob' (my_own.py, line {line}). Nearest: logp"
    run = ("train", "algorithm=my_own", "trainer.steps=1", "output_dir=run", *QUICK)
    said = tvo(tmp_path, *run, code=2)
    assert f"algorithm.objective.weight=./my_own.py:my_own: AttributeError: {cause}" in said
    assert "Traceback" not in said and "Traceback" in tvo(tmp_path, *run, "--debug", code=2)
    checked = tvo(tmp_path, "check-algorithm", "my_own", "--no-run", code=1)
    assert checked.count(cause) == 1 and "1 check failed, 8 not run" in checked
    (tmp_path / "my_own.py").write_text(text.replace("tokens.logp.detach()", "tokens.logp.detach()[:, 0]"))
    said = tvo(tmp_path, *run, code=2)
    assert "algorithm.objective.weight=my_own.py:my_own: weight returned a tensor [" in said
    assert "], a tensor [B, T] is needed (my_own.py, line" in said


PIECES = """
import dataclasses
import tvo_cli as tvo
from tvo_cli.advantage import LeaveOneOut
from tvo_cli.optim import Free

@tvo.register.estimator("halved")
class Halved(LeaveOneOut):
    def __init__(self, share: float = 0.5):
        super().__init__()
        self.share = share

    def __call__(self, experience):
        found = super().__call__(experience)
        return dataclasses.replace(found, values=found.values * self.share)

@tvo.register.step_rule("braked", start="tvo")
@dataclasses.dataclass
class Braked(Free):
    growth: float = 1.1

    def end_batch(self):
        self.constant *= self.growth
"""


@pytest.mark.parametrize("name", ["halved", "braked"])
def test_a_registered_estimator_and_step_rule_pass_the_contract(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.py").write_text(PIECES)
    assert f"{name}: no checks failed" in tvo(tmp_path, "check-algorithm", name, "plugins=[mine.py]")


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_sweeps_of_other_launchers_have_the_plugin(tmp_path: Path, launcher: str) -> None:
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.partition('_')[0]}_launcher")
    (tmp_path / "mine.py").write_text(PIECES)
    words = ("plugins=[mine.py]", "algorithm=halved,braked", f"hydra/launcher={launcher}", "trainer.steps=1")
    tvo(tmp_path, "train", "-m", *words, "output_dir=s", *QUICK)
    ends = [json.loads(path.read_text())["state"] for path in (tmp_path / "s").glob("*/state.json")]
    assert ends == ["finished"] * 2


@pytest.mark.parametrize("name", ["tvo", "tvo_overdamped", "scope"])
def test_ours_pass_too_where_a_schedule_knows_how_long_the_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check-algorithm", name]) == 0
    assert f"{name}: no checks failed" in capsys.readouterr().out
