"""The valet lots of a FreeSWITCH dial plan.

Source: mod_valet_parking.c. ``valet_park LOT auto in MIN MAX`` takes the lowest free slot, ``LOT NUMBER`` parks in that
slot or fetches the call that is there, ``LOT auto out MIN MAX`` fetches the call that is parked longest. A stay ends
after ``valet_parking_timeout`` seconds, by default 60 where ``valet_parking_orbit_exten`` says where the call goes, and
never otherwise.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.parsers import expat

from parksim.errors import ConfigurationError
from parksim.pbx.configuration.lots import Imported, LeftOut, PbxLot, Setting, remark_of, returns_to, with_remarks

SYSTEM: Final = "FreeSWITCH (valet_park)"
ORBIT_LIMIT: Final = "60"
"""Seconds, where an orbit is set and no time-out."""
PARKER: Final = "${referred_by_user}"
"""The orbit that is the extension which parked the call."""
_LONGEST_PATTERN: Final = 80
_LARGEST_NUMBER: Final = 99_999
"""An expression's numbers are found by trying all of at most five digits."""
_WITHOUT: Final = {
    "valet_hold_music": "music; a scenario has the patience that it buys ([caller] or lot.patience)",
    "valet_announce_slot": "the slot is read to the parker; parking.announcement says how long that takes",
    "valet_parking_orbit_exit_key": "a caller who leaves by a key; a scenario has no such caller",
    "valet_parking_orbit_context": "a context of the dial plan; a scenario has no dial plan",
    "valet_parking_orbit_dialplan": "a scenario has no dial plan",
}


@dataclass
class _Extension:
    """What was read of an <extension> so far."""

    expression: str = ""
    variables: dict[str, Setting] = field(default_factory=dict)
    remarks: list[Setting] = field(default_factory=list)


def lots_of(path: Path, text: str) -> Imported:
    """Return the valet lots of a dial plan.

    Raises:
        ConfigurationError: it is no XML, or parks nowhere.
    """
    reader = _Reader(path)
    parser = expat.ParserCreate()
    reader.line_of = lambda: parser.CurrentLineNumber
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CommentHandler = reader.comment
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        rule = f"this is not whole XML ({expat.errors.messages[error.code]})"
        raise ConfigurationError(path, error.lineno, rule, "copy the file again") from None
    return reader.result()


class _Reader:
    """Takes the elements of a dial plan as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._globals: dict[str, str] = {}
        self._here = _Extension()
        self._lots: dict[str, PbxLot] = {}
        self._dialled: list[tuple[Setting, str, _Extension]] = []
        self._left_out: list[LeftOut] = []
        self.line_of: Callable[[], int] = int

    def refuse(self, *_: object) -> None:
        raise ConfigurationError(self._path, self.line_of(), "a dial plan has no DOCTYPE", "remove it")

    def _at(self, key: str, value: str) -> Setting:
        return Setting(self._path, self.line_of(), key, value)

    def comment(self, text: str) -> None:
        self._here.remarks.append(self._at("", text))

    def begin(self, tag: str, given: Mapping[str, str]) -> None:
        if tag == "extension":
            self._here = _Extension()
        elif tag == "condition" and given.get("field") == "destination_number":
            self._here.expression = given.get("expression", "")
        elif tag.upper() == "X-PRE-PROCESS":
            self._prepare(given)
        elif tag == "action":
            self._act(given.get("application", ""), given.get("data", ""))

    def end(self, tag: str) -> None:
        if tag == "extension":
            self._take_remarks()

    def _prepare(self, given: Mapping[str, str]) -> None:
        name, equals, value = given.get("data", "").partition("=")
        if given.get("cmd") == "set" and equals:
            self._globals[name.strip()] = value.strip()
        elif given.get("cmd") in {"include", "exec", "exec-set"}:
            one = self._at("X-PRE-PROCESS", given.get("data", ""))
            self._left_out.append(LeftOut(one, "import that file by itself"))

    def _act(self, application: str, data: str) -> None:
        text = re.sub(r"\$\$\{([^}]*)\}", lambda found: self._globals.get(found[1], found[0]), data)
        if application in {"set", "export"} and text.startswith(("valet_", "nolocal:valet_")):
            key, _, value = text.removeprefix("nolocal:").partition("=")
            self._here.variables[key] = self._at(key, value)
        elif application == "valet_park":
            self._park(self._at("valet_park", text), text.split())

    def _park(self, one: Setting, words: list[str]) -> None:
        name = _word(words[0]) if words else ""
        if len(words) >= 5 and [word.lower() for word in words[1:3]] == ["auto", "in"]:
            if not all(re.fullmatch(r"[0-9]{1,9}", word) for word in words[3:5]):
                self._left_out.append(LeftOut(one, "the range is not two numbers; replace the variables"))
                return
            self._add(name, one, int(words[3]), int(words[4]), "auto in takes the lowest free slot")
        elif len(words) >= 3 and [word.lower() for word in words[1:3]] == ["auto", "out"]:
            self._left_out.append(LeftOut(one, "fetches the call that is parked longest"))
        elif len(words) == 2 and (words[1].isdecimal() or words[1].startswith("$")):
            self._dialled.append((one, name, self._here))
        else:
            self._left_out.append(LeftOut(one, "no way to park or to fetch that parksim knows"))

    def _add(self, name: str, one: Setting, first: int, last: int, choice: str) -> None:
        said = f"{one.value} ({one.place})"
        if not 0 <= last - first < 10_000:
            rule = f"valet_park {one.value[:60]}: a range is two numbers, the lower first, of at most 10,000 slots"
            raise ConfigurationError(one.path, one.line, rule, "write for instance auto in 5901 5999")
        if name in self._lots:
            self._left_out.append(LeftOut(one, f"lot {name} has its slots already"))
            return
        lot = self._lots[name] = PbxLot(name, one.line)
        lot.said["valet_park"] = f"{first}-{last}"
        lot.set("slots", last - first + 1, said)
        lot.set("first", first, said)
        lot.set("choice", "lowest", choice)
        self._times(lot, self._here.variables)

    def _times(self, lot: PbxLot, variables: Mapping[str, Setting]) -> None:
        """Note the time-out of a lot and where its calls return to."""
        orbit, limit = variables.get("valet_parking_orbit_exten"), variables.get("valet_parking_timeout")
        seconds = limit.value if limit else ORBIT_LIMIT if orbit else "0"
        if limit and not re.fullmatch(r"[0-9]{1,6}", seconds):
            rule = f"valet_parking_timeout = {seconds[:60]}: FreeSWITCH takes whole seconds"
            raise ConfigurationError(limit.path, limit.line, rule, "write for instance valet_parking_timeout=180")
        default = f"{ORBIT_LIMIT} s, since an orbit is set" if orbit else "none, since no orbit is set"
        origin = f"valet_parking_timeout ({limit.place})" if limit else f"FreeSWITCH's default: {default}"
        lot.said["valet_parking_timeout"] = seconds
        lot.set_limit(int(seconds), origin)
        if orbit:
            to = "parker" if orbit.value == PARKER else returns_to(orbit.value)
            lot.set_recall("to", to, f"valet_parking_orbit_exten = {orbit.value} ({orbit.place})")
        for key, one in variables.items():
            if key in _WITHOUT:
                self._left_out.append(LeftOut(one, _WITHOUT[key]))

    def _take_remarks(self) -> None:
        found = [remark for one in self._here.remarks if (remark := remark_of(one)) is not None]
        if found and self._lots:
            [*self._lots.values()][-1].remarks += found
        self._here = _Extension()

    def result(self) -> Imported:
        for one, name, extension in self._dialled:
            if name in self._lots:
                continue
            slot = one.value.split()[1]
            numbers = [int(slot)] if slot.isdecimal() else _numbers_of(extension.expression)
            if numbers and numbers == [*range(numbers[0], numbers[-1] + 1)]:
                self._here = extension
                self._add(name, one, numbers[0], numbers[-1], "the slot is dialled; lowest stands for it")
            else:
                self._left_out.append(LeftOut(one, "parks in the slot that is dialled; the range is not said"))
        if not self._lots:
            rule = "no lot of valet_park with its slots is in it"
            passed = f" ({self._left_out[0]})" if self._left_out else ""
            raise ConfigurationError(self._path, None, rule + passed, "write valet_park LOT auto in MIN MAX")
        for lot in self._lots.values():
            with_remarks(lot, self._left_out)
        return Imported(self._path, SYSTEM, [*self._lots.values()], self._left_out)


def _word(name: str) -> str:
    """Return a lot's name without its domain, as a scenario can have it."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name.partition("@")[0])[:64] or "lot"


def _numbers_of(expression: str) -> list[int]:
    """Return the numbers that an expression matches; none where it cannot be told."""
    try:
        pattern = re.compile(expression[:_LONGEST_PATTERN] or "x", re.ASCII)
    except (re.error, RecursionError, OverflowError):
        return []
    found = [number for number in range(_LARGEST_NUMBER + 1) if pattern.search(str(number))]
    return found if len(found) < 10_000 else []
