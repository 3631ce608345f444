"""`tvo replay`: print a recorded step, replayed exactly and under other settings."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tvo_cli import escaping
from tvo_cli.cli.override_args import ConfigDir, Debug
from tvo_cli.errors import UserError

ReplayedStep = Any  # replay's own; this room knows experiment, not replay
BEFORE, AROUND = 8, 3  # tokens of context shown before and after a token
TROUBLES = 12  # places shown where something is not finite
RECORDED_CODE = "Run the own code that RUN keeps a copy of; trust who made it."
Words = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="What to change: algorithm=grpo optimizer.lr=1e-4")
]


def add_to(app: typer.Typer) -> None:
    """Register `tvo replay`."""
    app.command()(replay)


def replay(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    overrides: Words = None,
    step: Annotated[
        int, typer.Option("--step", min=1, help="A recorded step: recorder.steps=[…], a collapse, a NaN.")
    ] = ...,  # type: ignore[assignment]
    top: Annotated[int, typer.Option("--top", help="How many tokens and responses to show.")] = 8,
    recorded_code: Annotated[bool, typer.Option("--recorded-code", help=RECORDED_CODE)] = False,
    config_dir: ConfigDir = None,
    debug: Debug = False,
) -> None:
    """Replay a recorded step, bit for bit: whose gradient it was, and what another algorithm would have done."""
    from tvo_cli.cli.startup_message import announce_on_stderr, announce_users_configs, say_repeated_keys
    from tvo_cli.tracking.recorded_steps import check_step_is_recorded, recorded_steps

    if not run.is_dir():
        raise UserError("RUN", run, "there is no such folder.", f"A path is read from {Path.cwd()}; tvo ls lists runs.")
    check_step_is_recorded(run, step, recorded_steps(run))  # before torch is loaded
    if overrides:
        announce_users_configs("tvo replay", overrides)
        say_repeated_keys("tvo replay", overrides)
    announce_on_stderr("tvo replay", f"loading torch, transformers and {run}")
    from tvo_cli.cli.progress_bars import hide_transformers_progress_bars
    from tvo_cli.experiment import replay as replay_step

    hide_transformers_progress_bars()
    record, replayed = replay_step(run, step, list(overrides or ()), top, recorded_code=recorded_code)
    same = _print_bit_equality(record, replayed[0])
    for one in replayed:
        _print_replayed_step(one, record)
    if len(replayed) > 1:
        _print_both_replays(*replayed)
    raise typer.Exit(0 if same else 1)


def _print_bit_equality(record: dict[str, Any], replayed: ReplayedStep) -> bool:
    """Print and return whether the replay gave the same bits as the recording."""
    _print_replay_line(f"step {record['step']} ({replayed.algorithm}), recorded because: {', '.join(record['why'])}")
    same = bool(record["weights_after"] == replayed.weights_after and record["order"] == replayed.order)
    if same:
        print(f"the same bits: sha256 of the weights {replayed.weights_after[:16]}…, {len(replayed.order)} updates")
    else:
        was, now = record["weights_after"][:16], replayed.weights_after[:16]
        print(f"DIFFERENT BITS:  sha256 of the weights {now}…, recorded {was}… (other code, torch or machine?)")
    return same


def _print_replay_line(line: str) -> None:
    """Print a line that may quote text from outside, escaped."""
    print(escaping.terminal(line))


def _print_replayed_step(replayed: ReplayedStep, record: dict[str, Any]) -> None:
    """Print a replayed step: its updates, what was not finite, and the attribution of its gradient."""
    report = replayed.work.report
    print()
    _print_replay_line(replayed.algorithm)
    for note in replayed.notes:
        _print_replay_line(f"  {note}")
    names = [f"loss/{name}" for name in report.losses]
    rows = [
        [str(i + 1), *(f"{parts[i]:+.4g}" for parts in report.losses.values()), *_update_columns(replayed, i)]
        for i in range(len(report.norms))
    ]
    if rows:
        _print_replay_table(("update", *names, "gradient norm", "ν", "TV before", "rate"), rows)
    if report.skipped:
        print(f"{report.skipped} of {len(replayed.order)} updates left out: {report.nonfinite} was not finite")
    _print_nonfinite(replayed)
    _print_attribution(replayed)


def _print_replay_table(headings: tuple[str, ...], rows: list[list[str]]) -> None:
    """Print a table whose headings stay in a pipe too."""
    from tvo_cli.cli import printing

    printing.print_table(headings, rows if sys.stdout.isatty() else [list(headings), *rows])


def _update_columns(replayed: ReplayedStep, index: int) -> list[str]:
    """Return gradient norm, viscosity, divergence and rate of one update."""
    report = replayed.work.report
    columns = (report.norms, report.viscosities, report.divergences, report.rates)
    return [f"{column[index]:.4g}" if index < len(column) else "" for column in columns]


def _print_nonfinite(replayed: ReplayedStep) -> None:
    """Print where something was first not finite in the replayed step."""
    rows = [
        [str(update), one.what, one.detail, *_response_and_token(replayed, one.row, one.position)]
        for update, one in replayed.troubles[:TROUBLES]
    ]
    if rows:
        print(f"\nnot finite, where it first appears ({len(replayed.troubles)} in all)")
        _print_replay_table(("update", "what", "", "response", "token"), rows)


def _print_attribution(replayed: ReplayedStep) -> None:
    """Print which tokens and responses the gradient of an update came from."""
    found = replayed.attribution
    if found is None or not found.sites:
        return
    of = "" if replayed.work.batch.demonstrated is None else " of the responses alone"
    norm = f"gradient norm{of} {found.norm:.4g}"
    print(f"\nupdate {replayed.attributed}, {norm}: shares of it (all tokens: {found.total:.3f})")
    rows = [
        [f"{one.share:+.1%}", f"{one.force:+.3g}", f"{one.ratio:.3f}", f"{one.advantage:+.3g}",
         *_response_and_token(replayed, one.row, one.position)]
        for one in found.sites
    ]  # fmt: skip
    _print_replay_table(("share", "force", "ratio", "Â", "response", "token"), rows)
    shown = (
        (f"{share:+.1%}", *_response_and_token(replayed, row, -1), _verdict_and_reward(replayed, row))
        for row, share in found.responses
    )
    _print_replay_table(("share", "response", "text", "verdict"), [list(one) for one in shown])


def _response_and_token(replayed: ReplayedStep, row: int, position: int) -> tuple[str, str]:
    """Return a response by problem and number, and its text or the token between its neighbours."""
    if row < 0:
        return "", ""
    batch, decode = replayed.work.batch, replayed.decode
    group = batch.rollout.group.tolist()
    label = f"{batch.problems[group[row]].id} #{row - group.index(group[row])}"
    if position < 0:
        return label, _replayed_response_line(batch.rollout.texts[row], 60)
    ids = batch.rollout.response_ids[row][batch.rollout.mask[row]].tolist()
    before, token = decode(ids[max(position - BEFORE, 0) : position]), decode(ids[position : position + 1])
    after = decode(ids[position + 1 : position + 1 + AROUND])
    return (
        label,
        f"{position}: {_replayed_response_line(before, 40, end=True)}⟦{token}⟧{_replayed_response_line(after, 16)}",
    )


def _verdict_and_reward(replayed: ReplayedStep, row: int) -> str:
    """Return the verdict and the reward of a response."""
    batch = replayed.work.batch
    reward = float(batch.experience.rewards[row])
    return f"{batch.verdicts[row].reason}, reward {reward:g}"


def _replayed_response_line(text: str, most: int, *, end: bool = False) -> str:
    """Return a response's text in one line, shortened."""
    flat = " ".join(text.split()) if len(text) > most else text.replace("\n", "⏎")
    if len(flat) <= most:
        return flat
    return "…" + flat[-most:] if end else flat[:most] + "…"


def _print_both_replays(one: ReplayedStep, other: ReplayedStep) -> None:
    """Print the recorded algorithm's step and the other's side by side, over the same rollouts."""
    rows = [
        [
            "gradient norm, first update",
            *(f"{norms[0]:.4g}" if norms else "–" for norms in _reports_of_both_replays(one, other, "norms")),
        ],
        [
            "gradient norm, largest",
            *(f"{max(norms):.4g}" if norms else "–" for norms in _reports_of_both_replays(one, other, "norms")),
        ],
        ["learning rate, last", *(f"{r[-1]:.3g}" if r else "–" for r in _reports_of_both_replays(one, other, "rates"))],
        [
            "viscosity, last",
            *(f"{v[-1]:.3g}" if v else "–" for v in _reports_of_both_replays(one, other, "viscosities")),
        ],
        ["length of the step |Δθ|", *(f"{float(x.moved.norm()):.4g}" for x in (one, other) if x.moved is not None)],
        ["mean binary TV after", *(f"{x.divergence:.4g}" for x in (one, other))],
        ["updates left out", *(str(x.work.report.skipped) for x in (one, other))],
    ]
    for name in sorted({*one.work.report.losses, *other.work.report.losses}):
        rows.append(
            [f"loss/{name}, mean", *(_mean_loss_of_updates(x.work.report.losses.get(name, [])) for x in (one, other))]
        )
    print("\nthe same rollouts under both")
    _print_replay_table(("", one.algorithm, f"{other.algorithm} (what if)"), rows)
    found = one.cosine(other)
    print(f"cosine of the two steps: {'–' if math.isnan(found) else f'{found:+.3f}'}")


def _reports_of_both_replays(one: ReplayedStep, other: ReplayedStep, name: str) -> list[list[float]]:
    """Return a column of both replays' update reports."""
    return [getattr(replayed.work.report, name) for replayed in (one, other)]


def _mean_loss_of_updates(values: list[float]) -> str:
    """The mean loss of a replayed step's updates, as `tvo replay` prints it."""
    return f"{sum(values) / len(values):+.4g}" if values else "–"
