"""Marian's folders: what is trained here opens in transformers, and in CTranslate2 by its own converter, alike."""

import json
from pathlib import Path
from typing import Any

import ctranslate2
import pytest
import torch
from ctranslate2.converters import TransformersConverter
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, MarianConfig, MarianMTModel

from regard.core.errors import BadInput
from regard.models import folder
from regard.models.forms import form_of
from regard.models.forms.marian import ACTIVATIONS, read_config
from regard.models.transformer import Transformer, TransformerConfig
from regard.tasks.translation import Translator, load
from regard.text import tokenizers
from regard.text.tokenizers import END, PAD, START, UNKNOWN
from toy import WORDS, reversed_pairs

SIZES: dict[str, Any] = {"max_len": 53, "d_model": 22, "n_layers": 2, "n_decoder_layers": 3, "n_heads": 11, "d_ff": 41}
# Of 2 to 6 words, as it learnt them; longer ones and a word it does not know, where it is not sure and beams cross.
SENTENCES = [source for source, _ in reversed_pairs(7, seed=9)]
SENTENCES += [" ".join((WORDS * 2)[at : at + 9]) for at in range(0, 12, 3)] + ["ant zebra ant"]


def made(**choices: Any) -> tuple[Transformer, tokenizers.Tokenizer]:
    """A model with every number at random, norms and biases too, and its tokenizer."""
    tokenizer = tokenizers.train([" ".join(WORDS)] * 2, kind="words", vocab_size=31)
    torch.manual_seed(5)
    model = Transformer(TransformerConfig(vocab_size=tokenizer.vocab_size, **{**SIZES, **choices})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
        model.embedding.weight[PAD] = 0.0
    return model, tokenizer


def on_disk(ids: torch.Tensor, vocab_size: int) -> torch.Tensor:
    """Their ids of ours; the start is padding there."""
    return (ids.masked_fill(ids == START, PAD) - 1) % vocab_size


def sides(vocab_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    source, read = (torch.randint(3, vocab_size, (3, n), generator=torch.Generator().manual_seed(n)) for n in (7, 13))
    source[1, 5:], source[2, 3:], read[:, 0] = PAD, PAD, START
    return source, read


@torch.inference_mode()
def their_logits(model: Any, source: torch.Tensor, read: torch.Tensor, vocab_size: int) -> torch.Tensor:
    """In our order of ids."""
    ids = {"input_ids": on_disk(source, vocab_size), "decoder_input_ids": on_disk(read, vocab_size)}
    return model(**ids, attention_mask=(source != PAD).long()).logits.roll(1, -1)


@torch.inference_mode()
def our_logits(model: Transformer, source: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
    return model.head(model.features(source, read))


@pytest.fixture(scope="module")
def ours(transformer_reverser: Path) -> Translator:
    return load(transformer_reverser)


@pytest.fixture(scope="module")
def theirs(transformer_reverser: Path) -> Any:
    model, report = MarianMTModel.from_pretrained(transformer_reverser / "best", output_loading_info=True)
    assert not any(report.values())
    return model.eval()


@pytest.fixture(scope="module")
def their_tokenizer(transformer_reverser: Path) -> Any:
    return AutoTokenizer.from_pretrained(transformer_reverser / "best")


# A model that was trained here


def test_transformers_computes_the_same(ours: Translator, theirs: Any) -> None:
    vocab_size = ours.tokenizer.vocab_size
    source, read = sides(vocab_size)
    expected = our_logits(ours.model, source, read)
    torch.testing.assert_close(their_logits(theirs, source, read, vocab_size), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("text", SENTENCES)
def test_transformers_reads_the_same_tokens(ours: Translator, their_tokenizer: Any, text: str) -> None:
    encoded = ours.tokenizer.encode(text)
    found = their_tokenizer(text)["input_ids"]
    assert found == on_disk(torch.tensor([*encoded.ids, END]), ours.tokenizer.vocab_size).tolist()
    assert their_tokenizer.convert_ids_to_tokens(found)[:-1] == [
        "<unk>" if id_ == UNKNOWN else token for id_, token in zip(encoded.ids, encoded.tokens, strict=True)
    ]
    assert their_tokenizer.decode(found, skip_special_tokens=True) == ours.tokenizer.decode(
        [id_ for id_ in encoded.ids if id_ != UNKNOWN]
    )


@pytest.mark.parametrize("text", SENTENCES)
def test_transformers_beams_end_with_the_same_ids_and_scores(
    ours: Translator, theirs: Any, their_tokenizer: Any, text: str
) -> None:
    """As `generate` searches by default: the folder's generation config says how `regard translate` does."""
    batch = their_tokenizer(text, return_tensors="pt")
    most = 2 * batch["input_ids"].shape[1] + 10
    told = {"num_return_sequences": 5, "return_dict_in_generate": True, "output_scores": True}
    found = theirs.generate(**batch, max_new_tokens=most, max_length=None, **told)
    expected = ours.translate(text, n_best=5, look=False)
    texts = their_tokenizer.batch_decode(found.sequences, skip_special_tokens=True)
    assert texts == [translation for translation, _ in expected.n_best]
    scores = torch.tensor([score for _, score in expected.n_best])
    torch.testing.assert_close(found.sequences_scores, scores, rtol=0, atol=1e-5)


def test_ctranslate2_converts_it_and_translates_the_same(
    ours: Translator, their_tokenizer: Any, transformer_reverser: Path, tmp_path: Path
) -> None:
    TransformersConverter(str(transformer_reverser / "best")).convert(str(tmp_path / "converted"))
    engine = ctranslate2.Translator(str(tmp_path / "converted"), device="cpu", compute_type="float32")
    pieces = [their_tokenizer.convert_ids_to_tokens(their_tokenizer(text)["input_ids"]) for text in SENTENCES]
    plain = {"beam_size": 1, "suppress_sequences": [["<unk>"], ["<s>"]], "return_scores": True}
    found = []
    for each in pieces:  # one at a time, as the limit is of the sentence
        found += engine.translate_batch([each], max_decoding_length=2 * len(each) + 10, **plain)
    expected = ours.translate(SENTENCES, beam=1, look=False)
    texts = [their_tokenizer.decode(their_tokenizer.convert_tokens_to_ids(each.hypotheses[0])) for each in found]
    assert texts == [each.translation for each in expected]
    assert len(set(texts)) == len(SENTENCES)


def test_it_learnt_to_reverse(ours: Translator) -> None:
    found = ours.translate([source for source, _ in reversed_pairs(43, seed=9)], look=False)
    right = [each.translation == target for each, (_, target) in zip(found, reversed_pairs(43, seed=9), strict=True)]
    assert sum(right) >= 0.9 * len(right)


# Any model


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_each_activation_means_the_same_there(tmp_path: Path, activation: str) -> None:
    model, tokenizer = made(activation=activation, n_decoder_layers=None, d_ff=None)
    folder.save(tmp_path / "model", model, tokenizer, "")
    source, read = sides(tokenizer.vocab_size)
    theirs = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "model").eval()
    logits = their_logits(theirs, source, read, tokenizer.vocab_size)
    torch.testing.assert_close(logits, our_logits(model, source, read), rtol=0, atol=1e-5)
    assert folder.load(tmp_path / "model").model.config == model.config


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path: Path) -> None:
    model, tokenizer = made()
    folder.save(tmp_path / "model", model, tokenizer, "")
    again = folder.load(tmp_path / "model")
    assert again.model.config == model.config
    assert json.loads(again.tokenizer.json()) == json.loads(tokenizer.json())
    before, after = model.state_dict(), again.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_on_disk_padding_is_the_last_row_and_zero(tmp_path: Path) -> None:
    """What CTranslate2's converter cuts off, and what transformers begins with."""
    model, tokenizer = made()
    folder.save(tmp_path / "model", model, tokenizer, "")
    tensors = load_file(tmp_path / "model" / "model.safetensors")
    assert torch.equal(tensors["model.shared.weight"][:-1], model.embedding.weight[1:])
    assert not tensors["model.shared.weight"][-1].any()
    assert torch.equal(tensors["final_logits_bias"][0], model.head_bias.roll(-1))
    vocab = json.loads((tmp_path / "model" / "tokenizer.json").read_text())["model"]["vocab"]
    assert list(vocab.values()) == list(range(len(vocab)))
    assert list(vocab)[-1] == "<pad>"


def test_half_a_file_is_computed_in_full_there(tmp_path: Path) -> None:
    model, tokenizer = made()
    folder.save(tmp_path / "model", model, tokenizer, "", dtype=torch.float16)
    ours, theirs = folder.load(tmp_path / "model").model, MarianMTModel.from_pretrained(tmp_path / "model").eval()
    assert theirs.dtype == torch.float32
    source, read = sides(tokenizer.vocab_size)
    logits = their_logits(theirs, source, read, tokenizer.vocab_size)
    torch.testing.assert_close(logits, our_logits(ours, source, read), rtol=0, atol=1e-5)


def test_what_transformers_saves_again_opens_here(tmp_path: Path) -> None:
    model, tokenizer = made()
    folder.save(tmp_path / "model", model, tokenizer, "")
    MarianMTModel.from_pretrained(tmp_path / "model").save_pretrained(tmp_path / "again")
    AutoTokenizer.from_pretrained(tmp_path / "model").save_pretrained(tmp_path / "again")
    again = folder.load(tmp_path / "again")
    source, read = sides(tokenizer.vocab_size)
    assert torch.equal(our_logits(again.model, source, read), our_logits(model, source, read))
    assert again.tokenizer.encode("ant bee cat").ids == tokenizer.encode("ant bee cat").ids


@pytest.mark.parametrize(
    ("field", "lie"),
    [
        ("scale_embedding", False),
        ("share_encoder_decoder_embeddings", False),
        ("tie_word_embeddings", False),
        ("is_encoder_decoder", False),
        ("activation_function", "tanh"),
        ("d_model", 24),
        ("d_model", "22"),
        ("encoder_layers", 3),
        ("decoder_layers", 1),
        ("encoder_layers", 10**9),
        ("encoder_attention_heads", 2),
        ("decoder_attention_heads", 2),
        ("encoder_ffn_dim", 43),
        ("decoder_ffn_dim", 43),
        ("vocab_size", 17),
        ("decoder_vocab_size", 17),
        ("max_position_embeddings", 0),
        ("pad_token_id", 0),
        ("decoder_start_token_id", 1),
        ("dropout", 1.5),
        ("attention_dropout", -1.0),
        ("activation_dropout", "x"),
        ("bos_token_id", 10**12),
        ("forced_eos_token_id", "x"),
        ("forced_eos_token_id", 10**12),
    ],
)
def test_a_lie_in_any_field_is_refused(tmp_path: Path, field: str, lie: object) -> None:
    model, tokenizer = made()
    folder.save(tmp_path / "model", model, tokenizer, "")
    path = tmp_path / "model" / "config.json"
    (tmp_path / "model" / "manifest.json").unlink()
    path.write_text(json.dumps({**json.loads(path.read_text()), field: lie}))
    with pytest.raises(BadInput) as caught:
        folder.load(tmp_path / "model")
    assert caught.value.code in (
        "config_field",
        "weights_mismatch",
        "weights_missing",
        "weights_unexpected",
        "weights_layers",
    )


def test_many_positions_cost_nothing_until_they_are_read(tmp_path: Path) -> None:
    """No tensor says how far positions go, so a config may say anything: it must not become a table of sines."""
    model, tokenizer = made()
    folder.save(tmp_path / "model", model, tokenizer, "")
    path = tmp_path / "model" / "config.json"
    (tmp_path / "model" / "manifest.json").unlink()
    path.write_text(json.dumps({**json.loads(path.read_text()), "max_position_embeddings": 1_000_000}))
    loaded = folder.load(tmp_path / "model").model
    assert loaded.config.max_len == 1_000_000
    assert sum(buffer.numel() for buffer in loaded.buffers()) < 10_000
    source, read = sides(tokenizer.vocab_size)
    assert torch.equal(our_logits(loaded, source, read), our_logits(model, source, read))


def test_their_own_defaults_are_understood() -> None:
    """A config that leaves out what is as the family has it, as transformers writes some."""
    theirs = MarianConfig(
        vocab_size=17, scale_embedding=True, pad_token_id=16, decoder_start_token_id=16, decoder_vocab_size=17
    )
    said = {"model_type": "marian", "scale_embedding": True, "vocab_size": 17}
    said |= {"pad_token_id": 16, "decoder_start_token_id": 16}
    assert read_config(said) == read_config(theirs.to_dict())
    assert (read_config(said).d_model, read_config(said).decoder_layers) == (1024, 12)


def test_its_form_is_known_before_training() -> None:
    assert form_of(made()[0].config).model_type == "marian"
