"""Search against a slow twin that tries every output, and the laws of beams."""

import itertools

import pytest
import torch
from torch import Tensor

from regard.core.errors import Failure
from regard.generation.search import Hypothesis, Rules, search
from regard.models.rnn import RnnTranslator
from toy import translator

START, END = 2, 3
SOURCE = torch.tensor([[5, 6, 7, 3], [9, 4, 3, 0], [8, 3, 0, 0]])
LIMITS = [4, 3, 2]


def searched(model: RnnTranslator, source: torch.Tensor, limits: list[int], rules: Rules) -> list[list[Hypothesis]]:
    return search(model, model.start(source), torch.full((len(source),), START), limits, rules)


def score(model: RnnTranslator, source: torch.Tensor, ids: list[int]) -> float:
    """Log-probability of an output, one token after another."""
    state, total, token = model.start(source[None]), 0.0, START
    for following in ids:
        logits, state = model.step(state, torch.tensor([token]))
        total += float(torch.log_softmax(logits, -1)[0, following])
        token = following
    return total


def every_output(model: RnnTranslator, source: torch.Tensor, limit: int, vocab: int) -> list[tuple[float, list[int]]]:
    """All outputs that end, or are cut at the limit, best first by log-probability a token."""
    words = [i for i in range(vocab) if i not in (0, 1, 2, END)]
    outputs = [[*body, END] for n in range(limit) for body in itertools.product(words, repeat=n)]
    outputs += [list(body) for body in itertools.product(words, repeat=limit)]
    return sorted(((score(model, source, ids) / len(ids), ids) for ids in outputs), reverse=True)


@torch.inference_mode()
def test_a_wide_beam_finds_the_best_of_all() -> None:
    model = translator(vocab_size=7)
    found = searched(model, SOURCE[2:] % 7, [3], Rules((END,), (0, 1, 2), beam=60))[0]
    best, ids = every_output(model, (SOURCE[2] % 7)[:2], 3, 7)[0]
    assert found[0].ids == ids
    assert found[0].score == pytest.approx(best, abs=1e-5)


@torch.inference_mode()
def test_a_beam_of_one_is_greedy() -> None:
    model = translator()
    for row, hypotheses in enumerate(searched(model, SOURCE, LIMITS, Rules((END,), (0, 1, 2)))):
        state, token, ids = model.start(SOURCE[row : row + 1]), START, []
        while len(ids) < LIMITS[row] and token != END:
            logits, state = model.step(state, torch.tensor([token]))
            logits[:, [0, 1, 2]] = float("-inf")
            token = int(logits.argmax())
            ids.append(token)
        assert [h.ids for h in hypotheses] == [ids]


@pytest.mark.parametrize("beam", [1, 2, 5])
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_scores_are_those_of_the_outputs_and_a_batch_equals_each_alone(beam: int, penalty: float) -> None:
    model, rules = translator(), Rules((END,), (0, 1, 2), beam, penalty)
    together = searched(model, SOURCE, LIMITS, rules)
    for row, hypotheses in enumerate(together):
        source = SOURCE[row][SOURCE[row] != 0]
        alone = searched(model, source[None], [LIMITS[row]], rules)[0]
        assert [h.ids for h in alone] == [h.ids for h in hypotheses]
        assert [h.score for h in hypotheses] == sorted((h.score for h in hypotheses), reverse=True)
        for h in hypotheses:
            with torch.inference_mode():
                assert sum(h.log_probs) / len(h.ids) ** penalty == pytest.approx(h.score, abs=1e-5)
                assert h.score == pytest.approx(score(model, source, h.ids) / len(h.ids) ** penalty, abs=1e-5)


def test_forbidden_tokens_are_never_written() -> None:
    forbidden = tuple(i for i in range(17) if i not in (END, 11, 13))
    outputs = searched(translator(), SOURCE, [7, 7, 7], Rules((END,), forbidden, beam=3))
    written = {i for hypotheses in outputs for h in hypotheses for i in h.ids}
    assert written <= {END, 11, 13}
    assert all(hypotheses for hypotheses in outputs)


class Chain:
    """A decoder whose next token depends on the last one alone: row i of a table of probabilities."""

    def __init__(self, table: list[list[float]]) -> None:
        self.table = torch.tensor(table)

    def start(self, source: Tensor, real: Tensor | None = None) -> "Chain":
        return self

    def select(self, rows: Tensor) -> "Chain":
        return self

    def step(self, state: "Chain", ids: Tensor) -> tuple[Tensor, "Chain"]:
        return self.table[ids].log(), self


def test_several_ends_take_no_place_from_what_goes_on() -> None:
    alike = [0.0, 0.2, 0.2, 0.2, 0.2, 0.2]
    chain = Chain([[0.0, 0.5, 0.15, 0.1, 0.2, 0.05], alike, alike, alike, alike, [0.0, 0.9, 0.02, 0.02, 0.02, 0.04]])
    found = search(chain, chain, torch.tensor([0]), [2], Rules((1, 2, 3), beam=2))[0]
    assert [h.ids for h in found] == [[1], [5, 1]]  # 0.05 · 0.9 is more than 0.2 · 0.2


@pytest.mark.parametrize("beam", [1, 3])
def test_a_model_whose_logits_are_no_numbers_is_refused(beam: int) -> None:
    chain = Chain([[0.0, 0.5, 0.5, 0.0]] * 2 + [[float("nan")] * 4] * 2)
    with pytest.raises(Failure) as caught:
        search(chain, chain, torch.tensor([0]), [5], Rules((3,), (1,), beam))
    assert (caught.value.code, caught.value.facts) == ("logits_not_finite", {"number": 2})
