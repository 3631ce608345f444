"""What a run needs to import, and how it comes to a machine without a network. Imports the standard library alone."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

OLDEST_PYTHON, OLDEST_TORCH = (3, 11), (2, 11)
NEEDED = {  # module: package
    "torch": "torch",
    "transformers": "transformers",
    "tokenizers": "tokenizers",
    "safetensors": "safetensors",
    "huggingface_hub": "huggingface-hub",
    "accelerate": "accelerate",
    "numpy": "numpy",
    "scipy": "scipy",
    "sympy": "sympy",
    "jinja2": "jinja2",
    "yaml": "pyyaml",
    "pydantic": "pydantic",
    "hydra": "hydra-core",
    "omegaconf": "omegaconf",
    "math_verify": "math-verify",
    "latex2sympy2_extended": "latex2sympy2-extended",
}
WITHOUT_NETWORK = (
    "Without a network: `make gpu-wheels` where there is one, outputs/gpu-wheels copied here, sh benchmarks/gpu/run.sh."
)


def missing() -> list[str]:
    """Packages that this Python does not find."""
    return [package for module, package in NEEDED.items() if find_spec(module) is None]


def complaints() -> list[str]:
    """Lines that say why it cannot run here and what to do; none where it can."""
    lines = []
    if sys.version_info < OLDEST_PYTHON:
        lines.append(f"Python {sys.version.split()[0]}: too old. Use {_dotted(OLDEST_PYTHON)} or newer.")
    if packages := missing():
        names = " ".join(packages)
        lines.append(f"not installed: {names}. Run: {sys.executable} -m pip install {names}")
        lines.append(WITHOUT_NETWORK)
    if (found := torch_version()) and found < OLDEST_TORCH:
        lines.append(f"torch {_dotted(found)}: too old. Use {_dotted(OLDEST_TORCH)} or newer.")
    return lines


def torch_version() -> tuple[int, ...]:
    """Of the installed torch, (2, 11); () without one."""
    try:
        return tuple(int(part) for part in version("torch").split("+")[0].split(".")[:2])
    except PackageNotFoundError:
        return ()


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
