"""A scenario drafted from what the people at a switchboard know: its calls, attendants and slots, and what they want.

Each answer takes the place of a value of ``TEMPLATE``; what nobody answers remains there: a guess, with limits.

>>> text = draft({"attendants": "2", "parked": "40%"})
>>> [line for line in text.splitlines() if line.startswith(("count =", "probability ="))]
['count = 2', 'probability = 0.4']
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import pydantic

from parksim.errors import UnfitError
from parksim.scenario import quantities as q
from parksim.scenario.messages import rule_of
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.scenario.positions import KeyPath, scan


class Question(NamedTuple):
    """Something that is asked about a switchboard.

    Attributes:
        name: Of the answer.
        words: The question.
        key: Where the answer stands in the scenario.
        usual: What stands there, or is aimed at, without an answer.
        written: Returns an answer as TOML; raises UnfitError where it cannot be read.
    """

    name: str
    words: str
    key: KeyPath
    usual: str
    written: Callable[[str], str]


def _whole(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,6}", text.strip()):
        raise UnfitError("is not a whole number", "write a number such as 4")
    return str(int(text))


def _share(text: str) -> str:
    return f"{q.share(float(text) if re.fullmatch(r'[0-9]+(?:[.][0-9]+)?', text) else text):g}"


def _duration(text: str) -> str:
    plain = text.strip()
    plain = f"{plain}s" if plain.isdecimal() else plain
    q.duration_s(plain)
    return f'"{plain}"'


def _stay(text: str) -> str:
    if not q.duration_s(_duration(text).strip('"')):
        raise UnfitError("must be above 0", 'write how long a parked call stays, such as "90s"')
    return f'{{ kind = "exponential", mean = {_duration(text)} }}'


def _calls(text: str) -> str:
    numbers = [one.strip().removesuffix("/h") for one in text.strip(" []").split(",")]
    if len(numbers) not in {1, 24} or not all(re.fullmatch(r"[0-9]{1,6}(?:\.[0-9]{1,6})?", one) for one in numbers):
        raise UnfitError("is not a number of calls", "write those of the busiest hour, or 24 numbers with commas")
    return f'"{numbers[0]}/h"' if len(numbers) == 1 else f"[{', '.join(numbers)}]"


def _below(text: str) -> str:
    return f'"< {_goal(text)}"'


def _above(text: str) -> str:
    return f'"> {_goal(text)}"'


def _goal(text: str) -> str:
    share = q.share(float(text) if re.fullmatch(r"0(?:[.][0-9]+)?", text) else f"{text.strip('<> %')} %")
    return f"{100 * share:g} %"


QUESTIONS: Final = (
    Question("calls", "Calls in the busiest hour, or 24 numbers, one an hour", ("arrivals", "rate"), "90", _calls),
    Question("attendants", "Attendants who answer them", ("attendants", "count"), "3", _whole),
    Question("parked", "Share of the calls that is parked", ("parking", "probability"), "60%", _share),
    Question("stay", "How long a parked call stays, on average", ("retrieval", "delay"), "90s", _stay),
    Question("slots", "Slots of the lot", ("lot", "slots"), "6", _whole),
    Question(
        "time_out", "Time-out, after which a parked call comes back", ("lot", "max_in_parking"), "180s", _duration
    ),
    Question("in_time", "An answer is in time within", ("queue", "target"), "20s", _duration),
    Question("refused", "Parks that may find the lot full, at most", ("objectives", "refused_share"), "1%", _below),
    Question("returned", "Parked calls that may come back, at most", ("objectives", "expired_share"), "25%", _below),
    Question("answered", "Calls answered in time, at least", ("objectives", "answered_within_share"), "80%", _above),
    Question(
        "hang_ups",
        "Callers who may hang up before an answer, at most",
        ("objectives", "queue_abandoned_share"),
        "5%",
        _below,
    ),
)
"""What ``parksim init`` asks, in this order."""


_NOTES: Final = {"calls": "as in the busiest hour, all day long", "stay": "the mean is given; its law is assumed"}
"""What is said behind an answer that the file turns into more than was given."""


_GUESSES: Final = {
    ("arrivals", "rate"): 'rate = { value = "90/h", low = "70/h", high = "115/h" }',
    ("attendants", "handling"): "handling = "
    '{ kind = "lognormal", median = { value = "37s", low = "27s", high = "50s" }, sigma = 0.6 }',
    ("attendants", "talk"): 'talk = { kind = "exponential", mean = { value = "60s", low = "40s", high = "90s" } }',
    ("parking", "probability"): "probability = { value = 0.6, low = 0.45, high = 0.75 }",
    ("retrieval", "delay"): "delay = "
    '{ kind = "lognormal", median = { value = "60s", low = "40s", high = "90s" }, sigma = 0.9 }',
    ("retrieval", "never"): "never = { value = 0.2, low = 0.1, high = 0.35 }",
    ("recall", "never"): "never = { value = 0.15, low = 0.05, high = 0.4 }",
}
"""What nobody answers: the guesses of ``TEMPLATE`` with limits, some two thirds to one and a half times the value."""


def draft(answers: Mapping[str, str]) -> str:
    """Return a scenario file with the answers (by the names of ``QUESTIONS``) in their places; guesses have limits.

    Raises:
        UnfitError: an answer cannot be read; ``at`` has its name.
    """
    text = TEMPLATE
    for place, line in _GUESSES.items():
        text = _put(text, place, f"{line}    # guess")
    for one in QUESTIONS:
        answer = answers.get(one.name)
        if answer is None and one.key[0] != "objectives":
            continue
        try:
            value = one.written(one.usual if answer is None else answer)
        except UnfitError as error:
            raise UnfitError(error.rule, error.step, (one.name,)) from None
        key, note = one.key, ""
        if one.name == "calls" and value.startswith("["):
            text = _put(text, ("arrivals", "kind"), 'kind = "hourly"')
            text = _put(text, key, f"calls_per_hour = {value}")
            continue
        if one.name in _NOTES:
            note = f"    # {_NOTES[one.name]}"
        text = _put(text, key, f"{key[-1]} = {value}{note}")
    return text


def check(answers: Mapping[str, str]) -> None:
    """Refuse an answer that no scenario can have.

    Raises:
        UnfitError: ``at`` has the name of the answer.
    """
    for name, answer in answers.items():
        try:
            Scenario.model_validate(tomllib.loads(draft({name: answer})))
        except pydantic.ValidationError as error:
            raise UnfitError(*rule_of(error), (name,)) from None  # without line and key, which nobody has written


def _put(text: str, key: KeyPath, line: str) -> str:
    """Return the text with a line in the place of that of a key; below the header of its table where it has none."""
    lines, found = text.splitlines(), scan(text).lines
    if key in found:
        lines[found[key] - 1] = line
    elif key[0] == "objectives":
        lines.append(line)
    else:
        lines.insert(found[key[:1]], line)
    return "\n".join(lines) + "\n"
