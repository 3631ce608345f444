"""`tvo sft`: supervised fine-tuning on demonstrations, from a config to a model that `tvo train` starts from."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli import environment
from tvo_cli.config.reward_checks import refuse_reward_functions
from tvo_cli.data.demonstration_sources import SolvedProblems, load_demonstrations
from tvo_cli.data.problems import Problems
from tvo_cli.errors import UserError
from tvo_cli.experiment.automatic_settings import settle_model_settings, settle_sft_precision
from tvo_cli.experiment.build_learner import adapter_settings, build_adapter
from tvo_cli.experiment.sft_evaluation import SFTEvaluation, build_sft_evaluation, record_final_evaluation
from tvo_cli.experiment.sft_settings import settle_sft_settings, sft_wants_packing
from tvo_cli.file_digest import file_sha256
from tvo_cli.model import Policy, load_policy
from tvo_cli.model.forward_pass.sequence_logprobs import can_pack_sequences
from tvo_cli.model.loading.merged_policy import save_merged
from tvo_cli.model.model_card import ModelCard
from tvo_cli.reward import Grader
from tvo_cli.rollout.decoding.onednn import LARGE, onednn_matmul
from tvo_cli.tracking.atomic_files import write_text_atomically
from tvo_cli.tracking.metrics_file import MetricsFile
from tvo_cli.tracking.own_code_copies import copy_own_code
from tvo_cli.training.device_and_precision import Runtime, accelerate_state_kept, set_up_runtime
from tvo_cli.training.resume.recorded_settings import resume_settings
from tvo_cli.training.run_data.demonstration_encoding import DemonstrationEncoder
from tvo_cli.training.run_data.demonstration_rows import DemonstrationLengthLimit, EncodedDemonstrations, Rows, rows_of
from tvo_cli.training.run_data.fitting_problems import PromptedProblems, problems_that_fit
from tvo_cli.training.run_data.run_problems import SAMPLED
from tvo_cli.training.sft import sft_checkpoint
from tvo_cli.training.sft.supervised_fine_tuning import FineTuning, Report, log_sft_progress
from tvo_cli.training.stop_signals import Interrupted, handle_stop_signals

log = logging.getLogger("tvo")
ADAPTER = "adapter"  # the folder of the adapter alone, beside the merged model
WEIGHTS = "model*.safetensors"


@dataclass(frozen=True, slots=True)
class SFTWork:
    """The parts of a fine-tuning, connected."""

    config: DictConfig
    tuning: FineTuning
    evaluation: SFTEvaluation
    runtime: Runtime


def sft(config: DictConfig, progress: Callable[[int], Report] = log_sft_progress) -> dict[str, Any]:
    """Fine-tune a model on demonstrations, save it in hub format, and say how good it was before and is now.

    The same command in the same folder goes on where it was stopped; one that is done is left as it is.
    """
    refuse_reward_functions(config.reward, "tvo sft")
    settle_sft_precision(config)
    folder, asked = Path(config.output_dir), resume_settings(config)
    sft_checkpoint.check_resumable(folder, config.resume, asked)
    if done := sft_checkpoint.finished_record(folder, config.resume):
        log.warning("%s is done already, by this very command; resume=never begins anew", folder)
        return done
    with accelerate_state_kept(), ExitStack() as resources:
        work = _build_sft(config, resources)
        sft_checkpoint.begin(folder, config.resume, asked, work.tuning.settings.steps)
        copy_own_code(folder, config)
        before = sft_checkpoint.resume_fine_tuning(work.tuning, folder).get("before") or work.evaluation(work.tuning)
        _learn(work, folder, before, progress(work.tuning.settings.steps))
        after = work.evaluation(work.tuning)
        record_final_evaluation(folder, work.tuning.settings.steps, after)
        return _finish(work, folder, before, after)


def _build_sft(config: DictConfig, resources: ExitStack) -> SFTWork:
    settle_model_settings(config)
    runtime = set_up_runtime(config.device, config.precision, "float32", int(config.threads), deterministic=True)
    policy = load_policy(config.model, device=runtime.device)
    if (adapter := adapter_settings(config, policy)) is not None:
        build_adapter(policy, adapter, config.model)
    prompt = configuration.resolved_tree(config.model.prompt)
    encoder = DemonstrationEncoder.of(policy, prompt, str(config.model.path))
    limit = _sft_length_limit(config, policy)
    rows = rows_of(_training_demonstrations(config, policy), encoder, int(config.seed), limit)
    settings = settle_sft_settings(config, policy, rows)
    packed = _packs_sft_rows(config, policy, rows, resources)
    tuning = FineTuning.of(policy, rows, replace(settings, packed=packed), runtime.autocast)
    grader = resources.enter_context(Grader(config.reward))
    return SFTWork(config, tuning, build_sft_evaluation(config, policy, grader, encoder, limit), runtime)


def _training_demonstrations(config: DictConfig, policy: Policy) -> Problems:
    """The demonstrations to learn from whose prompts the model can read."""
    found = load_demonstrations(
        config.dataset, split="train", seed=int(config.seed), append_answer=config.append_answer
    )
    looked_at = SAMPLED if isinstance(found, SolvedProblems) else None
    return problems_that_fit(config, policy, PromptedProblems(config.dataset, found, looked_at, "training"), None)


def _sft_length_limit(config: DictConfig, policy: Policy) -> DemonstrationLengthLimit:
    """How long a row may be: max_length, and never more than the model's context."""
    context = getattr(policy.network.config.get_text_config(), "max_position_embeddings", None)
    asked, skip = config.max_length, config.too_long == "skip"
    if asked is not None and context is not None and int(asked) > context:
        problem = f"is more than the model's context of {context} tokens."
        raise UserError("max_length", asked, problem, f"Take {context} or less, or null.")
    if asked is None:
        return DemonstrationLengthLimit(context, "the model's context", skip)
    return DemonstrationLengthLimit(int(asked), "max_length", skip)


def _packs_sft_rows(config: DictConfig, policy: Policy, rows: Rows, resources: ExitStack) -> bool:
    """Whether rows are packed; where they are wanted to be and the network does not take them, it is said."""
    wanted = sft_wants_packing(config.packing, rows, int(config.rows))
    resources.enter_context(onednn_matmul(policy.network, least=0 if wanted else LARGE, products=_is_large(policy)))
    if not wanted:
        return False
    longest = max(len(row.ids) for row in rows) if isinstance(rows, EncodedDemonstrations) else len(rows.at(0).ids)
    packed = can_pack_sequences(policy, longest)
    why = f"rows of up to {longest} tokens" if packed else "this network's attention takes no packed rows so long"
    (log.info if packed else log.warning)("packing=%s: %s, %s", config.packing, "on" if packed else "off", why)
    return packed


def _is_large(policy: Policy) -> bool:
    """Whether the network that is fine-tuned is so large that its forwards are bounded."""
    return sum(parameter.numel() for parameter in policy.parameters()) >= LARGE


def _learn(work: SFTWork, folder: Path, before: dict[str, float], report: Report) -> None:
    """Make the updates that are left; a signal stops after the one under way, and all is saved."""
    tuning, every = work.tuning, int(work.config.checkpoint_every)
    metrics = MetricsFile(folder / "metrics.jsonl", log.warning)
    metrics.truncate_after(tuning.step if tuning.step else -1)
    if not tuning.step:
        metrics.append(0, before)
    with handle_stop_signals(folder) as interrupted:
        for update in tuning.updates():
            metrics.append(update.step, update.metrics())
            report(update.step, update.loss)
            if interrupted.number:
                raise Interrupted(_save_tuning(tuning, folder, before, metrics), interrupted.number)
            if every and update.step % every == 0 and update.step < tuning.settings.steps:
                _save_tuning(tuning, folder, before, metrics)
    _save_tuning(tuning, folder, before, metrics)
    metrics.close()


def _save_tuning(tuning: FineTuning, folder: Path, before: dict[str, float], metrics: MetricsFile) -> Path:
    metrics.sync()
    return sft_checkpoint.save_fine_tuning(tuning, folder, {"before": before})


def _finish(work: SFTWork, folder: Path, before: dict[str, float], after: dict[str, float]) -> dict[str, Any]:
    """Write the model, its card and sft.json; the states on the way are not needed any more."""
    config, tuning = work.config, work.tuning
    environment.record_environment(folder, environment.facts_of_network(tuning.policy, work.runtime), anew=True)
    if tuning.policy.base is None:
        tuning.policy.save(folder)
    else:
        tuning.policy.save(folder / ADAPTER)
        save_merged({**configuration.resolved_tree(config.model), "path": str(folder / ADAPTER), "base": None}, folder)
    ModelCard.of_fine_tuning(config).write(folder, tuning.settings.steps)
    found: dict[str, Any] = {"steps": tuning.settings.steps, "seed": int(config.seed)}
    found |= {"lr": tuning.settings.lr, "rows_an_update": tuning.settings.rows, "warm_up": tuning.settings.warm_up}
    found |= {"dataset": str(config.dataset.name), "rows": tuning.rows.size, "too_long": tuning.rows.left_out}
    found |= {"packed": tuning.settings.packed}
    found |= {"precision": work.runtime.precision} if work.runtime.precision != "float32" else {}
    found["before"] = {name.removeprefix("eval/"): value for name, value in before.items()}
    record = write_sft_record(folder, found | after | {"torch": torch.__version__})
    sft_checkpoint.forget_states(folder)
    return record


def write_sft_record(folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Write sft.json: how the model was made, and the checksum of its weights, of several files of each."""
    weights = sorted(folder.glob(WEIGHTS))
    if not weights:
        raise UserError("output_dir", folder, "no weights were written there.")
    sums = {file.name: file_sha256(file) for file in weights}
    facts = facts | {"sha256": next(iter(sums.values())) if len(sums) == 1 else sums}
    write_text_atomically(folder / sft_checkpoint.DONE, json.dumps(facts, indent=1) + "\n")
    return facts
