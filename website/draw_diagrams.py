"""Draw the mermaid blocks of the pages: `make diagrams`, where node, npm and a chromium are at hand.

mermaid-cli is fetched by npm into a temporary folder; the pictures are committed, so that the site needs none of it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from picture_names import DOCS, PICTURES, picture_of

CLI = "@mermaid-js/mermaid-cli@11.17.0"
BLOCK = re.compile(r"^```mermaid\n(.*?)^```", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Draw what has no picture yet; remove pictures whose block is gone."""
    texts = {picture_of(text): text for page in DOCS.rglob("*.md") for text in BLOCK.findall(page.read_text("utf-8"))}
    for picture in set(PICTURES.glob("diagram-*.svg")) - set(texts):
        picture.unlink()
    missing = {picture: text for picture, text in texts.items() if not picture.exists()}
    if missing:
        with TemporaryDirectory() as folder:
            draw(missing, Path(folder))


def draw(texts: dict[Path, str], folder: Path) -> None:
    """Draw each text into its picture."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("make diagrams needs chromium or google-chrome")
    environment = os.environ | {"PUPPETEER_SKIP_DOWNLOAD": "1"}
    subprocess.run(["npm", "install", "--silent", CLI, "puppeteer"], cwd=folder, env=environment, check=True)
    (folder / "browser.json").write_text(json.dumps({"executablePath": browser, "args": ["--no-sandbox"]}))
    for picture, text in texts.items():
        (folder / "text.mmd").write_text(text, encoding="utf-8")
        words = ["node_modules/.bin/mmdc", "-p", "browser.json", "-i", "text.mmd", "-b", "white", "-o", str(picture)]
        subprocess.run(words, cwd=folder, check=True)


if __name__ == "__main__":
    main()
