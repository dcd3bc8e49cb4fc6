"""Word vectors beside the way of gensim, rebuilt in numpy: the nearest of 400,000 words, analogies, reading a file.

The peer does what gensim 4 does: `most_similar` (norms made once, `dot(vectors, mean) / norms`, `argpartition`, sort),
`evaluate_word_analogies` (one `most_similar` a question), `load_word2vec_format` (a line at a time, `float` a number).
Questions are of 1,000 words, as many as Mikolov's file has. Vectors are made; in turn, in processor time or by the
clock; answers must be the same words.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from measuring.report import circumstances, ended, told, written
from regard.inspection.analogies import best
from regard.inspection.directions import near
from regard.text import vector_files
from regard.text.vectors import Vectors


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 where an answer differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=400_000)
    parser.add_argument("--width", type=int, default=300)
    parser.add_argument("--questions", type=int, default=3000, help="ours answers all, the peer a fiftieth of them")
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processor-time", action="store_true", help="on a busy machine, with OMP_NUM_THREADS=1")
    asked = parser.parse_args(arguments)
    facts = circumstances() | {"settings": vars(asked)}
    clock = time.process_time if asked.processor_time else time.perf_counter
    table = np.random.default_rng(1).normal(size=(asked.words, asked.width)).astype(np.float32)
    ours = Vectors([f"w{at}" for at in range(asked.words)], table)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        works = _works(ours, Peer(table), asked, Path(folder) / "vectors.txt")
        rows = [_measured(name, *pair, clock, asked.rounds) for name, pair in works.items()]
    told("Word vectors", ("", "ours, ms", "as gensim, ms", "× as fast"), [row[:4] for row in rows])
    same = all(row[4] for row in rows)
    written("words_speed", facts | {"rows": [row[:4] for row in rows], "same_answers": same})
    return 0 if same else 1


class Peer:
    """What gensim's `KeyedVectors` does."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = table
        self.norms = np.linalg.norm(table, axis=1)

    def most_similar(self, positive: Sequence[int], negative: Sequence[int], topn: int) -> list[int]:
        weighted = [self.table[at] / self.norms[at] for at in positive]
        weighted += [-self.table[at] / self.norms[at] for at in negative]
        mean = np.mean(weighted, axis=0)
        mean = mean / np.linalg.norm(mean)
        dists = np.dot(self.table, mean) / self.norms
        wanted = topn + len(positive) + len(negative)
        top = np.argpartition(dists, -wanted)[-wanted:]
        top = top[np.argsort(dists[top])[::-1]]
        return [int(at) for at in top if at not in (*positive, *negative)][:topn]


def _read_by_line(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        count, width = map(int, file.readline().split())
        table = np.zeros((count, width), dtype=np.float32)
        for at in range(count):
            _, *numbers = file.readline().decode("utf-8").rstrip().split(" ")
            table[at] = [np.float32(number) for number in numbers]
    return table


Work = Callable[[], object]


def _works(
    ours: Vectors, peer: Peer, asked: argparse.Namespace, path: Path
) -> dict[str, tuple[Work, Work, float, Callable[[object, object], bool]]]:
    """Of each thing: ours, the peer's, how many times as much ours does, and whether both say the same."""
    questions = np.random.default_rng(2).integers(0, 1000, size=(asked.questions, 3))
    few = questions[: max(1, len(questions) // 50)]
    lines = [f"{asked.lines} {asked.width}\n"] + [
        f"w{at} {' '.join(f'{x:.5f}' for x in row)}\n" for at, row in enumerate(ours.table[: asked.lines].tolist())
    ]
    path.write_text("".join(lines))

    def nearest() -> list[int]:
        return [ours.index[each.word] for each in near(ours, ours.take([7])[0].astype(np.float64), 10, [7])]

    def analogies() -> list[int]:
        return best(ours, questions, "add", True).tolist()

    def one_by_one() -> list[int]:
        return [peer.most_similar([b, c], [a], 1)[0] for a, b, c in few.tolist()]

    def read() -> np.ndarray:
        shutil.rmtree(path.parent / "regard", ignore_errors=True)
        return again()

    def again() -> np.ndarray:
        return vector_files.read(path).table

    _ = ours.lengths  # both sides measure lengths once, beforehand
    return {
        "nearest 10": (nearest, lambda: peer.most_similar([7], [], 10), 1.0, lambda a, b: a == b),
        f"{len(questions)} analogies": (
            analogies, one_by_one, len(questions) / len(few), lambda a, b: a[: len(b)] == b,
        ),
        f"reading {asked.lines} lines": (read, lambda: _read_by_line(path), 1.0, np.array_equal),
        "reading them again": (again, lambda: _read_by_line(path), 1.0, np.array_equal),
    }  # fmt: skip


def _measured(
    name: str, ours: Work, theirs: Work, times: float, same: Callable, clock: Callable[[], float], rounds: int
) -> tuple[str, float, float, float, bool]:
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for side, work in zip(taken, (ours, theirs), strict=True):
            began = clock()
            found = work()
            if number:
                side.append(clock() - began)
            elif work is ours:
                first = found
            else:
                agree = bool(same(first, found))
    mine, other = (1000 * median(side) for side in taken)
    ratio = median(times * b / a for a, b in zip(*taken, strict=True))
    return name, mine, other * times, ratio, agree


if __name__ == "__main__":
    sys.exit(ended(main))
