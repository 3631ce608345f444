"""Which rows of a checkpoint's tensors this process loads: those of its parameters, and of all that is kept of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from tvo_cli.checkpoint.optimizer_state import parameter_of_state
from tvo_cli.checkpoint.sharded_parameters import row_range
from tvo_cli.checkpoint.tensor_slice import RowRange

ShardedShape = tuple[RowRange, tuple[int, ...]]  # the rows that are here, and the shape of the whole
SNAPSHOT = "tensors."  # in the name of a tensor of a snapshot: before.tensors.PART.NAME


@dataclass(frozen=True, slots=True)
class RowsToLoad:
    """The sharded parameters by the part that keeps them or their optimiser's state; none: everything is whole."""

    by_part: Mapping[str, Mapping[str, ShardedShape]] = field(default_factory=dict)

    @classmethod
    def of(cls, parameters: Mapping[str, Mapping[str, Tensor]]) -> RowsToLoad:
        """Of the parameters of each part."""
        return cls({part: _rows_of_sharded(named) for part, named in parameters.items()})

    def wanted(self, part: str, name: str, shape: tuple[int, ...]) -> RowRange | None:
        """The rows of a stored tensor that belong to this process; None: all of it."""
        if part not in self.by_part:
            part, _, name = name.partition(SNAPSHOT)[2].partition(".")
        rows, whole = self.by_part.get(part, {}).get(parameter_of_state(name), (None, ()))
        return rows if shape == whole else None


def _rows_of_sharded(named: Mapping[str, Tensor]) -> dict[str, ShardedShape]:
    """Of each parameter that is sharded the rows that are loaded here, and the shape of the whole."""
    ranges = {name: (row_range(value), tuple(value.shape)) for name, value in named.items()}
    return {name: (rows, shape) for name, (rows, shape) in ranges.items() if rows is not None}
