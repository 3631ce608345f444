"""The report before it has a format: verdicts first, then tables, then what a reader must know."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tvo_cli.compare import formatting
from tvo_cli.compare.analysis import arms, block_analysis, measures, protocol, rates
from tvo_cli.compare.analysis.block_analysis import Analysis
from tvo_cli.compare.analysis.contrast import Contrast
from tvo_cli.compare.analysis.measures import Reading
from tvo_cli.compare.render import outcome_tables, training_tables
from tvo_cli.compare.render.table_cells import Table, TableCell, text
from tvo_cli.compare.render.verdicts import details, sentence
from tvo_cli.compare.runs import gather, settings
from tvo_cli.compare.runs.run_record import FAILED, UNFINISHED, Trial
from tvo_cli.errors import UserError


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """What was asked for."""

    by: Sequence[str] = ("algorithm",)
    metric: str | None = None
    baseline: str | None = None
    way: str = rates.CORRECTED  # how a rate is chosen: a key of rates.WAYS
    failed: str = "auto"
    confidence: float = 0.95
    force: bool = False
    mapping: Path | None = None
    x: str = "samples"  # the axis of the curves


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sentence, what must stand beside it, and its numbers."""

    sentence: str
    beside: tuple[str, ...]
    contrast: Contrast


@dataclass(frozen=True, slots=True)
class Section:
    """One block's part of the report."""

    label: str
    found: Analysis
    verdicts: tuple[Verdict, ...]  # each at its own rate
    at_rates: tuple[tuple[float, tuple[Verdict, ...]], ...]  # at every shared rate
    robust: tuple[str, ...]
    warnings: tuple[str, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """The whole report."""

    title: str
    how: Reading
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    request: CompareRequest = field(default_factory=CompareRequest)


def compare(paths: Sequence[Path], request: CompareRequest) -> Document:
    """Read the runs below the paths and compare them; UserError for what cannot be compared."""
    if request.way not in rates.WAYS:
        raise UserError("--choose-rate", request.way, "not a choice.", f"Choices: {', '.join(rates.WAYS)}.")
    if not 0.5 <= request.confidence < 1.0:
        raise UserError("--confidence", request.confidence, "must lie in [0.5, 1).")
    gathered = gather.gather(paths, request.mapping)
    metric, remark = measures.choose_metric(gathered.trials, request.metric)
    how = Reading(metric, measures.checked(request.failed), request.confidence)
    by = settings.resolve(request.by, gathered.trials)
    blocks, split = arms.blocks(gathered.trials, by, evaluated="eval/" in how.metric)
    notes = [*split, *gathered.notes, *_standing(gathered.trials)]
    _known(request.baseline, blocks)
    sections = []
    for block in blocks:
        warnings = [*([remark] if remark else []), *protocol.check(block, how, request.force)]
        here = request.baseline if _holds(block, request.baseline) else None
        sections.append(_section(block_analysis.analyse(block, how, here, request.way), warnings))
    title = f"{formatting.count(len(gathered.trials), 'run')}, {how.metric} by {' and '.join(request.by)}"
    return Document(title, how, tuple(sections), tuple(dict.fromkeys(notes)), request)


def _holds(block: arms.Block, baseline: str | None) -> bool:
    return any(baseline in (arm.label, arm.title) for arm in block.arms)


def _known(baseline: str | None, blocks: Sequence[arms.Block]) -> None:
    """A baseline that no block has is a mistake, not a default."""
    if baseline is not None and not any(_holds(block, baseline) for block in blocks):
        block_analysis.baseline([arm for block in blocks for arm in block.arms], baseline)


def _standing(trials: Sequence[Trial]) -> list[str]:
    """Runs that did not finish, each with what is known of its end."""
    found = []
    for state in (FAILED, UNFINISHED):
        reasons = [f"{trial.name} ({trial.why})" for trial in trials if trial.state == state]
        if reasons:
            found.append(f"{formatting.count(len(reasons), f'{state} run')}: {formatting.listed(reasons, 4)}.")
    return found


# ---------------------------------------------------------------- a section


def _section(found: Analysis, warnings: Sequence[str]) -> Section:
    how = found.how
    own = tuple(_verdict(one, found, problem=True) for one in found.own)
    by_rate: dict[float, list[Verdict]] = {}
    for one in found.at_rates:
        by_rate.setdefault(float(one.a.rate or 0.0), []).append(_verdict(one, found, problem=False))
    at_rates = tuple((rate, tuple(by_rate[rate])) for rate in sorted(by_rate))
    told = (*warnings, *_rateless(found), *_intended(found), *_lengths(found), *_alone(found))
    return Section(found.block.label, found, own, at_rates, _robust(found, how), told, _tables(found))


def _verdict(one: Contrast, found: Analysis, *, problem: bool) -> Verdict:
    over = found.problems.get(one.a.arm) if problem else None
    return Verdict(sentence(one, found.how), tuple(details(one, over, found.how)), one)


def _rateless(found: Analysis) -> list[str]:
    """A warning for runs of a swept arm whose learning rate is not known: they enter nothing that goes by rates."""
    lost = [trial.name for arm in found.block.arms if arm.rates for trial in arm.trials if trial.rate is None]
    if not lost:
        return []
    told = f"no learning rate is known of {formatting.count(len(lost), 'run')} ({formatting.listed(lost, 4)})"
    return [f"{told[0].upper()}{told[1:]}: in no comparison by rate, in no choice of one, in no area."]


def _alone(found: Analysis) -> list[str]:
    arms_found = found.block.arms
    return (
        [f"One arm only ({arms_found[0].label}): there is nothing to compare it with."] if len(arms_found) < 2 else []
    )


def _intended(found: Analysis) -> list[str]:
    """A warning when arms differ in more than was meant, and one when each has another rate."""
    wrong = [f"{one.key} ({' | '.join(one.values)})" for one in found.block.differing if one.why == "not intended"]
    told = []
    if wrong:
        told.append(
            f"The arms differ in more than was asked for: {formatting.listed(wrong)}. A difference may come from that."
        )
    single = {arm.rates for arm in found.block.arms}
    unmeant = any(one.why == "the rate" for one in found.block.differing)
    if unmeant and not found.swept and len(single) > 1:
        listed = ", ".join(
            f"{arm.label} {formatting.rate(arm.rates[0] if arm.rates else None)}" for arm in found.block.arms
        )
        told.append(f"Every arm has a learning rate of its own ({listed}): a difference may come from the rate.")
    return told


def _lengths(found: Analysis) -> list[str]:
    """A warning when the finished runs of arms are of different lengths."""
    lengths = {arm.label: {trial.last_step for trial in arm.trials if trial.run.summary} for arm in found.block.arms}
    known = {label: steps for label, steps in lengths.items() if steps}
    if len({step for steps in known.values() for step in steps}) < 2:
        return []
    listed = "; ".join(f"{label} {', '.join(map(str, sorted(steps)))}" for label, steps in known.items())
    return [f"Finished runs have different lengths in steps ({listed}): each counts as it ended."]


def _robust(found: Analysis, how: Reading) -> tuple[str, ...]:
    """Area and worst case over the shared rates, in words."""
    told, unit = [], "%" if how.share else ""
    for arm in found.block.arms:
        robust = found.robust[arm.label]
        if robust is not None:
            area = f"{formatting.reading(robust.area.mean, how.share)}{unit}"
            span = formatting.span(robust.area.low, robust.area.high, how.share)
            worst = f"{formatting.reading(robust.worst_mean, how.share)}{unit} at its worst rate"
            told.append(
                f"{arm.title}: {area} {span} on average over log rate, {worst} ({formatting.rate(robust.worst_rate)})"
            )
    left_out = rates.left_out(found.block.arms, found.shared, how) if told else []
    return (*told, *(f"area, {sentence(one, how)}" for one in found.areas), *left_out)


def _tables(found: Analysis) -> tuple[Table, ...]:
    made = [outcome_tables.arms(found)]
    if found.swept:
        made += [outcome_tables.rate_grid(found), outcome_tables.robustness(found)]
    made += [outcome_tables.comparisons(found)] if found.own else []
    made += [training_tables.problems(found)] if found.problems else []
    made += [
        training_tables.aggregates(found),
        outcome_tables.collapse(found),
        training_tables.gradients(found),
        training_tables.efficiency(found),
    ]
    made += [
        training_tables.entropy(found),
        training_tables.laws(found),
        training_tables.cost(found),
        _differing(found),
        outcome_tables.runs(found),
    ]
    return tuple(_sparse(table) for table in made if table.rows)


def _sparse(table: Table) -> Table:
    """Without the columns that say nothing in any row; a table of nothing says so in its note."""
    said = range(1, len(table.headings))
    kept = [0, *(i for i in said if any(row[i].text not in ("", formatting.UNKNOWN) for row in table.rows))]
    if len(kept) == 1:
        return Table(table.name, table.title, table.headings, [], f"Nothing to show. {table.note}".strip())
    rows = [[row[i] for i in kept] for row in table.rows]
    return Table(table.name, table.title, [table.headings[i] for i in kept], rows, table.note)


def _differing(found: Analysis) -> Table:
    labels = [arm.label for arm in found.block.arms]
    rows = [[text(one.key), text(one.why), *map(text, one.values)] for one in found.block.differing]
    note = "Settings in which the arms differ; the seed, names, folders and loggers are left out."
    return Table("settings", "What differs", ["setting", "why", *labels], rows, note)


def value(datum: TableCell) -> Any:
    """A cell for a program."""
    return strict(datum.value if datum.value is not None or not datum.grey else {"not shown": datum.text})


def strict(found: Any) -> Any:
    """For JSON: ten digits, so that another machine's last bit changes nothing; what is not finite is null."""
    if isinstance(found, dict):
        return {name: strict(inner) for name, inner in found.items()}
    if isinstance(found, list | tuple):
        return [strict(inner) for inner in found]
    if isinstance(found, float):
        return float(f"{found:.10g}") if math.isfinite(found) else None
    return found
