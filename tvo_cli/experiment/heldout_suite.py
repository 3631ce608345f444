"""The suite `heldout` of `tvo eval`: a run's held-out problems, asked and judged as it did; notes where data differ."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.config import resolved_tree
from tvo_cli.config.default_suite import HELDOUT_SUITE
from tvo_cli.data.problems_fingerprint import fingerprint_of_problem_texts
from tvo_cli.errors import UserError
from tvo_cli.evaluation.suite import Suite
from tvo_cli.experiment.adopt_run_settings import adopt_run_judge
from tvo_cli.experiment.automatic_settings import Tell
from tvo_cli.experiment.run_of_policy import run_folder_of_policy

KEY = f"evaluation.suites.{HELDOUT_SUITE}"
MOST = 256  # problems, where the run evaluates none itself


def fill_heldout_suite(config: DictConfig, recorded: Any | None, given: Collection[str], tell: Tell) -> None:
    """Fill the suite `heldout`, where it is chosen, from the run's recorded config; what the user gave stands.

    Raises:
        UserError: the model is no run's, or the run's own judge would judge other suites too.
    """
    if HELDOUT_SUITE not in config.evaluation.suites:
        return
    if recorded is None:
        remedy = "Take the folder of a run of `tvo train` as model.path, or another suite: tvo list evaluation"
        raise UserError("evaluation", HELDOUT_SUITE, f"no run has trained model.path={config.model.path}.", remedy)
    stated = {key: OmegaConf.select(config, key) for key in given if key.startswith(f"{KEY}.")}
    for key, value in (heldout_settings(resolved_tree(recorded)) | stated).items():
        OmegaConf.update(config, key, value, merge=False, force_add=True)
    adopt_run_judge(config, recorded, given, tell)


def heldout_settings(run: dict[str, Any]) -> dict[str, Any]:
    """The keys of the suite, of a run's config: its data set with the split, and how it evaluates itself."""
    schedule, data, reward, rollout = run["evaluation"], run["dataset"], run["reward"], run["rollout"]
    seed = schedule.get("seed") if data.get("seed") is None else data["seed"]
    greedy = schedule.get("temperature") == 0
    return {
        f"{KEY}.dataset": data | {"seed": seed, "profile": reward.get("profile", data["profile"])},
        f"{KEY}.problems": schedule.get("problems") or MOST,
        f"{KEY}.decoding": {
            "samples": 1 if greedy else schedule.get("samples", 1),
            "temperature": schedule.get("temperature", 1.0),
        },
        f"{KEY}.protocol.max_tokens": schedule.get("max_tokens") or rollout["max_tokens"],
        f"{KEY}.protocol.stop": list(rollout.get("stop") or ()),
        f"{KEY}.protocol.unfinished": reward.get("unfinished", "wrong"),
    }


def notes_on_changed_problems(suites: Sequence[Suite], path: str, node: Any) -> Iterator[str]:
    """Say where the suite `heldout` asks other problems than the run held out: its data have changed since.

    `node`: the evaluation's settings. A part of the problems, or other data, that the user asks for is no change.
    """
    asked = [suite.problems for suite in suites if suite.name == HELDOUT_SUITE]
    if not asked or node.get("limit") is not None or node.get("ids") is not None:
        return
    recorded = _fingerprint_of_heldout(path)
    if recorded and recorded != fingerprint_of_problem_texts(asked[0]):
        yield (
            f"{HELDOUT_SUITE}: these are not the problems that {path} held out: its data, or a setting that chooses "
            "among them, have changed since; some may have been trained on, and avg@k is not the run's pass@1"
        )


def _fingerprint_of_heldout(path: str) -> str:
    """The fingerprint of the held-out problems that the run's newest checkpoint has; "" where it has none."""
    folder = run_folder_of_policy(path)
    held = checkpoint_folders.list_checkpoints(folder / "checkpoints") if folder else []
    try:
        return str(checkpoint_folders.read_stored_state(held[-1])["origin"].get("heldout", "")) if held else ""
    except (OSError, ValueError, KeyError):  # a checkpoint of another version or a broken one: the loader says so
        return ""
