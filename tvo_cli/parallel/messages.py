"""Records as bytes for other processes, and back: JSON and safetensors. No pickle, whoever listens."""

from __future__ import annotations

import json
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from tvo_cli.checkpoint.record_serialization import pack_record, unpack_record
from tvo_cli.checkpoint.tensor_slice import whole_values

HEAD = 8  # bytes that hold the length of the JSON


def encode_message(record: Any) -> Tensor:
    """A record as uint8 [n] on the CPU: the length of its JSON, the JSON, its tensors."""
    tensors, plain = pack_record(record)
    text = json.dumps(plain).encode()
    whole = {name: whole_values(held, name).cpu() for name, held in tensors.items()}
    found = len(text).to_bytes(HEAD, "little") + text + save(whole)
    return torch.frombuffer(bytearray(found), dtype=torch.uint8)


def decode_message(kind: Any, message: Tensor, device: torch.device) -> Any:
    """The record of type `kind` that was encoded; what was off the CPU goes to `device`."""
    found = message.numpy().tobytes()
    begin = HEAD + int.from_bytes(found[:HEAD], "little")
    return unpack_record(kind, json.loads(found[HEAD:begin]), load(found[begin:]), device)
