"""KV caches of layers that grow in place (GrowingLayer, PaddedLayer): a token is written, the rest is not copied."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

PADDED_TO = 16  # tokens by which a padded layer grows
AHEAD = 64  # tokens that a growing layer allocates ahead


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """transformers' dynamic layer without its copy of everything at each token; the same values in the same order."""

    def __init__(self) -> None:
        super().__init__()
        self._buffers: tuple[Tensor | None, Tensor | None] = (None, None)

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append keys and values [n, heads, tokens, width]; all of them so far."""
        if self.get_seq_length() == 0:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
            return self.keys, self.values
        self.keys, first = _append_in_place(self.keys, self._buffers[0], key_states)
        self.values, second = _append_in_place(self.values, self._buffers[1], value_states)
        self._buffers = first, second
        return self.keys, self.values

    def fit_columns(self, count: int) -> None:
        """Keep the last `count` tokens; empty ones before them where there are fewer."""
        self.keys, self.values = fit_columns(self.keys, count), fit_columns(self.values, count)


def _append_in_place(held: Tensor, buffer: Tensor | None, new: Tensor) -> tuple[Tensor, Tensor]:
    """`held` and `new` together, as a view of one buffer; a larger one where `held` is in none or it is full."""
    length, end = held.shape[-2], held.shape[-2] + new.shape[-2]
    if buffer is None or held.data_ptr() != buffer.data_ptr() or len(held) != len(buffer) or end > buffer.shape[-2]:
        buffer = held.new_empty(*held.shape[:-2], end + AHEAD, held.shape[-1])
        buffer[..., :length, :] = held
    buffer[..., length:end, :] = new
    return buffer[..., :end, :], buffer


class PaddedLayer(DynamicLayer):  # type: ignore[misc]
    """A cache layer padded to a multiple of PADDED_TO tokens and used whole: the padding is zero.

    Like transformers' static layer it leaves it to the mask to hide the rest. Products over the keys then have few
    shapes, for which a CPU's library prepares itself once; and the keys stand as the product reads them,
    [n, heads, width, buffer], which takes half the time of reading across them.
    """

    is_compileable = True  # transformers' word for: the mask is always made, also where one token sees all the others

    def __init__(self) -> None:
        super().__init__()
        self._length = 0

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append keys and values [n, heads, tokens, width]; the prompt as it is, then padded."""
        begin, self._length = self._length, self._length + key_states.shape[-2]
        if begin == 0:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
            return self.keys, self.values
        self.keys = _write_into_padded(self.keys.mT, key_states.mT, begin, -1).mT
        self.values = _write_into_padded(self.values, value_states, begin, -2)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """Tokens, without the padding."""
        return self._length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Keys that the next forward sees, padding included, and where they begin."""
        length = self._length + query_length
        return (next_multiple(length, PADDED_TO) if self._length else length), 0

    def fit_columns(self, count: int) -> None:
        """Keep the last `count` tokens, without the padding; empty ones before them where there are fewer."""
        held = [x[..., : self._length, :] for x in (self.keys, self.values)]
        self.keys, self.values = (fit_columns(x, count) for x in held)
        self._length = count

    def batch_select_indices(self, indices: Tensor) -> None:
        """Only keep these rows; the keys go on standing as they stood."""
        self.keys = self.keys.mT.index_select(0, indices).mT
        self.values = self.values.index_select(0, indices)


def fit_columns(held: Tensor, count: int) -> Tensor:
    """Keys or values of a layer [n, heads, L, width], fitted to its last `count` columns; empty ones before them."""
    missing = count - held.shape[-2]
    return pad(held, (0, 0, missing, 0)) if missing > 0 else held[..., -count:, :]


def next_multiple(count: int, step: int) -> int:
    """The columns of a cache that grows in steps: the next multiple of `step`."""
    return -(-count // step) * step


def _write_into_padded(buffer: Tensor, new: Tensor, begin: int, axis: int) -> Tensor:
    """Write `new` at `begin`; into a larger buffer, padded with zeros, if this one is full."""
    end = begin + new.shape[axis]
    if end > buffer.shape[axis] or not buffer.is_contiguous():
        shape = list(buffer.shape)
        shape[axis] = next_multiple(end, PADDED_TO)
        larger = buffer.new_zeros(shape)
        larger.narrow(axis, 0, begin).copy_(buffer.narrow(axis, 0, begin))
        buffer = larger
    buffer.narrow(axis, begin, end - begin).copy_(new)
    return buffer


def select_kv_cache_rows(cache: DynamicCache, rows: Tensor) -> None:
    """These rows and no others, some of them several times; of recurrent states too."""
    for layer in cache.layers:
        (layer.reorder_cache if _is_recurrent_layer(layer) else layer.batch_select_indices)(rows)


def _is_recurrent_layer(layer: Any) -> bool:
    """Whether a layer keeps a recurrent state (Mamba and its hybrids): transformers selects its rows by reordering."""
    return hasattr(layer, "update_recurrent_state")


def keeps_tokens(cache: DynamicCache) -> bool:
    """Whether some layer of a KV cache keeps its tokens, of which padding has to be hidden at every step."""
    return not all(map(_is_recurrent_layer, cache.layers))


def growing_cache(config: Any, *, evenly: bool = False) -> DynamicCache:
    """An empty cache for a model; layers with a window, or of another kind, stay transformers' own.

    evenly: padded layers, where every layer is a plain one.
    """
    cache = DynamicCache(config=config)
    plain = all(type(layer) is DynamicLayer for layer in cache.layers)
    kind = PaddedLayer if evenly and plain else GrowingLayer
    cache.layers = [kind() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    if cache.layer_class_to_replicate is DynamicLayer:
        cache.layer_class_to_replicate = kind
    return cache
