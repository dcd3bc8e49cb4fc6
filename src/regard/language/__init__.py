"""Every sentence that a person reads, in English, 繁體中文 and 简体中文, each written by hand.

A code is `TOPIC.NAME`: the topic is a file `LANGUAGE/TOPIC.toml`, the name a key in it.

>>> say("views.weight", lang="zh-Hant")
'權重'
"""

import os
import tomllib
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("en", "zh-Hant", "zh-Hans")

_chosen: ContextVar[str | None] = ContextVar("language", default=None)


def choose(lang: str | None) -> None:
    """Choose the language of this context; None goes back to the environment's."""
    _chosen.set(lang)


def current() -> str:
    """The language in force: chosen, else `REGARD_LANG`, else the locale of the environment, else English."""
    chosen = _chosen.get() or os.environ.get("REGARD_LANG")
    if chosen in LANGUAGES:
        return chosen
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return _of_locale(locale.split(".")[0].replace("-", "_").lower())


def _of_locale(locale: str) -> str:
    if locale.startswith(("zh_tw", "zh_hk", "zh_mo", "zh_hant")):
        return "zh-Hant"
    return "zh-Hans" if locale.startswith("zh") else "en"


@cache
def catalogue(lang: str, topic: str) -> dict[str, str]:
    """The sentences of one topic in one language; empty where the file is absent."""
    file = files(__package__) / lang / f"{topic}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def say(code: str, lang: str | None = None, **facts: Any) -> str:
    """The sentence `code` in language `lang` (default: the one in force), its `{facts}` filled in.

    Raises:
        KeyError: no such sentence; a test holds every code of the source against the catalogues.
    """
    topic, name = code.split(".", 1)
    wanted = catalogue(lang or current(), topic)
    sentence = wanted[name] if name in wanted else catalogue("en", topic)[name]
    return sentence.format(**facts) if facts else sentence
