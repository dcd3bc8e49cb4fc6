"""Which pieces a text of the user's domain is written with."""

from pathlib import Path

from regard.core.errors import BadInput
from regard.text.doctor import tidy
from regard.text.lines import read_lines, shown_name
from regard.text.tokenizers import SPACE, SPECIAL, Tokenizer


def pieces(path: Path | str, tokenizer: Tokenizer, *, encoding: str = "utf-8") -> list[int]:
    """The ids of all pieces in a file of target text (terms, or sentences: a line each), in order, once.

    Raises:
        BadInput: `shortlist_empty`: nothing that can be written; and what `lines.read_lines` refuses.
    """
    encoded = tokenizer.encode_batch([tidy(line) for line in read_lines(path, encoding=encoding)])
    found = sorted({piece for line in encoded for piece in line.ids if piece >= len(SPECIAL)})
    if not any(token.strip(SPACE) for token in tokenizer.tokens(found)):
        raise BadInput("shortlist_empty", path=shown_name(path))
    return found
