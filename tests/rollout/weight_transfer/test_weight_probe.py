"""When a server does not hold the weights that it was handed: the four rules, by numbers and by networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.stand_in_server import COMPLETIONS, NODE, StandInServer, of_choice, serving
from tvo_cli.errors import UserError
from tvo_cli.model import Policy, load_policy
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.server_client import ServerClient
from tvo_cli.rollout.weight_transfer.served_weights import write_served_weights
from tvo_cli.rollout.weight_transfer.server_probe import ServerProbe
from tvo_cli.rollout.weight_transfer.weight_probe import WeightProbe, are_probed_weights_stale, trainer_scores


@pytest.mark.parametrize(
    ("now", "then", "moved", "same", "stale"),
    [
        (2e-6, 1e-3, 1e-3, False, False),  # float32, loaded
        (1e-3, 2e-6, 1e-3, True, True),  # float32, not loaded
        (3e-5, 1e-6, 3e-5, False, True),  # float32, the step before last: not what it said last time
        (2e-6, 2e-6, 0.0, True, False),  # nothing has moved
        (2e-6, 1e-6, 4e-6, False, False),  # nothing that float32 tells apart
        (1e-2, 1e-2, 5e-4, True, False),  # bfloat16: so small a move need not show
        (1e-2, 1e-2, 2e-3, True, True),  # and this one must
        (1e-2, 1.02e-2, 2e-3, False, False),
    ],
)
def test_a_server_is_stale_if_it_is_nearer_to_earlier_weights_or_has_not_moved(
    now: float, then: float, moved: float, same: bool, stale: bool
) -> None:
    assert are_probed_weights_stale(now=now, then=then, moved=moved, same=same) is stale


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with serving() as found:
        yield found


@pytest.fixture
def policy() -> Policy:
    return load_policy({**NODE, "path": "packaged:tiny"}, device="cpu")


def probe(server: StandInServer, temperature: float = 1.0, limit: float = 0.05) -> WeightProbe:
    client = ServerClient((server.url,), timeout=20.0, requests=4)
    return WeightProbe(
        ServerProbe(client, "policy"), SamplingParams(3, 20, temperature=temperature), tuple(range(3, 15)), limit
    )


def moved(policy: Policy, by: float, name: str = "") -> None:
    with torch.no_grad():
        for at, parameter in policy.network.named_parameters():
            if name in at:
                parameter.add_(by * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_equal_weights_agree_and_the_prompt_and_what_is_sampled_are_scored(
    server: StandInServer, policy: Policy, temperature: float
) -> None:
    made = probe(server, temperature)
    assert made.check(policy, "step 1") < 1e-5
    (scores,) = made.earlier.values()
    assert scores.prompt == 11 and len(scores.server) == len(scores.ids) - 1 > 11
    assert len(scores.ids) <= 64


def test_a_server_that_scores_no_prompts_is_judged_by_what_it_samples(server: StandInServer, policy: Policy) -> None:
    server.faults[COMPLETIONS] = [of_choice(prompt_logprobs=None)] * 2
    made = probe(server)
    assert made.check(policy, "step 1") < 1e-5
    assert next(iter(made.earlier.values())).prompt == 0
    moved(policy, 1e-4)
    with pytest.raises(UserError, match=r"step 2: the server does not hold these weights but earlier ones"):
        made.check(policy, "step 2")


@pytest.mark.parametrize("by", [1e-5, 1e-4])
def test_one_step_of_a_small_rate_shows(server: StandInServer, policy: Policy, by: float, tmp_path: Path) -> None:
    made = probe(server)
    made.check(policy, "step 1")
    moved(policy, by)
    with pytest.raises(
        UserError, match=rf"^rollout\.url={server.url}: step 2: the server does not hold .*earlier ones"
    ):
        made.check(policy, "step 2")
    write_served_weights(policy, tmp_path)
    server.load(str(tmp_path))
    assert made.check(policy, "step 2") < 1e-5


def test_a_part_that_was_not_loaded_shows(server: StandInServer, policy: Policy, tmp_path: Path) -> None:
    made = probe(server)
    made.check(policy, "step 1")
    moved(policy, 1e-3)
    write_served_weights(policy, tmp_path)
    server.load(str(tmp_path), leave="layers.0.self_attn.q_proj")
    with pytest.raises(UserError, match=r"step 2: the server has not loaded all of these weights"):
        made.check(policy, "step 2")


def test_log_probabilities_of_another_temperature_are_named(server: StandInServer, policy: Policy) -> None:
    def raw(server: StandInServer, body: dict[str, object], right: dict[str, list[dict[str, object]]]) -> object:
        ids = (*body["prompt"], *right["choices"][0]["token_ids"])  # type: ignore[misc]
        scores = trainer_scores(policy, ids, 1.0, prompt=len(ids))[len(body["prompt"]) - 1 :]  # type: ignore[arg-type]
        return of_choice(logprobs={"token_logprobs": list(scores)})(server, body, right)

    server.faults[COMPLETIONS] = [raw]
    said = r"scores a prompt as the trainer does, but what it samples .*--logprobs-mode processed_logprobs"
    with pytest.raises(UserError, match=said):
        probe(server, 0.5, limit=0.01).check(policy, "step 1")


def test_what_is_not_finite_is_no_agreement_and_no_limit_asks_for_nothing(
    server: StandInServer, policy: Policy
) -> None:
    moved(policy, float("nan"))
    with pytest.raises(UserError, match="differ by nan"):
        probe(server).check(policy, "step 1")
    asked = len(server.asked)
    assert probe(server, limit=float("inf")).check(policy, "step 1") == 0.0
    assert len(server.asked) == asked


def test_weights_are_replaced_as_a_whole_and_others_are_not_written_over(policy: Policy, tmp_path: Path) -> None:
    names = write_served_weights(policy, tmp_path)
    assert names == {file.name for file in tmp_path.iterdir()} >= {"model.safetensors", "config.json"}
    assert (tmp_path / "model.safetensors").stat().st_mode == (tmp_path / "config.json").stat().st_mode
    moved(policy, 0.1)
    write_served_weights(policy, tmp_path, known=names)
    again = load_policy({**NODE, "path": str(tmp_path)}, device="cpu")
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), policy.parameters(), strict=True))
    (tmp_path / "model-00001-of-00002.safetensors").touch()
    with pytest.raises(UserError, match=r"^rollout\.folder=.*holds model-00001-of-00002\.safetensors.*Take an empty"):
        write_served_weights(policy, tmp_path)


def test_a_tied_head_is_written_apart_where_that_is_asked_for(policy: Policy, tmp_path: Path) -> None:
    network = policy.network
    network.config.tie_word_embeddings = True
    network.lm_head.weight = network.get_input_embeddings().weight
    network.tie_weights()
    write_served_weights(policy, tmp_path / "tied")
    write_served_weights(policy, tmp_path / "apart", untie=True)
    assert "lm_head.weight" not in load_file(tmp_path / "tied/model.safetensors")
    apart = load_file(tmp_path / "apart/model.safetensors")
    assert torch.equal(apart["lm_head.weight"], network.get_input_embeddings().weight)
    loaded = load_policy({**NODE, "path": str(tmp_path / "apart")}, device="cpu").network
    assert loaded.config.tie_word_embeddings is False
    assert loaded.lm_head.weight is not loaded.get_input_embeddings().weight
