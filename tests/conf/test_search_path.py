"""Configs of one's own: where they are looked for, in which order, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.cli import completion
from tvo_cli.cli.main import main
from tvo_cli.config.notes_on_user_folders import notes_on_users_configs
from tvo_cli.errors import UserError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TVO_CONF", raising=False)
    monkeypatch.delenv("TVO_PLUGINS", raising=False)
    config.use_config_dir(None)
    yield tmp_path
    config.use_config_dir(None)


def write(place: Path, text: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def steps(number: int) -> str:
    return f"# Mine.\ndefaults: [default, _self_]\nnonfinite_limit: {number}\n"


@pytest.mark.slow
def test_a_name_is_looked_up_here_then_in_config_dir_then_in_the_variable_then_in_ours(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [here / "conf", here / "given", here / "one", here / "two"]
    for number, place in enumerate(places, 1):
        write(place / "trainer" / "mine.yaml", steps(number))
    config.use_config_dir("given")
    monkeypatch.setenv("TVO_CONF", f"one:{here / 'two'}")
    found = []
    for place in places:
        found.append(config.compose(["trainer=mine", "output_dir=x"]).trainer.nonfinite_limit)
        assert config.choice_path("trainer", "mine") == place / "trainer" / "mine.yaml"
        (place / "trainer" / "mine.yaml").unlink()
    assert found == [1, 2, 3, 4]
    with pytest.raises(UserError, match="there is no such trainer"):
        config.compose(["trainer=mine", "output_dir=x"])


@pytest.mark.slow
def test_every_command_knows_the_choice(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here / "conf" / "algorithm" / "mine.yaml", "# @package _global_\n# Mine.\ndefaults: [grpo, _self_]\n")
    assert main(["list", "algorithms"]) == 0
    assert "From ./conf" in capsys.readouterr().out
    assert main(["train", "--dry-run", "algorithm=mine"]) == 0
    assert "conf/ is read: algorithm=mine" in capsys.readouterr().err
    assert completion.override_completions([], "algorithm=mi", "train") == ["algorithm=mine"]
    assert config.compose(["evaluation=arithmetic", "output_dir=x"], "eval").evaluation.suites


@pytest.mark.slow
@pytest.mark.parametrize("command", [["list", "trainers"], ["train", "--dry-run"], ["compare", "x"], ["replay", "x"]])
def test_a_folder_that_is_not_there_is_named(
    here: Path, command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if command[0] in ("list", "train"):
        assert main([*command, "--config-dir", "nowhere"]) == 2
        assert "--config-dir=nowhere: there is no such folder." in capsys.readouterr().err
    config.use_config_dir(None)
    monkeypatch.setenv("TVO_CONF", "gone")
    with pytest.raises(UserError, match=r"^TVO_CONF=gone: there is no such folder"):
        config.compose(["output_dir=x"])
    assert main([*command, "--config-dir", "nowhere", "--help"]) == 0, "every command has the option"


def test_another_programs_conf_is_left_alone_and_one_of_ours_is_said(here: Path) -> None:
    write(here / "conf" / "train.yaml", "lr: 3\n")
    write(here / "conf" / "db" / "mysql.yaml", "port: 1\n")
    assert notes_on_users_configs() == [] and config.users_config_folders() == []
    write(here / "conf" / "model" / "resnet.yaml", "layers: 18\n")
    write(here / "conf" / "reward" / "math.yaml", "# Mine.\n")
    write(here / "conf" / "algorithms" / "mine.yaml", "# Mine.\n")
    said = notes_on_users_configs()
    assert said[0] == "conf/ offers model=resnet"
    assert said[1] == "conf/ takes the place of tvo's own reward=math"
    assert said[2].startswith("conf/train.yaml is not read")
    assert said[3] == "conf/algorithms/ is no group, so nothing in it is read. Nearest: algorithm."


@pytest.mark.slow
def test_a_train_yaml_of_ones_own_does_not_take_the_place_of_ours(here: Path) -> None:
    write(here / "conf" / "train.yaml", "lr: 3\n")
    write(here / "conf" / "trainer" / "mine.yaml", steps(7))
    assert config.compose(["trainer=mine", "output_dir=x"]).algorithm.name == "tvo"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# Mine.\ndefaults: [default, _self_]\nkeep: [1\n", "conf/trainer/mine.yaml, line 4: is no YAML"),
        ("# Mine.\ndefaults: [default, _self_]\nkep: 1\n", "no such key (conf/trainer/mine.yaml, line 3)"),
        ("# Mine.\ndefaults: [default, _self_]\nkeep: many\n", "(conf/trainer/mine.yaml, line 3)"),
        (
            "# Mine.\ndefaults: [defalt, _self_]\n",
            "no such trainer (conf/trainer/mine.yaml, line 2). Nearest: default.",
        ),
        ("# Mine.\n- a\n", "conf/trainer/mine.yaml"),
    ],
)
def test_a_wrong_yaml_is_named_with_its_line(here: Path, text: str, said: str) -> None:
    write(here / "conf" / "trainer" / "mine.yaml", text)
    with pytest.raises(UserError) as error:
        config.compose(["trainer=mine", "output_dir=x"])
    assert said in str(error.value)


def test_a_yaml_in_a_folder_that_is_no_group_is_found_for_the_remedy(here: Path) -> None:
    write(here / "conf" / "algorithms" / "mine.yaml", "# Mine.\n")
    with pytest.raises(
        UserError, match=r"conf/algorithms/mine\.yaml is in no group: its folder must be called algorithm"
    ):
        config.compose(["algorithm=mine", "output_dir=x"])


@pytest.mark.slow
def test_an_editor_is_told_of_own_choices(here: Path) -> None:
    from tvo_cli.config.schema import editor_schema

    ours = editor_schema("trainer")
    write(here / "conf" / "trainer" / "mine.yaml", steps(7))
    found = editor_schema("trainer")
    assert found["properties"]["defaults"].pop("items") == {"examples": ["mine", "_self_"]}
    assert found == ours


@pytest.mark.parametrize(
    ("root", "text", "read"),
    [
        ("config.yaml", "defaults: [_self_, {model: resnet}]\n", False),
        ("train.yaml", "defaults:\n  - data: mnist\n  - optional hparams: null\n", False),
        ("train.yaml", "defaults:\n  - model: tiny\n  - override hydra/launcher: process\n", True),
        ("notes.yaml", "seed: 1\n", True),
    ],
)
def test_the_configs_of_another_hydra_program_are_left_alone_and_that_is_said(
    here: Path, monkeypatch: pytest.MonkeyPatch, root: str, text: str, read: bool
) -> None:
    write(here / "conf" / "optimizer" / "adamw.yaml", "_target_: torch.optim.Adam\n")
    write(here / "conf" / root, text)
    assert (config.choice_path("optimizer", "adamw").parents[1] == here / "conf") is read
    said = f"conf/ is another program's ({root} starts it), so it is left alone. To read it: TVO_CONF=conf"
    assert (said in notes_on_users_configs()) is not read
    monkeypatch.setenv("TVO_CONF", "conf")
    assert config.choice_path("optimizer", "adamw").parents[1] == here / "conf"
    assert said not in notes_on_users_configs()


def test_only_what_a_command_takes_is_said_to_be_read(here: Path) -> None:
    write(here / "conf" / "experiment" / "shop.yaml", "# @package _global_\ndefaults:\n  - override /reward: mine\n")
    write(here / "conf" / "reward" / "mine.yaml", "# Mine.\ndefaults: [math, _self_]\n")
    write(here / "conf" / "model" / "tiny.yaml", "# Mine.\n")
    write(here / "conf" / "trainer" / "mine.yaml", steps(7))
    others = "conf/ offers experiment=shop, model=tiny, reward=mine, trainer=mine: this command takes none"
    assert notes_on_users_configs(["model=custom"], "train") == [others]
    assert notes_on_users_configs(["experiment=shop", "model=custom"], "train") == [
        "conf/ is read: experiment=shop, reward=mine"
    ]
    assert notes_on_users_configs(["trainer=mine,default", "model=tiny"], "train") == [
        "conf/ is read: trainer=mine",
        "conf/ takes the place of tvo's own model=tiny",
    ]


def test_a_yaml_that_takes_our_place_and_lacks_a_key_is_named_and_can_be_ignored(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(here / "conf" / "model" / "tiny.yaml", "hidden: 3\n")
    with pytest.raises(UserError) as error:
        config.compose(["model=tiny", "output_dir=x"])
    assert "conf/model/tiny.yaml takes the place of tvo's own model=tiny. To have ours: rename it" in str(error.value)
    monkeypatch.setenv("TVO_CONF", "")
    assert notes_on_users_configs(["model=tiny"], "train") == ["conf/ is left alone: TVO_CONF is set and empty"]
    assert config.choice_path("model", "tiny").parents[1] == config.conf_dir()
