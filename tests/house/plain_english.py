"""The words of a dialect that may not come back: in documentation, docstrings, help texts and messages.

Each entry has the plainer way to say it. Comments and names of variables are free.
"""

import ast
import re
from collections.abc import Iterator
from typing import Final

DIALECT: Final = {
    r"whoever": "name the actor: the caller, the worker, anybody who",
    r"whatever": "name the thing: any value, with any locale",
    r"bears?": "has, needs, supports",
    r"(?-i:is none)": "is not a ...",
    r"(?-i:are none)": "are not ...",
    r"slip of the": "a typo",
    r"goes on": "resumes, continues",
    r"go on": "resume, continue",
    r"so many": "the number, or this many",
    r"it is told": "the message says, parksim reports",
    r"are told": "the message says, parksim reports",
    r"who gets in": "access",
    r"taken for granted": "assumed",
    r"leaves? undecided": "is inconclusive",
    r"asked of them": "checked against them",
    r"nothing from anywhere": "nothing from the network",
    r"told by its content": "detected from its content",
    r"it mends": "it repairs",
    r"what it holds": "the records in it",
    r"in anybody's stead": "instead of",
}
"""Pattern (whole words, any case) -> what to write instead."""

_WORDS: Final = re.compile(r"\b(" + "|".join(DIALECT) + r")\b|, too\b", re.IGNORECASE)


def spoken(text: str, name: str, first_line: int = 1) -> Iterator[str]:
    """Complain of each word of the dialect in a text."""
    for found in _WORDS.finditer(re.sub(r"\s", " ", text)):
        line = first_line + text.count("\n", 0, found.start())
        word = found.group().lower()
        instead = next(
            (plain for bad, plain in DIALECT.items() if re.fullmatch(bad, word, re.IGNORECASE)), "no comma before too"
        )
        yield f"{name}:{line}: {word!r}: write {instead}"


def spoken_in_code(source: str, name: str) -> list[str]:
    """Complain of each word of the dialect in the strings of a source: docstrings, help texts, messages."""
    return [
        complaint
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for complaint in spoken(node.value, name, node.lineno)
    ]
