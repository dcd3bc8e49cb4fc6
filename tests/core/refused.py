"""What every refusal owes: its code, and one clear line in each language."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from regard.core.errors import RegardError
from regard.language import LANGUAGES, say


@contextmanager
def refused(code: str, kind: type[RegardError], **facts: Any) -> Iterator[None]:
    """Within, an error of this kind and code is raised with (at least) these facts; all languages can say it."""
    with pytest.raises(RegardError) as caught:
        yield
    error = caught.value
    assert (type(error), error.code) == (kind, code)
    assert {name: error.facts.get(name) for name in facts} == facts
    for lang in LANGUAGES:
        said = say(f"errors.{code}", lang=lang, **error.facts)
        assert "\n" not in said
        assert "{" not in said
        assert all(str(fact) in said for fact in facts.values()), said
