"""An evaluation as people read it: one table, breakdowns, a Markdown page, and the harness's results.json."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tvo_cli import escaping
from tvo_cli.tracking.sparkline import duration

HEADINGS = (
    *("suite", "protocol", "problems", "avg@k", "pass@k", "maj@k", "greedy", "tokens", "cut off", "no answer", "time"),
    "tokens/s",
)
Figures = Mapping[str, Any]
Row = list[str]


def rows(summary: Figures) -> list[Row]:
    """One row a suite."""
    return [_row(name, found) for name, found in summary["suites"].items()]


def _row(name: str, found: Figures) -> Row:
    k = found.get("samples", 0)
    scores = (
        (_labelled(f"@{k}", found["avg"]), _passes(found), _labelled(f"@{k}", found["maj"]), share(found["greedy"]))
        if found["graded"]
        else ("not graded", "", "", "")
    )
    return [
        name,
        found["protocol"],
        str(found["problems"]),
        *scores,
        f"{found['length']:.0f}",
        f"{found['truncated']:.1%}",
        f"{found['unanswered']:.1%}" if found["graded"] else "",
        duration(found["seconds"]),
        f"{found['tokens_per_second']:,.0f}",
    ]


def share(found: Figures | None) -> str:
    """62.1% [58.0, 66.2]."""
    if found is None:
        return ""
    low, high = (f"{100 * (found[end] if found[end] is not None else math.nan):.1f}" for end in ("low", "high"))
    return f"{100 * found['mean']:.1f}% [{low}, {high}]"


def _labelled(label: str, found: Figures | None) -> str:
    return f"{label} {share(found)}" if found else ""


def _passes(found: Figures) -> str:
    return "  ".join(f"@{k} {100 * value['mean']:.1f}" for k, value in found["pass"].items() if k != "1")


def details(summary: Figures) -> Iterator[tuple[str, Sequence[str], list[Row]]]:
    """Title, headings and rows of every further table: pass@k, levels, subjects, problems, audit, support."""
    for name, found in summary["suites"].items():
        if found["graded"]:
            yield from ((f"{name}: {title}", headings, body) for title, headings, body in _parts(found) if body)


def _parts(found: Figures) -> Iterator[tuple[str, Sequence[str], list[Row]]]:
    """The further tables of one suite; a body is empty where it does not apply."""
    yield "pass@k", ("k", "pass@k"), [[k, share(value)] for k, value in found["pass"].items()]
    for noun in ("level", "subject"):
        parts = [[part or "none", str(v["problems"]), share(v)] for part, v in found[noun].items()]
        yield f"by {noun}", (noun, "problems", "avg"), parts
    yield "by problem", ("problem", "right", "of"), _problems(found) if found["problems"] <= 30 else []
    audited = found.get("audit")
    yield "a second grader (math-verify as shipped)", ("figure", "value"), _audit(audited) if audited else []
    yield "against the base model", ("figure", "value"), _support(found["support"]) if "support" in found else []


def _problems(found: Figures) -> list[Row]:
    return [[row["id"], str(row["right"]), str(row["samples"])] for row in found["by_problem"]]


def _audit(found: Figures) -> list[Row]:
    of_them = f"{found['differing']} of {found['compared']}: {share(found['rate'])}"
    return [["verdicts that differ", of_them], ["right by ours alone", str(found["only_ours"])]]


def _support(found: Figures) -> list[Row]:
    counts = [[name, str(found[name])] for name in ("kept", "gained", "lost", "neither")]
    ratios = [[name, "–" if _missing(found[name]) else f"{found[name]:.4f}"] for name in ("SRR", "NDR", "SDS", "NSCR")]
    return counts + ratios


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def markdown(summary: Figures) -> str:
    """A page to paste from."""
    lines = [f"# {escaping.markdown(summary['model'])}", "", *_table(HEADINGS, rows(summary))]
    for title, headings, body in details(summary):
        lines += ["", f"## {escaping.markdown(title)}", "", *_table(headings, body)]
    lines += ["", escaping.markdown(_provenance(summary))]
    return "\n".join(lines) + "\n"


def _provenance(summary: Figures) -> str:
    """What a reviewer needs to know of the numbers above."""
    suites = summary["suites"]
    sure = sorted({f"{found['confidence']:.0%}" for found in suites.values() if found["graded"]})
    hashes = ", ".join(f"{name} {found['protocol_hash']}" for name, found in suites.items())
    weights = f"weights {summary['weights']}" if summary.get("weights") else "hub weights"
    said = f"{'/'.join(sure)} intervals, clustered by problem. " if sure else ""
    return f"{said}Seed {summary['seed']}; {weights}; protocols {hashes}."


def _table(headings: Sequence[str], body: Sequence[Row]) -> list[str]:
    kept = [i for i in range(len(headings)) if i == 0 or any(row[i] for row in body)]
    return escaping.markdown_table([headings[i] for i in kept], [[row[i] for i in kept] for row in body])


def harness(summary: Figures, versions: Figures) -> dict[str, Any]:
    """The layout of lm-evaluation-harness's results.json: results, configs, n-samples, config, versions."""
    suites = {name: found for name, found in summary["suites"].items() if found["graded"]}
    counts = {name: {"original": found["problems"], "effective": found["problems"]} for name, found in suites.items()}
    return {
        "results": {name: {"alias": name, **dict(_metrics(found))} for name, found in suites.items()},
        "configs": {name: {key: found[key] for key in ("protocol", "protocol_hash")} for name, found in suites.items()},
        "n-samples": counts,
        "config": {"model": summary["engine"], "model_args": summary["model"], "seed": summary["seed"]},
        "versions": dict(versions),
    }


def _metrics(found: Figures) -> Iterator[tuple[str, float]]:
    k = found["samples"]
    named = {f"avg@{k}": found["avg"], f"maj@{k}": found["maj"], "exact_match": found["greedy"]}
    named |= {f"pass@{n}": value for n, value in found["pass"].items()}
    for name, value in named.items():
        if value is not None:
            yield f"{name},none", value["mean"]
            yield f"{name}_stderr,none", value["error"]


def metrics(summary: Figures) -> dict[str, float]:
    """Flat figures for a mirror: math500/avg@4 …"""
    flat: dict[str, float] = {}
    for name, found in summary["suites"].items():
        if found["graded"]:
            flat |= {f"{name}/{key.removesuffix(',none')}": value for key, value in _metrics(found)}
    return flat
