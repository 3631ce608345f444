"""The page docs/algorithms.md, made from the algorithms' descriptions: `tvo list algorithms --page`."""

from __future__ import annotations

from collections.abc import Iterator

from tvo_cli.cli.algorithm_descriptions import AlgorithmDescription, describe_algorithms, fidelities_of_pieces
from tvo_cli.cli.methods_elsewhere import METHODS_ELSEWHERE

HEAD = """# Algorithms

<!-- Made by `make docs` (tvo list algorithms --page) from conf/algorithm/*.yaml and docstrings; do not edit. -->

Each is a yaml in `conf/algorithm/` that chooses the pieces of one equation and says only what differs from another:

    L(θ) = reduce[ −w · S(ρ, Â − Σ_f φ_f) ] + Σ_f reduce[ E_f ] + Σ_k c_k · reduce[ R_k ]
    θ ← θ − (η/ν) · P · ∇L

Formulas, defaults and what each was written after stand in the docstrings; which of them combine, and which contradict
each other, in [combining.md](combining.md).

**Fidelity** is what the formulas were written after: `official code` of the authors, the full text of
the `paper`, or `notes` (summaries, common practice, or this project's own work). In brackets: where ours differs. Of
several pieces the weakest comes first. What could be run of that code gives the same loss and gradient, or the
difference is named: [results/authors.md](results/authors.md)."""

ELSEWHERE = """## No recipe of their own

Methods of the field that are a setting of another part, a reading or a protocol, and those that are not here, whole or
in part."""


def algorithms_page_text() -> str:
    """Return the text of docs/algorithms.md."""
    found = describe_algorithms()
    parts = [
        HEAD,
        "\n".join(_algorithms_table(found)),
        ELSEWHERE,
        "\n".join(_elsewhere_table()),
        "## Fidelity",
        "\n".join(_fidelity_list_of_page(found)),
    ]
    return "\n\n".join(parts)


def _algorithms_table(found: list[AlgorithmDescription]) -> Iterator[str]:
    yield "| algorithm | what it is | what it changes | paper | own mathematics |"
    yield "|---|---|---|---|---|"
    for card in found:
        source = f"`{card.source}`" if card.source else ""
        cells = (f"`{card.name}`", card.about.what, card.about.changes, card.about.paper, source)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _elsewhere_table() -> Iterator[str]:
    yield "| method | paper | how it is had, or why not | fidelity |"
    yield "|---|---|---|---|"
    for one in METHODS_ELSEWHERE:
        said = ": ".join(part for part in (f"`{one.setting}`" if one.setting else "", one.why) if part)
        cells = (one.name, one.paper, said, one.fidelity)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _fidelity_list_of_page(found: list[AlgorithmDescription]) -> Iterator[str]:
    for card in found:
        _, *others = fidelities_of_pieces(card.name).items() or [("", "")]
        more = [f" `{piece}`: {text}" for piece, text in others if text != card.fidelity]
        yield f"- `{card.name}`: {card.fidelity}{''.join(more)}"
