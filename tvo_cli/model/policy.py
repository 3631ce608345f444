"""The policy: a transformers causal language model, its tokenizer, and what it says of given responses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from tvo_cli.checkpoint.checkpoint_writer import POLICY
from tvo_cli.checkpoint.rows_to_load import RowsToLoad
from tvo_cli.checkpoint.safetensors_files import read_tensors
from tvo_cli.checkpoint.sharded_parameters import gather_whole_tensors, place_each
from tvo_cli.checkpoint.tensor_slice import HeldTensor
from tvo_cli.errors import UserError
from tvo_cli.maths.masked import scatter_to_mask
from tvo_cli.maths.nucleus import Nucleus
from tvo_cli.model.adapters import adapter
from tvo_cli.model.adapters.adapter_base import BaseModel
from tvo_cli.model.adapters.adapter_folder import read_adapter_tensors, save_adapter
from tvo_cli.model.decodable_tokens import decodable_tokens
from tvo_cli.model.forward_pass import tiled_logprobs
from tvo_cli.model.forward_pass.hidden_states import predicting_states
from tvo_cli.model.forward_pass.logprobs import (
    Scores,
    ScoresWithExtras,
    chunked_covariance_with_logprobs,
    chunked_token_scores,
)
from tvo_cli.model.forward_pass.output_head import OutputHead
from tvo_cli.model.prompt_encoding import encode_prompts


@dataclass(slots=True)
class Policy:
    """π_θ(y_t | x, y_<t) and the tokens it is written in."""

    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    end_ids: frozenset[int]
    pad_id: int
    base: BaseModel | None = None  # what an adapter stands beside; None: every weight is the policy's own
    internal_body: nn.Module | None = None  # the first blocks, where an inner one speaks (first_blocks.py)
    head: OutputHead = field(init=False)

    def __post_init__(self) -> None:
        decodable = decodable_tokens(self.tokenizer, self.end_ids, self._logits)
        self.head = OutputHead.of(self.network, decodable)

    @property
    def _logits(self) -> int:
        return int(self.network.config.get_text_config().vocab_size)

    def parameters(self) -> Iterator[nn.Parameter]:
        """The network's."""
        found: Iterator[nn.Parameter] = self.network.parameters()
        return found

    def gathered(self) -> AbstractContextManager[None]:
        """Inside: any number of forwards, as sampling makes them; weights that are elsewhere are brought here."""
        return nullcontext()

    def forwarded(self, forward: Callable[[], Tensor]) -> Tensor:
        """What a forward of parts of the network gives; of sharded weights, with those brought here around it."""
        return forward()

    def differentiated_parameters(self) -> list[Tensor]:
        """What a backward pass gives gradients to."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def encode(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ids and mask [P, L] of prompts, left-padded; see model/prompt_encoding.py."""
        rows = encode_prompts(self.tokenizer, prompts)
        if [] in rows:
            raise UserError(
                "dataset", repr(prompts[rows.index([])]), "a prompt without a token.", "Drop empty questions."
            )
        width = max(map(len, rows))
        ids = torch.tensor([[self.pad_id] * (width - len(row)) + row for row in rows])
        mask = torch.arange(width) >= width - torch.tensor([[len(row)] for row in rows])
        device = next(self.parameters()).device
        return ids.to(device), mask.to(device)

    @property
    def body(self) -> nn.Module:
        """What gives hidden states; the whole network where its head cannot be taken apart from it."""
        found: nn.Module = self.network.base_model if self.head.split else self.network
        return found

    @property
    def body_of_internal_policy(self) -> nn.Module:
        """What gives the states of an inner block."""
        if self.internal_body is None:
            raise ValueError("this policy was not given a block whose states are read")
        return self.internal_body

    def logprobs_of_states(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """log π of each token [N] at the state that predicts it [N, H], differentiable."""
        if tiled_logprobs.can_score_in_tiles(self.head, hidden):
            return tiled_logprobs.tiled_scores_of_head(self.head, hidden, tokens, 1.0)[0]
        return chunked_token_scores(self.head, hidden, tokens, 1.0, self._logits, nucleus=None)[0]

    def score(
        self, prompt_ids: Tensor, prompt_mask: Tensor, response_ids: Tensor, mask: Tensor, temperature: float
    ) -> Scores:
        """log π, H and Σπ² of every response token at softmax(logits / temperature), each [B, T], differentiable.

        Prompts [B, L] are left-padded, responses [B, T] right-padded. The head sees only the positions that
        predict a token under `mask`. Temperature 0 is scored at 1, which is what the greedy sampler records.
        """
        return self.read(prompt_ids, prompt_mask, response_ids, mask, temperature, covariance=False).scores

    def read(
        self,
        prompt_ids: Tensor,
        prompt_mask: Tensor,
        response_ids: Tensor,
        mask: Tensor,
        temperature: float,
        *,
        covariance: bool,
        nucleus: Nucleus | None = None,
        internal: bool = False,
    ) -> ScoresWithExtras:
        """`score`, and at the same positions the entropy inside `nucleus` and Cov_π(π, log π), where asked for.

        `internal`: of softmax(E_u h_k/temperature), the states of `internal_body`.
        """
        body = self.body_of_internal_policy if internal else self.body
        hidden = predicting_states(body, prompt_ids, prompt_mask, response_ids, mask)
        vocabulary, heat = self._logits, temperature or 1.0
        if nucleus is None and tiled_logprobs.can_score_in_tiles(self.head, hidden):
            found = tiled_logprobs.tiled_scores_of_head(self.head, hidden, response_ids[mask], heat)
        else:
            found = chunked_token_scores(self.head, hidden, response_ids[mask], heat, vocabulary, nucleus=nucleus)
        columns = [scatter_to_mask(values, mask) for values in found]
        more = (
            scatter_to_mask(chunked_covariance_with_logprobs(self.head, hidden, heat, vocabulary), mask)
            if covariance
            else None
        )
        return ScoresWithExtras(Scores(*columns[:3]), columns[3] if nucleus else None, more)

    def trained_tensors(self) -> dict[str, Tensor]:
        """What training changes and a checkpoint holds: all of the network's state, or its adapter's."""
        return dict(adapter.adapter_tensors(self.network) if self.base else self.network.state_dict())

    def restore(self, tensors: Mapping[str, HeldTensor]) -> None:
        """Put `trained_tensors` back: whole, or the rows of those that are sharded."""
        if self.base:
            adapter.restore_adapter(self.network, tensors)
        else:
            placed = place_each(tensors, self.network.state_dict())
            self.network.load_state_dict(placed, strict=True)

    def save(self, folder: Path, *, writes: bool = True) -> None:
        """Write the hub format: config, safetensors, tokenizer; of a policy with an adapter, peft's.

        Every rank of a sharded policy calls it, for all put its tensors together, and one of them writes.
        """
        whole = self.gather_tensors(keep=writes)
        if not writes:
            return
        if self.base:
            save_adapter(self.network, self.base, folder, whole)
        else:
            self.network.save_pretrained(folder, state_dict=whole)
        self.tokenizer.save_pretrained(folder)

    def gather_tensors(self, *, keep: bool = True) -> dict[str, Tensor]:
        """`trained_tensors` by their names in the hub format, whole; a tied one is the same object under both names.

        Every rank of a sharded policy calls it, tensor after tensor, and one keeps them; the others get nothing.
        """
        return gather_whole_tensors(self._named_tensors(), keep=keep)

    def _named_tensors(self) -> dict[str, Tensor]:
        """`trained_tensors`, a tied one the same object under each of its names."""
        network = self.network
        return dict(adapter.adapter_tensors(network) if self.base else network.state_dict(keep_vars=True))

    def read_saved(self, folder: Path) -> dict[str, HeldTensor]:
        """`trained_tensors` as `save` wrote them, with the tied weights that the hub's format leaves out.

        Of sharded ones the rows that are held here.
        """
        if self.base:
            return dict(read_adapter_tensors(self.network, folder))
        current = self._named_tensors()
        rows = RowsToLoad.of({POLICY: current})
        saved = read_tensors(sorted(folder.glob("model*.safetensors")), partial(rows.wanted, POLICY))
        shared = {id(value): name for name, value in current.items() if name in saved}
        return {name: saved[name if name in saved else shared[id(value)]] for name, value in current.items()}
