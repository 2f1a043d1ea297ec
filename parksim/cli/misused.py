"""What is said when the words of a command line do not fit: what is wrong, and the line to type instead."""

import re
import shlex
from pathlib import Path
from typing import Final

from cyclopts import exceptions as cyclopts

EXAMPLES: Final = {
    "A": "today.toml",
    "B": "tomorrow.toml",
    "FILE": "res_parking.conf",
    "JOURNAL": "day.jsonl",
    "KEYS": "lot.slots",
    "LOG": "queue_log",
    "RESULT": "result.db",
    "SCENARIO": "hospital",
    "--blocking": "1%",
    "--chart": "occupancy",
    "--cluster": "tcp://127.0.0.1:8786",
    "--engine": "kernel",
    "--for": "asterisk",
    "--from": "hospital",
    "--level": "99%",
    "--offered": "3.5",
    "--out": "result.db",
    "--over": "lot.slots=4..12",
    "--precision": "5%",
    "--replication": "0",
    "--replications": "100",
    "--seed": "7",
    "--set": "lot.slots=8",
    "--slots": "6",
    "--within": "4..16",
    "--workers": "2",
}
"""A value of each word that may be missing; of a command's own in ``_OF_COMMAND``."""
_OF_COMMAND: Final = {
    ("report", "--out"): "page.html",
    ("journal", "--out"): "day.jsonl",
    ("calibrate", "--out"): "ours.toml",
    ("import", "--out"): "lots.toml",
    ("export", "--out"): "res_parking.conf",
}
_KEY: Final = re.compile(r"[a-z_]+(?:\.[A-Za-z_-]+)+")
_DASHES: Final = "\N{EN DASH}\N{EM DASH}"
_COMMA: Final = re.compile(r"[0-9]+,[0-9]+")


def misused(error: cyclopts.CycloptsError) -> str:
    """Return what is wrong with a command's words, and in a second line what to type."""
    words, command = list(error.root_input_tokens or ()), " ".join(error.command_chain or ())
    fault, fixed = str(error), None
    if isinstance(error, cyclopts.MissingArgumentError) and error.argument is not None:
        fault, fixed = _missing(error, command, words)
    elif isinstance(error, cyclopts.UnusedCliTokensError) and error.unused_tokens:
        fault, fixed = _unplaced(error.unused_tokens, command, words)
    elif isinstance(error, cyclopts.CoercionError) and error.token is not None:
        fault, fixed = _unread(error, words)
    elif isinstance(error, cyclopts.UnknownOptionError):
        fault, fixed = _no_option(error, words)
    elif isinstance(error, cyclopts.UnknownCommandError) and words and _is_scenario(words[0]):
        fault, fixed = f"{words[0]} is a scenario; a command comes first", ["run", *words]
    if fixed is None:
        return f"{fault}\nTry: {shlex.join(('parksim', *command.split(), '--help'))}"
    return f"{fault}\nType: {line(*fixed)}"


def line(*words: str) -> str:
    """Return the words of a command line as one types them: quoted where the shell needs it."""
    return shlex.join(("parksim", *words))


def is_key(word: str) -> bool:
    """Say whether a word looks like a key of a scenario: lot.slots, and not hospital.toml."""
    return _KEY.fullmatch(word) is not None and not word.endswith((".toml", ".db", ".json"))


def example(command: str, name: str) -> str:
    """Return a value that one may type for an option or a place of a command."""
    return _OF_COMMAND.get((command, name)) or EXAMPLES.get(name, "VALUE")


def _missing(error: cyclopts.MissingArgumentError, command: str, words: list[str]) -> tuple[str, list[str]]:
    missing = error.argument
    assert missing is not None
    if missing.index is not None:
        name, at = missing.name.lstrip("-").upper(), len(command.split()) + missing.index
        return f"{command} needs {name}", [*words[:at], example(command, name), *words[at:]]
    given = next((place for place, word in enumerate(words) if word in missing.names), None)
    name = missing.name
    value = example(command, name)
    pair = next((place for place, word in enumerate(words) if is_key(word.partition("=")[0])), None)
    if given is None and name == "--over" and pair is not None:
        return f"{words[pair]}: a key and its values go with --over", [*words[:pair], "--over", *words[pair:]]
    if given is None:
        return f"{command} needs {name}, such as {name} {value}", [*words, name, value]
    fault = f"{words[given]} needs a value; one that begins with - is written {words[given]}=VALUE"
    following = words[given + 1 : given + 2]
    if following and re.match(r"-[0-9.]", following[0]):
        return fault, [*words[:given], f"{words[given]}={following[0]}", *words[given + 2 :]]
    return fault, [*words[: given + 1], value, *words[given + 1 :]]


def _unplaced(unused: list[str], command: str, words: list[str]) -> tuple[str, list[str]]:
    """Return what is wrong with a word that has no place: a value without its =, a pair without its option."""
    word = unused[0]
    at = max((place for place, one in enumerate(words) if one == word), default=len(words) - 1)
    first = len(command.split())
    if not word:
        return "an empty word stands among the arguments", [one for one in words if one]
    if word[0] in _DASHES:
        two = f"--{word.lstrip(_DASHES + '-')}"
        return f"{word}: an option begins with two hyphens, not with a dash", [*words[:at], two, *words[at + 1 :]]
    if words[at - 2] in {"--set", "--over"} and "=" not in word.strip("="):
        key, rest = words[at - 1], [one for one in unused if one != "="]
        if "=" in key.rstrip("="):
            told, whole = "a value of several words stands in quotes", " ".join((key, *rest))
            return f"{key} {word}: {told}", [*words[: at - 1], whole, *words[at + len(unused) :]]
        whole = "=".join((key.rstrip("="), *(rest[:1] or [EXAMPLES["--set"].partition("=")[2]])))
        told = f"{words[at - 2]} {key} {word}: a key and its value are one word, with = between them"
        return told, [*words[: at - 1], whole, *words[at + 1 + (word == "=") :]]
    if is_key(word.partition("=")[0]):
        option = "--over" if command == "sweep" else "--set"
        return f"{word}: a value of the scenario goes with {option}", [*words[:at], option, *words[at:]]
    if "=" in words[first]:
        others = [one for place, one in enumerate(words) if place not in {first, at}]
        told = f"{words[first]}: the scenario comes first, and a value of it goes with --set"
        return told, [*others[:first], word, "--set", words[first], *others[first:]]
    if word.isdecimal() and command in {"run", "sweep", "solve", "compare", "sensitivity"}:
        return f"{word}: has no option before it", [*words[:at], "--replications", *words[at:]]
    return f"{word}: is one word too many", [*words[:at], *words[at + len(unused) :]]


def _unread(error: cyclopts.CoercionError, words: list[str]) -> tuple[str, list[str]]:
    """Return what is wrong with a value that is not of its option's kind."""
    assert error.token is not None
    option, value = error.token.keyword or "", error.token.value
    if error.target_type is bool:
        return f"{option} takes no value", [option if one == f"{option}={value}" else one for one in words]
    is_whole = error.target_type is not float
    sample = EXAMPLES.get(option, "8080")
    better = sample
    rule = f"is not a {'whole ' * is_whole}number; write {option} {sample}"
    if is_whole and value.isdecimal():
        rule = f"has too many digits; write {option} {sample}"
    elif not is_whole and _COMMA.fullmatch(value):
        better = value.replace(",", ".")
        rule = f"has a decimal comma; write {better}"
    elif is_whole and re.fullmatch(r"[0-9]{1,3}([,._ '][0-9]{3})+", value):
        better = re.sub("[^0-9]", "", value)
        rule = f"is not a whole number; write {better}"
    fixed = [one.replace(value, better) if one in {value, f"{option}={value}"} and value else one for one in words]
    return f"{option} {value}: {rule}", fixed


def _no_option(error: cyclopts.UnknownOptionError, words: list[str]) -> tuple[str, list[str] | None]:
    """Return what is wrong with an option that is not there: it may be a key of the scenario."""
    option = (error.token.keyword if error.token is not None else None) or ""
    name, _, value = option.removeprefix("--").partition("=")
    at = next((place for place, one in enumerate(words) if one.partition("=")[0] == option.partition("=")[0]), None)
    if at is None or not is_key(name):
        return str(error), None
    value = words[at].partition("=")[2] or value
    following = [] if value else words[at + 1 : at + 2]
    pair = f"{name}={value or ''.join(following) or '8'}"
    fixed = [*words[:at], "--set", pair, *words[at + 1 + len(following) :]]
    return f"--{name}: a value of the scenario goes with --set", fixed


def _is_scenario(word: str) -> bool:
    return word.endswith(".toml") or Path(word).is_file()
