"""Which installed fonts draw a picture: one for Latin, the reader's region's for Chinese, others where needed."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from matplotlib.font_manager import FontPath, findSystemFonts, fontManager, get_font

from regard.language import say
from regard.views.signs import prose

# Matplotlib brings it, so Latin letters and numbers look the same on every machine.
LATIN = "DejaVu Sans"

_TRADITIONAL = ("Noto Sans CJK TC", "Source Han Sans TC", "PingFang TC", "Microsoft JhengHei", "Heiti TC")
_SIMPLIFIED = ("Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "Heiti SC", "SimHei")
_EITHER = ("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "AR PL UMing TW", "Noto Sans CJK JP", "Noto Sans CJK KR")
FACES = {
    "en": (*_SIMPLIFIED, *_TRADITIONAL, *_EITHER),
    "zh-Hans": (*_SIMPLIFIED, *_EITHER, *_TRADITIONAL),
    "zh-Hant": (*_TRADITIONAL, *_EITHER, *_SIMPLIFIED),
}

# Signs that change the look of others and have no glyph of their own.
_WITHOUT_GLYPH = frozenset("\n\u200c\u200d\ufe0e\ufe0f")


class FontNote(NamedTuple):
    """Which fonts were taken beyond the bundled one.

    Attributes:
        face: the first font beyond it, for Chinese text the region's; empty where none was found.
        missing: the signs that no installed font has; they are drawn as code points.
        sentence: the same for a person.
    """

    face: str
    missing: tuple[str, ...]
    sentence: str


class Fonts(NamedTuple):
    """The font families of a picture, first one first, and the signs that none of them has."""

    families: tuple[str, ...]
    missing: frozenset[str]

    def drawable(self, text: str) -> str:
        """`text` with every sign that has no font written as its code point."""
        shown = (sign for sign in prose(text) if sign == "\n" or sign not in _WITHOUT_GLYPH)
        return "".join(f"U+{ord(sign):04X}" if sign in self.missing else sign for sign in shown)


def choose(text: str, lang: str) -> tuple[Fonts, FontNote | None]:
    """The fonts for all signs of `text`; a note where the bundled font was not enough."""
    needed = {ord(sign) for sign in prose(text) if sign not in _WITHOUT_GLYPH} - covered(LATIN)
    if not needed:
        return Fonts((LATIN,), frozenset()), None
    families = []
    for family in _candidates(lang):
        if not needed:
            break
        if family in _known() and needed & covered(family):
            families.append(family)
            needed -= covered(family)
    missing = tuple(chr(code) for code in sorted(needed))
    return Fonts((LATIN, *families), frozenset(missing)), _note("".join(families[:1]), missing, lang)


def _candidates(lang: str) -> Iterator[str]:
    """Families from the best; the region's a second time, once those installed of late are known."""
    yield from FACES[lang]
    late = _newly_installed()
    yield from FACES[lang] if late else ()
    yield from late
    yield from _all_families()


def _note(face: str, missing: tuple[str, ...], lang: str) -> FontNote:
    if missing:
        signs = " ".join(f"U+{ord(sign):04X}" for sign in missing[:8]) + (" …" if len(missing) > 8 else "")
        return FontNote(face, missing, say("views.glyphs_missing", lang, signs=signs))
    return FontNote(face, missing, say("views.font_used", lang, face=face))


@cache
def covered(family: str) -> frozenset[int]:
    """The code points that a family has glyphs for."""
    faces = [face for face in fontManager.ttflist if face.name == family]
    plainest = min(faces, key=lambda face: (face.style != "normal", abs(int(face.weight) - 400)))
    try:
        return frozenset(get_font(FontPath(plainest.fname, plainest.index)).get_charmap())
    except (OSError, RuntimeError, ValueError):  # a broken font file, or one of bitmaps only
        return frozenset()


def _known() -> set[str]:
    return {entry.name for entry in fontManager.ttflist}


@cache
def _newly_installed() -> tuple[str, ...]:
    """Families installed after matplotlib wrote its list of fonts, which is why new fonts often seem not to work."""
    before = _known()
    seen = {entry.fname for entry in fontManager.ttflist}
    for path in sorted(set(findSystemFonts()) - seen):
        try:
            fontManager.addfont(path)
        except (OSError, RuntimeError, ValueError):
            continue
    return tuple(sorted(_known() - before))


def _all_families() -> tuple[str, ...]:
    """Every family with an upright face, but for matplotlib's last resort, which has a box for every sign."""
    upright = {face.name for face in fontManager.ttflist if face.style == "normal" and int(face.weight) == 400}
    return tuple(sorted(name for name in upright if not name.startswith("Last Resort") and "Emoji" not in name))
