"""The card of a saved policy (README.md in the hub's format), and the licence texts of its base."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tvo_cli import __version__, escaping
from tvo_cli.model.base_model_card import CARD, BaseOrigin, base_origin

ADAPTERS = {"lora": "LoRA", "dora": "DoRA", "miss": "MiSS"}
HUB = "https://huggingface.co"
RL, SFT = "reinforcement-learning", "sft"  # the hub's tags of how a policy was trained
TRAINED = {RL: "trained by reinforcement learning on verifiable answers", SFT: "fine-tuned on worked solutions"}


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a policy's card states besides its step: no paths of a machine, and nothing that a user wrote freely."""

    base: BaseOrigin
    algorithm: str
    dataset: str
    adapter: str  # none, lora, dora or miss
    way: str = RL  # in which it was trained

    @classmethod
    def of(cls, config: Any, *, merged: bool = False) -> ModelCard:
        """Of a run's config; `merged`: its adapter has become part of the weights."""
        adapter = "none" if merged else str((config.get("adapter") or {}).get("kind", "none"))
        return cls(base_origin(config["model"]), str(config["algorithm"]["name"]), _dataset_name(config), adapter)

    @classmethod
    def of_fine_tuning(cls, config: Any) -> ModelCard:
        """Of the config of `tvo sft`."""
        return cls(base_origin(config["model"]), "supervised fine-tuning", _dataset_name(config), "none", SFT)

    def write(self, folder: Path, step: int) -> None:
        """Write README.md, and copy the texts of the base's licence, into a policy's folder."""
        (folder / CARD).write_text(self.text(step), encoding="utf-8")
        for file in self.base.licence_files:
            if file.parent != folder:
                shutil.copyfile(file, folder / file.name)

    def text(self, step: int) -> str:
        """The card after a training step."""
        head = yaml.safe_dump(self._head(), sort_keys=False, allow_unicode=True)
        return "\n\n".join([f"---\n{head}---", *self._paragraphs(step)]) + "\n"

    def _head(self) -> dict[str, Any]:
        has_adapter = self.adapter in ADAPTERS
        base = {"base_model": self.base.hub_id} if self.base.hub_id else {}
        relation = {"base_model_relation": "adapter" if has_adapter else "finetune"} if base else {}
        return {
            **base,
            **relation,
            **self.base.licence,
            "library_name": "peft" if has_adapter else "transformers",
            "pipeline_tag": "text-generation",
            "tags": self._tags(),
        }

    def _tags(self) -> list[str]:
        algorithm = [self.algorithm] if self.way == RL else []
        adapter = [self.adapter] if self.adapter in ADAPTERS else []
        return list(dict.fromkeys(["tvo", self.way, *algorithm, *adapter]))

    def _paragraphs(self, step: int) -> list[str]:
        kind = f"A {ADAPTERS[self.adapter]} adapter" if self.adapter in ADAPTERS else "A causal language model"
        algorithm, dataset = escaping.markdown(self.algorithm), escaping.markdown(self.dataset)
        found = [
            f"# {algorithm} on {dataset}",
            f"{kind}, {TRAINED[self.way]}.",
            f"- Algorithm: {algorithm}\n- Data set: {dataset}\n- Training steps: {step}\n- tvo: {__version__}",
            f"The training started from {escaping.markdown(self.base.name)}. {self._weights()}".strip(),
        ]
        return [*found, self._licence()]

    def _weights(self) -> str:
        """In what the base's weights differ from those of its name."""
        if self.base.is_made_from_hub_model and self.adapter in ADAPTERS:
            original = escaping.markdown(self.base.hub_id)
            return f"The adapter belongs to the weights of that folder; beside {original} it gives other answers."
        if not self.base.note:
            return ""
        other = " Beside the original weights the adapter gives other answers." if self.adapter in ADAPTERS else ""
        return f"These are not the hub's original weights: {escaping.markdown(self.base.note)}.{other}"

    def _licence(self) -> str:
        if not self.base.licence and self.base.hub_id:
            read = f"read it at {HUB}/{self.base.hub_id} before you share it."
            return f"No licence of the base was at hand when this policy was saved: {read}"
        if not self.base.licence:
            return "The base that was loaded states no licence; look it up before you share this policy."
        name = self.base.licence.get("license_name") or self.base.licence.get("license", "")
        texts = f" Its text is in {', '.join(one.name for one in self.base.licence_files)}."
        return f"Licence of the base: {escaping.markdown(name)}." + texts * bool(self.base.licence_files)


def _dataset_name(config: Any) -> str:
    """The data set's name in a model card; of one that is a path, the last part alone."""
    return os.path.basename(str(config["dataset"]["name"]).rstrip("/"))  # noqa: PTH119  (a hub id is no path)
