"""The measurements are programs, not a package: their folder is put where they find their own parts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
