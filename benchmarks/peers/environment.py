"""Environments of peers, made on request below outputs/benchmarks/peers/: never in the product's own."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.harness.child_process import FOLDER, surroundings

PACKAGES = {
    "trl": ["trl==1.16.0", "transformers==5.23.0"],
    "lm-eval": ["lm-eval[hf]==0.4.13", "transformers==5.23.0"],
    "rldoctor": ["rldoctor==0.2.0"],
    "rlwatch": ["rlwatch==0.5.1"],
}
NOT_INSTALLED = "not installed"
WITHOUT_TORCH = ("rldoctor", "rlwatch")


class PeerMissing(SystemExit):
    """A peer that cannot be installed here, or that an interpreter does not have; the reason."""


def interpreter(peer: str, given: str = "") -> str:
    """A Python that has the peer: `given`, or one in an environment that is made when it is not there."""
    if given:
        return given
    folder = FOLDER / "peers" / peer
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not (folder / "complete").exists():
        print(f"setting up {peer} in {folder} (once; some minutes)", flush=True)
        _call([sys.executable, "-m", "venv", "--clear", str(folder)])
        _call([str(python), "-m", "pip", "install", "--quiet", *_torch(peer), *PACKAGES[peer]])
        (folder / "complete").write_text(" ".join(PACKAGES[peer]), encoding="utf-8")
    return str(python)


def _torch(peer: str) -> list[str]:
    """The version of torch that we have, for a peer that computes with it."""
    if peer in WITHOUT_TORCH:
        return []
    import torch

    return [f"torch=={torch.__version__}"]


def _call(command: list[str]) -> None:
    if subprocess.run(command).returncode:
        raise PeerMissing(f"failed: {' '.join(command)}\nGive an interpreter of yours: --peer-python PATH")


def version(python: str, package: str) -> str:
    """The version of a package as that interpreter finds it."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, env=surroundings(python))
    return done.stdout.strip() or NOT_INSTALLED


def version_there(python: str, package: str) -> str:
    """The same; PeerMissing where the interpreter does not have it."""
    try:
        found = version(python, package)
    except OSError as problem:
        raise PeerMissing(f"{python}: {problem.strerror}") from problem
    if found == NOT_INSTALLED:
        raise PeerMissing(f"{python} has no {package}")
    return found
