"""What can be chosen of `benchmarks.gpu`, and what --quick takes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator, model_validator

from benchmarks.gpu.subjects import real_subject
from benchmarks.harness.settings import Settings, option

Shape = Literal["qwen2-0.5b", "qwen2-1.5b", "smollm2-135m", "tiny"]


class Chosen(Settings):
    """What can be chosen."""

    minutes: float = option(10.0, "of this start, after which the same command goes on", gt=0, of_start=True)
    slack: float = option(1.0, "factor on the time that each part may take", gt=0, of_start=True)
    device: Literal["cuda", "cpu"] = option("cuda", "where everything runs")
    parts: tuple[Literal["device", "steps", "kernels"], ...] = option(
        ("device", "steps", "kernels"), "what is measured"
    )
    shapes: tuple[Shape, ...] = option(("qwen2-0.5b", "qwen2-1.5b", "smollm2-135m"), "random models")
    models: tuple[str, ...] = option((), "folders of real models in hub format, measured too")
    trl_python: str = option("", "an interpreter that has TRL (1.16.0), and vLLM for that row; none: this one")
    prompts: int = option(16, "prompts a step", gt=0)
    samples: int = option(8, "responses a prompt", gt=0)
    prompt_tokens: int = option(128, "tokens of a prompt", gt=0)
    new_tokens: int = option(256, "tokens of every response", gt=0)
    micro_batch: int = option(16, "responses a forward pass, on both sides", gt=0)
    steps: int = option(2, "measured steps of a side", gt=0)
    warm_up: int = option(1, "steps before them", ge=1)
    kernel_tokens: int = option(8192, "response tokens that a kernel is given", gt=0)
    kernel_repeats: int = option(5, "times that a kernel is timed", gt=0)
    peak_flops: float = option(0.0, "the device's operations a second; 0: as stated for its name", ge=0)
    peak_bandwidth: float = option(0.0, "its bytes a second; 0: as stated for its name", ge=0)

    @field_validator("models")
    @classmethod
    def _are_models(cls, folders: tuple[str, ...]) -> tuple[str, ...]:
        for folder in folders:
            try:
                real_subject(Path(folder), prompts=1, samples=1, prompt_tokens=1, new_tokens=1)
            except (OSError, LookupError, ValueError) as problem:
                raise ValueError(f"{folder} is no model in hub format that can be measured: {problem!r}") from problem
        return folders

    @field_validator("trl_python")
    @classmethod
    def _is_there(cls, python: str) -> str:
        found = shutil.which(python)
        if python and found is None:
            raise ValueError(f"{python} is no program")
        return str(Path(found).absolute()) if found else ""  # an environment's link is kept: it makes the environment

    @model_validator(mode="after")
    def _fit_together(self) -> Chosen:
        if self.prompts * self.samples % self.micro_batch:
            rows = f"{self.prompts} prompts × {self.samples} samples"
            raise ValueError(f"--micro-batch: {rows} are not a multiple of {self.micro_batch}")
        for given in (self.shapes, [Path(folder).resolve().name for folder in self.models]):
            if twice := sorted({name for name in given if given.count(name) > 1}):
                raise ValueError(f"--shapes, --models: {', '.join(twice)} twice; a folder's name is the model's")
        return self


QUICK: dict[str, Any] = {
    "shapes": ("tiny",), "prompts": 2, "samples": 4, "prompt_tokens": 16, "new_tokens": 8, "micro_batch": 8,
    "steps": 1, "slack": 5.0, "kernel_tokens": 64, "kernel_repeats": 1,
}  # fmt: skip
