"""Questions of the kind *Athens is to Greece as Baghdad is to …*, in the format of Mikolov et al. (2013):
a line `: section`, then a question a line, four words between spaces."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regard.core.errors import BadInput
from regard.text.lines import each_line, shown_name

Question = tuple[str, str, str, str]
"""a is to b as c is to d."""


@dataclass(frozen=True)
class Section:
    """Questions of one kind; `name` is empty where the file names none."""

    name: str
    questions: Sequence[Question]


def read(path: Path | str, *, encoding: str = "utf-8") -> list[Section]:
    """The questions of a file, by section.

    Raises:
        BadInput: `analogies_columns`: a line without four words; `analogies_empty`; what `each_line` raises.
    """
    name = shown_name(path)
    found: dict[str, list[Question]] = {}
    section = ""
    for number, line in enumerate(each_line(path, encoding=encoding), start=1):
        words = line.text.split()
        if words[:1] and words[0].startswith(":"):
            section = line.text.strip().removeprefix(":").strip()
        elif len(words) == 4:
            found.setdefault(section, []).append((words[0], words[1], words[2], words[3]))
        elif words:
            raise BadInput("analogies_columns", path=name, line=number, count=len(words))
    if not found:
        raise BadInput("analogies_empty", path=name)
    return [Section(section, questions) for section, questions in found.items()]
