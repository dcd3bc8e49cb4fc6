"""The words among a tokenizer's tokens: those that stand for a whole word, as people read them.

| tokenizers that write | a word is a token that |
|---|---|
| `##` before what continues a word (WordPiece) | has none |
| `▁` or `Ġ` for the space before a word (SentencePiece, byte-level BPE) | begins with it |
| nothing of the kind (words, characters) | stands there |

A token of a script without spaces (Han, kana, Thai …) is a word wherever it stands. Tokens without a letter or a digit,
and those that stand for no text, are none.
"""

import re
from typing import Any

from regard.text.pieces import SPACES, alone
from regard.text.scripts import unspaced

CONTINUED = "##"
_UNUSED = re.compile(r"\[unused\d+\]|<0x[0-9A-F]{2}>|<\|?.*\|?>|madeupword\d+")


class TokenWords:
    """What a tokenizer's tokens are to a reader. Final.

    Args:
        engine: a `tokenizers.Tokenizer` of nobody else's: here it neither pads nor cuts.
        rows: how many vectors there are: tokens beyond have none.
    """

    def __init__(self, engine: Any, rows: int) -> None:
        self._engine = engine
        engine.no_padding()
        engine.no_truncation()
        special = {id_ for id_, token in engine.get_added_tokens_decoder().items() if token.special}
        names = [(id_, engine.id_to_token(id_)) for id_ in range(rows) if id_ not in special]
        self._names: dict[int, str] = {id_: name for id_, name in names if name and not _UNUSED.fullmatch(name)}
        self._continued = any(name.startswith(CONTINUED) for name in self._names.values())
        self._spaced = any(name[0] in SPACES and len(name) > 1 for name in self._names.values())
        self._byte_level = any(name.startswith("Ġ") for name in self._names.values())

    def whole(self) -> dict[str, int]:
        """Each whole word and the id of its token; of several tokens that read alike, the one with its space."""
        found: dict[str, int] = {}
        for id_, name in self._names.items():
            text = self.shown(id_)
            word = text.strip(" ")
            if not any(map(str.isalnum, word)) or "\ufffd" in word or not self._begins(name, word):
                continue
            if word not in found or (text.startswith(" ") and not self.shown(found[word]).startswith(" ")):
                found[word] = id_
        return found

    def every(self) -> dict[str, int]:
        """Every token of text and its id, as it is shown: the space before a word stands in it."""
        return {self.shown(id_): id_ for id_ in reversed(self._names)}

    def _begins(self, name: str, word: str) -> bool:
        if self._continued:
            return not name.startswith(CONTINUED)
        return not self._spaced or name[0] in SPACES or unspaced(word)

    def shown(self, id_: int) -> str:
        """One token as people read it."""
        name = self._names.get(id_) or str(self._engine.id_to_token(id_))
        if self._continued:
            return name
        return alone(name, self._engine.decode([id_], skip_special_tokens=False))

    def cut(self, word: str) -> list[int]:
        """The ids of the tokens that a word is cut into where it stands after a space; empty where one is unknown."""
        ids = self._engine.encode((" " if self._byte_level else "") + word, add_special_tokens=False).ids
        lacking = getattr(self._engine.model, "unk_token", None)
        names = [self._engine.id_to_token(id_) for id_ in ids]
        kept = [id_ for id_, name in zip(ids, names, strict=True) if name.strip(SPACES)] or ids
        return [] if lacking is not None and lacking in names else kept
