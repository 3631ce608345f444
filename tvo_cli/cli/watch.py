"""`tvo watch`: live curves, states and completions of runs on a page of this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tvo_cli import escaping
from tvo_cli.cli.override_args import Debug
from tvo_cli.errors import UserError

HOME = Path("outputs")
PORT = 8787


def add_to(app: typer.Typer) -> None:
    """Register `tvo watch`."""
    app.command("watch")(watch)


def watch(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a run, a sweep, or all of outputs/")] = HOME,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="of 127.0.0.1; 0: any free one")] = PORT,
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the address only, open no browser.")] = False,
    debug: Debug = False,
) -> None:
    """Show live curves, states and completions of the runs below DIR on a page that this machine alone can open.

    Runs may be running, finished, killed, or begin later. Ctrl-C ends it; it changes nothing.
    """
    from tvo_cli.watch.server import WatchServer
    from tvo_cli.watch.watched_folder import WatchedFolder

    if folder.is_file():
        raise UserError("DIR", folder, "is a file.", "Name the folder that it is in; tvo diagnose reads a log.")
    with WatchServer(WatchedFolder(folder), port) as server:
        there = "" if folder.is_dir() else " (not there yet: runs show up as they begin)"
        print(f"{server.url}  shows {escaping.terminal(folder)}{there}; Ctrl-C ends it", flush=True)
        if not no_open and _can_open_browser():
            import webbrowser

            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def _can_open_browser() -> bool:
    """Whether a browser would open before the user: not over ssh, not on a machine without a screen."""
    remote = any(name in os.environ for name in ("SSH_CONNECTION", "SSH_TTY"))
    screen = sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return screen and not remote
