"""Next-token pre-training of the embedded network for `thermodynamic_laws`: batches, probe, updates, gradients.

Every token behind the first is learned, of questions and solutions of the arithmetic task; no problem comes twice.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim import SGD, AdamW, Optimizer
from transformers import LlamaForCausalLM

import tvo_cli.model
from tvo_cli.data.arithmetic import ArithmeticProblems, ArithmeticSettings
from tvo_cli.model.tiny_model import tiny_network, tiny_tokenizer

Name = Literal["adamw", "sgd"]
Rate = Callable[[int], float]  # of the update with this number
BETAS = (0.9, 0.95)  # as conf/optimizer/adamw.yaml has them
EPS = 1e-8
EMBEDDED = Path(tvo_cli.model.__file__).parent / "weights" / "tiny"


class Rows:
    """Token ids of problem and solution, by number."""

    def __init__(self, split: str, seed: int) -> None:
        self.problems, self.seed = ArithmeticProblems(ArithmeticSettings(), split=split, seed=seed), seed
        tokenizer = tiny_tokenizer()
        self.id_of, self.begin = tokenizer.get_vocab(), tokenizer.bos_token_id

    def ids(self, first: int, count: int) -> Tensor:
        """`count` rows from number `first` on, int64 [count, N]: begin token, question, worked solution."""
        return torch.tensor([self._row(number) for number in range(first, first + count)])

    def _row(self, number: int) -> list[int]:
        text = f"{self.problems.problem(number).question} {self.problems.teacher_solution(number, self.seed)}"
        return [self.begin, *(self.id_of[word] for word in text.split())]


@dataclass(slots=True)
class Pretraining:
    """A network under pre-training; a copy goes on by itself, on the same rows that the original would see."""

    network: nn.Module
    optimizer: Optimizer
    rows: Rows
    batch: int
    updates: int = 0

    @classmethod
    def of(cls, seed: int, batch: int, *, fresh: bool) -> Pretraining:
        """From fresh weights, or from those of the embedded model, which knows solutions and no questions."""
        if fresh:
            network = tiny_network(tiny_tokenizer(), seed=seed)
        else:
            network = LlamaForCausalLM.from_pretrained(EMBEDDED, dtype=torch.float32)
        network.set_attn_implementation("eager")  # the others have no second derivative
        return cls(network, optimizer_of(network, "adamw"), Rows("train", seed), batch)

    def copy(self, name: Name | None = None) -> Pretraining:
        """The same state; under another optimiser where one is named, whose state is empty."""
        network = copy.deepcopy(self.network)
        optimizer = optimizer_of(network, name or ("sgd" if isinstance(self.optimizer, SGD) else "adamw"))
        if name is None:
            optimizer.load_state_dict(copy.deepcopy(self.optimizer.state_dict()))
        return Pretraining(network, optimizer, self.rows, self.batch, self.updates)

    def run(self, steps: int, rate: Rate) -> Iterator[int]:
        """Make so many updates, `rate` of the number from 0 up; each number after its update."""
        for number in range(steps):
            self.optimizer.param_groups[0]["lr"] = rate(number)
            self.optimizer.zero_grad(set_to_none=True)
            loss(self.network, self.rows.ids(self.updates * self.batch, self.batch)).backward()
            self.optimizer.step()
            self.updates += 1
            yield number

    def train(self, steps: int, rate: Rate) -> None:
        """The same, whole."""
        for _ in self.run(steps, rate):
            pass

    def weights(self) -> Tensor:
        """All of them, [D]."""
        return parameters_to_vector(self.network.parameters()).detach().clone()

    def preconditioner(self) -> Tensor:
        """P of an update η·P·g, [D]: AdamW's 1/(√v̂ + ε), SGD's 1."""
        if isinstance(self.optimizer, SGD):
            return torch.ones_like(self.weights())
        parts = []
        for parameter in self.network.parameters():
            state = self.optimizer.state[parameter]
            corrected = state["exp_avg_sq"] / (1.0 - BETAS[1] ** float(state["step"]))
            parts.append((1.0 / (corrected.sqrt() + EPS)).flatten())
        return torch.cat(parts)


def optimizer_of(network: nn.Module, name: Name) -> Optimizer:
    """Neither decays the weights; the rate is set before each update."""
    if name == "sgd":
        return SGD(network.parameters(), lr=0.0)
    return AdamW(network.parameters(), lr=0.0, betas=BETAS, eps=EPS, weight_decay=0.0)


def loss(network: nn.Module, ids: Tensor) -> Tensor:
    """Mean −log π of every token behind the first, in nats."""
    logits = network(input_ids=ids[:, :-1], use_cache=False).logits
    return nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


class Probe:
    """The fixed held-out rows whose loss is the energy."""

    def __init__(self, rows: int, seed: int) -> None:
        self.ids = Rows("test", seed).ids(0, rows)

    @torch.no_grad()
    def energy(self, network: nn.Module) -> float:
        """Nats a token."""
        return float(loss(network, self.ids))

    def energy_at(self, network: nn.Module, weights: Tensor) -> float:
        """The same at other weights; the network's own are kept."""
        own = parameters_to_vector(network.parameters()).detach().clone()
        vector_to_parameters(weights, network.parameters())
        found = self.energy(network)
        vector_to_parameters(own, network.parameters())
        return found


def minibatch_gradients(training: Pretraining, batches: int) -> Tensor:
    """Gradients of so many further minibatches at the present weights, [M, D]."""
    parameters = list(training.network.parameters())
    found = []
    for number in range(batches):
        ids = training.rows.ids((training.updates + number) * training.batch, training.batch)
        grads = torch.autograd.grad(loss(training.network, ids), parameters)
        found.append(torch.cat([grad.flatten() for grad in grads]))
    return torch.stack(found)


def top_curvatures(
    network: nn.Module, ids: Tensor, scale: Tensor, count: int, iterations: int, seed: int
) -> tuple[Tensor, Tensor]:
    """The largest eigenvalues of S·H·S and their eigenvectors, [K] and [D, K], S = diag(scale), H the loss's Hessian.

    Lanczos with full reorthogonalisation; only pairs whose residual is below a tenth of the eigenvalue.
    """
    parameters = list(network.parameters())
    grads = torch.autograd.grad(loss(network, ids), parameters, create_graph=True)
    flat = torch.cat([grad.flatten() for grad in grads])

    def product(vector: Tensor) -> Tensor:
        found = torch.autograd.grad(flat, parameters, grad_outputs=scale * vector, retain_graph=True)
        return scale * torch.cat([part.flatten() for part in found])

    start = torch.randn(len(scale), generator=torch.Generator().manual_seed(seed))
    return lanczos(product, start, count, iterations)


def lanczos(product: Callable[[Tensor], Tensor], start: Tensor, count: int, iterations: int) -> tuple[Tensor, Tensor]:
    """The largest converged eigenvalues and their eigenvectors of a symmetric product, [K] and [D, K]."""
    basis, diagonal, beside = [start / start.norm()], list[float](), list[float]()
    for _ in range(iterations):
        image = product(basis[-1])
        diagonal.append(float(basis[-1] @ image))
        for _ in range(2):
            image = image - torch.stack(basis).T @ (torch.stack(basis) @ image)
        beside.append(float(image.norm()))
        if beside[-1] < 1e-7:
            break
        basis.append(image / beside[-1])
    size = len(diagonal)
    small = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    for number in range(size - 1):
        small[number, number + 1] = small[number + 1, number] = beside[number]
    values, vectors = torch.linalg.eigh(small)
    converged = beside[-1] * vectors[-1].abs() < 0.1 * values
    chosen = [number for number in reversed(range(size)) if converged[number]][:count]
    span = torch.stack(basis[:size]).T
    return values[chosen].to(span.dtype), span @ vectors[:, chosen].to(span.dtype)


def evenly(steps: int, count: int) -> Sequence[int]:
    """At most `count` numbers below `steps`, evenly spaced, the last one among them."""
    return sorted({steps - 1 - round(number * steps / count) for number in range(count)} - {-1})
