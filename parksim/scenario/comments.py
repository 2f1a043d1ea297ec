"""What a scenario file says beside its values: its comments, which name sources and mark guesses.

A comment behind a value is that value's note, and "guess" at its beginning marks the value as one; the comment lines at
the head of the file say what is asked and where figures come from. A result keeps the notes, so that a report can tell
a measured figure from a guessed one. ``to_toml`` writes a scenario's canonical form as a file again, notes included.
"""

import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from parksim.scenario.positions import KeyPath, scan

MOST_CHARACTERS: Final = 20_000
"""Of the head; a longer one is cut."""
_GUESS: Final = re.compile(r"guess\b[:;,]?\s*", re.IGNORECASE)
_QUESTION: Final = re.compile(r"\bthe question: (?P<words>[^?]{3,}\?)", re.IGNORECASE)
_HASH: Final = "sha256:"


class Notes(NamedTuple):
    """The comments of a scenario file.

    Attributes:
        head: The paragraphs before the first key.
        of_keys: What stands behind a value, by dotted key (``"lot.slots"``, of several lots ``"lot.NAME.slots"``).
        given: Keys whose value is not the file's but was given on the command line, or in Python.
    """

    head: tuple[str, ...] = ()
    of_keys: Mapping[str, str] = {}
    given: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """What the head asks ("The question: ..."), with a capital letter; empty when it asks nothing."""
        found = _QUESTION.search(" ".join(self.head))
        return found["words"][:1].upper() + found["words"][1:] if found else ""

    def note(self, key: str) -> str:
        """Return the note of a key without its mark as a guess; empty without one."""
        return _GUESS.sub("", self.of_keys.get(key, ""), count=1) if self.is_guess(key) else self.of_keys.get(key, "")

    def is_guess(self, key: str) -> bool:
        """Say whether the file marks the value of a key as a guess."""
        return _GUESS.match(self.of_keys.get(key, "")) is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the notes as plain values, for JSON."""
        return {"head": list(self.head), "of_keys": dict(self.of_keys), "given": list(self.given)}


def notes_of(text: str, raw: Mapping[str, Any], given: Iterable[KeyPath] = ()) -> Notes:
    r"""Return the notes of a TOML text that is a valid scenario.

    Args:
        text: of the file.
        raw: its tables, for the names of several lots.
        given: where values were replaced since; their notes are of the values that they replace, and left out.

    >>> notes = notes_of("# A desk.\n[lot]\nslots = 4   # guess: keys of a telephone", {"lot": {"slots": 4}})
    >>> notes.head, notes.is_guess("lot.slots"), notes.note("lot.slots")
    (('A desk.',), True, 'keys of a telephone')
    """
    lines, comments, _ = scan(text)
    replaced = tuple(dict.fromkeys(_dotted(path, raw) for path in given))
    of_keys: dict[str, list[str]] = {}
    told: set[int] = set()
    for path, line in sorted(lines.items(), key=lambda item: (item[1], len(item[0]))):
        key = _dotted(path, raw)
        # The table on whose line a key stands is shorter than the key: the last and longest takes the note.
        if not comments.get(line) or line in told or _is_table(path, lines):
            continue
        told.add(line)
        of_keys.setdefault(key, []).append(comments[line])
    kept = {key: "; ".join(words) for key, words in of_keys.items() if key not in replaced}
    return Notes(_head(text), kept, replaced)


def _head(text: str) -> tuple[str, ...]:
    """Return the paragraphs of the comment lines before the first key."""
    paragraphs: list[list[str]] = [[]]
    for line in text[:MOST_CHARACTERS].splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            break
        words = stripped.lstrip("#").strip()
        if words:
            paragraphs[-1].append(words)
        elif paragraphs[-1]:
            paragraphs.append([])
    return tuple(" ".join(lines) for lines in paragraphs if lines)


def _dotted(path: KeyPath, raw: Mapping[str, Any]) -> str:
    """Return the key that ``--set`` takes for a place: two words, of several lots three."""
    if len(path) > 2 and path[0] == "lot" and isinstance(path[1], int):
        lots = raw.get("lot")
        lot = lots[path[1]] if isinstance(lots, list) and path[1] < len(lots) else {}
        name = lot.get("name", path[1]) if isinstance(lot, Mapping) else path[1]
        return f"lot.{name}.{path[2]}"
    return ".".join(str(part) for part in path[:2] if isinstance(part, str))


def _is_table(path: KeyPath, lines: Mapping[KeyPath, int]) -> bool:
    """Say whether a place is that of a table of its own: its keys stand on later lines."""
    return len(path) == 1 and any(len(other) > 1 and other[0] == path[0] for other in lines)


def keyed(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a canonical scenario by dotted key; a law is one value.

    >>> keyed({"name": "x", "lot": [{"name": "ward", "slots": 4}], "caller": {"patience": {"kind": "constant"}}})
    {'name': 'x', 'lot.ward.name': 'ward', 'lot.ward.slots': 4, 'caller.patience': {'kind': 'constant'}}
    """
    values: dict[str, Any] = {}
    for key, value in plain.items():
        if key == "lot" and isinstance(value, list):
            for lot in value:
                values |= {f"lot.{lot['name']}.{inner}": one for inner, one in lot.items()}
        elif isinstance(value, dict):
            values |= {f"{key}.{inner}": one for inner, one in value.items()}
        else:
            values[key] = value
    return values


def needs_files(canonical: str) -> bool:
    """Say whether a scenario reads files of its own, of which its canonical form has the digest only."""
    return f'"{_HASH}' in canonical


def to_toml(canonical: str, objectives: Mapping[str, str], notes: Notes) -> str:
    """Return a canonical scenario as TOML, the same scenario when it is loaded.

    Args:
        canonical: ``Scenario.canonical``.
        objectives: the targets as they were written, by measure.
        notes: stand behind their values.
    """
    plain = json.loads(canonical) | ({"objectives": dict(objectives)} if objectives else {})
    head = [line for paragraph in notes.head for line in (*textwrap.wrap(_one_line(paragraph), 110), "")]
    lines = [f"# {line}".rstrip() for line in head]
    lines += [f"{key} = {toml(value)}" for key, value in plain.items() if not isinstance(value, dict | list)]
    for section, value in plain.items():
        if isinstance(value, dict):
            lines += ["", f"[{section}]", *_pairs(value, f"{section}.", notes)]
        elif isinstance(value, list):
            for lot in value:
                lines += ["", f"[[{section}]]", *_pairs(lot, f"{section}.{lot['name']}.", notes)]
    return "\n".join(lines) + "\n"


def _pairs(values: Mapping[str, Any], before: str, notes: Notes) -> list[str]:
    said = {key: _one_line(notes.of_keys.get(before + key, "")) for key in values}
    return [f"{_toml_key(key)} = {toml(value)}{'    # ' + said[key] if said[key] else ''}"
            for key, value in values.items()]  # fmt: skip


def _one_line(text: str) -> str:
    """Return what of a text may stand in a comment."""
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml(key)


def as_set(value: object) -> object:
    """Return a value of a key as ``--set`` takes it: a table as TOML, any other as it is."""
    return toml(value) if isinstance(value, dict) else value


def toml(value: Any) -> str:
    """Return a plain value as a scenario file has it.

    >>> toml({"value": 0.6, "low": 0.45})
    '{ value = 0.6, low = 0.45 }'
    """
    if isinstance(value, dict):
        inner = ", ".join(f"{_toml_key(key)} = {toml(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
