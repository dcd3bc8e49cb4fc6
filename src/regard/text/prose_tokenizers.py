"""Tokenizers of language models: byte-level BPE, characters, or any other model's `tokenizer.json`.

| kind | a token is | text that was never seen |
|---|---|---|
| bpe | a run of bytes (Radford et al. 2019, §2.2) | comes back whole: every byte is a token |
| characters | a character, a line break too | `<unk>` for each character that it lacks; `lacking` names them |
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from tokenizers import Regex, decoders, models, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Engine

from regard.text.engine import read_engine
from regard.text.tokenizers import Encoded

Kind = Literal["bpe", "characters"]
END, UNKNOWN = "<|endoftext|>", "<unk>"
ENDS = (END, "</s>", "<|end_of_text|>", "<eos>", "<|eot_id|>", "<|im_end|>")
"""How published models call the token that ends a text, for folders that do not say it."""


class ProseTokenizer:
    """Text ↔ ids. Final; made by `train` or `load`.

    Attributes:
        ends: ids that end a text.
        end: the first of them; None where there is none.
        start: the id that begins every text that the model reads; None where it reads none.
        unknown: the id of what the tokenizer lacks; None where it lacks nothing.

    >>> tokenizer = train(["I can can a can"], vocab_size=270)
    >>> tokenizer.encode("I can").tokens
    ['I', 'Ġcan']
    >>> tokenizer.decode(tokenizer.encode("I can 飛").ids)
    'I can 飛'
    """

    def __init__(self, engine: Engine, ends: Sequence[int] = ()) -> None:
        self._engine = engine
        self._engine.encode_special_tokens = True  # an "</s>" in a user's text is text
        self._special = {str(token): id_ for id_, token in _special(engine).items()}
        self.ends = tuple(ends) or tuple(self._special[name] for name in ENDS if name in self._special)[:1]
        self.end: int | None = next(iter(self.ends), None)
        self.start: int | None = _start(engine)
        self.unknown: int | None = _unknown(engine)
        self._silent = {self.start, *self.ends, self._special.get("<pad>")}

    @property
    def vocab_size(self) -> int:
        """How many different ids there are, from 0 on."""
        return max(self._engine.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    def encode(self, text: str) -> Encoded:
        """The tokens of one text, without start and end."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[Encoded]:
        """The tokens of many texts, on all cores."""
        found = self._engine.encode_batch(list(texts), add_special_tokens=False)
        return [Encoded(e.ids, e.tokens, e.offsets) for e in found]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids; start, end and padding say nothing. Half a character is `\\ufffd` (see `Prose`)."""
        return self._engine.decode([int(i) for i in ids if i not in self._silent], skip_special_tokens=False)

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The token of each id, special ones too."""
        return [self._engine.id_to_token(int(i)) or UNKNOWN for i in ids]

    def kinds(self, ids: Iterable[int]) -> list[str]:
        """What each id stands for: `text`, `special`, `unknown` or `padding`."""
        known: dict[int | None, str] = dict.fromkeys((*self._special.values(), *self.ends), "special")
        known |= {self._special.get("<pad>"): "padding", self.unknown: "unknown"}
        return [known.get(int(i), "text") for i in ids]

    def lacking(self, text: str) -> tuple[str, ...]:
        """The characters of a text that this tokenizer does not know, each once, in order."""
        encoded = self.encode(text)
        parts = [text[a:b] for id_, (a, b) in zip(encoded.ids, encoded.offsets, strict=True) if id_ == self.unknown]
        return tuple(dict.fromkeys(sign for part in parts for sign in part))

    def json(self) -> str:
        """The content of `tokenizer.json`."""
        return self._engine.to_str(pretty=True)


def train(texts: Iterable[str], *, kind: Kind = "bpe", vocab_size: int = 4096) -> ProseTokenizer:
    """A tokenizer learnt from these texts.

    Args:
        kind: `bpe`: bytes, and the runs of bytes that are frequent; `characters`: every character.
        vocab_size: how many ids at the most; a BPE has 257 at the least, for the bytes and the end.
    """
    engine, trainer = (_bytes if kind == "bpe" else _characters)(vocab_size)
    engine.train_from_iterator(texts, trainer)
    return ProseTokenizer(engine)


def opening(tokenizer: ProseTokenizer) -> ProseTokenizer:
    """The same tokenizer, for models that learnt many short documents: every text begins where a document ends.

    >>> opening(train(["a poem"], kind="characters", vocab_size=9)).start
    0
    """
    engine = Engine.from_str(tokenizer.json())
    engine.post_processor = processors.TemplateProcessing(single=f"{END} $A", special_tokens=[(END, tokenizer.end)])
    return ProseTokenizer(engine, tokenizer.ends)


def _bytes(vocab_size: int) -> tuple[Engine, trainers.Trainer]:
    engine = Engine(models.BPE())
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    engine.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    return engine, trainer


def _characters(vocab_size: int) -> tuple[Engine, trainers.Trainer]:
    engine = Engine(models.WordLevel(unk_token=UNKNOWN))
    engine.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    engine.decoder = decoders.Fuse()
    special = [END, UNKNOWN]
    return engine, trainers.WordLevelTrainer(vocab_size=vocab_size, special_tokens=special, show_progress=False)


def load(path: Path, ends: Sequence[int] = ()) -> ProseTokenizer:
    """The tokenizer of a `tokenizer.json`, ours or another model's.

    Args:
        ends: the ids that end a text, where it is known; else it is the token whose name says so.

    Raises:
        BadInput: `tokenizer_absent`, `tokenizer_broken`.
    """
    return ProseTokenizer(read_engine(path), ends)


def _special(engine: Engine) -> dict[int, Any]:
    """Tokens that stand for no text, by id."""
    return {id_: token.content for id_, token in engine.get_added_tokens_decoder().items() if token.special}


def _start(engine: Engine) -> int | None:
    """What the engine's own template puts before every text."""
    whole = engine.encode("a", add_special_tokens=True)
    return whole.ids[0] if whole.ids and whole.special_tokens_mask[0] else None


def _unknown(engine: Engine) -> int | None:
    name = getattr(engine.model, "unk_token", None)
    return None if name is None else engine.token_to_id(str(name))
