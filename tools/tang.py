"""From the Tang poems, those that a small model can learn to keep in form: JSON lines for `regard train lm`.

    python tools/tang.py tang-poems-traditional.txt > tang.jsonl

A poem is taken if all its lines have five characters, or all seven, and it has at most sixteen of them, in pairs.
Titles are left out: whatever the model writes is then a line.
"""

import json
import re
import sys
from pathlib import Path

SIGNS = re.compile("[，。？！；、：]")
LONGEST = 16


def lines(poem: str) -> list[str]:
    """The lines of a poem's body, without the signs that end them."""
    return [line for row in poem.splitlines() for line in SIGNS.split(row) if line]


def regular(body: str) -> bool:
    """Whether all lines are of five characters, or all of seven, in pairs, and not too many."""
    found = lines(body)
    return {len(line) for line in found} in ({5}, {7}) and len(found) <= LONGEST and len(found) % 2 == 0


def main() -> None:
    """One JSON object a poem."""
    poems = Path(sys.argv[1]).read_text(encoding="utf-8").strip().split("\n\n")
    for body in (poem.partition("\n")[2] for poem in poems):
        if regular(body):
            print(json.dumps({"text": body}, ensure_ascii=False))


if __name__ == "__main__":
    main()
