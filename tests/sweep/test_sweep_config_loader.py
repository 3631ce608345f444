"""The composition of a sweep's jobs: as Hydra composes each alone, with every yaml read once."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.config_repository import ConfigRepository
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from hydra_plugins.tvo_launcher.sweep_config_loader import SweepConfigLoader

FILES = {
    "main.yaml": "defaults: [size: small, _self_]\nrate: 1\nname: ${size.width}-${rate}\n",
    "size/small.yaml": "width: 1\nlist: [1, 2]\n",
    "size/large.yaml": "defaults: [small, _self_]\nwidth: 9\n",
    "elsewhere/size/own.yaml": "width: 5\n",
}
JOBS = [["rate=2"], ["size=large"], ["rate=2"], ["+size.more=7"]]


@pytest.fixture
def master(tmp_path: Path) -> Iterator[Any]:
    """The sweep's own config, of a small folder, and Hydra's loader."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        yield compose("main", return_hydra_config=True)


def hydras_loader() -> Any:
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    return hydra.config_loader


def test_each_job_is_composed_as_hydra_does_and_none_changes_another(master: Any) -> None:
    alone = [OmegaConf.to_container(hydras_loader().load_sweep_config(master, list(job))) for job in JOBS]
    loader = SweepConfigLoader(hydras_loader())
    checked = [loader.load_sweep_config(master, list(job)) for job in JOBS]
    taken = [loader.take_job_config(master, job) for job in JOBS]
    assert [OmegaConf.to_container(one) for one in taken] == alone
    assert taken[1] is checked[1], "it was composed twice"
    assert len({id(one) for one in taken}) == len(JOBS), "the same job twice has a config each"
    taken[1].size.list.append(4)
    assert loader.take_job_config(master, JOBS[1]).size.list == [1, 2]


def test_a_yaml_is_read_once_for_all_jobs_and_anew_on_another_search_path(
    master: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def load(self: object, config_path: str) -> Any:
        read.append(config_path)
        return original(self, config_path)

    original = ConfigRepository.load_config
    monkeypatch.setattr(ConfigRepository, "load_config", load)
    loader = SweepConfigLoader(hydras_loader())
    for job in JOBS:
        loader.take_job_config(master, job)
    assert read.count("size/small") == read.count("size/large") == read.count("main") == 1
    elsewhere = copy.deepcopy(master)
    elsewhere.hydra.overrides.hydra = [f"hydra.searchpath=[file://{tmp_path / 'elsewhere'}]"]
    assert loader.take_job_config(elsewhere, ["size=own"]).name == "5-1"
    assert loader.take_job_config(master, ["rate=3"]).name == "1-3"
    with pytest.raises(Exception, match="size/own"):
        loader.take_job_config(master, ["size=own"])


def test_what_hydra_refuses_stays_refused(master: Any) -> None:
    loader = SweepConfigLoader(hydras_loader())
    for job in (["size=none_such"], ["rates=1"]):
        with pytest.raises(Exception, match=r"none_such|rates"):
            loader.load_sweep_config(master, job)
        with pytest.raises(Exception, match=r"none_such|rates"):
            loader.take_job_config(master, job)
