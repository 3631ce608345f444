"""The report of a comparison as strict JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from tvo_cli.comparison.render.document import DocumentVerdict, ReportDocument, ReportSection
from tvo_cli.comparison.render.table_cells import TableCell


def report_as_json(document: ReportDocument) -> str:
    """Return the whole report as strict JSON."""
    content = {
        "title": document.title,
        "metric": document.how.metric,
        "less is better": document.how.less,
        "confidence": document.how.confidence,
        "failed runs count": document.how.failed_as,
        "notes": list(document.notes),
        "sections": [_section_as_json(section) for section in document.sections],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _section_as_json(section: ReportSection) -> dict[str, Any]:
    return {
        "label": section.label,
        "baseline": section.found.baseline.label,
        "warnings": list(section.warnings),
        "rates not in the choice": _rates_not_in_choice_as_json(section),
        "verdicts": [_verdict_as_json(verdict, "own") for verdict in section.verdicts]
        + [_verdict_as_json(verdict, rate) for rate, verdicts in section.at_rates for verdict in verdicts],
        "tables": {
            table.name: {
                "note": table.note,
                "rows": [{h: cell_as_json(d) for h, d in zip(table.headings, row, strict=True)} for row in table.rows],
            }
            for table in section.tables
        },
    }


def _rates_not_in_choice_as_json(section: ReportSection) -> list[dict[str, Any]]:
    """Return the rates of too few seeds to be an arm's own: with how many, of how many at its fullest rate."""
    return [
        {"arm": arm, "rate": rate, "seeds": seeds, "of": chosen.fullest}
        for arm, chosen in section.found.chosen.items()
        for rate, seeds in sorted(chosen.not_competing.items())
    ]


def _verdict_as_json(verdict: DocumentVerdict, rate: str | float) -> dict[str, Any]:
    one = verdict.contrast
    said = report_json_value(one.over_seeds._asdict())
    return {
        "a": one.a.arm,
        "b": one.b.arm,
        "rate": rate,
        "sentence": verdict.sentence,
        "beside": list(verdict.beside),
        **said,
        "paired": one.paired,
        "p_holm": report_json_value(one.adjusted),
        "separated": one.separated,
        "seeds_needed": one.needed,
    }


def cell_as_json(cell: TableCell) -> Any:
    """Return a table's cell as JSON."""
    return report_json_value(cell.value if cell.value is not None or not cell.grey else {"not shown": cell.text})


def report_json_value(found: Any) -> Any:
    """Return a value for strict JSON: ten digits, so that no machine's last bit matters; null for not finite."""
    if isinstance(found, dict):
        return {name: report_json_value(inner) for name, inner in found.items()}
    if isinstance(found, list | tuple):
        return [report_json_value(inner) for inner in found]
    if isinstance(found, float):
        return float(f"{found:.10g}") if math.isfinite(found) else None
    return found
