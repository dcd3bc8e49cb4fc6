"""Options that several commands share."""

from typing import Annotated

import typer

from regard.core.nearest import one_of
from regard.language import LANGUAGES, choose


def speak(lang: str | None) -> str | None:
    """Put the language that `--lang` names in force."""
    if lang is not None:
        choose(one_of(lang, LANGUAGES, "--lang"))
    return lang


Lang = Annotated[str | None, typer.Option("--lang", metavar="|".join(LANGUAGES), callback=speak, show_default=False)]
Source = Annotated[str | None, typer.Option("--input", "-i", metavar="FILE", show_default=False)]
AsText = Annotated[bool, typer.Option("--text")]
Encoding = Annotated[str, typer.Option(metavar="NAME")]
Target = Annotated[str | None, typer.Option(metavar="TEXT", show_default=False)]
Output = Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", show_default=False)]
