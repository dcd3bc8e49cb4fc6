"""Vectors by name: of a file of word vectors, or of a model's tokens, before its layers or after them.

A model's table is mapped from its file: neither the model nor `transformers` is loaded. Only where the file does not
say which tensor it is, or the tokenizer is of another form, the model is opened as `regard.record` would.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from regard.core.errors import BadInput
from regard.text import vector_files
from regard.text.engine import read_engine
from regard.text.token_words import TokenWords
from regard.text.vectors import Vectors

SIDES = ("input", "output")
_INPUT = re.compile(
    r"(.*\.)?(shared|embed_tokens|wte|word_embeddings|tok_embeddings|embed_in|embedding|word_embedding|embeddings)\.weight"
)
_OUTPUT = re.compile(r"(.*\.)?(lm_head|embed_out|output|head|predictions\.decoder|lm_head\.decoder)\.weight")
_WRITES = re.compile(r"ForCausalLM|LMHead|ForConditionalGeneration|MTModel|ForMaskedLM|ForPreTraining")


def of_file(path: Path | str, *, encoding: str = "utf-8", tell: vector_files.Tell = lambda count: None) -> Vectors:
    """The vectors of a file: see `text.vector_files`."""
    return vector_files.read(path, encoding=encoding, tell=tell)


def of_model(name: str, *, embeddings: str = "input", pieces: bool = False) -> Vectors:
    """The vectors of a model's tokens.

    Args:
        name: a bundled model, a model folder, the folder of a training run, or an id of the Hugging Face hub.
        embeddings: `input`: what a token is before any layer; `output`: what it is compared with when the model says
            which comes next. In many models both are one table.
        pieces: every token, not only those that are whole words.

    Raises:
        BadInput: no such model; one that writes nothing has no output embeddings.
    """
    from regard.models.catalogue import CONFIG, fields_of
    from regard.models.tensors import listed
    from regard.tasks import foreign_models

    folder, short = foreign_models.located(name), foreign_models.shortened(name)
    fields = fields_of(folder / CONFIG)
    weights = listed(folder)
    tensor = tensor_of({each: shape for each, (_, shape, _) in weights.entries.items()}, fields, embeddings, name)
    plain = any((folder / each).is_file() for each in ("tokenizer.json", "merges.txt"))
    if tensor is None or not plain:
        return of_opened(foreign_models.opened(folder, short), embeddings=embeddings, pieces=pieces)
    table = vector_files.mapped(weights.entries[tensor][0], tensor)
    return tabled(table, read_engine(folder / "tokenizer.json"), short, pieces)


def of_opened(foreign: Any, *, embeddings: str = "input", pieces: bool = False) -> Vectors:
    """The same of a model of `transformers` that is open."""
    layer = getattr(foreign.model, f"get_{embeddings}_embeddings")()
    engine = getattr(foreign.tokenizer, "backend_tokenizer", None)
    if layer is None or getattr(layer, "weight", None) is None:
        raise BadInput("words_no_output", name=foreign.name)
    if engine is None:
        raise BadInput("foreign_untold", name=foreign.name)
    table: np.ndarray = layer.weight.detach().float().cpu().numpy()
    return tabled(table, type(engine).from_str(engine.to_str()), foreign.name, pieces)


def tabled(table: np.ndarray, engine: Any, name: str, pieces: bool) -> Vectors:
    """A table of vectors with the words that a tokenizer says its rows are."""
    tokens = TokenWords(engine, len(table))
    found = tokens.every() if pieces else tokens.whole()
    if not found:
        raise BadInput("words_none", name=name)
    order = sorted(found, key=found.__getitem__)
    rows = np.array([found[word] for word in order], dtype=np.int64)

    def cut(word: str) -> list[int]:
        ids = tokens.cut(word)
        return ids if all(id_ < len(table) for id_ in ids) else []

    return Vectors(order, table, rows, name, cut, lambda ids: [tokens.shown(int(id_)) for id_ in ids])


def tensor_of(shapes: dict[str, tuple[int, ...]], fields: dict[str, Any], side: str, name: str) -> str | None:
    """Which tensor of a file is the table asked for; None where its names do not say it.

    Args:
        shapes: of each tensor of the file.
        fields: the config.

    Raises:
        BadInput: `words_no_output`: the model writes nothing.

    >>> tensor_of({"transformer.wte.weight": (50257, 768), "transformer.wpe.weight": (1024, 768)}, {}, "input", "gpt2")
    'transformer.wte.weight'
    """
    inputs = [each for each, shape in shapes.items() if len(shape) == 2 and _INPUT.fullmatch(each)]
    most = max((shapes[each][0] for each in inputs), default=0)
    found = min((each for each in inputs if shapes[each][0] == most), key=lambda each: (len(each), each), default=None)
    if side == "input" or found is None:
        return found
    wanted = [each for each, shape in shapes.items() if shape[:1] == (most,) and _OUTPUT.fullmatch(each)]
    if wanted:
        return min(wanted, key=len)
    kinds = " ".join(map(str, fields.get("architectures") or []))
    if fields.get("model_type") != "regard-rnn" and not _WRITES.search(kinds):
        raise BadInput("words_no_output", name=name)
    return found if fields.get("tie_word_embeddings", True) else None
