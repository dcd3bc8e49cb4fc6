"""The weights in words: where each query looks most. Queries and keys, never rows and columns (行 and 列 are swapped
between the Traditional and the Simplified notes)."""

from collections.abc import Iterator

import numpy as np

from regard.inspection.derivation import Derivation
from regard.language import say
from regard.views.signs import number, told_apart

_EQUAL = 1e-12


def readings(derivation: Derivation, lang: str, digits: int) -> Iterator[str]:
    """A sentence for each query of each head."""
    queries, keys = (told_apart(tokens) for tokens in (derivation.tokens, derivation.key_tokens))
    for head, pattern in enumerate(derivation.weights, start=1):
        for at, weights in enumerate(pattern):
            query, names = (
                say("explain.word", lang, word=queries[at]),
                [say("explain.word", lang, word=key) for key in keys],
            )
            if derivation.key_tokens == derivation.tokens:
                names[at] = say("explain.itself", lang)
            sentence = _sentence(query, names, weights, lang, digits)
            several = derivation.n_heads > 1
            yield say("explain.read_head", lang, head=head, sentence=sentence) if several else sentence


def _sentence(query: str, keys: list[str], weights: np.ndarray, lang: str, digits: int) -> str:
    order = np.argsort(-weights, kind="stable")
    shares = [number(float(weights[at]), digits) for at in order[:2]]
    facts = {"query": query, "key": keys[order[0]], "weight": shares[0]}
    largest = weights[order[0]]
    if largest == 0:
        return say("explain.read_nothing", lang, query=query)
    equals = [keys[at] for at in order if weights[at] > largest - _EQUAL]
    if len(equals) > 1:
        return say("explain.read_equal", lang, keys=say("explain.list_comma", lang).join(equals), **facts)
    if len(order) == 1 or weights[order[1]] == 0:
        return say("explain.read_only", lang, **facts)
    return say("explain.read_most", lang, **facts, second=keys[order[1]], second_weight=shares[1])
