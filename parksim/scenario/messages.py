"""One clear message for each wrong thing in a scenario: file, line, key, value, rule, nearest word, next step.

``parse`` reads the text, ``explained`` turns pydantic's errors into messages, ``overridden`` applies ``--set``.
``positions`` finds the line of each key for them.
"""

import copy
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from parksim.errors import ScenarioError, UnfitError, UnknownWordError
from parksim.scenario.other_words import other_word
from parksim.scenario.positions import KeyPath, scan
from parksim.scenario.quantities import QUOTES, mended, number, plainer
from parksim.scenario.reading import MIB, names_beside, read
from parksim.scenario.recordings import is_reference

LARGEST_FILE: Final = MIB
WIDEST_VALUE: Final = 64
MOST_VALUES: Final = 100_000
"""In one scenario; each that is wrong takes some memory to be refused."""
MOST_OF_A_LINE: Final = 200
"""Characters of a line that is no TOML in which it is looked up what may be meant."""
MOST_EXPLAINED: Final = 100
"""For this many unknown keys the nearest right word is looked up."""
FILES: Final = ("file", "draws")
"""The keys that name files."""
_TOO_LARGE: Final = "put long lists into a file of their own (CSV)"

Vocabulary = Callable[[KeyPath], tuple[str, ...]]
"""From the place of a table (keys, and the kinds of laws on the way) to the keys it may have."""
FORMS: Final = ("(one lot)", "(several lots)")
"""Stand in pydantic's places for the two forms of [lot]; no key is spelt so by chance."""
Resolver = Callable[[Mapping[str, Any], tuple[str, ...]], KeyPath]
"""From the tables of a file and a dotted key to where it leads; UnfitError when it leads nowhere."""


class Origin(NamedTuple):
    """Where a scenario came from: its name in messages, its text, its folder, and the keys replaced since by what."""

    name: str = "scenario"
    text: str = ""
    folder: str = "."
    given: tuple[KeyPath, ...] = ()
    option: str = ""


class Fault(NamedTuple):
    """One wrong thing: where it is, whether it is the key that is wrong, and what to say."""

    path: KeyPath
    rule: str
    step: str = ""
    order: int = 0


def read_text(path: Path) -> str:
    """Return the text of a scenario file.

    Raises:
        ScenarioError: there is no such file, or it is no UTF-8 text of at most 1 MiB.
    """
    name = str(path)
    try:
        raw = read(path, LARGEST_FILE)
    except FileNotFoundError:
        raise ScenarioError([f"{name}: there is no such file; {_files_beside(path)}"]) from None
    except UnfitError as error:
        kinds = {"is larger": _TOO_LARGE, "cannot be": error.step}
        step = kinds.get(error.rule[:9], "name a scenario file (TOML)")
        raise ScenarioError([_one_line(f"{_cut(name, 300)}: {error.rule}; {step}")]) from None
    if b"\0" in raw:
        raise ScenarioError([f"{name}: is a binary file; name a scenario file (TOML)"])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ScenarioError([f"{name}, line {line}: is not UTF-8 text; save the file as UTF-8"]) from None


def named_files(value: Any) -> Iterator[str]:
    """Yield the names of the files that the tables of a scenario name; a digest is no name."""
    if isinstance(value, Mapping):
        for key in FILES:
            file = value.get(key)
            if isinstance(file, str) and not is_reference(file):
                yield file
    if isinstance(value, Mapping | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from named_files(one)


def _files_beside(path: Path) -> str:
    near = nearest(path.name, [one for one in names_beside(path) if Path(one).suffix in {".toml", path.suffix}])
    return f'did you mean "{path.parent / near}"?' if near else "parksim init writes one to begin with"


_BARE = r"[A-Za-z0-9_'\"-]"
_LONG_KEY = re.compile(rf"(?<!{_BARE})(?:{_BARE}++[ \t]*+\.[ \t]*+){{32}}")


def parse(origin: Origin) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Raises:
        ScenarioError: the text is empty or no TOML; one message with line and column.
    """
    if len(origin.text) > LARGEST_FILE:
        raise ScenarioError([f"{origin.name}: is larger than 1 MiB; {_TOO_LARGE}"])
    long_key = _LONG_KEY.search(origin.text)
    if long_key is not None:
        line = origin.text.count("\n", 0, long_key.start()) + 1
        raise ScenarioError([f"{origin.name}, line {line}: a key of too many parts; a scenario needs three at most"])
    try:
        raw = tomllib.loads(origin.text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError([_broken(str(error), origin)]) from None
    except RecursionError:
        raise ScenarioError(
            [f"{origin.name}: lists or tables are nested too deeply; three levels are enough"]
        ) from None
    except ValueError:  # an integer of thousands of digits
        raise ScenarioError([f"{origin.name}: a number has too many digits; write it shorter"]) from None
    if (values := _count(raw)) > MOST_VALUES:
        raise ScenarioError([f"{origin.name}: has {values:,} values, more than {MOST_VALUES:,}; {_TOO_LARGE}"])
    if not raw:
        raise ScenarioError([f"{origin.name}: is empty; parksim init writes a scenario to begin with"])
    return raw


def _count(value: object) -> int:
    """Return how many values stand in a table or a list, with all that is in them."""
    if not isinstance(value, dict | list):
        return 1
    return 1 + sum(map(_count, value.values() if isinstance(value, dict) else value))


def _broken(text: str, origin: Origin) -> str:
    """Return the message for a text that is no TOML."""
    if text.startswith(("Cannot", "Duplicate")):
        twice = scan(origin.text).twice
        if twice is not None:
            path, line, first = twice
            return (
                f"{origin.name}, line {line}: {dotted(path)}: is given twice, first in line {first}; remove one of them"
            )
    match = re.search(r"\(at line ([0-9]+), column ([0-9]+)\)|\(at end of document\)", text)
    rule = text[: match.start()].strip() if match else text
    lines = origin.text.splitlines()
    if match is None or match[1] is None:
        line, column = max(len(lines), 1), len(lines[-1]) + 1 if lines else 1
    else:
        line, column = int(match[1]), int(match[2])
    found = lines[line - 1].strip() if line <= len(lines) else ""
    shown = f" (in {_cut(repr(found), WIDEST_VALUE)})" if found else ""
    if plain := _plain_line(found):
        return _one_line(f"{origin.name}, line {line}: {_cut(found, WIDEST_VALUE)}: {plain}")
    return (
        f"{origin.name}, line {line}, column {column}: is no valid TOML: {_cut(rule, 120)}{shown}; "
        'write one key = value a line, texts in quotes such as horizon = "1d"'
    )


_PAIR = re.compile(r"(?P<key>[A-Za-z0-9_.-]+) *(?P<sign>[=:]) *(?P<value>[^\s\"'#][^\"'#]*?) *(?:#.*)?")


def _plain_line(line: str) -> str:
    """Return what is wrong with a line as people write them, and the line to write; "" where it is another fault."""
    pair = _PAIR.fullmatch(line) if len(line) <= MOST_OF_A_LINE else None
    if len(line) <= MOST_OF_A_LINE and re.search(f"[=,\\[:] *[{QUOTES}]", line):
        straight = re.sub(f"[{QUOTES}]", '"', line)
        return f"has typographic quotes; write {straight}"
    if pair is None or pair["value"][0] in "[{":
        comma = re.search(r"= *[0-9]+,[0-9]+(?= *[,}])", line[:MOST_OF_A_LINE])
        return f"has a decimal comma; write {plainer(comma[0].lstrip('= '))}" if comma else ""
    value = plainer(pair["value"])
    text = value if re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?|true|false", value) else f'"{value}"'
    rule = (
        "has a colon"
        if pair["sign"] == ":"
        else "has a decimal comma"
        if text == value
        else "has a text without quotes"
    )
    return f"{rule}; write {pair['key']} = {text}"


def explained(error: ValidationError, raw: Mapping[str, Any], origin: Origin, vocabulary: Vocabulary) -> ScenarioError:
    """Return all of a validation's errors as messages, in the order of the file."""
    lines = scan(origin.text).lines

    def line_of(path: KeyPath) -> float:
        return _line_of(path, lines) or math.inf

    faults = _faults(error.errors(include_url=False), raw, vocabulary, line_of)
    ordered = sorted(faults, key=lambda fault: (line_of(fault.path), fault.order))
    return ScenarioError(_message(fault, raw, origin, lines) for fault in ordered)


def rule_of(error: ValidationError) -> tuple[str, str]:
    """Return the rule and the step of a validation's first error."""
    first = _fault(error.errors(include_url=False)[0], (), {}, 0)
    return first.rule, first.step


def _faults(
    errors: list[ErrorDetails], raw: Mapping[str, Any], vocabulary: Vocabulary, line_of: Callable[[KeyPath], float]
) -> list[Fault]:
    faults: list[Fault] = []
    missing: dict[KeyPath, Fault] = {}
    unknown: list[tuple[KeyPath, tuple[str, ...]]] = []
    for order, error in enumerate(errors):
        path = _path(error["loc"], raw)
        if error["type"] == "extra_forbidden":
            unknown.append((path, vocabulary(error["loc"][:-1])))
        elif error["type"] == "missing":
            missing[path] = Fault(path, "is missing", _add(path), order)
        else:
            faults.append(_fault(error, path, raw, order))
    unknown.sort(key=lambda one: line_of(one[0]))
    faults += [Fault(path, "unknown key") for path, _ in unknown[MOST_EXPLAINED:]]
    for path, words in unknown[:MOST_EXPLAINED]:
        table = _found(raw, path[:-1])
        likely_first = sorted(words, key=lambda word: (word in table, (*path[:-1], word) not in missing))
        called = other_word(str(path[-1]), dotted(path[:-1]), words)
        near = called.rpartition(".")[2] if called else nearest(str(path[-1]), likely_first)
        if near:
            missing.pop((*path[:-1], near), None)
        rule = f"unknown key for kind {table['kind']}" if "kind" in table else "unknown key"
        if called:
            faults.append(Fault(path, rule, _called(called, path, _found(raw, path))))
            continue
        faults.append(Fault(path, rule, _step(near, words, str(path[-1]), path[:-1], vocabulary)))
    return [*faults, *missing.values()]


def _step(near: str, words: tuple[str, ...], word: str, table: KeyPath, vocabulary: Vocabulary) -> str:
    if table and word in vocabulary(()):
        return f"{word} belongs at the top of the file" if word == "name" else f"make [{word}] a table of its own"
    elsewhere = [home for home in vocabulary(()) if table[:1] != (home,)]
    homes = [home for home in elsewhere if word in vocabulary((home,))]
    steps = [f'did you mean "{near}"?'] if near else []
    if homes:
        steps.append(f"{word} belongs in [{homes[0]}]")
    return " ".join(steps) or f"it may have {', '.join(words)}"


def _called(name: str, path: KeyPath, value: object) -> str:
    """Return how something is written here that others call otherwise; ``path`` is where they wrote it."""
    table, _, word = name.rpartition(".")
    if isinstance(value, Mapping):
        return f"here it is called {name}; write [{name}]"
    shown = f'"{value}"' if isinstance(value, str) else shown_value(value)
    elsewhere = f" in [{table}]" if table and table != path[0] else ""
    return f"here it is called {word}; write {word} = {_cut(shown, WIDEST_VALUE)}{elsewhere}"


def _add(path: KeyPath) -> str:
    if len(path) == 1:
        return f"add {path[0]} = ..." if path[0] == "name" else f"add a table [{path[0]}]"
    table = f"[{path[0]}]" if len(path) == 2 else dotted(path[:-1])
    return f"add {path[-1]} = ... to {table}"


def _fault(error: ErrorDetails, path: KeyPath, raw: Mapping[str, Any], order: int) -> Fault:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, UnfitError):
        table = _found(raw, path)
        if cause.at == ("kind",) and isinstance(table, Mapping) and "kind" not in table:
            near = nearest("kind", [key for key in table if key not in ("min", "mean")], 0.7)
            if near:
                return Fault((*path, near), "unknown key", 'did you mean "kind"?', order)
        path = (*path, *cause.at)
        if isinstance(cause, UnknownWordError):
            word = path[-1] if not cause.at else _found(raw, path)
            if not cause.at and (called := other_word(str(word), dotted(path[:-1]), cause.words)):
                return Fault(path, cause.rule, _called(called, path, _found(raw, path)), order)
            near = nearest(str(word), cause.words) if isinstance(word, str) else ""
            return Fault(path, cause.rule, f'did you mean "{near}"?' if near else cause.step, order)
        return Fault(path, cause.rule, cause.step, order)
    if error["type"] == "literal_error":
        words = re.findall(r"'([^']+)'", error["ctx"]["expected"])
        near = nearest(error["input"], words) if isinstance(error["input"], str) else ""
        rule = f"must be {', '.join(words[:-1])} or {words[-1]}" if words[1:] else f"must be {words[0]}"
        return Fault(path, rule, f'did you mean "{near}"?' if near else f'write "{words[0]}", say', order)
    rule, step = _RULES.get(error["type"], (error["msg"], ""))
    if error["type"] in {"float_type", "int_type"}:
        step = mended(error["input"], partial(number, what="a value"), step)
    bounds = {name: f"{one:g}" if isinstance(one, float) else one for name, one in error.get("ctx", {}).items()}
    return Fault(path, rule.format(**bounds), step, order)


_RULES: Final[dict[str, tuple[str, str]]] = {
    "int_type": ("must be a whole number", "write it without quotes and without a point"),
    "int_from_float": ("must be a whole number", "write it without a point"),
    "int_parsing_size": ("must be a whole number of some digits", "write a smaller one"),
    "float_type": ("must be a number", "write it without quotes"),
    "finite_number": ("must be a finite number", "write a number"),
    "greater_than": ("must be greater than {gt}", "write a larger number"),
    "greater_than_equal": ("must be at least {ge}", "write a larger number"),
    "less_than": ("must be less than {lt}", "write a smaller number"),
    "less_than_equal": ("must be at most {le}", "write a smaller number"),
    "string_type": ("must be a text", "put it in quotes"),
    "string_too_short": ("must not be empty", "write a text"),
    "string_too_long": ("must have at most {max_length} characters", "shorten it"),
    "tuple_type": ("must be a list", "write it in square brackets"),
    "too_short": ("must have at least {min_length} entry", "fill the list"),
    "dict_type": ("must be a table", "write keys and values below its name in square brackets"),
    "model_type": ("must be a table", "write keys and values below its name in square brackets"),
    "datetime_from_date_parsing": ("must be a date and time with its offset", "write epoch = 2026-01-05T08:00:00Z"),
    "datetime_parsing": ("must be a date and time with its offset", "write epoch = 2026-01-05T08:00:00Z"),
    "timezone_aware": ("must be a date and time with its offset", "write epoch = 2026-01-05T08:00:00Z"),
}


def _path(loc: KeyPath, raw: Mapping[str, Any]) -> KeyPath:
    """Return the keys of the file for pydantic's place, which also names kinds of laws and numbers of rows."""
    path: KeyPath = ()
    here: Any = raw
    for position, part in enumerate(loc):
        if isinstance(here, Mapping) and isinstance(part, int):
            key: str | int = list(here)[part]
        else:
            key = part
        if key in FORMS and not _has(here, key):
            continue
        if _has(here, key):
            here = here[key]
        elif not (isinstance(here, Mapping) and here.get("kind") != key and position == len(loc) - 1):
            continue
        path = (*path, key)
    return path


def _found(raw: Any, path: KeyPath) -> Any:
    """Return what stands at ``path``, or None."""
    for part in path:
        if not _has(raw, part):
            return None
        raw = raw[part]
    return raw


def _has(table: Any, key: str | int) -> bool:
    if isinstance(table, list | tuple):
        return isinstance(key, int) and key < len(table)
    return isinstance(table, Mapping) and key in table


def _message(fault: Fault, raw: Mapping[str, Any], origin: Origin, lines: Mapping[KeyPath, int]) -> str:
    place = origin.name
    line = _line_of(fault.path, lines)
    if any(
        fault.path[: len(path)] == path or (line is None and path[: len(fault.path)] == fault.path)
        for path in origin.given
        if fault.path
    ):
        place += f", {origin.option}" if origin.option else ""
    elif line is not None:
        place += f", line {line}"
    value = _found(raw, fault.path)
    shown = "" if value is None or not fault.path else f" = {shown_value(value)}"
    step = f"; {fault.step}" if fault.step else ""
    key = f"{dotted(fault.path)}{shown}: " if fault.path else ""
    return _one_line(f"{place}: {key}{fault.rule}{step}")


def _line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """Return the line of the key or, where it is missing, of the nearest table above it."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def _one_line(text: str) -> str:
    return text if text.isprintable() else "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def dotted(path: KeyPath) -> str:
    """Return a path as one writes it: ``uapi.users."12"[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        word = part if re.fullmatch(r"[A-Za-z0-9_-]*[A-Za-z_-][A-Za-z0-9_-]*", part) else f'"{part}"'
        text += f".{_cut(word, WIDEST_VALUE)}" if text else _cut(word, WIDEST_VALUE)
    return text


def shown_value(value: object) -> str:
    """Return a value for a message, at most ``WIDEST_VALUE`` characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    try:
        return _cut(repr(value), WIDEST_VALUE)
    except (RecursionError, ValueError):  # nested too deeply, or a number of thousands of digits
        return f"({type(value).__name__})"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


def nearest(word: str, words: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the word most like ``word`` (the earlier of equals), or "" when none is near.

    Of a word of two or three letters half may differ.

    >>> nearest("exponental", ["constant", "exponential"])
    'exponential'
    """
    best, score = "", (cutoff if len(word) > 3 else 0.5) - 1e-9
    for candidate in words:
        ratio = SequenceMatcher(None, word[:WIDEST_VALUE].lower(), candidate.lower()).ratio()
        if ratio > score:
            best, score = candidate, ratio
    return best


def overridden(
    raw: Mapping[str, Any], values: Mapping[str, object], resolved: Resolver, option: str
) -> tuple[dict[str, Any], tuple[KeyPath, ...]]:
    """Return a copy of the tables with values replaced, and the paths of what was replaced.

    Messages begin with the ``option`` that gave the values, where there is one.

    Raises:
        ScenarioError: a key cannot be read, leads nowhere, or leads through something that is no table.
    """
    result = copy.deepcopy(dict(raw))
    paths, before = [], f"{option} " if option else ""
    for key, value in values.items():
        try:
            path = resolved(result, _key_path(key, before))
        except UnfitError as error:
            raise ScenarioError([f"{before}{_cut(key, 64)}: {error}"]) from None
        table: Any = result
        for depth, part in enumerate(path[:-1]):
            inner = table[part] if isinstance(part, int) else table.setdefault(part, {})
            if not isinstance(inner, dict) and not isinstance(path[depth + 1], int):
                above = dotted(path[: depth + 1])
                raise ScenarioError(
                    [f"{before}{_cut(key, 64)}: {above} = {shown_value(inner)} is no table; set {above} as a whole"]
                )
            table = inner
        table[path[-1]] = _from_here(str(path[-1]), _value(value))
        paths.append(path)
    return result, tuple(paths)


def _key_path(key: str, before: str) -> tuple[str, ...]:
    path: tuple[str, ...] = ()
    try:
        here: Any = tomllib.loads(f"{key} = 0") if len(key) <= 256 and "\n" not in key else {}
    except (ValueError, RecursionError):
        here = {}
    while isinstance(here, dict) and len(here) == 1:
        path = (*path, next(iter(here)))
        here = here[path[-1]]
    if here != 0 or not path:
        form = "write KEY=VALUE, such as lot.slots=8" if before else "write one such as lot.slots"
        raise ScenarioError([f"{before}{_cut(repr(key), WIDEST_VALUE)}: is no key; {form}"])
    return path


def _value(value: object) -> object:
    if isinstance(value, str):
        try:
            read = tomllib.loads(f"value = {value}")
        except (ValueError, RecursionError):
            return value
        return read["value"] if len(read) == 1 else value
    if hasattr(value, "tolist"):  # a number or an array of NumPy
        return value.tolist()
    return copy.deepcopy(value)


def _from_here(key: str, value: object) -> object:
    """Return the value with its names of files made to start at the working folder."""
    if key in FILES and isinstance(value, str) and not is_reference(value):
        return str(Path.cwd() / value)
    if isinstance(value, dict):
        return {inner: _from_here(inner, one) for inner, one in value.items()}
    return value
