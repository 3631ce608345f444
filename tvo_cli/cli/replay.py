"""`tvo replay`."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tvo_cli import escaping
from tvo_cli.cli.override_args import Debug

ReplayedStep = Any  # replay's own; this room knows experiment, not replay
BEFORE, AROUND = 8, 3  # tokens of context shown before and after a token
TROUBLES = 12  # places shown where something is not finite
Words = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="What to change: algorithm=grpo optimizer.lr=1e-4")
]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(replay)


def replay(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    overrides: Words = None,
    step: Annotated[int, typer.Option("--step", help="A recorded step: recorder.steps=[…], a collapse, a NaN.")] = ...,  # type: ignore[assignment]
    top: Annotated[int, typer.Option("--top", help="How many tokens and responses to show.")] = 8,
    debug: Debug = False,
) -> None:
    """Replay a recorded step, bit for bit: whose gradient it was, and what another algorithm would have done."""
    from tvo_cli.cli.startup_message import announce

    announce("tvo replay", f"loading torch, transformers and {run}")
    from tvo_cli.cli.train import quiet
    from tvo_cli.experiment import replay as replay_step

    quiet()
    record, replayed = replay_step(run, step, list(overrides or ()), top)
    same = _verdict(record, replayed[0])
    for one in replayed:
        _tell(one, record)
    if len(replayed) > 1:
        _compare(*replayed)
    raise typer.Exit(0 if same else 1)


def _verdict(record: dict[str, Any], replayed: ReplayedStep) -> bool:
    """Whether the same bits came out, said first."""
    _say(f"step {record['step']} ({replayed.algorithm}), recorded because: {', '.join(record['why'])}")
    same = bool(record["weights_after"] == replayed.weights_after and record["order"] == replayed.order)
    if same:
        print(f"the same bits: sha256 of the weights {replayed.weights_after[:16]}…, {len(replayed.order)} updates")
    else:
        was, now = record["weights_after"][:16], replayed.weights_after[:16]
        print(f"OTHER BITS: sha256 of the weights {now}…, recorded {was}… (other code, torch or machine?)")
    return same


def _say(line: str) -> None:
    """A line that may quote what others wrote."""
    print(escaping.terminal(line))


def _tell(replayed: ReplayedStep, record: dict[str, Any]) -> None:
    report = replayed.work.report
    print()
    _say(replayed.algorithm)
    for note in replayed.notes:
        _say(f"  {note}")
    names = [f"loss/{name}" for name in report.losses]
    rows = [
        [str(i + 1), *(f"{parts[i]:+.4g}" for parts in report.losses.values()), *_of_update(replayed, i)]
        for i in range(len(report.norms))
    ]
    if rows:
        _table(("update", *names, "gradient norm", "ν", "TV before", "rate"), rows)
    if report.skipped:
        print(f"{report.skipped} of {len(replayed.order)} updates left out: {report.nonfinite} was not finite")
    _tell_troubles(replayed)
    _tell_attribution(replayed)


def _table(headings: tuple[str, ...], rows: list[list[str]]) -> None:
    """A table whose columns keep their names in a pipe too."""
    from tvo_cli.cli import render

    render.table(headings, rows if sys.stdout.isatty() else [list(headings), *rows])


def _of_update(replayed: ReplayedStep, index: int) -> list[str]:
    """Norm, viscosity, divergence and rate of an update that was taken."""
    report = replayed.work.report
    columns = (report.norms, report.viscosities, report.divergences, report.rates)
    return [f"{column[index]:.4g}" if index < len(column) else "" for column in columns]


def _tell_troubles(replayed: ReplayedStep) -> None:
    rows = [
        [str(update), one.what, one.detail, *_where(replayed, one.row, one.position)]
        for update, one in replayed.troubles[:TROUBLES]
    ]
    if rows:
        print(f"\nnot finite, at its first link ({len(replayed.troubles)} in all)")
        _table(("update", "what", "", "response", "token"), rows)


def _tell_attribution(replayed: ReplayedStep) -> None:
    found = replayed.attribution
    if found is None or not found.sites:
        return
    print(
        f"\nupdate {replayed.attributed}, gradient norm {found.norm:.4g}: shares of it (all tokens: {found.total:.3f})"
    )
    rows = [
        [f"{one.share:+.1%}", f"{one.force:+.3g}", f"{one.ratio:.3f}", f"{one.advantage:+.3g}",
         *_where(replayed, one.row, one.position)]
        for one in found.sites
    ]  # fmt: skip
    _table(("share", "force", "ratio", "Â", "response", "token"), rows)
    shown = (
        (f"{share:+.1%}", *_where(replayed, row, -1), _verdict_of(replayed, row)) for row, share in found.responses
    )
    _table(("share", "response", "text", "verdict"), [list(one) for one in shown])


def _where(replayed: ReplayedStep, row: int, position: int) -> tuple[str, str]:
    """A response by problem and number; its text, or the token between its neighbours."""
    if row < 0:
        return "", ""
    batch, decode = replayed.work.batch, replayed.decode
    group = batch.rollout.group.tolist()
    label = f"{batch.problems[group[row]].id} #{row - group.index(group[row])}"
    if position < 0:
        return label, _short(batch.rollout.texts[row], 60)
    ids = batch.rollout.response_ids[row][batch.rollout.mask[row]].tolist()
    before, token = decode(ids[max(position - BEFORE, 0) : position]), decode(ids[position : position + 1])
    after = decode(ids[position + 1 : position + 1 + AROUND])
    return label, f"{position}: {_short(before, 40, end=True)}⟦{token}⟧{_short(after, 16)}"


def _verdict_of(replayed: ReplayedStep, row: int) -> str:
    batch = replayed.work.batch
    reward = float(batch.experience.rewards[row])
    return f"{batch.verdicts[row].reason}, reward {reward:g}"


def _short(text: str, most: int, *, end: bool = False) -> str:
    flat = " ".join(text.split()) if len(text) > most else text.replace("\n", "⏎")
    if len(flat) <= most:
        return flat
    return "…" + flat[-most:] if end else flat[:most] + "…"


def _compare(one: ReplayedStep, other: ReplayedStep) -> None:
    rows = [
        ["gradient norm, first update", *(f"{norms[0]:.4g}" if norms else "–" for norms in _each(one, other, "norms"))],
        ["gradient norm, largest", *(f"{max(norms):.4g}" if norms else "–" for norms in _each(one, other, "norms"))],
        ["learning rate, last", *(f"{r[-1]:.3g}" if r else "–" for r in _each(one, other, "rates"))],
        ["viscosity, last", *(f"{v[-1]:.3g}" if v else "–" for v in _each(one, other, "viscosities"))],
        ["length of the step |Δθ|", *(f"{float(x.moved.norm()):.4g}" for x in (one, other) if x.moved is not None)],
        ["mean binary TV after", *(f"{x.divergence:.4g}" for x in (one, other))],
        ["updates left out", *(str(x.work.report.skipped) for x in (one, other))],
    ]
    for name in sorted({*one.work.report.losses, *other.work.report.losses}):
        rows.append([f"loss/{name}, mean", *(_mean(x.work.report.losses.get(name, [])) for x in (one, other))])
    print("\nthe same rollouts under both")
    _table(("", one.algorithm, f"{other.algorithm} (what if)"), rows)
    found = one.cosine(other)
    print(f"cosine of the two steps: {'–' if math.isnan(found) else f'{found:+.3f}'}")


def _each(one: ReplayedStep, other: ReplayedStep, name: str) -> list[list[float]]:
    return [getattr(replayed.work.report, name) for replayed in (one, other)]


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):+.4g}" if values else "–"
