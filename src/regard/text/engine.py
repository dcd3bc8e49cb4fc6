"""The engine of all tokenizers, Hugging Face's `tokenizers`, read from files that anybody may have written."""

from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer as Engine
from tokenizers import decoders, models, pre_tokenizers

from regard.core.errors import BadInput

LARGEST = 2**28
"""Bytes of a `tokenizer.json` that are read at all; the largest published one has about 2**25."""


def read_engine(path: Path, rewritten: Callable[[str], str] = lambda text: text) -> Engine:
    """The engine of a `tokenizer.json`, or of a GPT-2's `vocab.json` and `merges.txt` where there is none.

    Raises:
        BadInput: `tokenizer_absent`, `tokenizer_broken`, with the path.
    """
    vocab, merges = path.with_name("vocab.json"), path.with_name("merges.txt")
    if not path.is_file() and vocab.is_file() and merges.is_file():
        return byte_level(vocab, merges)
    if not path.is_file():
        raise BadInput("tokenizer_absent", path=str(path.parent))
    if path.stat().st_size > LARGEST:
        raise BadInput("tokenizer_broken", path=str(path), reason=f"{path.stat().st_size} > {LARGEST}")
    return _safely(lambda: Engine.from_str(rewritten(path.read_text(encoding="utf-8"))), path)


def byte_level(vocab: Path, merges: Path) -> Engine:
    """The byte-level BPE of GPT-2's two files: ids by token, and the pairs to join, the first first.

    Raises:
        BadInput: `tokenizer_broken`.
    """

    def make() -> Engine:
        engine = Engine(models.BPE.from_file(str(vocab), str(merges)))
        engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        engine.decoder = decoders.ByteLevel()
        engine.add_special_tokens(["<|endoftext|>"])
        return engine

    return _safely(make, vocab)


def _safely(make: Callable[[], Engine], path: Path) -> Engine:
    try:
        return make()
    except BaseException as error:  # the engine's panics are no Exceptions
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        raise BadInput("tokenizer_broken", path=str(path), reason=reason) from error
