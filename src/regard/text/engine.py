"""The engine of all tokenizers, Hugging Face's `tokenizers`, read from files that anybody may have written."""

from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer as Engine

from regard.core.errors import BadInput

LARGEST = 2**28
"""Bytes of a `tokenizer.json` that are read at all; the largest published one has about 2**25."""


def read_engine(path: Path, rewritten: Callable[[str], str] = lambda text: text) -> Engine:
    """The engine of a `tokenizer.json`, or of a GPT-2's `vocab.json` and `merges.txt` where there is none.

    Raises:
        BadInput: `tokenizer_absent`, `tokenizer_broken`, with the path.
    """
    if not path.is_file():
        raise BadInput("tokenizer_absent", path=str(path.parent))
    if path.stat().st_size > LARGEST:
        raise BadInput("tokenizer_broken", path=str(path), reason=f"{path.stat().st_size} > {LARGEST}")
    try:
        return Engine.from_str(rewritten(path.read_text(encoding="utf-8")))
    except BaseException as error:  # the engine's panics are no Exceptions
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        raise BadInput("tokenizer_broken", path=str(path), reason=reason) from error
