"""What a foreign model writes is recorded as it writes: caches, beams, windows, two sides; equal to one forward."""

import numpy as np
import pytest
import torch

from foreign import DECODERS, ENCODERS, TRANSLATORS
from regard.core.errors import BadInput, Failure
from regard.inspection.foreign import reading, writing
from regard.inspection.foreign.record import record
from regard.inspection.foreign.run import Foreign
from regard.inspection.foreign.writing import write
from regard.inspection.trace import Trace

IDS = torch.tensor([[5, 9, 17, 9, 23]])
MANNERS = [{"do_sample": False}, {"num_beams": 4}]
FEW = ["GPT-2", "Llama", "Mistral", "Gemma3", "GPT-OSS"]


def foreign(make: object, name: str) -> Foreign:
    return Foreign(make(), None, name, "f")  # type: ignore[operator]


def written(model: Foreign, manner: dict) -> Trace:
    asked = reading.of_inputs(model, {"input_ids": IDS})
    return write(model, asked, manner={**manner, "max_new_tokens": 9, "eos_token_id": None})


def farthest(made: Trace, model: Foreign) -> float:
    read = torch.tensor([made.sequences["read"].ids])
    given = {"input_ids": IDS, "decoder_input_ids": read} if model.two_sided else {"input_ids": read}
    whole = record(model, reading.of_inputs(model, given))[0]
    assert made.sites == whole.sites
    places = [(site, head) for site in made.sites for head in range(site.n_heads)]
    pairs = [[each.weights(part=s.part, layer=s.layer, head=head) for each in (made, whole)] for s, head in places]
    assert all(came.shape == expected.shape for came, expected in pairs)
    return max(float(np.abs(came - expected).max()) for came, expected in pairs)


@pytest.mark.parametrize("manner", MANNERS, ids=str)
@pytest.mark.parametrize("family", FEW)
def test_a_decoder_with_its_cache(family: str, manner: dict) -> None:
    model = foreign(DECODERS[family], family)
    made = written(model, manner)
    assert len(made.sequences["read"].ids) == 5 + 9 - 1
    assert farthest(made, model) < 1e-5
    assert made.check.deviation < 1e-5


@pytest.mark.parametrize("manner", MANNERS, ids=str)
@pytest.mark.parametrize("family", ["T5", "BART", "Marian"])
def test_a_translator_with_both_its_sides(family: str, manner: dict) -> None:
    model = foreign(TRANSLATORS[family], family)
    made = written(model, manner)
    assert {site.part for site in made.sites} == {"encoder", "decoder", "cross"}
    assert made.sequences["read"].ids[1:] == made.sequences["target"].ids[:-1]
    assert farthest(made, model) < 1e-5


def test_what_is_written_is_what_generate_writes() -> None:
    model = foreign(DECODERS["Llama"], "Llama")
    made = written(model, {"num_beams": 4})
    alone = model.model.generate(
        IDS, attention_mask=torch.ones_like(IDS), num_beams=4, max_new_tokens=9, eos_token_id=None
    )
    assert list(made.sequences["read"].ids) == alone[0, :-1].tolist()


def test_a_wrong_line_of_a_beam_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    model, real = foreign(DECODERS["Llama"], "Llama"), writing._generated

    def astray(*given: object) -> tuple[list[int], list[int]]:
        ids, rows = real(*given)  # type: ignore[arg-type]
        return ids, [*rows[:-3], *((row + 1) % 4 for row in rows[-3:])]

    monkeypatch.setattr(writing, "_generated", astray)
    asked = reading.of_inputs(model, {"input_ids": IDS})
    manner = {"num_beams": 4, "max_new_tokens": 9, "eos_token_id": None}
    with pytest.raises(Failure) as caught:
        write(model, asked, check="full", manner=manner)
    assert caught.value.code == "trace_check"


def test_an_encoder_writes_nothing() -> None:
    model = foreign(ENCODERS["BERT"], "BERT")
    with pytest.raises(BadInput, match="BertModel") as caught:
        written(model, {})
    assert caught.value.code == "foreign_silent"
