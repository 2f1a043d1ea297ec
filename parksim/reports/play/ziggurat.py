"""The tables by which NumPy draws exponential and normal numbers, read out of NumPy.

256 layers of equal area cover a density. A random word chooses a layer by one of its bytes, and a place in it by the
bits above; 99 of 100 words are a drawn number then. NumPy shows its tables to nobody, but the first word that it draws
from can be chosen: PCG64 gives any word from the state that comes before it. So a word of a known layer and place tells
the layer's width, and a bisection up to which place one word is enough.

Source: Marsaglia and Tsang (2000), The ziggurat method for generating random variables, Journal of Statistical
Software 5(8); O'Neill (2014), PCG: a family of simple fast space-efficient statistically good algorithms.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

import numpy as np

LAYERS: Final = 256
_MULTIPLIER: Final = 0x2360ED051FC65DA44385DF649FCCF645
_MODULUS: Final = 2**128


class Layers(NamedTuple):
    """The layers of a density, one number each.

    Attributes:
        width: What a place, a whole number, is multiplied by.
        sure: Places below this are under the density.
        height: The density at the layer's edge.
    """

    width: tuple[float, ...]
    sure: tuple[int, ...]
    height: tuple[float, ...]


class _Words:
    """Draws from words that are chosen."""

    def __init__(self) -> None:
        self._bits = np.random.PCG64(0)
        self._state = self._bits.state
        self._before = pow(_MULTIPLIER, -1, _MODULUS)
        self.generator = np.random.Generator(self._bits)

    def put(self, word: int) -> None:
        """Let ``word`` be the next one."""
        inner = self._state["state"]
        inner["state"] = (word - inner["inc"]) * self._before % _MODULUS
        self._bits.state = self._state

    def was_enough(self, word: int) -> bool:
        """Say whether nothing was drawn after ``word``."""
        return bool(self._bits.state["state"]["state"] == word)


@cache
def exponential() -> Layers:
    """Return the layers of the exponential law; places have 53 bits."""
    words = _Words()
    draw = words.generator.standard_exponential
    return _read(words, draw, 53, lambda place, layer: place << 11 | layer << 3, lambda x: math.exp(-x))


@cache
def normal() -> Layers:
    """Return the layers of one half of the normal law; places have 52 bits, and a bit below them is the sign."""
    words = _Words()
    draw = words.generator.standard_normal
    return _read(words, draw, 52, lambda place, layer: place << 9 | layer, lambda x: math.exp(-0.5 * x * x))


def _read(
    words: _Words,
    draw: Callable[[], float],
    bits: int,
    word_of: Callable[[int, int], int],
    density: Callable[[float], float],
) -> Layers:
    """Return the layers of a law whose places have some bits and whose words ``word_of`` puts together."""

    def drawn(place: int, layer: int) -> tuple[float, bool]:
        word = word_of(place, layer)
        words.put(word)
        value = draw()
        return value, words.was_enough(word)

    widths, sure = [], []
    for layer in range(LAYERS):
        low, high = 0, 2**bits
        while low < high:
            place = (low + high) // 2
            low, high = (place + 1, high) if drawn(place, layer)[1] else (low, place)
        sure.append(low)
        place = 1 << max(low - 1, 1).bit_length() - 1  # a power of two, so that the quotient is exact
        widths.append(drawn(place, layer)[0] / place)
    heights = (1.0, *(density(width * 2.0**bits) for width in widths[1:]))
    return Layers(tuple(widths), tuple(sure), heights)
