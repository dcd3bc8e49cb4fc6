"""A toy corpus with a known right answer (reverse the words), and a tiny translator for it."""

import random
from pathlib import Path

import torch

from regard.models.rnn import RnnConfig, RnnTranslator
from regard.text import tokenizers
from regard.text.tokenizers import Tokenizer

WORDS = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "kite", "lark"]


def reversed_pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Different lines of 2–6 words and the same words backwards."""
    chance = random.Random(seed)
    lines = {" ".join(chance.choices(WORDS, k=chance.randint(2, 6))) for _ in range(count)}
    return [(line, " ".join(reversed(line.split()))) for line in sorted(lines)]


def write_pairs(path: Path, pairs: list[tuple[str, str]]) -> Path:
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return path


def tokenizer() -> Tokenizer:
    return tokenizers.train([" ".join(WORDS)] * 2, kind="words", vocab_size=31)


def translator(**choices: object) -> RnnTranslator:
    """A tiny translator with sizes that are distinct primes (d_model is even by rule)."""
    torch.manual_seed(3)
    sizes = {"vocab_size": 17, "d_embedding": 7, "d_model": 22, "dropout": 0.1}
    return RnnTranslator(RnnConfig(**{**sizes, **choices})).eval()
