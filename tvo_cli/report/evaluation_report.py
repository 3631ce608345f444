"""The report of an evaluation: one table, breakdowns, a Markdown page, and the harness's results.json."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tvo_cli import escaping
from tvo_cli.tracking.atomic_files import write_json_atomically, write_text_atomically
from tvo_cli.tracking.software_versions import software_versions
from tvo_cli.tracking.terminal.console_numbers import format_duration

HEADINGS = (
    *("suite", "protocol", "problems", "avg@k", "pass@k", "maj@k", "greedy", "tokens", "cut off", "no answer", "time"),
    "tokens/s",
)
PAIR_SHARES = (
    ("tokens of the large model", "large_share"),
    ("cost over the large model alone", "cost"),
    ("the same, prompts and catching up included", "cost_with_reading"),
)
Figures = Mapping[str, Any]
Row = list[str]


def write_evaluation_files(summary: Figures, folder: Path) -> None:
    """Write table.md and results.json of an evaluation."""
    write_text_atomically(folder / "table.md", evaluation_markdown(summary))
    write_json_atomically(folder / "results.json", harness_results(summary, software_versions()["packages"]))


def suite_rows(summary: Figures) -> list[Row]:
    """Return the rows of the evaluation's table, one a suite."""
    return [_suite_row(name, found) for name, found in summary["suites"].items()]


def _suite_row(name: str, found: Figures) -> Row:
    """Return a suite's row of the evaluation's table."""
    k = found.get("samples", 0)
    scores = (
        (
            _labelled_percent(f"@{k}", found["avg"]),
            _pass_at_k_text(found),
            _labelled_percent(f"@{k}", found["maj"]),
            score_percent_with_interval(found["greedy"]),
        )
        if found["graded"]
        else ("not graded", "", "", "")
    )
    return [
        name,
        found["protocol"],
        _problem_count_text(found),
        *scores,
        f"{found['length']:.0f}",
        f"{found['truncated']:.1%}",
        f"{found['unanswered']:.1%}" if found["graded"] else "",
        format_duration(found["seconds"]),
        f"{found['tokens_per_second']:,.0f}",
    ]


def _problem_count_text(found: Figures) -> str:
    """Return how many problems count; of an evaluation that was killed, of how many: 2 of 6."""
    count = str(found["problems"])
    of = next((one["problems"] for one in found.get("incomplete", {}).values()), found["problems"])
    return count if of == found["problems"] else f"{count} of {of}"


def score_percent_with_interval(found: Figures | None) -> str:
    """Return a score in percent with its interval: 62.1% [58.0, 66.2]."""
    if found is None:
        return ""
    low, high = (f"{100 * (found[end] if found[end] is not None else math.nan):.1f}" for end in ("low", "high"))
    return f"{100 * found['mean']:.1f}% [{low}, {high}]"


def _labelled_percent(label: str, found: Figures | None) -> str:
    return f"{label} {score_percent_with_interval(found)}" if found else ""


def _pass_at_k_text(found: Figures) -> str:
    return "  ".join(f"@{k} {100 * value['mean']:.1f}" for k, value in found["pass"].items() if k != "1")


def detail_tables(summary: Figures) -> Iterator[tuple[str, Sequence[str], list[Row]]]:
    """Yield title, headings and rows of every further table: pass@k, levels, subjects, problems, audit, base model."""
    for name, found in summary["suites"].items():
        if found["graded"]:
            yield from (
                (f"{name}: {title}", headings, body) for title, headings, body in _detail_tables_of_suite(found) if body
            )


def _detail_tables_of_suite(found: Figures) -> Iterator[tuple[str, Sequence[str], list[Row]]]:
    """Yield the further tables of one suite; a body is empty where it does not apply."""
    yield "pass@k", ("k", "pass@k"), [[k, score_percent_with_interval(value)] for k, value in found["pass"].items()]
    for noun in ("level", "subject"):
        parts = [
            [part or "none", str(v["problems"]), score_percent_with_interval(v)] for part, v in found[noun].items()
        ]
        yield f"by {noun}", (noun, "problems", "avg"), parts
    yield "by problem", ("problem", "right", "of"), _problem_rows(found) if found["problems"] <= 30 else []
    lacking = [[name, f"{one['whole']} of {one['problems']}"] for name, one in found.get("incomplete", {}).items()]
    yield "problems with all of their responses", ("decoding", "problems"), lacking
    audited = found.get("audit")
    yield (
        "a second grader (math-verify as shipped)",
        ("figure", "value"),
        _second_grader_rows(audited) if audited else [],
    )
    yield "a small model beside", ("figure", "value"), _pair_rows(found["pair"]) if found.get("pair") else []
    probe = found.get("probe")
    headings = ("strategy", "problems", "right", "tokens a response")
    yield "strategies", headings, _strategy_rows(probe) if probe else []
    yield "what the choice of strategies took", ("figure", "value"), _choice_cost_rows(probe) if probe else []
    yield (
        "against the base model",
        ("figure", "value"),
        _base_model_rows(found["support"]) if "support" in found else [],
    )


def _pair_rows(found: Figures) -> list[Row]:
    """Return the rows of what a small and a large model have cost together."""
    shares = [[name, f"{found[key]:.3f}"] for name, key in PAIR_SHARES if not _is_missing_in_evaluation(found[key])]
    counts = ("tokens_large", "read_small", "read_large")
    return shares + [[name.replace("_", ", "), f"{found[name]:,}"] for name in counts]


def _strategy_rows(found: Figures) -> list[Row]:
    """Return the rows of what each strategy got and gave, over sampled and greedy responses."""
    strategies = {name: one for name, one in found.items() if isinstance(one, dict)}
    return [
        [name, str(one["problems"]), _share_right_by_strategy(one["avg"]), f"{one['tokens']:.1f}"]
        for name, one in strategies.items()
    ]


def _share_right_by_strategy(share: float | None) -> str:
    """The share of a strategy's responses that are right, in percent; a dash where it got none."""
    return "–" if share is None else f"{100 * share:.1f}%"


def _choice_cost_rows(found: Figures) -> list[Row]:
    """Return the rows of what choosing the strategies has cost besides the responses."""
    figures = {
        "tokens read to choose": "probe_tokens",
        "questions labelled for the probe": "labelled",
        "tokens of their responses": "label_tokens",
        "tokens of their prompts": "label_prompt_tokens",
    }
    return [[said, f"{found[name]:,}"] for said, name in figures.items()]


def _problem_rows(found: Figures) -> list[Row]:
    return [[row["id"], str(row["right"]), str(row["samples"])] for row in found["by_problem"]]


def _second_grader_rows(found: Figures) -> list[Row]:
    of_them = f"{found['differing']} of {found['compared']}: {score_percent_with_interval(found['rate'])}"
    return [["verdicts that differ", of_them], ["right by ours alone", str(found["only_ours"])]]


def _base_model_rows(found: Figures) -> list[Row]:
    """Return the rows that compare the evaluated model with its base model."""
    counts = [[name, str(found[name])] for name in ("kept", "gained", "lost", "neither")]
    ratios = [
        [name, "–" if _is_missing_in_evaluation(found[name]) else f"{found[name]:.4f}"]
        for name in ("SRR", "NDR", "SDS", "NSCR")
    ]
    return counts + ratios


def _is_missing_in_evaluation(value: float | None) -> bool:
    return value is None or math.isnan(value)


def evaluation_markdown(summary: Figures) -> str:
    """Return the report of an evaluation as Markdown (table.md)."""
    lines = [f"# {escaping.markdown(summary['model'])}", "", *_evaluation_table(HEADINGS, suite_rows(summary))]
    for title, headings, body in detail_tables(summary):
        lines += ["", f"## {escaping.markdown(title)}", "", *_evaluation_table(headings, body)]
    lines += ["", escaping.markdown(_provenance_sentence(summary))]
    return "\n".join(lines) + "\n"


def _provenance_sentence(summary: Figures) -> str:
    """Return what a reviewer needs to know of the scores: intervals, seed, weights, protocols."""
    suites = summary["suites"]
    sure = sorted({f"{found['confidence']:.0%}" for found in suites.values() if found["graded"]})
    hashes = ", ".join(f"{name} {found['protocol_hash']}" for name, found in suites.items())
    weights = f"weights {summary['weights']}" if summary.get("weights") else "hub weights"
    said = f"{'/'.join(sure)} intervals, clustered by problem. " if sure else ""
    return f"{said}Seed {summary['seed']}; {weights}; protocols {hashes}."


def _evaluation_table(headings: Sequence[str], body: Sequence[Row]) -> list[str]:
    kept = [i for i in range(len(headings)) if i == 0 or any(row[i] for row in body)]
    return escaping.escaped_markdown_table([headings[i] for i in kept], [[row[i] for i in kept] for row in body])


def harness_results(summary: Figures, versions: Figures) -> dict[str, Any]:
    """Return an evaluation in the layout of lm-evaluation-harness's results.json."""
    suites = {name: found for name, found in summary["suites"].items() if found["graded"]}
    counts = {name: {"original": found["problems"], "effective": found["problems"]} for name, found in suites.items()}
    return {
        "results": {name: {"alias": name, **dict(_harness_metrics(found))} for name, found in suites.items()},
        "configs": {name: {key: found[key] for key in ("protocol", "protocol_hash")} for name, found in suites.items()},
        "n-samples": counts,
        "config": {"model": summary["engine"], "model_args": summary["model"], "seed": summary["seed"]},
        "versions": dict(versions),
    }


def _harness_metrics(found: Figures) -> Iterator[tuple[str, float]]:
    k = found["samples"]
    named = {f"avg@{k}": found["avg"], f"maj@{k}": found["maj"], "exact_match": found["greedy"]}
    named |= {f"pass@{n}": value for n, value in found["pass"].items()}
    for name, value in named.items():
        if value is not None:
            yield f"{name},none", value["mean"]
            yield f"{name}_stderr,none", value["error"]


def evaluation_metrics(summary: Figures) -> dict[str, float]:
    """Return an evaluation's scores flat, for mirrors: math500/avg@4 …"""
    flat: dict[str, float] = {}
    for name, found in summary["suites"].items():
        if found["graded"]:
            flat |= {f"{name}/{key.removesuffix(',none')}": value for key, value in _harness_metrics(found)}
    return flat
