"""Weights as servers load them: hub format, one file, an adapter merged, a tied head apart where that is asked for."""

from __future__ import annotations

import copy
import errno
import json
import shutil
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.model.loading.merged_policy import merge_adapter

SUFFIX = ".safetensors"
WEIGHTS = f"model{SUFFIX}"
DRAFT = ".draft"


def write_served_weights(
    policy: Policy, folder: Path, *, untie: bool = False, writes: bool = True, known: Collection[str] = ()
) -> set[str]:
    """Write a policy, an adapter merged, in hub format; each file replaced as a whole, the weights last; their names.

    `untie`: an output head that shares the embedding's tensor is written besides, as a server has it that was started
    with tie_word_embeddings=false. `writes`: of several ranks one; all call it. `known`: files of an earlier call.

    Raises:
        UserError: the folder holds other weights besides, or the disk is full.
    """
    draft = folder / DRAFT
    if writes:
        _check_weights_folder_is_ours(folder, known)
        shutil.rmtree(draft, ignore_errors=True)
    try:
        _merged(policy).save(draft, writes=writes)
        return _put_in_place(draft, policy.network if untie else None) if writes else set()
    except (OSError, SafetensorError) as error:
        raise _weights_folder_error(folder, error) from error
    finally:
        if writes:
            shutil.rmtree(draft, ignore_errors=True)


def gather_served_weights(policy: Policy, *, untie: bool = False, keep: bool = True) -> dict[str, Tensor]:
    """The weights as `write_served_weights` writes them, by their names, in memory; sharded ones put together.

    Of several ranks all call it, tensor after tensor, and one keeps them: on the CPU where they were sharded, else as
    they are, no copies. An output head that shares the embedding's tensor is left out, or `untie`: named besides.
    """
    whole = _merged(policy).gather_tensors(keep=keep)
    first = {id(value): name for name, value in reversed(whole.items())}
    return {name: value for name, value in whole.items() if untie or first[id(value)] == name}


def _put_in_place(draft: Path, untied: Any) -> set[str]:
    """Move the draft's files into the served folder around it, weights last; `untied`: a network whose head is."""
    if untied is not None:
        _untie(untied, draft)
    readable = (draft / "config.json").stat().st_mode  # safetensors lets nobody else read what it writes
    files = sorted(draft.iterdir(), key=lambda file: file.suffix == SUFFIX)
    for file in files:
        file.chmod(readable)
        file.replace(draft.parent / file.name)
    return {file.name for file in files}


def _check_weights_folder_is_ours(folder: Path, known: Collection[str]) -> None:
    """Refuse a folder that holds other weights besides those written here for servers."""
    others = sorted({file.name for file in folder.glob(f"*{SUFFIX}*")} - {WEIGHTS, *known})
    if others:
        problem = f"holds {others[0]}, which a server would load besides or instead of {WEIGHTS}."
        raise UserError("rollout.folder", folder, problem, "Take an empty folder.")


def _merged(policy: Policy) -> Policy:
    """The policy as servers load it: a copy with the adapter merged where it has one."""
    if policy.base is None:
        return policy
    if policy.base.quantise:
        problem = "the weights under its adapter are of 4 bits, and are not merged in a run."
        raise UserError(
            "model.quantise", policy.base.quantise, problem, "Take model.quantise=null, or rollout=default."
        )
    merged = replace(policy, network=copy.deepcopy(policy.network))
    merge_adapter(merged)
    return merged


def _weights_folder_error(folder: Path, error: Exception) -> UserError:
    """The UserError for a folder of served weights that cannot be written."""
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
    remedy = "Free some; it holds one copy of the weights, and one more while it is written." if full else ""
    return UserError("rollout.folder", folder, f"the weights cannot be written ({error}).", remedy)


def _untie(network: Any, folder: Path) -> None:
    """In the folder, give saved weights whose head is the embedding's tensor a head of its own, by its values."""
    names = {module: name for name, module in network.named_modules()}
    head, body = (f"{names[one]}.weight" for one in (network.get_output_embeddings(), network.get_input_embeddings()))
    tensors, config = load_file(folder / WEIGHTS), folder / "config.json"
    if head in tensors:
        return
    save_file(tensors | {head: tensors[body].clone()}, folder / WEIGHTS, metadata={"format": "pt"})
    told = json.loads(config.read_text(encoding="utf-8")) | {"tie_word_embeddings": False}
    config.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
