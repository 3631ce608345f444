"""Which mirrors `logger` means: one, several, in the old spelling and the new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tvo_cli.config import compose
from tvo_cli.errors import UserError
from tvo_cli.tracking import Tracker
from tvo_cli.tracking.mirrors.mirror import DeduplicatingMirror, FailSafeMirror, MirrorRowKey
from tvo_cli.tracking.mirrors.mirror_choice import MAKERS, names_of_mirrors


@pytest.mark.parametrize(
    ("words", "names"),
    [
        pytest.param(*(("logger=none",), []), marks=pytest.mark.slow),
        pytest.param(*(("logger=wandb",), ["wandb"]), marks=pytest.mark.slow),
        ((), ["wandb"]),
        (("logger=[wandb,tensorboard]",), ["wandb", "tensorboard"]),
        pytest.param(*(("logger=[trackio,mlflow,wandb]",), ["trackio", "mlflow", "wandb"]), marks=pytest.mark.slow),
        pytest.param(*(("logger=[wandb,trackio]", "logger.mirrors.wandb=false"), ["trackio"]), marks=pytest.mark.slow),
        (("logger.name=tensorboard",), ["tensorboard"]),
        pytest.param(*(("logger=wandb", "logger.name=none"), []), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_the_mirrors_of_a_command(words: Sequence[str], names: list[str]) -> None:
    assert names_of_mirrors(compose(words).logger) == names


def test_a_run_that_was_recorded_before_there_were_several_has_its_one(make_config: Callable[..., Any]) -> None:
    assert names_of_mirrors(make_config(name="tensorboard").logger) == ["tensorboard"]


def test_settings_of_one_stay_beside_another() -> None:
    logger = compose(["logger=[wandb,trackio]", "logger.mode=offline", "logger.project=p"]).logger
    assert (logger.mode, logger.project, logger.system_charts) == ("offline", "p", False)


@pytest.mark.parametrize("name", ["trackio", "mlflow"])
def test_a_package_that_is_not_there_says_what_to_install(
    tmp_path: Path, make_config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(f"tvo_cli.tracking.mirrors.{name}_mirror.find_spec", lambda module: None)
    with pytest.raises(UserError, match=rf"logger={name}.*pip install 'tvo-cli\[{name}\]'"):
        Tracker(make_config(name=name), tmp_path)
    assert list(tmp_path.iterdir()) == []


class Shown:
    """A mirror that remembers what it was shown, and fails from a call on."""

    def __init__(self, fails_at: str = "", has: set[MirrorRowKey] | None = None) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._fails_at, self._has = fails_at, has or set()

    def start(self, run: object) -> None: ...

    def held(self) -> set[MirrorRowKey]:
        return self._has

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        if call[0] == self._fails_at:
            raise ConnectionError("gone")

    def log(self, step: int, found: object) -> None:
        self._note("log", step)

    def table(self, name: str, step: int, columns: object, rows: object) -> None:
        self._note("table", step)

    def figure(self, path: Path) -> None:
        self._note("figure")

    def alert(self, title: str, text: str) -> None:
        self._note("alert", title, text)

    def finish(self, summary: object, exit_code: int) -> None:
        self._note("finish")


def tell_everything(tracker: Tracker) -> None:
    with tracker:
        tracker.log(1, {"reward/mean": 0.5})
        tracker.log_completions(1, [{"id": "p"}])
        tracker.alert("reward_drop", "fell", step=1)
        tracker.show_figure(Path("run.png"))


@pytest.mark.parametrize("fails_at", ["table", "figure", "log"])
def test_one_that_fails_stops_neither_the_run_nor_the_other_and_says_so_once(
    tmp_path: Path, make_config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    broken, sound = Shown(fails_at), Shown()
    monkeypatch.setitem(MAKERS, "wandb", lambda node: broken)
    monkeypatch.setitem(MAKERS, "trackio", lambda node: sound)
    tell_everything(Tracker(make_config(name="trackio", mirrors={"wandb": True, "trackio": True}), tmp_path))
    everything = [("log", 1), ("table", 1), ("alert", "reward_drop at step 1", "fell"), ("figure",), ("finish",)]
    assert sound.calls == everything
    assert broken.calls[-1][0] == fails_at
    assert (tmp_path / "run.log").read_text().count("logger=wandb failed and is off for the rest of the run: gone") == 1


def test_a_table_of_a_step_that_a_mirror_has_is_not_sent_again() -> None:
    mirror = Shown(has={MirrorRowKey(1, evaluation=False)})
    once = DeduplicatingMirror(FailSafeMirror(mirror, "x"))
    once.start(None)  # type: ignore[arg-type]
    once.figure(Path("run.png"))
    for step in (1, 2):
        once.log(step, {"reward/mean": 0.5})
        once.table("completions", step, (), ())
    once.figure(Path("run.png"))
    assert mirror.calls == [("log", 2), ("table", 2), ("figure",)]
