"""A run of a command in its folder: what it leaves behind when it is refused."""

from __future__ import annotations

import pytest

from tvo_cli.job.run_in_folder import remove_refused_run


def test_a_refused_run_takes_the_logs_of_the_other_ranks_with_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("refused")
    for name in ("config.yaml", "rank-1.log", "rank-12.log", "mine.log"):
        (folder / name).touch()
    remove_refused_run(folder)
    assert [path.name for path in folder.iterdir()] == ["mine.log"]
