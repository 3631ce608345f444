"""What is loaded, what is refused and with which words, and that saving keeps everything."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tvo_cli.data.vocabulary import WORDS
from tvo_cli.errors import UserError
from tvo_cli.model import Critic, Policy, clone_frozen, load_policy
from tvo_cli.model.loading import policy_loading
from tvo_cli.model.model_files.model_location import WEIGHTS
from tvo_cli.model.tiny_model import tiny_network, tiny_tokenizer

NODE = {
    "path": "packaged:tiny",
    "revision": None,
    "dtype": "float32",
    "attention": "sdpa",
    "gradient_checkpointing": False,
}


@pytest.fixture
def folder(policy: Policy, tmp_path: Path) -> Path:
    policy.save(tmp_path / "saved")
    return tmp_path / "saved"


def load(path: object, **changes: object) -> Policy:
    return load_policy(NODE | {"path": str(path)} | changes, device="cpu")


def test_the_tokenizer_reads_whole_words_and_writes_them_back() -> None:
    tokenizer = tiny_tokenizer()
    text = " ".join(WORDS)
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert len(ids) == len(WORDS) + 1
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert len(tokenizer) == len(set(tokenizer.get_vocab()))


def test_tiny_networks_come_from_their_seed_and_leave_the_global_stream_alone() -> None:
    tokenizer = tiny_tokenizer()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = tiny_network(tokenizer, seed=0)
    assert torch.equal(torch.rand(3), expected)
    again, other = tiny_network(tokenizer, seed=0), tiny_network(tokenizer, seed=1)
    assert torch.equal(first.lm_head.weight, again.lm_head.weight)
    assert not torch.equal(first.lm_head.weight, other.lm_head.weight)
    assert 100_000 <= sum(p.numel() for p in first.parameters()) <= 150_000


def test_a_checkpoint_that_is_removed_while_it_is_loaded_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that goes on prunes: neither an id nor the network is to blame."""
    place = tmp_path / "run" / "checkpoints" / "step-000002" / "policy"
    shutil.copytree(folder, place)
    monkeypatch.setattr(policy_loading, "check_hub_answers", lambda node, place: shutil.rmtree(place))
    with pytest.raises(UserError, match=r"step-000002 was removed while it was loaded.*trainer\.keep"):
        load(place)


def test_saving_and_loading_gives_the_same_scores_and_tokens(
    policy: Policy, folder: Path, rows: SimpleNamespace
) -> None:
    again = load(folder)
    for mine, theirs in zip(policy.score(**vars(rows), temperature=1.0), again.score(**vars(rows), temperature=1.0)):
        assert torch.equal(mine, theirs)
    assert again.end_ids == policy.end_ids
    assert again.pad_id == policy.pad_id
    text = "well 10 so 8 \\boxed{ 1 }"
    assert again.tokenizer.decode(again.tokenizer(text, add_special_tokens=False)["input_ids"]) == text
    assert {file.suffix for file in folder.iterdir()} == {".json", ".safetensors"}


def test_a_tokenizer_whose_declared_class_drops_spaces_is_read_plainly(tmp_path: Path) -> None:
    """Qwen2's own class re-splits text and loses the spaces of a character tokenizer (design/speed.md, section 3)."""
    characters = "0123456789+-= \n"
    raw = Tokenizer(models.WordLevel({c: i for i, c in enumerate([*characters, "<eos>"])}, unk_token="<eos>"))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    raw.decoder = decoders.Fuse()
    PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<eos>").save_pretrained(tmp_path)
    config = Qwen2Config(
        vocab_size=16, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, bos_token_id=None, eos_token_id=15,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(tmp_path)
    declared = json.loads((tmp_path / "tokenizer_config.json").read_text())
    declared["tokenizer_class"] = "Qwen2Tokenizer"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(declared))
    policy = load(tmp_path)
    text = "1 + 2 =\n"
    assert policy.tokenizer.decode(policy.tokenizer(text)["input_ids"]) == text
    assert policy.pad_id == 15  # no pad token: the end token stands in
    assert policy.end_ids == {15}


def test_every_end_token_of_the_generation_config_counts(folder: Path) -> None:
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": [2, 9]}))
    assert load(folder).end_ids == {2, 9}


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("config.json", "no config.json"),
        ("tokenizer_config.json", "no tokenizer_config.json"),
        ("model.safetensors", "no safetensors weights"),
    ],
)
def test_a_folder_without_a_part_is_refused_by_its_name(folder: Path, missing: str, words: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(UserError, match=words) as caught:
        load(folder)
    assert caught.value.key == "model.path"


def test_pickled_weights_are_refused_unread_with_the_way_out(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"not even a pickle")
    with pytest.raises(UserError, match="Convert them to safetensors"):
        load(folder)


def test_remote_code_is_never_run(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "trap.C", "AutoModelForCausalLM": "trap.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    marker = folder / "ran"
    (folder / "trap.py").write_text(f"open({str(marker)!r}, 'w')\nclass C: ...\nclass M: ...\n")
    with pytest.raises(UserError):
        load(folder)
    assert not marker.exists()


def test_unknown_places_and_dtypes_name_their_key(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", "packaged:huge", "nobody-here/no-such-model"):
        with pytest.raises(UserError) as caught:
            load(path)
        assert caught.value.key == "model.path"
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"model\.dtype=int8"):
        load("packaged:tiny", dtype="int8")


def test_a_word_the_tokenizer_does_not_know_is_no_crash() -> None:
    try:
        ids, _ = load("packaged:tiny").encode(["Let $x$ be a real number"])
    except UserError as refused:
        assert refused.key == "model.path"
    else:
        assert ids.shape[1] > 1


@pytest.mark.parametrize("name", sorted(path.name for path in WEIGHTS.iterdir() if path.is_dir()))
def test_packaged_weights_are_what_the_readme_says(name: str) -> None:
    digest = hashlib.sha256((WEIGHTS / name / "model.safetensors").read_bytes()).hexdigest()
    assert digest in (WEIGHTS / "README.md").read_text(), name
    assert load(f"packaged:{name}").network.dtype == torch.float32


def test_packaged_weights_stay_small() -> None:
    assert sum(file.stat().st_size for file in WEIGHTS.rglob("*") if file.is_file()) <= 2 * 2**20


def test_a_frozen_clone_neither_moves_nor_follows(policy: Policy, rows: SimpleNamespace) -> None:
    reference = clone_frozen(policy)
    before = reference.score(**vars(rows), temperature=1.0).logp
    assert not before.requires_grad
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.1)
    assert torch.equal(before, reference.score(**vars(rows), temperature=1.0).logp)
    assert not torch.equal(before, policy.score(**vars(rows), temperature=1.0).logp)


def test_the_critic_starts_at_zero_owns_its_weights_and_sees_only_the_past(
    policy: Policy, rows: SimpleNamespace, tmp_path: Path
) -> None:
    critic = Critic(policy)
    assert (critic.values(**vars(rows)) == 0).all()
    with torch.no_grad():
        critic.head.weight.normal_(generator=torch.Generator().manual_seed(0))
    before = critic.values(**vars(rows))
    assert (before[rows.mask] != 0).all()
    assert (before[~rows.mask] == 0).all()
    later = rows.response_ids.clone()
    later[0, 2] = 30 if later[0, 2] != 30 else 31
    after = critic.values(rows.prompt_ids, rows.prompt_mask, later, rows.mask)
    torch.testing.assert_close(after[0, :3], before[0, :3])  # V(s_t) is of the state before token t
    assert not torch.allclose(after[0, 3:], before[0, 3:])
    before.sum().backward()
    assert all(parameter.grad is None for parameter in policy.parameters())
    save_file(critic.state_dict(), tmp_path / "critic.safetensors")
    again = Critic(policy)
    again.load_state_dict(load_file(tmp_path / "critic.safetensors"))
    assert torch.equal(again.values(**vars(rows)), before)


def test_a_copied_folder_needs_nothing_else(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder, tmp_path / "elsewhere")
    assert load(tmp_path / "elsewhere").pad_id == 0


def test_a_padding_token_without_an_embedding_is_replaced_by_the_end_token(folder: Path, policy: Policy) -> None:
    """A tokenizer that was given [PAD] and a model that was not resized: the padding is masked, any token serves."""
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(folder)
    assert settings["pad_token"] == "<pad>" and tokenizer.pad_token_id >= policy.network.config.vocab_size
    loaded = load(folder)
    assert loaded.pad_id == loaded.tokenizer.eos_token_id
    ids, mask = loaded.encode(["1 + 1 =", "1"])
    assert ids[1, 0] == loaded.pad_id and not mask[1, 0]
    assert bool(torch.isfinite(loaded.network(input_ids=ids, attention_mask=mask.long()).logits).all())
