"""From a value to a shade, and from a shade to a colour: one scale for every medium.

Colours are mixed in OKLab (B. Ottosson, 2020), where equal steps look equal; each ramp is told by its lightness alone,
so it holds for every kind of colour vision and in print.
"""

from typing import NamedTuple

import numpy as np

# Up to so many rows and columns a weight is shaded on 0…1; in longer ones all weights are small, and the largest leads.
_SMALL = 16

_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


class Ramp(NamedTuple):
    """The ends of a scale: `low` at shade 0, `high` at 1, `negative` at −1."""

    low: str
    high: str
    negative: str


# For a light page and for a dark one; `page/regard.css` names the same colours.
LIGHT = Ramp("#f3f5f9", "#15489e", "#8a3a00")
DARK = Ramp("#171b20", "#75c3ff", "#f5a95a")


def shades(values: np.ndarray) -> np.ndarray:
    """Shades −1…1 of the same shape, linear in the value, NaN where it is not finite.

    Weights (all within 0…1) of a small grid are shaded as they are, so that pictures compare; anything else by its
    largest size.
    """
    finite = np.isfinite(values)
    sizes = np.abs(values[finite])
    top = float(sizes.max(initial=0.0))
    weights = bool((values[finite] >= 0).all()) and top <= 1
    scale = 1.0 if weights and max(values.shape, default=0) <= _SMALL else top
    return np.where(finite, values / (scale or 1.0), np.nan) if values.size else values


def tile_shades(values: np.ndarray, root: bool = False) -> np.ndarray:
    """Shades of tiles (rows, columns, queries, keys): one scale for all of them; `root` as in `picture.Tiles`."""
    if not values.size:
        return values
    depth = shades(values.reshape(-1, values.shape[-1])).reshape(values.shape)
    return np.sign(depth) * np.sqrt(np.abs(depth)) if root else depth


def colour(shade: float, ramp: Ramp) -> str:
    """The colour of a shade −1…1, as `#rrggbb`."""
    low, high = _lab(ramp.low), _lab(ramp.high if shade >= 0 else ramp.negative)
    return _hex(low + (high - low) * min(abs(shade), 1.0))


def ink(shade: float, ramp: Ramp) -> str:
    """Black or white: the ink that is best read on the colour of a shade (one of them always has 4.58 : 1)."""
    ground = colour(shade, ramp)
    return max(("#000000", "#ffffff"), key=lambda candidate: contrast(candidate, ground))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1…21 (WCAG 2.2)."""
    brighter, darker = sorted((float(_linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _linear(colour: str) -> np.ndarray:
    signal = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def _lab(colour: str) -> np.ndarray:
    return np.asarray(_TO_LAB @ np.cbrt(_TO_CONES @ _linear(colour)))


def _hex(lab: np.ndarray) -> str:
    linear = np.clip(np.linalg.solve(_TO_CONES, np.linalg.solve(_TO_LAB, lab) ** 3), 0, 1)
    signal = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(float(part) * 255):02x}" for part in signal)
