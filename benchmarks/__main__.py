"""`make bench`: the measurements behind every claim of speed or quality, one after another, each in its own process.

`make bench ARGS="NAME …"` runs those alone; the comparison, which takes hours, only runs by its name. A
measurement is a file beside this; its first line says what it measures.
"""

import ast
import subprocess
import sys
from pathlib import Path

MEASUREMENTS = {path.stem: path for path in sorted(Path(__file__).parent.glob("[a-z]*.py"))}

LONG = ("comparison",)


def about(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown or not MEASUREMENTS:
        print(f"bench: no measurement {' '.join(unknown)}; there are: {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    worst = 0
    for name in names or [name for name in MEASUREMENTS if name not in LONG]:
        print(f"\n{name}: {about(MEASUREMENTS[name])}", flush=True)
        worst = subprocess.run([sys.executable, str(MEASUREMENTS[name])]).returncode or worst
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
