"""The sentence pairs that peers work on: cleaned as the shipped training cleans them, the same tokenizer for all."""

from pathlib import Path

from measuring.report import ROOT
from regard.text import tokenizers
from regard.text.doctor import clean
from regard.text.pairs import Pairs, read_pairs
from regard.text.tokenizers import Tokenizer

DATA = ROOT.parent / "shared" / "data" / "tatoeba-en-fr"
TRAIN, VALID = DATA / "train.tsv", DATA / "valid.tsv"


def training_pairs(path: Path, *, but: Pairs | None = None, at_most: int | None = None) -> Pairs:
    """The clean pairs of a TSV file, without those of `but`; the first `at_most`."""
    pairs, _ = clean(read_pairs([path]), validation=but)
    return pairs.take(range(min(len(pairs), at_most or len(pairs))))


def tokenizer_of(pairs: Pairs, vocab_size: int) -> Tokenizer:
    """The BPE tokenizer that the shipped training makes of these pairs."""
    lines = (line for side in (pairs.source, pairs.target) for line in side)
    return tokenizers.train(lines, kind="bpe", vocab_size=vocab_size)


def write_pairs(path: Path, pairs: Pairs) -> Path:
    """The pairs as a TSV file."""
    lines = (f"{source}\t{target}\n" for source, target in zip(pairs.source, pairs.target, strict=True))
    path.write_text("".join(lines), encoding="utf-8")
    return path
