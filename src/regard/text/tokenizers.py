"""Tokenizers: text ↔ tokens ↔ ids, trained on the user's own lines. One protocol for BPE, words and characters.

The work is done by Hugging Face's `tokenizers`; a tokenizer is one `tokenizer.json`. A space is written as `▁` at the
head of the token that follows it, so joining the tokens gives back the text exactly.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Engine

from regard.core.errors import BadInput
from regard.text.engine import read_engine

Kind = Literal["bpe", "words", "characters"]
SPACE = "▁"
SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
PAD, UNKNOWN, START, END = range(4)

# A word with its leading space and an apostrophe that ends it (l', d', don'), one digit, or a run of signs.
_WORDS = Regex(rf"{SPACE}?[\p{{L}}\p{{M}}]+['’]?|{SPACE}?\p{{N}}|{SPACE}?[^\s\p{{L}}\p{{M}}\p{{N}}{SPACE}]+|{SPACE}")


@dataclass(frozen=True)
class Encoded:
    """A text as tokens: `ids[i]` is the number of `tokens[i]`, which covers characters `offsets[i]` of the text."""

    ids: list[int]
    tokens: list[str]
    offsets: list[tuple[int, int]]

    def first(self, count: int) -> "Encoded":
        """The first `count` tokens of it."""
        return Encoded(self.ids[:count], self.tokens[:count], self.offsets[:count])


class Tokenizer:
    """Text ↔ ids. Final; made by `train` or `load`.

    >>> tokenizer = train(["the cat", "the mouse"], kind="words", vocab_size=100)
    >>> tokenizer.encode("the mouse").tokens
    ['▁the', '▁mouse']
    >>> tokenizer.decode(tokenizer.encode("the mouse").ids)
    'the mouse'
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._engine.encode_special_tokens = True  # a "</s>" in a user's text is text

    @property
    def vocab_size(self) -> int:
        """How many different ids there are."""
        return self._engine.get_vocab_size()

    def encode(self, text: str) -> Encoded:
        """The tokens of one text, without start and end."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[Encoded]:
        """The tokens of many texts, on all cores."""
        found = self._engine.encode_batch(list(texts), add_special_tokens=False)
        return [Encoded(e.ids, e.tokens, e.offsets) for e in found]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids; start, end and padding say nothing."""
        return self._engine.decode([i for i in ids if i not in (PAD, START, END)], skip_special_tokens=False)

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The token of each id, special ones too."""
        return [self._engine.id_to_token(int(i)) or SPECIAL[UNKNOWN] for i in ids]

    def json(self) -> str:
        """The content of `tokenizer.json`."""
        return self._engine.to_str(pretty=True)


def train(lines: Iterable[str], *, kind: Kind = "bpe", vocab_size: int = 8000) -> Tokenizer:
    """A tokenizer learnt from `lines`.

    Args:
        kind: `bpe` (Sennrich et al. 2016): frequent words whole, rare ones in pieces; `words`; `characters`.
        vocab_size: how many ids at the most, the four special ones among them.
    """
    engine = _engine(kind)
    sizes: dict[str, Any] = {"vocab_size": vocab_size, "special_tokens": list(SPECIAL), "show_progress": False}
    if kind == "bpe":
        engine.train_from_iterator(lines, trainers.BpeTrainer(min_frequency=2, limit_alphabet=vocab_size // 2, **sizes))
    else:
        engine.train_from_iterator(lines, trainers.WordLevelTrainer(**sizes))
    return Tokenizer(engine)


def _engine(kind: Kind) -> Engine:
    unknown = SPECIAL[UNKNOWN]
    engine = Engine(models.BPE(unk_token=unknown) if kind == "bpe" else models.WordLevel(unk_token=unknown))
    pattern = Regex(".") if kind == "characters" else _WORDS
    engine.normalizer = normalizers.NFC()
    engine.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always", split=False),
            pre_tokenizers.Split(pattern, behavior="isolated"),
        ]
    )
    engine.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always", split=False)
    return engine


def load(path: Path, rewritten: Callable[[str], str] = lambda text: text) -> Tokenizer:
    """The tokenizer of a `tokenizer.json`.

    Args:
        rewritten: what to make of the file's content before it is read (another family's order of ids).

    Raises:
        BadInput: `tokenizer_broken`: the file is no tokenizer, or not one with our four special tokens.
    """
    engine = read_engine(path, rewritten)
    if tuple(engine.id_to_token(i) for i in range(4)) != SPECIAL:
        raise BadInput("tokenizer_broken", path=str(path), reason=" ".join(SPECIAL))
    return Tokenizer(engine)


def kinds(ids: Iterable[int]) -> list[str]:
    """What each id stands for: `text`, `special`, `unknown` or `padding`.

    >>> kinds([7, UNKNOWN, END])
    ['text', 'unknown', 'special']
    """
    special = {PAD: "padding", UNKNOWN: "unknown", START: "special", END: "special"}
    return [special.get(int(i), "text") for i in ids]


def shown(token: str) -> str:
    """A token as people read it: without the sign for its leading space."""
    return token.removeprefix(SPACE) or token
