"""What a comparison reads is what these tests write: its runs on disk."""

from tests.comparison.conftest import arms

__all__ = ["arms"]
