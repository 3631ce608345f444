"""The most bytes of tensors that stand at once in some work: what is asked of an allocator, whatever it makes of it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _StorageWatch(TorchDispatchMode):
    """Counts storages from the operation that makes them until nothing holds them."""

    def __init__(self, known: list[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._held = {tensor.untyped_storage()._cdata for tensor in known}
        self.standing: int = 0
        self.most: int = 0

    def __torch_dispatch__(self, call: Any, types: Any, given: Any = (), keywords: Any = None) -> Any:
        found = call(*given, **(keywords or {}))
        for tensor in tree_leaves(found):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return found

    def _count(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._held:
            return
        self._held.add(key)
        self.standing += size
        self.most = max(self.most, self.standing)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._held.discard(key)
        self.standing -= size


def most_live_bytes(work: Callable[[], object], known: list[Tensor]) -> int:
    """Bytes that stand at once while `work` runs, at most, besides the tensors that are there before."""
    watch = _StorageWatch(known)
    with watch:
        work()
    return watch.most
