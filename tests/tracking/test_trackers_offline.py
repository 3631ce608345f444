"""Each tracker for real, offline: what was sent is read back from its own files; a resumed run goes on in the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tracking.mirrors.test_mirror_choice import tell_everything
from tvo_cli.tracking import Tracker
from tvo_cli.tracking.metric_names import WITH_EXTREMES
from tvo_cli.tracking.mirrors import wandb_file
from tvo_cli.tracking.mirrors.wandb_id import wandb_run_id

pytestmark = pytest.mark.slow
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301"
    "0100c9fe92ef0000000049454e44ae426082"
)
HOSTILE = "<script>x</script> ![](http://example.invalid/x.png) \x1b[31m \u202e"
ROW = {"id": "p/1", "question": "1 + 1", "completion": HOSTILE, "gold": "2", "correct": False, "reward": 0.25}


@pytest.fixture
def tell(
    tmp_path: Path, make_config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """A run of two steps with completions, an alert and a figure; called again, it goes on with a third."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.png").write_bytes(PNG)
    seen: list[int] = []

    def told(name: str, **more: object) -> None:
        with Tracker(make_config(name=name, project="stories", **more), tmp_path / "run") as tracker:
            if seen:
                tracker.rewind(2)
            for step in (3,) if seen else (1, 2):
                tracker.log(step, {"reward/mean": step / 4, "gradient/norm": float("nan"), "policy/tv": 0.5})
                tracker.log_completions(step, [ROW | {"tokens": step}] * 20)
            if not seen:
                tracker.log_evaluation(2, {"eval/pass@1": 0.5})
            tracker.alert("reward_drop", "fell", step=2)
            tracker.finish({"steps": 3})
            tracker.show_figure(tmp_path / "run.png")
        seen.append(1)

    yield told


def test_trackio(tell: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # read by trackio when it is first imported
    pytest.importorskip("trackio")
    store = pytest.importorskip("trackio.sqlite_storage").SQLiteStorage
    tell("trackio")
    tell("trackio")
    [run] = [one for one in store.get_run_records("stories") if one["name"].endswith(wandb_run_id(tmp_path / "run"))]
    logs = store.get_logs("stories", run["name"], run_id=run["id"])
    assert [(row["step"], row["reward/mean"]) for row in logs if "reward/mean" in row] == [
        (1, 0.25),
        (2, 0.5),
        (3, 0.75),
    ]
    assert [row["step"] for row in logs if "eval/pass@1" in row] == [2]
    tables = {row["step"]: row["completions"]["_value"] for row in logs if "completions" in row}
    assert {step: len(rows) for step, rows in tables.items()} == {1: 16, 2: 16, 3: 16}
    assert tables[1][0]["reward"] == 0.25 and "\\<script>" in tables[1][0]["completion"]
    assert "\x1b" not in json.dumps(tables, ensure_ascii=False) and "![](" not in tables[1][0]["completion"]
    assert [row["step"] for row in logs if "figure" in row] == [2, 3]
    assert [one["title"] for one in store.get_alerts("stories", run_name=run["name"], run_id=run["id"])][:1] == [
        "reward_drop at step 2"
    ]
    config = store.get_run_config("stories", run["name"], run_id=run["id"])
    assert config is not None and config["command"].startswith("tvo ") and config["model"]["hf_token"] == "***"
    assert "rackio" not in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")  # MLflow's own, of pydantic and of SQLAlchemy
def test_mlflow(tell: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    tell("mlflow")
    tell("mlflow")
    client = mlflow.MlflowClient()
    [run] = client.search_runs([client.get_experiment_by_name("stories").experiment_id])
    name = run.info.run_id
    assert [(point.step, point.value) for point in client.get_metric_history(name, "reward/mean")] == [
        (1, 0.25),
        (2, 0.5),
        (3, 0.75),
    ]
    assert [point.step for point in client.get_metric_history(name, "eval/pass_at_1")] == [2]
    assert run.info.status == "FINISHED" and run.data.params["model.hf_token"] == "***"
    assert run.data.tags["mlflow.note.content"].startswith("`tvo ")
    assert run.data.tags["alert"] == "reward_drop at step 2: fell"
    files = {one.path for one in client.list_artifacts(name)}
    assert files >= {"completions.json", "config.yaml", "figures", "summary.json"}
    table = json.loads(Path(client.download_artifacts(name, "completions.json", str(tmp_path))).read_text())
    at = table["columns"].index("step")
    assert [row[at] for row in table["data"]] == [1] * 16 + [2] * 16 + [3] * 16


def test_wandb(tell: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb
    from wandb.proto import wandb_internal_pb2 as messages

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    tell("wandb", mode="offline", system_charts=False)
    wandb.teardown()  # its service has written everything when it has ended
    [file] = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    records = [messages.Record.FromString(data) for data in wandb_file.wandb_records(file.read_bytes())]  # type: ignore[attr-defined]
    [started] = {one.run.notes for one in records if one.WhichOneof("record_type") == "run"}
    assert started.startswith("tvo ")
    summaries = {one.metric.name: one.metric.summary for one in records if one.WhichOneof("record_type") == "metric"}
    assert all(summaries[name].min and summaries[name].max and summaries[name].last for name in WITH_EXTREMES)
    rows: dict[int, dict[str, Any]] = {}
    for one in records:
        if one.WhichOneof("record_type") == "history":
            found = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in one.history.item}
            rows.setdefault(one.history.step.num, {}).update(found)
    assert sorted(rows) == [1, 2] and rows[2]["figure/_type"] == "image-file"
    table = json.loads((file.parent / "files" / rows[1]["completions/path"]).read_text())
    assert len(table["data"]) == 16 and table["data"][0][table["columns"].index("reward")] == 0.25
    assert not [one for one in records if one.WhichOneof("record_type") == "stats"]


def test_tensorboard(tell: Callable[..., None], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tell("tensorboard")
    tell("tensorboard")
    found = EventAccumulator(str(tmp_path / "run" / "tensorboard"), size_guidance={"tensors": 0})
    found.Reload()
    tags = found.Tags()
    assert {"completions/text_summary", "command/text_summary", "config/text_summary"} <= set(tags["tensors"])
    points = [(one.step, one.value) for one in found.Scalars("reward/mean")] if "reward/mean" in tags["scalars"] else []
    assert points == [(1, 0.25), (2, 0.5), (3, 0.75)] and tags["images"] == ["figure"]
    text = found.Tensors("completions/text_summary")[0].tensor_proto.string_val[0].decode()
    assert text.count("\n") == 17 and "\\<script>" in text and "![](" not in text


def test_several_at_once_hold_the_same_rows(
    tmp_path: Path, make_config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.png").write_bytes(PNG)
    tell_everything(
        Tracker(
            make_config(name="tensorboard", project="p", mirrors={"wandb": True, "tensorboard": True}), tmp_path / "run"
        )
    )
    assert list((tmp_path / "run" / "tensorboard").iterdir()) and list(
        (tmp_path / "run" / "wandb").glob("offline-run-*")
    )
