"""The README as the package index shows it: links and pictures absolute where the repository's address is known.

`TVO_REPOSITORY=https://HOST/OWNER/NAME make dist` builds a package whose README points there, at its version's tag.
Without an address pictures are left out, and links into the repository are plain text: better than broken ones.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE = re.compile(r"!\[([^\]]*)\]\((?!\w+:)([^)]+)\)\n*(\*[^*\n]+\*\n*)?")
LINK = re.compile(r"\[([^\]]+)\]\((?!\w+:|#)([^)]+)\)")


class PackageReadme(MetadataHookInterface):
    """Hatchling's hook: sets `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        repository = os.environ.get("TVO_REPOSITORY", "").rstrip("/")
        tag = f"v{metadata['version']}"
        metadata["readme"] = {"content-type": "text/markdown", "text": for_the_index(text, repository, tag)}
        if repository:
            metadata["urls"] = {"Repository": repository, "Changelog": f"{repository}/blob/{tag}/CHANGELOG.md"}


def for_the_index(text: str, repository: str, tag: str) -> str:
    """Return the README with absolute links, or without those that would lead nowhere."""
    if not repository:
        return LINK.sub(r"\1", PICTURE.sub("", text))
    shown = PICTURE.sub(rf"![\1]({repository}/raw/{tag}/\2)\n\n\3", text)
    return LINK.sub(rf"[\1]({repository}/blob/{tag}/\2)", shown)
