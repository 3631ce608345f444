"""Write the model, tokenizer and problems of a work: random weights, made on the device, or those of a real folder.

    python -m benchmarks.gpu.model_process FOLDER --work JSON --rollouts 4 [--device cuda] [--source FOLDER]

A real folder's weights are linked, not copied. So that every response runs to its full length on both sides, its end
token becomes a new one that the model never learned, and its chat template is left out.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch

from benchmarks.workload.work import END, Work, build, named, questions

BUILT = "built.json"  # what is in the folder, written last


def prepare(folder: Path, work: Work, rollouts: int, device: str, source: Path | None) -> None:
    """Fill the folder, unless it holds the same already."""
    if is_written(folder, work, rollouts, source):
        return
    shutil.rmtree(folder, ignore_errors=True)
    if source is None:
        with torch.device(device):
            build(work, folder, rollouts)
    else:
        take_real(source, folder, work, rollouts)
    (folder / BUILT).write_text(json.dumps(_contents(work, rollouts, source)), encoding="utf-8")


def is_written(folder: Path, work: Work, rollouts: int, source: Path | None) -> bool:
    """Whether the folder holds all of it."""
    place = folder / BUILT
    return place.exists() and json.loads(place.read_text(encoding="utf-8")) == _contents(work, rollouts, source)


def _contents(work: Work, rollouts: int, source: Path | None) -> dict[str, Any]:
    return {"work": vars(work), "rollouts": rollouts, "source": source and str(source.resolve())}


def take_real(source: Path, folder: Path, work: Work, rollouts: int) -> None:
    """A folder whose weights are another's."""
    from transformers import GenerationConfig, PreTrainedTokenizerFast

    model = folder / "model"
    model.mkdir(parents=True)
    for path in (*source.glob("*.safetensors"), *source.glob("*.safetensors.index.json")):
        (model / path.name).symlink_to(path.resolve())
    config = json.loads((source / "config.json").read_text(encoding="utf-8")) | {"eos_token_id": None}
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(source, padding_side="left")
    tokenizer.add_special_tokens({"eos_token": END})
    tokenizer.pad_token, tokenizer.chat_template = tokenizer.pad_token or END, None
    tokenizer.save_pretrained(model)
    ends = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    ends.save_pretrained(model)
    problems = real_problems(tokenizer, work.prompts * rollouts, work.prompt_tokens)
    lines = [json.dumps({"question": text, "answer": str(index % 1000)}) for index, text in enumerate(problems)]
    (folder / "problems.jsonl").write_text("\n".join(lines), encoding="utf-8")


def real_problems(tokenizer: Any, count: int, tokens: int) -> list[str]:
    """Texts of about so many tokens of a tokenizer of words."""
    rows = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in questions(count, 6 * tokens))
    return [tokenizer.decode(row[:tokens]) for row in rows]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=named, required=True)
    parser.add_argument("--rollouts", type=int, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--source", type=Path)
    chosen = parser.parse_args()
    prepare(chosen.folder, chosen.work, chosen.rollouts, chosen.device, chosen.source)
    print(json.dumps({"folder": str(chosen.folder)}))


if __name__ == "__main__":
    main()
