"""Scripts written without spaces: there each letter counts as a word, and tokens stand for words in pictures."""

import re

# Thai, Lao, Burmese, Khmer, kana, Han.
SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_LETTER = re.compile(f"[{SPACELESS}]")


def unspaced(text: str) -> bool:
    """Whether a letter of such a script stands in the text.

    >>> unspaced("黑貓"), unspaced("black cat")
    (True, False)
    """
    return not text.isascii() and bool(_LETTER.search(text))
