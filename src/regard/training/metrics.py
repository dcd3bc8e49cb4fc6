"""Scores of translations: BLEU and chrF by sacrebleu, with the signatures that make them comparable."""

from collections.abc import Sequence
from dataclasses import dataclass

from sacrebleu.metrics import BLEU, CHRF


@dataclass(frozen=True)
class Quality:
    """BLEU (0…100), chrF (0…100), and how each was computed."""

    bleu: float
    chrf: float
    signatures: dict[str, str]


def quality(translations: Sequence[str], references: Sequence[str]) -> Quality:
    """Corpus BLEU and chrF; BLEU's words are cut as the references' script asks (`13a`, `zh`, `ja-mecab` is not used).

    >>> round(quality(["the cat sat on the mat"], ["the cat sat on the mat"]).bleu, 1)
    100.0
    """
    bleu, chrf = BLEU(tokenize=cutting(references), effective_order=False), CHRF()
    scores = [metric.corpus_score(list(translations), [list(references)]) for metric in (bleu, chrf)]
    signatures = {"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())}
    return Quality(scores[0].score, scores[1].score, signatures)


def cutting(references: Sequence[str]) -> str:
    """`zh` where a third of the references' letters are Han characters, else `13a` (Western words)."""
    letters = [c for line in references for c in line if c.isalpha()]
    han = sum("㐀" <= c <= "鿿" for c in letters)
    return "zh" if letters and 3 * han > len(letters) else "13a"
