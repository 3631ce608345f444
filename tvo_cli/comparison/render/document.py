"""The document of a comparison before it has a format: verdicts, tables, warnings, notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis import (
    arms_and_blocks,
    block_analysis,
    evaluation_protocol_check,
    metric_choice,
    rate_choice,
)
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.analysis.contrast_over_seeds import SeedContrast
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.comparison.analysis.metric_direction import AUTO, check_direction
from tvo_cli.comparison.render import arms_and_runs_tables, collapse_table, training_tables, verdict_tables
from tvo_cli.comparison.render.arms_and_runs_tables import differing_settings_table
from tvo_cli.comparison.render.report_warnings import (
    direction_notes,
    left_out_suites_notes,
    unfinished_runs_notes,
    warn_of_assumed_direction,
    warn_of_nonfinite_finals,
    warn_of_rates_with_few_seeds,
    warn_of_single_arm,
    warn_of_unequal_lengths,
    warn_of_unintended_differences,
    warn_of_unknown_rates,
)
from tvo_cli.comparison.render.table_cells import Table, without_empty_columns
from tvo_cli.comparison.render.verdict_sentences import robustness_sentences, sentences_beside_verdict, verdict_sentence
from tvo_cli.errors import UserError
from tvo_cli.runs import evaluation_folders, gather

CURVE_AXES = ("steps", "samples", "tokens", "hours")


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """The request of a comparison: what `tvo compare`'s options say."""

    by: Sequence[str] = ("algorithm",)
    metric: str | None = None
    baseline: str | None = None
    way: str = rate_choice.CORRECTED  # how a rate is chosen: a key of rate_choice.WAYS
    failed: str = "auto"
    confidence: float = 0.95
    force: bool = False
    mapping: Path | None = None
    x: str = "samples"  # the axis of the curves
    direction: str = AUTO  # of the metric: less, more, auto


@dataclass(frozen=True, slots=True)
class DocumentVerdict:
    """A verdict of the document: its sentence, what must stand beside it, and its numbers."""

    sentence: str
    beside: tuple[str, ...]
    contrast: SeedContrast


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A section of the document: one block's verdicts, warnings and tables."""

    label: str
    found: BlockAnalysis
    verdicts: tuple[DocumentVerdict, ...]  # each at its own rate
    at_rates: tuple[tuple[float, tuple[DocumentVerdict, ...]], ...]  # at every shared rate
    robust: tuple[str, ...]
    warnings: tuple[str, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """The whole document of a comparison."""

    title: str
    how: MetricChoice
    sections: tuple[ReportSection, ...]
    notes: tuple[str, ...]
    request: DocumentRequest = field(default_factory=DocumentRequest)


def compare_into_document(paths: Sequence[Path], request: DocumentRequest) -> ReportDocument:
    """Read the runs below the paths, compare them, and return the document; UserError for what cannot be compared."""
    if request.way not in rate_choice.RATE_CHOICES:
        raise UserError(
            "--choose-rate", request.way, "not a choice.", f"Choices: {', '.join(rate_choice.RATE_CHOICES)}."
        )
    if request.x not in CURVE_AXES:
        raise UserError("--x", request.x, "not a choice.", f"Choose {', '.join(CURVE_AXES)}.")
    check_direction(request.direction)
    if not 0.5 <= request.confidence < 1.0:
        raise UserError("--confidence", request.confidence, "must lie in [0.5, 1).")
    gathered = gather.gather_runs(paths, request.mapping)
    trials, wanted = evaluation_folders.trials_of_suite(gathered.trials, request.metric or "")
    metric, remark = metric_choice.choose_metric(trials, wanted or None)
    failed = metric_choice.check_failed_rule(request.failed)
    how = MetricChoice(metric, failed, request.confidence, request.direction)
    by = arms_and_blocks.settings_that_name_arms(request.by, trials)
    blocks, split = arms_and_blocks.arms_in_blocks(trials, by, evaluated="eval/" in how.metric)
    notes = [
        *direction_notes(how),
        *left_out_suites_notes(gathered.trials, trials, request.metric),
        *split,
        *gathered.notes,
        *unfinished_runs_notes(trials),
    ]
    _check_baseline_is_known(request.baseline, blocks)
    sections = []
    for block in blocks:
        warnings = [
            *([remark] if remark else []),
            *warn_of_assumed_direction(how),
            *evaluation_protocol_check.check_same_evaluation_protocol(block, how, request.force),
        ]
        here = request.baseline if _block_has_baseline(block, request.baseline) else None
        sections.append(_report_section(block_analysis.analyse_block(block, how, here, request.way), warnings))
    title = f"{formatting.count_of(len(trials), 'run')}, {request.metric or how.metric} by {' and '.join(request.by)}"
    return ReportDocument(title, how, tuple(sections), tuple(dict.fromkeys(notes)), request)


def _block_has_baseline(block: arms_and_blocks.Block, baseline: str | None) -> bool:
    return any(baseline in (arm.label, arm.title) for arm in block.arms)


def _check_baseline_is_known(baseline: str | None, blocks: Sequence[arms_and_blocks.Block]) -> None:
    """Refuse a baseline that no block has."""
    if baseline is not None and not any(_block_has_baseline(block, baseline) for block in blocks):
        block_analysis.baseline_of_analysis([arm for block in blocks for arm in block.arms], baseline)


# ---------------------------------------------------------------- a section


def _report_section(found: BlockAnalysis, warnings: Sequence[str]) -> ReportSection:
    """Return the section of one block."""
    how = found.how
    own = tuple(_document_verdict(one, found, problem=True) for one in found.own)
    by_rate: dict[float, list[DocumentVerdict]] = {}
    for one in found.at_rates:
        by_rate.setdefault(float(one.a.rate or 0.0), []).append(_document_verdict(one, found, problem=False))
    at_rates = tuple((rate, tuple(by_rate[rate])) for rate in sorted(by_rate))
    told = (
        *warnings,
        *warn_of_nonfinite_finals(found),
        *warn_of_unknown_rates(found),
        *warn_of_rates_with_few_seeds(found),
        *warn_of_unintended_differences(found),
        *warn_of_unequal_lengths(found),
        *warn_of_single_arm(found),
    )
    return ReportSection(
        found.block.label,
        found,
        own,
        at_rates,
        robustness_sentences(found, how),
        told,
        _tables_of_document_section(found),
    )


def _document_verdict(one: SeedContrast, found: BlockAnalysis, *, problem: bool) -> DocumentVerdict:
    """Return a verdict of the document with its sentences."""
    over = found.problems.get(one.a.arm) if problem else None
    return DocumentVerdict(verdict_sentence(one, found.how), tuple(sentences_beside_verdict(one, over, found.how)), one)


def _tables_of_document_section(found: BlockAnalysis) -> tuple[Table, ...]:
    """Return the tables of one section of the document."""
    made = [arms_and_runs_tables.arms_table(found)]
    if found.swept:
        made += [arms_and_runs_tables.rates_table(found), verdict_tables.verdict_robustness_table(found)]
    made += [verdict_tables.comparisons_table(found)] if found.own else []
    made += [verdict_tables.verdict_problems_table(found)] if found.problems else []
    made += [
        verdict_tables.verdict_aggregates_table(found),
        collapse_table.collapse_table(found),
        training_tables.gradients_table(found),
        training_tables.sample_efficiency_table(found),
    ]
    made += [
        training_tables.entropy_table(found),
        training_tables.entropy_law_table(found),
        training_tables.cost_table(found),
        differing_settings_table(found),
        arms_and_runs_tables.runs_table(found),
    ]
    return tuple(without_empty_columns(table) for table in made if table.rows)


def verdict_groups(section: ReportSection) -> Iterator[tuple[str, tuple[DocumentVerdict, ...]]]:
    """Yield a section's verdicts under their titles: at the own rates, then at each shared one."""
    if section.verdicts:
        ways = {chosen.way for chosen in section.found.chosen.values() if chosen.way}
        how = f" (--choose-rate {' or '.join(sorted(ways))})" if ways else ""
        yield (f"Each at its own best rate{how}" if section.found.swept else ""), section.verdicts
    for rate, verdicts in section.at_rates:
        yield f"Both at rate {formatting.format_rate(rate)}", verdicts


def robustness_title(section: ReportSection) -> str:
    """Return the title of a section's robustness: over which rates."""
    return f"Over the rates {', '.join(formatting.format_rate(rate) for rate in section.found.shared)}"
