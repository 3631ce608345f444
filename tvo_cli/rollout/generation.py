"""Generation for any transformers causal LM: prompts → a rollout of sampled responses with log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.rollout.decoding.admission import AdmissionRule
from tvo_cli.rollout.decoding.continuous_batching import ContinuousBatching
from tvo_cli.rollout.decoding.decoding_network import DecodingNetwork
from tvo_cli.rollout.decoding.responses_in_progress import (
    FinishedReport,
    ReportFinished,
    ReportProgress,
    ResponseRows,
    rollout_from_rows,
)
from tvo_cli.rollout.decoding.stop_strings import StopStrings
from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.decoding.waiting_rows import WaitingRows
from tvo_cli.rollout.response_prefixes import ResponsePrefixes
from tvo_cli.types import Rollout


@torch.no_grad()
def generate(
    policy: Policy,
    prompts: Sequence[str],
    keys: Sequence[str],
    sampling: SamplingParams,
    *,
    seed: int,
    progress: ReportProgress | None = None,
    report: ReportFinished | None = None,
    prefixes: ResponsePrefixes | None = None,
) -> Rollout:
    """`sampling.samples` responses to each prompt, each behind the prompt's prefix where there are some.

    The token of (key, sample, position) depends on (seed, key, sample, position), the tokens before it and the policy
    alone: behind a prefix of its own response a row goes on as it did. A prefix counts among the tokens that a
    response may have, and its log π stays what it was. `report` is called of each response as soon as it is over: its
    row in the rollout, text, tokens, whether it ended by itself; `progress` of how many are over, and of how many.
    """
    policy.network.eval()  # a network that recomputes its layers keeps no cache in training mode
    ids, mask = policy.encode(prompts)
    _check_generation_fits_context(policy, ids.shape[1], sampling.max_tokens)
    responses = ResponseRows.empty(len(prompts) * sampling.samples, sampling.max_tokens, policy.pad_id, ids.device)
    read, left = (ids, mask), sampling
    if prefixes is not None:
        prefixes.check(policy.end_ids, sampling.max_tokens)
        responses.begin_with(prefixes, sampling.samples)
        read = prefixes.behind(ids, mask)
        left = replace(sampling, max_tokens=sampling.max_tokens - int(prefixes.lengths.min()))
    rule = AdmissionRule.of(policy, read[0].shape[1], len(responses.finished), left)
    waiting = WaitingRows.of(*read, keys, sampling.samples)
    reported = FinishedReport(policy, report, progress)
    with torch.inference_mode():  # cheaper than no_grad by what autograd notes of every view
        network, stopped = DecodingNetwork.of(policy), StopStrings(policy.tokenizer, sampling.stop, ids.device)
        ends = torch.tensor(sorted(policy.end_ids | stopped.end_ids), device=ids.device)
        ContinuousBatching(network, sampling, seed, rule, waiting, responses, reported, stopped, ends).run()
    return rollout_from_rows(policy, ids, mask, responses.cut(), sampling, prefixes)


def _check_generation_fits_context(policy: Policy, prompt: int, budget: int) -> None:
    limit = getattr(policy.network.config.get_text_config(), "max_position_embeddings", None)
    if limit is not None and prompt + budget > limit:
        raise UserError(
            "rollout.max_tokens",
            budget,
            f"the longest prompt has {prompt} tokens, so {prompt + budget} do not fit the model's {limit}.",
            f"Take at most {max(limit - prompt, 0)}.",
        )
