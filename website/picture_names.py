"""Where the picture of a mermaid block lies: its name is the digest of the block's text."""

from __future__ import annotations

import hashlib
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
PICTURES = DOCS / "pictures"


def picture_of(text: str) -> Path:
    """Return the path of a diagram's picture."""
    return PICTURES / f"diagram-{hashlib.sha256(text.strip().encode()).hexdigest()[:12]}.svg"
