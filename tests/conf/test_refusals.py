"""What cannot be is refused by its key and value before anything is loaded; what can be is taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.config import schema
from tvo_cli.config.schema import target_keywords
from tvo_cli.config.schema.field_traversal import declared_fields, dotted, field_alternatives
from tvo_cli.config.schema.json_schema import json_schema_of_type
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
    ("reward.functions=[a.py:f,b.py:g]", r"a list of groups of.* '.*=\[\{call: a\.py:f\}, \{call: b\.py:g\}\]'$"),
    ("reward.functions=a.py:f", r"Write 'reward\.functions=\[\{call: a\.py:f\}\]'$"),
    ("reward.functions={call: a.py:f}", r"a list goes there\. Write 'reward\.functions=\[\{call: a\.py:f\}\]'$"),
    ("resume.allow={a: b}", r"^resume\.allow=\{a: b\}: is a group of settings, and a list goes there"),
    ("reward.length=[1]", r"is a list, and a group of settings goes there\. Set its keys: reward\.length\.KEY=…"),
    ("recorder.steps=3", r"Write 'recorder\.steps=\[3\]'"),
    ("reward.length.buffer=0", r"in \(0, 1\]"),
    ("reward.deadline=0", r"at least 0\.01"),
    ("dataset.kind=jsn", r"^dataset\.kind=jsn: not a choice\. Choose arithmetic, addition, chain_sums, jsonl"),
    ("dataset.hard_share=1.5", r"in \[0, 1\]"),
    ("dataset.modulus=1", r"in \[2, 1000\]"),
    ("model.path=7", r"must be a text that is not empty.*quote it twice"),
    ("logger.every_seconds=-1", r"at least 0"),
    ("stability.rules.kl_ceiling.patience=0", r"more than 0"),
    ("stability.rules.kl_ceiling.severity=panic", r"must be collapse or warning"),
    ("stability.rules.kl_ceiling.limit=nan", r"limit=nan"),
    ("algorithm.objective.surrogate.high=.inf", r"without the dot: algorithm\.objective\.surrogate\.high=inf"),
    ("~rollout.stop", r"^rollout\.stop=: is missing"),
    ("algorithm.objective.surrogate=3", r"^algorithm\.objective\.surrogate=3: names nothing to build"),
    ("algorithm.objective.forces=3", r"forces=3: names nothing to build.*algorithm\.objective\.forces\.NAME\._target_"),
]
UNKNOWN = [
    ("+rollout.promts=3", r"^rollout\.promts=3: there is no such key\. Nearest: rollout\.prompts"),
    ("+trainer={stepz: 3}", r"^trainer\.stepz=3: there is no such key\. Nearest: trainer\.steps"),
    ("+extra.deep=[1]", r"^extra=.*: there is no such key\. There are: adapter, algorithm"),
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
    ("+algorithm.objective.foo=1", r"^algorithm\.objective\.foo=1: .* has no such keyword\. There are: forces"),
    ("+algorithm.objective.surrogate.dual=3", r"dual=3: .*clipped_surrogate has no such keyword\. There .*high, low"),
    ("+algorithm.objective.forces.foo=1", r"^algorithm\.objective\.forces\.foo=1: names nothing to build"),
    ("+algorithm.objective.surrogate.ratio=1", r"surrogate\.ratio=1: is given by the program"),
    ("optimizer.make._target_=torch.optim.AdmW", r"_target_=torch\.optim\.AdmW: cannot be found\. Nearest: AdamW"),
    ("optimizer.make._target_=os.system", r"refused before anything was built"),
    ("+rollout.options.a=1", r"rollout\.options=.*are read by an engine only"),
    ("+logger.api_key=hush", r"^logger\.api_key=\*\*\*: there is no such key"),
]  # fmt: skip


TOO_LARGE = [  # override, and the largest that is taken
    *((f"trainer.steps={value}", 2**31 - 1) for value in (2**31, 10**23)),
    *((f"{key}={10**23}", 1_000_000) for key in ("rollout.prompts", "rollout.epochs", "evaluation.problems")),
    ("rollout.samples=1e30", 1_000_000),
    ("rollout.max_tokens=10000001", 10_000_000),
    ("trainer.threads=99999", 4096),
    ("reward.deadline=1e9", 86_400),
    (f"recorder.steps=[1,{10**23}]", 2**31 - 1),
    (f"stability.rules.tv_ceiling.patience={10**23}", 2**31 - 1),
    (f"trainer.microbatch_tokens={10**23}", 2**31 - 1),
]


@pytest.mark.parametrize(("override", "largest"), TOO_LARGE)
def test_a_whole_number_beyond_what_a_run_can_do_is_told_the_largest(override: str, largest: int) -> None:
    with pytest.raises(UserError, match=rf"At most {largest}\.$") as caught:
        config.compose([*RUN, override])
    assert caught.value.key == override.partition("=")[0]


@pytest.mark.parametrize("root", schema.CONFIG_OF_COMMAND)
def test_every_whole_number_has_an_upper_end(root: str) -> None:
    """Hydra reads integers of any length; what is declared must fit what counts with it."""
    open_ended = []
    for path, field in declared_fields(schema.CONFIG_OF_COMMAND[root]):
        for kind, marks in field_alternatives(field):
            if kind is int and str not in [other for other, _ in field_alternatives(field)]:
                ends = [getattr(mark, "le", None) or getattr(mark, "lt", None) for mark in _flat(marks)]
                open_ended += [dotted(path)] if not any(ends) else []
    assert open_ended == []
    schemas = [json_schema_of_type(kind) for kind in (*target_keywords.RANGES.values(), target_keywords.BY_TYPE["int"])]
    whole = [one for schema_ in schemas for one in schema_.get("anyOf", [schema_]) if one.get("type") == "integer"]
    assert whole and all("maximum" in one or "exclusiveMaximum" in one for one in whole)


def _flat(marks: tuple[object, ...]) -> Iterator[object]:
    for mark in marks:
        yield from getattr(mark, "metadata", (mark,))


def test_a_number_longer_than_python_reads_is_no_defect() -> None:
    with pytest.raises(UserError, match=r"^trainer\.steps=1+…: has 5000 digits"):
        config.compose([*RUN, f"trainer.steps={'1' * 5000}"])


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


@pytest.mark.slow
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


def test_a_home_folder_that_the_shell_leaves_as_it_is_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    with pytest.raises(UserError) as error:
        config.compose(["dataset=jsonl", "dataset.path=~/x.jsonl", "output_dir=x"])
    assert "Write dataset.path=/home/me/x.jsonl" in str(error.value) and "Exception" not in str(error.value)


def test_a_choice_of_ones_own_is_looked_for_in_the_working_folder_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = "yours are read from ./conf of the working folder, and there is none in"
    with pytest.raises(UserError, match=said):
        config.compose(["experiment=tiny_shop", "output_dir=x"])
    (tmp_path / "conf").mkdir()
    with pytest.raises(UserError) as error:
        config.compose(["experiment=tiny_shop", "output_dir=x"])
    assert said not in str(error.value)
