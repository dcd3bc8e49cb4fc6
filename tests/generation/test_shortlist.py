"""A shortlist: the same search where the rest of the vocabulary is forbidden, at the cost of a narrow head."""

from pathlib import Path
from typing import Any

import pytest
import torch

from regard.core.errors import BadInput
from regard.generation.choosing import Choice
from regard.generation.sentences import NEVER_WRITTEN, Draws, rules, translate
from regard.generation.shortlist import Shortlisted
from regard.models.rnn import RnnTranslator
from regard.models.transformer import Transformer, TransformerConfig
from regard.text import tokenizers
from regard.text.shortlist import pieces
from regard.text.tokenizers import END
from toy import WORDS, tokenizer, translator

TEXTS = ["ant bee cat", "jay", "lark kite fox gnu"]
WORDS_MEANT = ["bee", "kite", "ant", "dog", "eel"]


@pytest.fixture
def domain(tmp_path: Path) -> Path:
    path = tmp_path / "terms.txt"
    path.write_text("".join(f"{word}\n" for word in WORDS_MEANT))
    return path


class Masked:
    """The model as it is, with −∞ at all that may not be written: the slow way to the same."""

    def __init__(self, model: RnnTranslator, may: list[int]) -> None:
        self.model, self.hidden = model, torch.ones(model.config.vocab_size, dtype=torch.bool)
        self.hidden[may] = False
        self.start = model.start

    def step(self, state: Any, ids: torch.Tensor) -> tuple[torch.Tensor, Any]:
        logits, state = self.model.step(state, ids)
        return logits.masked_fill(self.hidden, float("-inf")), state


@pytest.mark.parametrize("feeding", ["none", "luong"])
@pytest.mark.parametrize("beam", [1, 3])
def test_it_is_the_search_with_all_else_masked(beam: int, feeding: str) -> None:
    """The list leaves out all that the model would write if it were free to."""
    words, how = tokenizer(), rules(beam)
    model = translator(vocab_size=words.vocab_size, input_feeding=feeding)
    free = {i for one in translate(model, words, TEXTS, how) for output in one.outputs for i in output.ids}
    only = [i for i in range(4, words.vocab_size) if i not in free]
    narrow = translate(model, words, TEXTS, how, only=only)
    truth = translate(Masked(model, [*range(4), *only]), words, TEXTS, how)
    written = [[o.ids for o in one.outputs] for one in narrow]
    assert written == [[o.ids for o in one.outputs] for one in truth]
    scores = [[[o.score for o in one.outputs] for one in found] for found in (narrow, truth)]
    assert scores[0] == [pytest.approx(row, abs=1e-5) for row in scores[1]]
    assert {i for one in written for ids in one for i in ids} <= {*only, END}
    assert len(free - {END}) > 0 < len(only)


def test_scores_are_of_the_shortlist_and_the_model_stays_as_it_is(domain: Path) -> None:
    words = tokenizer()
    model = translator(vocab_size=words.vocab_size)
    source = torch.tensor([[5, 6, 7, END]])
    before, _ = model.step(model.start(source), torch.tensor([2]))
    narrow = Shortlisted(model, [11, 7, 11, 2])
    assert narrow.ids.tolist() == [0, 1, 2, 3, 7, 11]
    logits, _ = narrow.step(narrow.start(source), torch.tensor([2]))
    torch.testing.assert_close(logits, before[:, narrow.ids], rtol=0, atol=1e-6)
    after, _ = model.step(model.start(source), torch.tensor([2]))
    assert torch.equal(before, after)


def test_what_is_drawn_keeps_to_it_too(domain: Path) -> None:
    words = tokenizer()
    only = pieces(domain, words)
    model = translator(vocab_size=words.vocab_size)
    drawn = translate(model, words, TEXTS, Draws(Choice(forbidden=NEVER_WRITTEN), count=7, seed=5), only=only)
    ids = {i for one in drawn for output in one.outputs for i in output.ids}
    assert ids <= {*only, END}
    assert len(ids) > 2


def test_a_transformer_reads_and_writes_no_more_than_it_can_with_a_shortlist_too() -> None:
    words = tokenizer()
    torch.manual_seed(3)
    sizes = {"vocab_size": words.vocab_size, "max_len": 7, "d_model": 22, "n_layers": 1, "n_heads": 2}
    model = Transformer(TransformerConfig(**sizes)).eval()
    (found,) = translate(model, words, ["ant bee cat dog eel fox gnu hen"], rules(2), only=list(range(4, 11)))
    assert (len(found.source.ids), found.unread) == (6, 2)
    assert all(len(output.ids) <= 7 for output in found.outputs)


def test_pieces_are_those_of_the_file(domain: Path, tmp_path: Path) -> None:
    words = tokenizer()
    assert {token.lstrip("▁") for token in words.tokens(pieces(domain, words))} == set(WORDS_MEANT)
    assert len(pieces(domain, words)) == 5 < len(WORDS)
    split = tokenizers.train(("ant bee cat", "ant bee"), kind="bpe", vocab_size=19)
    for text in ("\n \n", "飛\n"):  # the space before a word is a piece of some tokenizers
        (tmp_path / "empty").write_text(text)
        for each in (words, split):
            with pytest.raises(BadInput) as caught:
                pieces(tmp_path / "empty", each)
            assert caught.value.code == "shortlist_empty"
