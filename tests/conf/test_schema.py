"""Every key is declared, every declaration is used, and what cannot be is refused by name before anything is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pydantic
import pytest
from omegaconf import OmegaConf

from tvo_cli import config
from tvo_cli.config import schema
from tvo_cli.consistency import check
from tvo_cli.errors import UserError

RUN = ["output_dir=x", "algorithm=grpo"]

WRONG = [  # override, and what is said of it
    ("seed=1.5", r"^seed=1\.5: must be a whole number, from 0 to 2\*\*63 - 1\.$"),
    ("seed=null", r"^seed=null: must be a whole number"),
    ("seed=-1", r"^seed=-1: must be a whole number"),
    ("seed=true", r"^seed=true: must be a whole number"),
    (f"seed={2**63}", r"must be a whole number"),
    ("seed=1.0", r"Write seed=1$"),
    ("seed=abc", r"^seed=abc: must be a whole number"),
    ("evaluation.confidence=95", r"^evaluation\.confidence=95: must be a number in \(0, 1\)"),
    ("evaluation.confidence=1", r"in \(0, 1\)"),
    ("evaluation.confidence=0.0", r"in \(0, 1\)"),
    (
        "optimizer.make.betas=[0.9,1.0]",
        r"make\.betas=\[0\.9, 1\.0\]: must be a list of two numbers in \[0, 1\)",
    ),
    ("optimizer.make.betas=[0.9]", r"a list of two numbers"),
    ("optimizer.make.betas=0.9", r"a list of two numbers"),
    ("optimizer.make.eps=-1e-8", r"at least 0"),
    ("optimizer.make.weight_decay=nan", r"weight_decay=nan"),
    ("optimizer.lr=0", r"^optimizer\.lr=0: must be a number, more than 0"),
    ("optimizer.lr=inf", r"^optimizer\.lr=inf: must be a number"),
    ("optimizer.lr=nan", r"^optimizer\.lr=nan: must be a number"),
    ("optimizer.lr='1e-3'", r"It is a text; without quotes it is a number: optimizer\.lr=1e-3"),
    ("trainer.steps=1e3", r"^trainer\.steps=1000\.0: must be a whole number.* Write trainer\.steps=1000$"),
    ("trainer.device=gpu", r"must be auto, cpu, mps, cuda or cuda:1"),
    ("trainer.microbatch_tokens=-1", r"must be auto or a whole number, at least 0"),
    ("trainer.keep_best=1", r"must be true or false"),
    ("trainer.precision=float16", r"not a choice\. Choose auto, float32, bfloat16"),
    ("rollout.temperature=-0.5", r"at least 0"),
    ("rollout.top_p=0", r"must be a number in \(0, 1\]"),
    ("rollout.top_k=2.5", r"a whole number"),
    ("rollout.stop=''", r"^rollout\.stop=\[\"\"\]: must be a list of texts that are not empty.* For none: \[\]"),
    ("rollout.stop=[a,'']", r"texts that are not empty"),
    ("rollout.stop=42", r"rollout\.stop=42: must be a list of texts"),
    ("recorder.steps=[0]", r"recorder\.steps=\[0\]: must be a list of whole numbers, more than 0"),
    ("recorder.steps=3", r"Write 'recorder\.steps=\[3\]'"),
    ("reward.length.buffer=0", r"in \(0, 1\]"),
    ("reward.deadline=0", r"at least 0\.01"),
    ("dataset.kind=jsn", r"^dataset\.kind=jsn: not a choice\. Choose arithmetic, addition, jsonl"),
    ("dataset.hard_share=1.5", r"in \[0, 1\]"),
    ("dataset.modulus=1", r"in \[2, 1000\]"),
    ("model.path=7", r"must be a text that is not empty.*quote it twice"),
    ("logger.every_seconds=-1", r"at least 0"),
    ("stability.rules.kl_ceiling.patience=0", r"more than 0"),
    ("stability.rules.kl_ceiling.severity=panic", r"must be collapse or warning"),
    ("stability.rules.kl_ceiling.limit=nan", r"limit=nan"),
    ("algorithm.objective.surrogate.high=.inf", r"without the dot: algorithm\.objective\.surrogate\.high=inf"),
    ("~rollout.stop", r"^rollout\.stop=: is missing"),
]
UNKNOWN = [
    ("+rollout.promts=3", r"^rollout\.promts=3: there is no such key\. Nearest: rollout\.prompts"),
    ("+trainer={stepz: 3}", r"^trainer\.stepz=3: there is no such key\. Nearest: trainer\.steps"),
    ("+extra.deep=[1]", r"^extra=.*: there is no such key\. There are: algorithm"),
    ("+dataset.columns.question=x", r"^dataset\.columns="),  # of a file: the generated data have no columns
    ("+dataset.deduplicate=true", r"^dataset\.deduplicate=true: there is no such key"),
    ("+reward._target_=myreward.brevity", r"^reward\._target_=myreward\.brevity: nothing is built.*optimizer\.make"),
    ("+dataset._target_=foo.Bar", r"^dataset\._target_=foo\.Bar: nothing is built there"),
    ("+dataset._target_=tvo_cli.optim.Constant", r"nothing is built there"),
    ("+model.prompt._target_=foo", r"^model\.prompt\._target_=foo: nothing is built there"),
    ("+stability._target_=foo", r"nothing is built there.*stability\.rules"),
    ("+algorithm.step_rule.constnt=2", r"step_rule\.constnt=2: tvo_cli\.optim\.Free has no such keyword.*constant"),
    ("+optimizer.make.momentun=0.9", r"optimizer\.make.*momentun"),
    ("+optimizer.make.lr=1", r"optimizer\.make\.lr=1: is given by the program"),
    ("+stability.rules.kl_ceiling.limt=3", r"limt=3: .*Nearest: limit"),
    ("+algorithm.objective.reads.minibach=true", r"reads=.*"),
    ("optimizer.make._target_=torch.optim.AdmW", r"_target_=torch\.optim\.AdmW: cannot be found\. Nearest: AdamW"),
    ("optimizer.make._target_=os.system", r"refused before anything was built"),
    ("+rollout.options.a=1", r"rollout\.options=.*are read by an engine only"),
    ("+logger.api_key=hush", r"^logger\.api_key=\*\*\*: there is no such key"),
]  # fmt: skip


@pytest.mark.parametrize(("override", "said"), WRONG + UNKNOWN)
def test_what_cannot_be_is_refused_by_its_key_and_value(override: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        config.compose([*RUN, override])
    assert "\n" not in str(caught.value)


RIGHT = [  # each row composed at once
    ["seed=0", "rollout.stop=[]", "dataset.operations=3", "stability.rules.kl_ceiling=null"],
    [f"seed={2**63 - 1}", "rollout.stop=null", "dataset.operations=[2,3]", "~stability.rules.kl_ceiling"],
    [
        *("optimizer.lr=1", "rollout.temperature=0", "trainer.device=cuda:1", "optimizer.make.betas=[0,0.999]"),
        *("evaluation.problems=0", "dataset.suffix=''", "+optimizer.make.amsgrad=true", "run_name=3"),
        *("optimizer.make._target_=torch.optim.Adam", "trainer.microbatch_tokens=4096", "model.revision=null"),
        *("algorithm.objective.surrogate.high=inf", "+hydra.job.env_set.A=b"),
    ],
]


@pytest.mark.parametrize("overrides", RIGHT)
def test_what_can_be_is_taken(overrides: list[str]) -> None:
    assert config.compose([*RUN, *overrides]).output_dir  # a refusal would have raised


def test_free_maps_stay_open() -> None:
    found = config.compose(
        ["path=x", "rollout=vllm", "+rollout.options={gpu_memory_utilization: 0.8, deep: {a: [1]}}"], "eval"
    )
    assert found.rollout.options.deep.a == [1]
    found = config.compose([*RUN, "dataset=reasoning_gym", "+dataset.options.max_terms=4"])
    assert found.dataset.options == {"max_terms": 4}
    with pytest.raises(UserError, match=r"^dataset\.options\._target_=os\.system: nothing is built there"):
        config.compose([*RUN, "dataset=reasoning_gym", "+dataset.options._target_=os.system"])
    with pytest.raises(UserError, match=r"The keys of dataset\.options are free: '\+dataset\.options\.a=1'"):
        config.compose([*RUN, "dataset=reasoning_gym", "dataset.options.a=1"])


@pytest.mark.parametrize(
    ("root", "override", "said"),
    [
        ("eval", "+evaluation.suites.jsonl.dataset.colums.id=q", r"colums=.*Nearest: .*dataset\.columns"),
        ("eval", "+decoding.temprature=1", r"^decoding\.temprature=1: .*Nearest: decoding\.temperature"),
        ("eval", "evaluation.limit=0", r"must be a whole number, more than 0 or null"),
        ("eval", "protocol.stop=['']", r"texts that are not empty"),
        ("eval", "evaluation.pass_at=8", r"Write 'evaluation\.pass_at=\[8\]'"),
        ("sft", "betas=[0.9,1.0]", r"^betas=\[0\.9, 1\.0\]: must be a list of two numbers in \[0, 1\)"),
        ("sft", "+stepz=3", r"^stepz=3: there is no such key\. Nearest: steps"),
        ("variance", "batches=0", r"^batches=0: must be a whole number, more than 0"),
        ("variance", "+trainer.steps=3", r"^trainer=.*there is no such key"),
    ],
)  # fmt: skip
def test_every_command_has_its_declaration(root: str, override: str, said: str) -> None:
    words = ["evaluation=[jsonl]", "path=x"] if root == "eval" else []
    with pytest.raises(UserError, match=said):
        config.compose([*words, override], root)


def written(root: str, group: str) -> str:
    """The yamls in which a key of this group can stand."""
    folder = config.conf_dir()
    groups = [*(folder / group).glob("*.yaml"), *(folder / "evaluation").glob("*.yaml")]
    files = [folder / f"{root}.yaml", folder / "eval.yaml", *groups]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@pytest.mark.parametrize("root", schema.ROOTS)
def test_every_declared_key_is_in_a_yaml(root: str) -> None:
    """And every key of a yaml is declared: tests/conf/test_choices.py composes each, which refuses unknown ones."""
    suites = "evaluation.suites"  # named by the `@package` of a suite's file; what is in one is a group of its own
    keys = {key.removeprefix(f"{suites}.*.") for key in schema.declared_keys(root) if key != suites}
    idle = [key for key in keys if f"{key.rpartition('.')[2]}:" not in written(root, key.partition(".")[0])]
    assert idle == []
    if root in ("sft", "variance"):
        config.compose([], root)


def test_keywords_are_read_from_the_source_without_an_import() -> None:
    from tvo_cli.config.signatures import keywords

    assert set(keywords("tvo_cli.stability.collapse.Floor") or ()) >= {"severity", "patience", "metric", "share"}
    assert "streak" not in (keywords("tvo_cli.stability.collapse.Floor") or ())
    assert (keywords("tvo_cli.methods.steer.steer") or {})["mode"].required
    assert {"betas", "eps", "amsgrad"} <= set(keywords("torch.optim.AdamW") or ())
    assert keywords("tvo_cli.optim.Viscocity") is None and keywords("nowhere.at.all") is None


USERS = {
    "reward/mine.yaml": "# mine\ndefaults: [math, _self_]\n_target_: myreward.brevity\n",
    "rollout/mine.yaml": "# mine\ndefaults: [default, _self_]\npromts: 3\n",
    "rollout/text.yaml": '# mine\ndefaults: [default, _self_]\ntemperature: "0.5"\n',
}


def test_a_users_yaml_is_held_against_the_declaration_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tvo_cli.cli.main import main

    for name, text in USERS.items():
        (tmp_path / "conf" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / name).write_text(text)
    words, path = ["--config-dir", f"{tmp_path}/conf"], [f"hydra.searchpath=[file://{tmp_path}/conf]"]
    for place, word, file, said in (
        (words, "reward=mine", "reward/mine.yaml, line 3", "reward._target_=myreward.brevity: nothing is built there"),
        (path, "rollout=mine", "rollout/mine.yaml, line 3", "Nearest: rollout.prompts"),
        (words, "rollout=text", "rollout/text.yaml, line 3", "without quotes it is a number"),
    ):
        assert main(["train", *place, word, f"output_dir={tmp_path}/run"]) == 2
        printed = capsys.readouterr().err
        assert file in printed and said in printed
        assert printed.count("\n") == 2, "what is being loaded, and the refusal"
        assert not (tmp_path / "run").exists()


def test_a_number_of_a_users_yaml_is_one_however_it_is_spelled(tmp_path: Path) -> None:
    """Plain YAML 1.1 reads 1e-3 as text."""
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "mine.yaml").write_text("# mine\ndefaults: [default, _self_]\nimportance_cap: 25e-1\n")
    found = config.compose([*RUN, f"hydra.searchpath=[file://{tmp_path}]", "trainer=mine"])
    assert found.trainer.importance_cap == 2.5


def test_one_text_is_a_list_of_one() -> None:
    assert config.compose([*RUN, "rollout.stop=abc"]).rollout.stop == ["abc"]
    assert config.compose([*RUN, "resume.allow=optimizer.lr"]).resume.allow == ["optimizer.lr"]
    found = config.compose(["path=x", "protocol.stop=Problem", "evaluation.ids=a"], "eval")
    assert found.protocol.stop == ["Problem"] and found.evaluation.ids == ["a"]


def test_a_sweep_is_refused_before_its_first_job(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "tvo_cli", "train", "-m", "trainer.steps=5,0", "logger=none", "output_dir=s"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "tvo: trainer.steps=0: must be a whole number, more than 0." in done.stderr
    assert list(tmp_path.iterdir()) == [], "a job has begun, or an empty folder is left"


@pytest.mark.parametrize("words", [["seed=1.5"], ["--dry-run", "+rollout.promts=3"], ["+optimizer.make.betaz=1"]])
def test_a_refusal_loads_no_torch(words: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\nfrom tvo_cli.cli.main import main\ncode = main(sys.argv[1:])\n"
        "assert code == 2 and 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "train", *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_config_of_an_earlier_version_goes_on() -> None:
    """What was not there stood for what the program did; what is gone is left out."""
    now = config.plain(config.compose(RUN))
    old = json.loads(json.dumps(now))
    for key in ("microbatch_tokens", "products", "keep_every", "keep_best"):
        del old["trainer"][key]
    del old["resume"], old["recorder"], old["algorithm"]["sampling"], old["algorithm"]["directions"]
    old["trainer"]["resume"] = "auto"
    found = schema.upgraded(old)
    assert found["trainer"] | {"resume": None} == now["trainer"] | {
        "microbatch_tokens": 0, "products": "default", "keep_every": 0, "keep_best": True, "resume": None,
    }  # fmt: skip
    schema.check(OmegaConf.create(found), "train")
    check(OmegaConf.create(found))
    flat = {"trainer.steps": 3, "trainer.resume": "auto"}
    assert schema.settled(flat, {"trainer.steps": 3, "trainer.keep_every": 0}) == {
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
    assert prompts["description"] and {"minimum": 1, "type": "integer"} in prompts["anyOf"]
    assert {"$ref": "#/definitions/Open"} in prompts["anyOf"]
    assert sorted(path.stem for path in (config.conf_dir() / "schema").glob("*.json")) == schema.editor_groups()


def test_a_modeline_for_the_editor_is_no_description(tmp_path: Path) -> None:
    (tmp_path / "rollout").mkdir()
    (tmp_path / "rollout" / "mine.yaml").write_text("# yaml-language-server: $schema=x.json\n# Mine.\nprompts: 3\n")
    assert config.about("rollout", "mine", tmp_path) == "Mine."


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "optimizer.lr=3e-4 seed=1",
            r"holds 2 settings in one word\. Write a word for each: optimizer\.lr=3e-4 seed=1$",
        ),
        ("optimizer.lr=3e-4,seed=1", r"holds 2 settings in one word"),
        ("algorithm=grpo seed=1 +hydra.a=b", r"holds 3 settings in one word"),
        ("dataset.suffix=so that x=1", r"Text is quoted twice.*\"dataset\.suffix='so that x=1'\""),
        ("seed=[1", r"Put quotes around brackets"),
    ],
)
def test_a_word_that_cannot_be_read_is_told_its_cause(override: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        config.compose([*RUN, override])


@pytest.mark.parametrize(("root", "words"), [("train", RUN), ("eval", [])])
def test_a_key_that_must_be_given_says_how(root: str, words: list[str]) -> None:
    with pytest.raises(UserError, match=r"^model\.path=\?\?\?: must be given\. Set model\.path=FOLDER") as caught:
        found = config.compose([*words, "model=custom"], root)
        str(found.run_name)
    assert "hub id" in str(caught.value)
