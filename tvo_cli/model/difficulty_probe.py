"""A probe of how hard a question is for a model: a small network on the last hidden state of its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tvo_cli.errors import UserError
from tvo_cli.model.forward_pass.hidden_states import predicting_states
from tvo_cli.model.policy import Policy

NAME = "probe.safetensors"
ROWS = 32  # questions an update


class DifficultyProbe(nn.Module):
    """softmax(W₂·relu(W₁·h + b₁) + b₂) of a state h [N, H], over classes [N, K]; the logits of it are returned.

    DiffAdapt, arXiv:2510.19669.

    Fidelity: notes (the width of the hidden layer and the rows an update were not seen).
    """

    def __init__(self, size: int, width: int, classes: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(size, width), nn.Linear(width, classes)

    def forward(self, states: Tensor) -> Tensor:
        """Logits, [N, K]."""
        found: Tensor = self.outer(torch.relu(self.inner(states)))
        return found

    def save(self, folder: Path) -> None:
        """Write the weights as safetensors."""
        save_file({name: value.contiguous() for name, value in self.state_dict().items()}, folder / NAME)

    @classmethod
    def load(cls, folder: Path, size: int, classes: int) -> DifficultyProbe:
        """Read one for states of `size` numbers.

        Raises:
            UserError: there is none, or it reads states of another size.
        """
        key, remedy = "protocol.adapt.probe", "Name the folder of an evaluation by protocol=diffadapt of this model."
        try:
            found = load_file(folder / NAME)
            width, read = found["inner.weight"].shape
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise UserError(key, folder, f"holds no readable {NAME} ({error}).", remedy) from error
        if read != size or len(found["outer.bias"]) != classes:
            raise UserError(
                key, folder, f"its probe reads states of {read} numbers, and the model's have {size}.", remedy
            )
        probe = cls(size, width, classes)
        probe.load_state_dict(found)
        return probe


def train_probe(
    states: Tensor, labels: Tensor, *, classes: int, width: int, epochs: int, lr: float, seed: int
) -> DifficultyProbe:
    """A probe after so many epochs of AdamW on the cross-entropy of labels, int64 [N], at states [N, H]; on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = DifficultyProbe(states.shape[1], width, classes)
    optimizer = torch.optim.AdamW(probe.parameters(), lr=lr)
    for _ in range(epochs):
        for rows in torch.randperm(len(states), generator=generator).split(ROWS):
            optimizer.zero_grad()
            nn.functional.cross_entropy(probe(states[rows]), labels[rows]).backward()
            optimizer.step()
    return probe


@torch.no_grad()
def prompt_states(policy: Policy, prompts: Sequence[str], rows: int) -> tuple[Tensor, list[int]]:
    """The last layer's state at the last token of each prompt, float32 [P, H] on the CPU; and each prompt's tokens."""
    found, lengths = [], list[int]()
    for start in range(0, len(prompts), rows):
        ids, mask = policy.encode(prompts[start : start + rows])
        after = torch.zeros_like(ids[:, :1])  # a token that nobody reads: its predictor is the prompt's last
        found.append(predicting_states(policy.body, ids, mask, after, torch.ones_like(after, dtype=torch.bool)))
        lengths += mask.sum(1).tolist()
    return torch.cat(found).float().cpu(), lengths
