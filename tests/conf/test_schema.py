"""Every key is declared, every declaration is used, and an editor and an earlier run are told of it."""

from __future__ import annotations

import json
from pathlib import Path

import pydantic
import pytest
from omegaconf import OmegaConf

from tvo_cli import config
from tvo_cli.config import schema
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.config.schema import known_keys

RUN = ["output_dir=x", "algorithm=grpo"]


def written(root: str, group: str) -> str:
    """The yamls in which a key of this group can stand."""
    folder = config.conf_dir()
    groups = [*(folder / group).glob("*.yaml"), *(folder / "evaluation").glob("*.yaml")]
    files = [folder / f"{root}.yaml", folder / "eval.yaml", *groups]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


# Where a file of a group is put by a defaults list or a command: what is in it is written in that group.
COMPOSED = {
    "protocol.adapt.easy": "protocol",
    "protocol.adapt.hard": "protocol",
    "algorithm.next_token.data": "dataset",
}


def _key_of_group(key: str) -> str:
    place = next((place for place in COMPOSED if key.startswith(f"{place}.")), None)
    return key if place is None else COMPOSED[place] + key.removeprefix(place)


@pytest.mark.parametrize("root", schema.CONFIG_OF_COMMAND)
def test_every_declared_key_is_in_a_yaml(root: str) -> None:
    """And every key of a yaml is declared: tests/conf/test_choices.py composes each, which refuses unknown ones."""
    suites = "evaluation.suites"  # named by the `@package` of a suite's file; what is in one is a group of its own
    keys = {key.removeprefix(f"{suites}.*.") for key in known_keys.declared_keys(root) if key != suites}
    tested = "evaluation.test_sets.*"  # composed of a data set, which is a group of its own
    keys = {key.replace(f"{tested}.dataset", "dataset").replace(tested, "evaluation") for key in keys}
    keys = {_key_of_group(key) for key in keys if key not in COMPOSED}
    idle = [key for key in keys if f"{key.rpartition('.')[2]}:" not in written(root, key.partition(".")[0])]
    assert idle == []
    if root in ("sft", "variance"):
        config.compose([], root)


def test_keywords_are_read_from_the_source_without_an_import() -> None:
    from tvo_cli.config.target_signatures import callable_keywords

    assert set(callable_keywords("tvo_cli.stability.collapse_rules.Floor") or ()) >= {
        "severity",
        "patience",
        "metric",
        "share",
    }
    assert "streak" not in (callable_keywords("tvo_cli.stability.collapse_rules.Floor") or ())
    assert (callable_keywords("tvo_cli.methods.steer.steer") or {})["mode"].required
    assert {"betas", "eps", "amsgrad"} <= set(callable_keywords("torch.optim.AdamW") or ())
    assert callable_keywords("tvo_cli.optim.Viscocity") is None and callable_keywords("nowhere.at.all") is None


def test_one_text_is_a_list_of_one() -> None:
    assert config.compose([*RUN, "rollout.stop=abc"]).rollout.stop == ["abc"]
    assert config.compose([*RUN, "resume.allow=optimizer.lr"]).resume.allow == ["optimizer.lr"]
    found = config.compose(["path=x", "protocol.stop=Problem", "evaluation.ids=a"], "eval")
    assert found.protocol.stop == ["Problem"] and found.evaluation.ids == ["a"]


def test_a_config_of_an_earlier_version_goes_on() -> None:
    """What was not there stood for what the program did; what is gone is left out."""
    now = config.resolved_tree(config.compose(RUN))
    old = json.loads(json.dumps(now))
    for key in ("microbatch_tokens", "matmul", "keep_every", "keep_best"):
        del old["trainer"][key]
    del old["resume"], old["recorder"], old["algorithm"]["sampling"], old["algorithm"]["directions"]
    old["trainer"]["resume"] = "auto"
    found = schema.upgrade_recorded_config(old)
    assert found["trainer"] | {"resume": None} == now["trainer"] | {
        "microbatch_tokens": 0, "matmul": "default", "keep_every": 0, "keep_best": True, "resume": None,
    }  # fmt: skip
    schema.validate_config(OmegaConf.create(found), "train")
    check_across_keys(OmegaConf.create(found))
    flat = {"trainer.steps": 3, "trainer.resume": "auto"}
    assert schema.upgrade_recorded_settings(flat, {"trainer.steps": 3, "trainer.keep_every": 0}) == {
        "trainer.steps": 3,
        "trainer.keep_every": 0,
    }


LOCK = Path(__file__).parents[2] / "requirements" / "lock.txt"


@pytest.mark.skipif(
    f"pydantic=={pydantic.VERSION}\n" not in LOCK.read_text(encoding="utf-8"),
    reason="the committed schemas are written by the locked release of pydantic; each spells JSON Schema its own way",
)
@pytest.mark.parametrize("group", schema.editor_groups())
def test_the_editors_schema_is_that_of_the_declaration(group: str) -> None:
    kept = json.loads((config.conf_dir() / "schema" / f"{group}.json").read_text(encoding="utf-8"))
    assert kept == schema.editor_schema(group), f"stale: make docs, or tvo list {group} --schema"


def test_the_editors_schema_knows_keys_meanings_and_interpolations() -> None:
    found = schema.editor_schema("rollout")
    assert found["additionalProperties"] is False and "required" not in found and "defaults" in found["properties"]
    prompts = found["properties"]["prompts"]
    assert prompts["description"] and {"minimum": 1, "maximum": 1_000_000, "type": "integer"} in prompts["anyOf"]
    assert {"$ref": "#/definitions/Open"} in prompts["anyOf"]
    assert sorted(path.stem for path in (config.conf_dir() / "schema").glob("*.json")) == schema.editor_groups()


def test_a_modeline_for_the_editor_is_no_description(tmp_path: Path) -> None:
    (tmp_path / "rollout").mkdir()
    (tmp_path / "rollout" / "mine.yaml").write_text("# yaml-language-server: $schema=x.json\n# Mine.\nprompts: 3\n")
    assert config.choice_comment("rollout", "mine", tmp_path) == "Mine."
