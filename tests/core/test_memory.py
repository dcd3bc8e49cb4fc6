"""Memory: computed once, asked many times, reordered by beams."""

import pytest
import torch
from torch import Tensor

from regard.core.attend import attend
from regard.core.memory import Cache, Memory


def memory(*heads: int) -> tuple[Memory, Tensor]:
    """Three sentences of 7, 2 and 5 tokens, and queries for them."""
    torch.manual_seed(47)
    real = torch.arange(7) < torch.tensor([7, 2, 5])[:, None]
    return Memory(torch.randn(3, *heads, 7, 5), torch.randn(3, *heads, 7, 11), real), torch.randn(3, *heads, 2, 5)


@pytest.mark.parametrize("heads", [(), (3,), (1,), (2, 3)])
def test_nobody_looks_at_padding(heads: tuple[int, ...]) -> None:
    """Also with heads as many as sentences, where a misplaced axis would fit."""
    remembered, query = memory(*heads)
    context = attend(query, remembered.key, remembered.value, mask=remembered.mask)
    for row, length in enumerate((7, 2, 5)):
        alone = attend(query[row], remembered.key[row, ..., :length, :], remembered.value[row, ..., :length, :])
        torch.testing.assert_close(context[row], alone, atol=1e-6, rtol=0)


def test_rows_are_reordered_together() -> None:
    remembered, query = memory()
    rows = torch.tensor([2, 0, 2, 1])
    whole = attend(query, remembered.key, remembered.value, mask=remembered.mask)
    chosen = remembered.select(rows)
    assert torch.equal(attend(query[rows], chosen.key, chosen.value, mask=chosen.mask), whole[rows])


def test_no_sentence_left() -> None:
    remembered, query = memory(3)
    none = remembered.select(torch.tensor([], dtype=torch.long))
    assert attend(query[:0], none.key, none.value, mask=none.mask).shape == (0, 3, 2, 11)


def test_a_cache_holds_what_was_read_in_order() -> None:
    """Past its first room, too: what was written stays."""
    torch.manual_seed(53)
    keys, values = torch.randn(2, 3, 211, 5), torch.randn(2, 3, 211, 7)
    cache, at = Cache(), 0
    for count in (3, 1, 61, 1, 0, 101, 44):
        part = slice(at, at + count)
        whole = cache.extend(Memory(keys[:, :, part], values[:, :, part]))
        at += count
        assert torch.equal(whole.key, keys[:, :, :at])
        assert torch.equal(whole.value, values[:, :, :at])


def test_selected_caches_part_ways() -> None:
    cache = Cache()
    cache.extend(Memory(torch.zeros(2, 1, 1, 1), torch.zeros(2, 1, 1, 1)))
    other = cache.select(torch.tensor([0, 0, 1]))
    other.extend(Memory(torch.ones(3, 1, 1, 1), torch.ones(3, 1, 1, 1)))
    kept = cache.extend(Memory(torch.full((2, 1, 1, 1), 5.0), torch.full((2, 1, 1, 1), 5.0)))
    assert kept.key.flatten().tolist() == [0, 5, 0, 5]
