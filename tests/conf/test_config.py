"""conf/ is code: what it may name, how it composes, what a slip of the finger is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import ListConfig, OmegaConf

import tvo_cli.maths
from tvo_cli import config, redaction
from tvo_cli.errors import UserError


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A small conf/ with two groups."""
    files = {
        "train.yaml": """
defaults: [_self_, {algorithm: tvo}, {stability: calm}]
seed: 0
experiment_name: train
run_name: r-${now:%H%M%S%f}
output_dir: outputs/${run_name}
rollout: {prompts: 4, samples: 2}
model: {lr_scale: 0.25}
optimizer: {lr: "${times:4.0e-3,${model.lr_scale}}"}
""",
        "algorithm/tvo.yaml": "# TVO: what it is. Changes PPO at: step rule, weight. arXiv:2601.00001\nname: tvo\n",
        "algorithm/grpo.yaml": "# @package algorithm\n# GRPO: groups. arXiv:2402.03300v3\nname: grpo\n",
        "algorithm/reinforce.yaml": "# REINFORCE, plain. Williams 1992\nname: reinforce\n",
        "algorithm/_part.yaml": "# Not a choice.\nname: part\n",
        "stability/calm.yaml": "# Calm.\nname: calm\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


class Spy:
    """Counts its calls; stands in an allowed room under an allowed name."""

    __module__ = "tvo_cli.maths"

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[object, ...], dict[str, object]]] = []

    def __call__(self, *args: object, **keywords: object) -> str:
        self.calls.append((args, keywords))
        return "built"


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    made = Spy()
    monkeypatch.setattr(tvo_cli.maths, "spy", made, raising=False)
    return made


FINE = {"_target_": "tvo_cli.maths.spy"}


def test_a_node_is_built_with_plain_containers(spy: Spy) -> None:
    node = OmegaConf.create({**FINE, "_args_": [1, [2, 3]], "deep": {"list": [1, 2]}})
    assert config.build(node) == "built"
    (args, keywords) = spy.calls[0]
    assert args == (1, [2, 3]) and keywords == {"deep": {"list": [1, 2]}}
    assert not any(isinstance(value, ListConfig) for value in (args[1], keywords["deep"]["list"]))  # type: ignore[index]


def test_torch_optimisers_may_be_built() -> None:
    import torch

    partial = config.build({"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5})
    parameter = torch.nn.Parameter(torch.ones(1))
    assert partial([parameter]).param_groups[0]["lr"] == 0.5


def test_nothing_is_built_from_nothing() -> None:
    assert config.build(None) is None


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "hydra.utils.get_method",
        "hydra.utils.instantiate",
        "functools.partial",
        "torch.load",
        "torch.optimx.load",
        "tvo_clix.build",
        "tvo_cli",
        "tvo_cli.",
        "tvo_cli.maths..spy",
        "tvo_cli.config.build",
        "tvo_cli.cli.main.run",
        "tvo_cli.tracking.atomic_files.write_text_atomically",
        "tvo_cli.errors.UserError.__init__",
        "tvo_cli.errors.UserError.__class__",
        "tvo_cli.types.dataclass",  # through an allowed module to something of another's
        "torch.optim.adam.cast",
        "torch.optim.lr_scheduler.partial",
        "tvo_cli.maths",  # a module, not a callable
        "tvo_cli.maths.no_such_thing",
        7,
        None,
    ],
)
@pytest.mark.parametrize("place", ["root", "child", "list", "args", "unrecursive"])
def test_a_forbidden_target_is_refused_before_anything_is_built(spy: Spy, target: object, place: str) -> None:
    bad = {"_target_": target, "_args_": ["echo broken into"]}
    node = {
        "root": bad,
        "child": {**FINE, "a": FINE, "b": {"c": bad}},
        "list": {"a": FINE, "b": [1, [FINE, bad]]},
        "args": {**FINE, "_args_": [FINE, bad]},
        "unrecursive": {**FINE, "_recursive_": False, "a": bad},
    }[place]
    with pytest.raises(UserError, match="_target_"):
        config.build(node)
    assert spy.calls == []


def test_an_interpolation_cannot_hide_a_target(spy: Spy) -> None:
    node = OmegaConf.create({"a": FINE, "name": "os.system", "b": {"_target_": "${name}", "_args_": ["true"]}})
    with pytest.raises(UserError, match=r"os\.system"):
        config.build(node)
    assert spy.calls == []


def test_a_user_error_of_a_constructor_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise UserError("algorithm.epsilon", -1, "must be positive.")

    refuse.__module__ = "tvo_cli.maths"
    monkeypatch.setattr(tvo_cli.maths, "spy", refuse, raising=False)
    with pytest.raises(UserError, match=r"^algorithm\.epsilon=-1"):
        config.build(FINE)


def test_a_wrong_keyword_names_the_target() -> None:
    with pytest.raises(UserError, match="SGD") as caught:
        config.build({"_target_": "torch.optim.SGD", "params": [], "leaning_rate": 1})
    assert "leaning_rate" in str(caught.value)


def test_times_multiplies_through_interpolation(conf: Path) -> None:
    assert config.compose(folder=conf).optimizer.lr == pytest.approx(1e-3, rel=1e-12)


@pytest.mark.parametrize("wrong", ["fast", "true", "null", "[1]"])
def test_times_takes_numbers_only(conf: Path, wrong: str) -> None:
    with pytest.raises(UserError) as caught:
        config.resolved_tree(config.compose([f"model.lr_scale={wrong}"], folder=conf))
    assert "optimizer.lr" in str(caught.value) and "\n" not in str(caught.value)


def test_a_key_may_be_added_and_taken_away(conf: Path) -> None:
    composed = config.compose(["+new.key=1", "~rollout.samples", "algorithm=grpo"], folder=conf)
    assert composed.new.key == 1 and "samples" not in composed.rollout and composed.algorithm.name == "grpo"


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("algorithm=tvoo", ("algorithm=tvoo:", "Nearest: tvo.")),
        ("algorithm=zzzz", ("algorithm=zzzz:", "grpo, reinforce, tvo")),
        ("rolout.prompts=3", ("rolout.prompts=3:", "rollout.prompts")),
        ("rollout.promts=3", ("rollout.promts=3:", "rollout.prompts")),
        ("algoritm=tvo", ("algoritm=tvo:", "algorithm")),
        ("seed=[", ("seed=[", "quotes")),
        ("~nothing", ("nothing",)),
        ("output_dir=${nowhere}", ("output_dir", "nowhere")),
    ],
)
def test_a_slip_of_the_finger_is_one_line_with_the_key(conf: Path, override: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        config.resolved_tree(config.compose([override], folder=conf))
    said = str(caught.value)
    assert "\n" not in said and all(part in said for part in parts), said
    assert "_part" not in said


def test_an_unknown_root_names_the_roots(conf: Path) -> None:
    with pytest.raises(UserError, match=r"trian: there is no such config\. Nearest: train\."):
        config.compose(root="trian", folder=conf)


def test_names_leave_out_the_parts(conf: Path) -> None:
    assert config.choices_of_group("algorithm", conf) == ["grpo", "reinforce", "tvo"]


@pytest.mark.parametrize("word", ["algorithm", "algorithms"])
def test_groups_answer_to_singular_and_plural(conf: Path, word: str) -> None:
    assert config.find_group(word, conf) == "algorithm"


def test_an_unknown_group_is_the_users_to_mend(conf: Path) -> None:
    assert config.find_group("stabilitys", conf) == "stability"
    with pytest.raises(UserError, match=r"algoritms: .* Nearest: algorithm\."):
        config.find_group("algoritms", conf)


def test_a_comment_is_taken_apart(conf: Path) -> None:
    lines = {
        name: config.parse_choice_comment(config.choice_comment("algorithm", name, conf))
        for name in ("tvo", "grpo", "reinforce")
    }
    assert lines["tvo"] == ("TVO: what it is", "PPO at: step rule, weight", "arXiv:2601.00001")
    assert lines["grpo"] == ("GRPO: groups", "", "arXiv:2402.03300v3")
    assert lines["reinforce"] == ("REINFORCE, plain", "", "Williams 1992")


def test_every_choice_of_every_group_says_what_it_is() -> None:
    mute = [
        f"{group}/{name}"
        for group in config.config_groups()
        for name in config.choices_of_group(group)
        if not config.choice_comment(group, name)
    ]
    assert mute == []


def test_a_fingerprint_is_that_of_before_refusals_and_later_collapse_rules() -> None:
    now = config.compose(["output_dir=x"])
    before = OmegaConf.create(config.resolved_tree(now))
    for key in ("refuse", "refuse_drift"):
        del before.stability[key]
    for rule in ("evaluation_drop", "entropy_rise"):
        del before.stability.rules[rule]
    del before.stability.rules.entropy_floor.held
    same = config.config_fingerprint(before)
    assert config.config_fingerprint(now) == same
    rules = ("entropy_rise.rise=2", "evaluation_drop=null", "entropy_floor.held=0.8", "entropy_floor=null")
    for word in ("stability.refuse=4", *(f"stability.rules.{rule}" for rule in rules)):
        assert config.config_fingerprint(config.compose(["output_dir=x", word])) != same
    assert config.config_fingerprint(config.compose(["output_dir=x", "stability.refuse_drift=3"])) == same


def test_a_fingerprint_forgets_name_folder_and_logger_only(conf: Path) -> None:
    def of(*overrides: str) -> str:
        return config.config_fingerprint(config.compose(overrides, folder=conf))

    base = of()
    assert base == of("output_dir=/elsewhere", "experiment_name=x", "run_name=y", "+logger.name=wandb")
    others = [of("seed=1"), of("rollout.prompts=5"), of("algorithm=grpo"), of("model.lr_scale=0.5")]
    assert len({base, *others}) == 5


def test_secrets_are_masked_and_ordinary_keys_are_not() -> None:
    tree = {
        "logger": {"api_key": "abc", "hf_token": "def", "password": "", "list_of_secrets": ["x"]},
        "rollout": {"max_tokens": 20},
        "model": {"tokenizer": "folder", "path": "p"},
    }
    assert redaction.redacted(tree) == {
        "logger": {"api_key": "***", "hf_token": "***", "password": "", "list_of_secrets": ["***"]},
        "rollout": {"max_tokens": 20},
        "model": {"tokenizer": "folder", "path": "p"},
    }
    assert redaction.redacted_arguments(["+logger.api_key=abc", "seed=1", "-m"]) == [
        "+logger.api_key=***",
        "seed=1",
        "-m",
    ]
    inside = "+a={api_key:abcdef,'hf_token': 'x, y',n:1,deep:{keys:[a,b]},rollout:{max_tokens:64}}"
    hidden = "+a={api_key:***,'hf_token': ***,n:1,deep:{keys:***},rollout:{max_tokens:64}}"
    assert redaction.redacted_arguments([inside, "rollout.max_tokens=16,32"]) == [hidden, "rollout.max_tokens=16,32"]


SECRET = ("api_key", "apiKey", "hf_token", "access_key_id", "token", "OPENAI_KEY_2", "api_key1", "key_prod", "wandbkey")
PLAIN = (
    "keyword",
    "keywords",
    "token_temperature",
    "next_token",
    "stop_token",
    "answer_key",
    "tokenizer",
    "max_tokens",
)


def test_a_setting_whose_name_only_looks_like_a_secret_is_written_down() -> None:
    """What is masked is not compared when a run is resumed, and a command with it cannot be typed again."""
    assert all(map(redaction.is_secret, (*SECRET, "client_secret", "passwd", "{'api_key': ")))
    assert not any(map(redaction.is_secret, (*PLAIN, "max_tokens", "{next_token: ")))
    given = ["algorithm.token_temperature=null", "+algorithm.next_token={weight: 0.1}", "+x.token=null"]
    assert redaction.redacted_arguments(given) == given
    settings = {"reward": {"functions": [{"call": "f.py:bonus", "keyword": "1"}]}}
    assert redaction.redacted(settings) == settings


def test_a_variable_of_the_environment_is_hidden_once_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_MINE", "abcdefgh1")
    assert redaction.without_secrets("it was abcdefgh1") == "it was ***"


@pytest.mark.parametrize(
    ("word", "extra"),
    [("hydra/launcher=ray", "ray"), ("hydra/launcher=submitit_slurm", "submitit"), ("hydra/sweeper=optuna", "optuna")],
)
def test_a_launcher_that_is_not_installed_says_how_to_get_it(word: str, extra: str) -> None:
    from hydra.errors import MissingConfigException

    missing = MissingConfigException("Could not find it", word.replace("=", "/"), ["basic", "process"])
    assert str(config.explain_hydra_error(missing)) == f"{word}: is not installed. pip install -e '.[{extra}]'"
