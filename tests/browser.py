"""A real browser without a window, where there is one: for pages that must be seen."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), "")


def browse(
    address: str, *words: str, dark: bool = False, width: int = 1200, height: int = 2400
) -> subprocess.CompletedProcess[str]:
    """Open an address, as long as the words ask for; what the page says on its console is on standard error."""
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", scheme]
    command += [f"--window-size={width},{height}", "--enable-logging=stderr", *words, address]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def console(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def colours(picture: Path) -> list[tuple[int, Any]]:
    """Number of pixels and colour, the most frequent first."""
    from PIL import Image

    image = Image.open(picture).convert("RGB")
    found: Any = image.getcolors(image.width * image.height) or []
    return sorted(found, reverse=True)
