"""LaTeX formulas as MathML, which browsers set by themselves: no script, no font, no network."""

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert

_SPACE = "{http://www.w3.org/1998/Math/MathML}"
_ELEMENTS = re.compile(
    "math|none|m(frac|i|n|o|over|padded|phantom|root|row|s|space|sqrt|style|sub|subsup|sup|table|td|text|tr|under"
    "|underover|multiscripts|prescripts)"
)
_ATTRIBUTES = re.compile(
    "accent|columnalign|depth|display|displaystyle|fence|form|height|linethickness|lspace|math(size|variant)"
    "|maxsize|minsize|rspace|scriptlevel|separator|stretchy|symmetric|voffset|width"
)


def mathml(latex: str) -> str:
    """The formula as one `<math>` element of known elements and attributes; empty where that cannot be had."""
    # The converter leaves `<` of a text as it is.
    safe = re.sub(r"\\text\{[^{}]*\}", lambda text: _escaped(text[0]), latex)
    try:
        root = ElementTree.fromstring(convert(safe, display="block"))
    except Exception:  # the converter's errors have no common class, and some commands end in a plain one
        return ""
    return ElementTree.tostring(root, encoding="unicode") if all(map(_harmless, root.iter())) else ""


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _harmless(element: Element) -> bool:
    """Whether the element may stand on a page; attributes that are not known go, and letters of one word join."""
    if not element.tag.startswith(_SPACE):
        return False
    element.tag = element.tag.removeprefix(_SPACE)
    for name in [name for name in element.attrib if not _ATTRIBUTES.fullmatch(name)]:
        del element.attrib[name]
    if element.tag == "mo" and len(element.text or "") > 1 and (element.text or "").isalpha():
        element.tag = "mi"  # the name of a function has no room of an operator around it
    _join_letters(element)
    return _ELEMENTS.fullmatch(element.tag) is not None


def _join_letters(row: Element) -> None:
    """Upright letters in a row are one name (`softmax`), not a product of seven."""
    before = None
    for part in list(row):
        upright = part.tag == f"{_SPACE}mi" and part.get("mathvariant") == "normal"
        if upright and before is not None:
            before.text = (before.text or "") + (part.text or "")
            row.remove(part)
        else:
            before = part if upright else None
