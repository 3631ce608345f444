"""One HTML file that needs nothing else: styles, figures and the few lines of script are inside; no request leaves it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from tvo_cli.report.compare.document import Document, Section
from tvo_cli.report.compare.plain import groups, robust_title
from tvo_cli.report.compare.table import Datum, Table

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
# Colours of the figures by role, so that dark mode can lighten them: light page, dark page.
ROLES = {
    "#0072b2": ("blue", "#0072b2", "#4da8e0"),
    "#d55e00": ("vermilion", "#d55e00", "#ff8a3d"),
    "#009e73": ("green", "#009e73", "#2bc79a"),
    "#cc79a7": ("purple", "#cc79a7", "#e39cc3"),
    "#e69f00": ("orange", "#e69f00", "#f0b633"),
    "#56b4e9": ("sky", "#56b4e9", "#8fd0f5"),
    "#000000": ("ink", "#1a1a1a", "#e8e8e8"),
    "#ffffff": ("paper", "#ffffff", "#16181c"),
    "#b0b0b0": ("grid", "#b0b0b0", "#6a6f78"),
}
STYLE = """
:root{color-scheme:light dark;--text:#1a1a1a;--soft:#5c6370;--line:#d8dce2;--raised:#f5f6f8;--mark:#b45309;--yes:#00694d;%(light)s}
@media (prefers-color-scheme:dark){:root{--text:#e8e8e8;--soft:#a3aab5;--line:#383d46;--raised:#1f2228;--mark:#f0b633;--yes:#2bc79a;%(dark)s}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem 1.2rem 4rem;background:var(--paper);color:var(--text);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:0 0 1rem}h2{font-size:1.25rem;margin:2.2rem 0 .6rem;border-top:1px solid var(--line);padding-top:1.2rem}
h3{font-size:1.02rem;margin:1.4rem 0 .4rem}
p.note,figcaption,.beside{color:var(--soft);font-size:.88rem}
ul.verdicts{list-style:none;margin:.3rem 0;padding:0}
ul.verdicts>li{border-left:4px solid var(--line);padding:.25rem .8rem;margin:.45rem 0;background:var(--raised);overflow-wrap:anywhere}
ul.verdicts>li.separated{border-left-color:var(--yes)}
.beside{margin:.1rem 0 0}
.warning{border-left:4px solid var(--mark);padding:.25rem .8rem;margin:.45rem 0;background:var(--raised);overflow-wrap:anywhere}
.scroll{overflow-x:auto;max-height:36rem;overflow-y:auto;border:1px solid var(--line);border-radius:4px}
table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums;width:100%%}
th,td{text-align:left;padding:.32rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap;vertical-align:top}
td.long{white-space:normal;min-width:16rem;overflow-wrap:anywhere}
tr:last-child td{border-bottom:0}
th{position:sticky;top:0;background:var(--raised);z-index:1}
th button{all:unset;cursor:pointer;font-weight:600}th button:focus-visible{outline:2px solid var(--blue)}
th button::after{content:" \\2195";color:var(--soft);font-weight:400}
th[aria-sort=ascending] button::after{content:" \\2191"}th[aria-sort=descending] button::after{content:" \\2193"}
td.grey{color:var(--soft);font-style:italic;white-space:normal;min-width:12rem}
figure{margin:1rem 0 1.6rem}figure svg{width:100%%;height:auto;display:block}
figure svg text{fill:var(--ink)}
nav{display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.9rem;margin:.4rem 0 1rem}a{color:var(--blue)}
details>summary{cursor:pointer;font-weight:600;margin:1.2rem 0 .4rem}
@media print{body{max-width:none}.scroll{max-height:none;overflow:visible}th button::after{content:""}}
"""
SCRIPT = """
for (const head of document.querySelectorAll("th")) head.firstChild.addEventListener("click", () => {
  const up = head.getAttribute("aria-sort") !== "ascending", at = head.cellIndex, body = head.closest("table").tBodies[0];
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = row => { const v = row.cells[at].dataset.order; return v === undefined ? null : Number(v); };
  const text = row => row.cells[at].textContent;
  [...body.rows].sort((a, b) => {
    const x = key(a), y = key(b);
    if (x === null || y === null) return x === y ? (up ? 1 : -1) * text(a).localeCompare(text(b)) : x === null ? 1 : -1;
    return (up ? 1 : -1) * (x - y);
  }).forEach(row => body.append(row));
});
"""


def page(document: Document, figures: Sequence[tuple[str, str]]) -> str:
    """The whole page; figures: (title, SVG) of each."""
    light = "".join(f"--{name}:{colour};" for name, colour, _ in ROLES.values())
    dark = "".join(f"--{name}:{colour};" for name, _, colour in ROLES.values())
    style = STYLE % {"light": light, "dark": dark}
    body = "\n".join(_body(document, figures))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(document.title)}</title>\n<style>{style}</style>\n</head>\n'
        f"<body>\n{body}\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _body(document: Document, figures: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield f"<h1>{escape(document.title)}</h1>"
    links = [*([("#figures", "Figures")] if figures else []), ("#tables", "Tables")]
    links += [("#notes", f"Notes ({len(document.notes)})")] if document.notes else []
    yield "<nav>" + "".join(f'<a href="{place}">{name}</a>' for place, name in links) + "</nav>"
    for section in document.sections:
        yield from _told(section)
    if figures:
        yield '<h2 id="figures">Figures</h2>'
        for number, (title, svg) in enumerate(figures, start=1):
            yield f"<figure>\n{inlined(svg, f'f{number}', title)}\n<figcaption>{escape(title)}.</figcaption>\n</figure>"
    yield '<h2 id="tables">Tables</h2>'
    for section in document.sections:
        yield f"<h3>{escape(section.label)}</h3>" if section.label else ""
        for table in section.tables:
            yield from _table(table)
    if document.notes:
        yield '<h2 id="notes">Notes</h2>\n<ul>'
        yield from (f"<li>{escape(note)}</li>" for note in document.notes)
        yield "</ul>"


def _told(section: Section) -> Iterator[str]:
    """Warnings and verdicts."""
    yield f"<h2>{escape(section.label)}</h2>" if section.label else ""
    yield from (f'<p class="warning">⚠ {escape(warning)}</p>' for warning in section.warnings)
    for title, verdicts in groups(section):
        yield (f"<h3>{escape(title)}</h3>" if title else "") + '<ul class="verdicts">'
        for verdict in verdicts:
            kind = ' class="separated"' if verdict.contrast.separated else ""
            beside = "".join(f'<p class="beside">{escape(line)}</p>' for line in verdict.beside)
            yield f"<li{kind}>{escape(verdict.sentence)}{beside}</li>"
        yield "</ul>"
    if section.robust:
        yield f'<h3>{escape(robust_title(section))}</h3>\n<ul class="verdicts">'
        yield from (f"<li>{escape(line)}</li>" for line in section.robust)
        yield "</ul>"


# ---------------------------------------------------------------- tables


def _table(table: Table) -> Iterator[str]:
    """A sortable table; long ones are folded."""
    folded = table.name in ("runs", "settings")
    yield (
        f"<details><summary>{escape(table.title)} ({len(table.rows)})</summary>"
        if folded
        else f"<h3>{escape(table.title)}</h3>"
    )
    yield from _grid(table) if table.rows else ()
    if table.note:
        yield f'<p class="note">{escape(table.note)}</p>'
    if folded:
        yield "</details>"


def _grid(table: Table) -> Iterator[str]:
    yield '<div class="scroll" tabindex="0"><table><thead><tr>'
    yield "".join(
        f'<th scope="col"><button type="button">{escape(heading)}</button></th>' for heading in table.headings
    )
    yield "</tr></thead><tbody>"
    for row in table.rows:
        yield "<tr>" + "".join(_datum(datum) for datum in row) + "</tr>"
    yield "</tbody></table></div>"


def _datum(datum: Datum) -> str:
    finite = datum.order is not None and datum.order - datum.order == 0
    order = (
        f' data-order="{datum.order!r}"' if finite else (' data-order="1e999"' if datum.order == float("inf") else "")
    )
    kind = ' class="grey"' if datum.grey else (' class="long"' if len(datum.text) > 40 else "")
    return f"<td{kind}{order}>{escape(datum.text)}</td>"


# ---------------------------------------------------------------- figures


def inlined(svg: str, prefix: str, title: str) -> str:
    """An SVG inside the page: its ids its own, its colours by role, without the XML's head and metadata."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    svg = re.sub(r'xlink:href="#', f'href="#{prefix}-', svg)
    svg = re.sub(r' xmlns(?::\w+)?="[^"]*"', "", svg)
    svg = re.sub(r"#[0-9a-f]{6}\b", lambda found: _role(found.group()), svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1).rstrip()


def _role(colour: str) -> str:
    return f"var(--{ROLES[colour][0]})" if colour in ROLES else colour
