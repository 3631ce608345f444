"""What forwards take: the cache under its own name, of the newest and of older architectures, and without a warning."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from transformers import DynamicCache

from tests.model.conftest import architectures
from tvo_cli.model.forward_pass.cache_support import cache_argument, takes_cache
from tvo_cli.model.forward_pass.forward_inputs_and_outputs import accepted_arguments


class Renamed(nn.Module):
    def forward(self, input_ids: Any, cache: Any = None) -> None: ...


class Older(nn.Module):
    def forward(self, input_ids: Any, past_key_values: Any = None, **keywords: Any) -> None: ...


class Wrapped(Older):
    def forward(self, *given: Any, **keywords: Any) -> Any:
        return super().forward(*given, **keywords)


class Keywords(nn.Module):
    def forward(self, *given: Any, **keywords: Any) -> None: ...


class Without(nn.Module):
    def forward(self, input_ids: Any) -> None: ...


@pytest.mark.parametrize(
    ("kind", "name"), [(Renamed, "cache"), (Older, "past_key_values"), (Wrapped, "past_key_values")], ids=str
)
def test_the_cache_goes_by_the_name_that_the_forward_takes(kind: type[nn.Module], name: str) -> None:
    cache = DynamicCache()
    assert cache_argument(kind(), cache) == {name: cache}
    assert takes_cache(kind())


def test_keywords_of_no_name_are_taken_as_transformers_own_generation_does() -> None:
    from inspect import signature

    from transformers import GenerationMixin

    [name] = cache_argument(Keywords(), DynamicCache())
    assert name in signature(GenerationMixin.prepare_inputs_for_generation).parameters


def test_a_forward_without_a_cache_is_told_apart() -> None:
    assert takes_cache(Keywords()) and not takes_cache(Without())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", list(architectures()))
def test_a_cache_is_filled_and_read_without_a_warning(name: str) -> None:
    """A library that renames an argument first warns, then drops it: two steps over the cache are one over all."""
    torch.manual_seed(0)
    network = architectures()[name]().eval()
    ids, cache = torch.arange(3, 9)[None], DynamicCache(config=network.config)
    known = accepted_arguments(network.forward, {"use_cache": True})
    with torch.no_grad():
        for part in (ids[:, :4], ids[:, 4:]):
            found = network(input_ids=part, **cache_argument(network, cache), **known).logits
        whole = network(input_ids=ids).logits
    assert cache.get_seq_length() == 6
    torch.testing.assert_close(found, whole[:, 4:], rtol=0, atol=1e-4)
