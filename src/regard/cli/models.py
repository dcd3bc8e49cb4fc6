"""`regard models`: the models that come with the package."""

import json
from typing import Annotated

import typer

from regard.cli.parameters import Lang
from regard.core.nearest import one_of
from regard.language import say


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", show_default=False)] = None,
    form: Annotated[str, typer.Option("--format", metavar="text|json")] = "text",
    lang: Lang = None,
) -> None:
    from regard.models.catalogue import card, listed

    form = one_of(form, ("text", "json"), "--format")
    if name is not None:
        print(json.dumps({"name": name, "card": card(name)}, ensure_ascii=False) if form == "json" else card(name))
        return
    found = listed()
    if form == "json":
        print(json.dumps(found, ensure_ascii=False))
        return
    for each in found:
        how = f"cli.models_{each['kind'] if 'measured_on' in each else 'bare'}"
        print(say(how, **{**each, "megabytes": f"{each['bytes'] / 1e6:.1f}"}))
    print(say("cli.models_hint"))
