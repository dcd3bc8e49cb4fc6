"""Tokenizers of language models: byte-level BPE, or characters, with an id that ends a text."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Engine

from regard.text.tokenizers import Encoded

Kind = Literal["bpe", "characters"]
END, UNKNOWN = "<|endoftext|>", "<unk>"


class ProseTokenizer:
    """Text ↔ ids; nothing of the text is lost. Final; made by `train` or `load`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._engine.encode_special_tokens = True
        self.end: int | None = engine.token_to_id(END)

    @property
    def vocab_size(self) -> int:
        return self._engine.get_vocab_size()

    def encode(self, text: str) -> Encoded:
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[Encoded]:
        found = self._engine.encode_batch(list(texts), add_special_tokens=False)
        return [Encoded(e.ids, e.tokens, e.offsets) for e in found]

    def decode(self, ids: Iterable[int]) -> str:
        return self._engine.decode([i for i in ids if i != self.end], skip_special_tokens=False)

    def tokens(self, ids: Iterable[int]) -> list[str]:
        return [self._engine.id_to_token(int(i)) or UNKNOWN for i in ids]

    def json(self) -> str:
        return self._engine.to_str(pretty=True)


def train(texts: Iterable[str], *, kind: Kind = "bpe", vocab_size: int = 4096) -> ProseTokenizer:
    """A tokenizer learnt from these texts."""
    if kind == "bpe":
        engine = Engine(models.BPE())
        engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        engine.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer: trainers.Trainer = trainers.BpeTrainer(
            vocab_size=vocab_size, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
        )
    else:
        engine = Engine(models.WordLevel(unk_token=UNKNOWN))
        engine.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
        engine.decoder = decoders.Fuse()
        trainer = trainers.WordLevelTrainer(vocab_size=vocab_size, special_tokens=[END, UNKNOWN], show_progress=False)
    engine.train_from_iterator(texts, trainer)
    return ProseTokenizer(engine)


def load(path: Path) -> ProseTokenizer:
    return ProseTokenizer(Engine.from_file(str(path)))
