"""What `tvo eval` takes from the run of a policy: attention, precision, prompt, stops, judge; each is told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tvo_cli.data.prompts import render_prompt
from tvo_cli.errors import UserError
from tvo_cli.evaluation.suite import Suite
from tvo_cli.experiment.automatic_settings import AUTO, Tell
from tvo_cli.experiment.run_of_policy import recorded_config_of_policy

JUDGE = ("scorer", "unboxed")  # of the group reward, which judges every suite

PROMPT = ("template", "system", "suffix", "chat_template_kwargs")
OF_RUN = ("attention", "dtype", *(f"prompt.{name}" for name in PROMPT))
# of conf/model/custom.yaml: the settings of the embedded model, which stand there by default, mean no other model
OF_ANY_MODEL = {"dtype": AUTO, "prompt.template": AUTO}


def adopt_run_settings(config: DictConfig, given: Collection[str], tell: Tell) -> bool:
    """Set what the user did not: of a run folder as the run had it, of another path as for any model.

    Returns whether the path is a run's.
    """
    recorded = recorded_config_of_policy(str(config.model.path))
    if recorded is not None:
        _adopt(config, {key: _recorded_value(recorded, key) for key in OF_RUN}, given, tell, "as the run had it")
        _adopt_stops(config, recorded, given, tell)
    elif "model.path" in given and "model" not in given:
        _adopt(config, OF_ANY_MODEL, given, lambda text: None, "")
    return recorded is not None


def _recorded_value(recorded: Any, key: str) -> Any:
    """A setting of the run's model; weights that were trained in bfloat16 arithmetic are evaluated as `auto` says."""
    value = OmegaConf.select(recorded, f"model.{key}")
    if key == "dtype" and value == "float32" and OmegaConf.select(recorded, "trainer.precision") == "bfloat16":
        return AUTO
    return value


def _adopt(config: DictConfig, values: dict[str, Any], given: Collection[str], tell: Tell, why: str) -> None:
    """Take over settings of the run whose policy is evaluated, but for those that are given, and tell each."""
    for key, value in values.items():
        name = f"model.{key}"
        if any(name == one or name.startswith(f"{one}.") for one in given if one != "model"):
            continue
        if OmegaConf.select(config, name) != value:
            OmegaConf.update(config, name, value, merge=False, force_add=True)
            tell(f"{name}={value or repr(value)}, {why}")


def _adopt_stops(config: DictConfig, recorded: Any, given: Collection[str], tell: Tell) -> None:
    """Have protocol=model, which asks as training did, end responses as it did too: where nobody named other stops."""
    stops = list(OmegaConf.select(recorded, "rollout.stop") or ())
    suites = [f"evaluation.suites.{name}.protocol" for name in config.evaluation.suites]
    for place in ["protocol"] if config.protocol.get("name") else suites:  # which replaces each suite's own
        key = f"{place}.stop"
        asked_as_trained = OmegaConf.select(config, f"{place}.name") == "model"
        if stops and asked_as_trained and key not in given and OmegaConf.select(config, key) is None:
            OmegaConf.update(config, key, stops, merge=False, force_add=True)
            tell(f"{key}={stops}, as the run had it")


def notes_on_protocols(
    suites: Sequence[Suite], prompt: Any, tokenizer: Any, given: Collection[str], *, of_run: bool
) -> Iterator[str]:
    """Which prompts are not those of the run's training, and which settings of model.prompt no protocol uses."""
    asked = any(key.startswith("model.prompt") and "kwargs" not in key for key in given)
    if not (of_run or asked):
        return
    for suite in suites:
        if not suite.problems or _is_asked_alike(suite, prompt, tokenizer):
            continue
        if asked:
            yield f"{suite.name}: model.prompt is not used: protocol {suite.protocol.name} decides (protocol=model)"
        else:
            yield (
                f"{suite.name}: protocol {suite.protocol.name} asks by another prompt than the run was trained with; "
                "protocol=model asks by that"
            )


def _is_asked_alike(suite: Suite, prompt: Any, tokenizer: Any) -> bool:
    """Whether a protocol shows the first problem as the run's training does, template and texts."""
    problem = suite.problems[0]
    try:
        return render_prompt(problem, prompt, tokenizer) == suite.protocol.render(problem, tokenizer)
    except UserError:  # the prompt of training cannot be made for this suite
        return False


def adopt_run_judge(config: DictConfig, recorded: Any, given: Collection[str], tell: Tell) -> None:
    """Set the scorer of `reward` that the user did not give, as the run had it, for its own held-out problems.

    Raises:
        UserError: other suites are evaluated too, which it would judge as well.
    """
    for name in JUDGE:
        key, value = f"reward.{name}", OmegaConf.select(recorded, f"reward.{name}")
        if key in given or value is None or value == OmegaConf.select(config, key):
            continue
        if len(config.evaluation.suites) > 1:
            problem = f"the run was judged by {key}={value}, which would judge the other suites too."
            raise UserError("evaluation", "+".join(config.evaluation.suites), problem, "Evaluate heldout alone.")
        OmegaConf.update(config, key, value, force_add=True)
        tell(f"{key}={value}, as the run had it")
