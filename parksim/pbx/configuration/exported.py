"""Writes the lots of a scenario as a PBX's configuration, each line with the origin of its value.

What the PBX has no word for is written as a remark with the reason, and ``imported`` reads the remark back: nothing
of a lot is lost on the way out and in again.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from parksim.errors import ArgumentError
from parksim.pbx.configuration import freeswitch
from parksim.pbx.configuration.lots import ELSEWHERE, PbxLot, whole_seconds
from parksim.scenario.comments import toml
from parksim.scenario.laws import Law
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import UNLIMITED

SYSTEMS: Final = ("asterisk", "freeswitch")
_DEFAULTS: Final = {"when_full": "keep", "retries": 0, "weight": 1.0, "limits": "uapi"}
"""What a lot has in a scenario where nothing is said, beside what every configuration says."""
_RECALL: Final = ("to", "ring", "attempts", "busy", "unanswered")
_PARKING: Final = ("when_full", "retries", "retry_after")
_DIALS: Final = "not in the scenario; choose the number that your telephones dial"
_WHY: Final = {
    "when_full": "a park that finds the lot full continues in the dial plan",
    "retries": "the PBX does not ask again by itself",
    "retry_after": "the PBX does not ask again by itself",
    "patience": "callers hang up when they want to",
    "weight": "which calls are parked here is said where they come in",
    "organization": "which calls are parked here is said where they come in",
    "limits": "the range of time-outs is parksim's",
    "first": "Asterisk's slots begin at 1",
    "name": "this name means something else to the PBX",
    "choice": "its lots take {choices}",
    "max_in_parking": "its lots have one time-out, in whole seconds",
    "recall.to": "where a call returns to is written in the dial plan",
    "recall.ring": "the dial plan says how long it rings",
    "recall.attempts": "the dial plan rings again, or does not",
    "recall.busy": "the dial plan says what follows",
    "recall.unanswered": "the dial plan says what follows",
}


class _Line(NamedTuple):
    """A line of the configuration and its comment."""

    text: str
    comment: str


class _Lot:
    """A lot of a scenario, as a PBX can have it."""

    def __init__(self, scenario: Scenario, place: int, *, least: int) -> None:
        self._scenario = scenario
        self._place = place
        plain = json.loads(scenario.canonical)
        self.is_named = isinstance(plain["lot"], list)
        self.plain: dict[str, Any] = plain["lot"][place] if self.is_named else plain["lot"]
        self.recall: dict[str, Any] = {key: plain["recall"][key] for key in _RECALL}
        self.parking = {key: plain["parking"][key] for key in _PARKING if key in plain["parking"] and place == 0}
        self.first = max(int(self.plain["first"]), least)
        self.last = self.first + int(self.plain["slots"]) - 1
        self.limit_s = _limit_s(self.plain["max_in_parking"], scenario.lots[place].max_in_parking)

    @property
    def name(self) -> str:
        return str(self.plain["name"]) if self.is_named else "lot"

    @property
    def parks_at(self) -> int:
        """A number beside the slots, for the dial plan: the one before them, or the one after."""
        return self.first - 1 if self.first > 1 else self.last + 1

    def origin(self, *keys: str) -> str:
        """Return the values of some keys, and where they come from."""
        before, place = (f"lot.{self.name}", ("lot", self._place)) if self.is_named else ("lot", ("lot",))
        said = [f"{before}.{key} = {_shown(self.plain[key])} ({self._scenario.origin(*place, key)})" for key in keys]
        return ", ".join(said)

    def recall_origin(self, key: str) -> str:
        return f"recall.{key} = {_shown(self.recall[key])} ({self._scenario.origin('recall', key)})"

    def remarks(self, native: dict[str, Any], recall: dict[str, Any], options: dict[str, str]) -> Iterator[_Line]:
        """Yield what the PBX's lines do not say.

        Args:
            native: the lot as its lines alone are read back.
            recall: [recall] as they are read back.
            options: by key of the lot the option, with its value, that a remark goes with.
        """
        read_back = PbxLot("", 0)
        read_back.set_limit(self.limit_s, "")
        native = _DEFAULTS | {"max_in_parking": self.limit_s or UNLIMITED} | read_back.values | native
        native["max_in_parking"] = _plain_limit(self.limit_s)
        said = {key: value for key, value in self.plain.items() if key != "name" and native.get(key) != value}
        if self.is_named:
            said.setdefault("organization", self.plain.get("organization", ""))
        said |= {f"recall.{key}": value for key, value in self.recall.items() if recall.get(key) != value}
        said |= {f"parking.{key}": value for key, value in self.parking.items()}
        for key, value in said.items():
            goes_with = f" while {options[key]}" if key in options else ""
            yield _Line(f"parksim: {key} = {toml(value)}{goes_with}", _WHY[key.removeprefix("parking.")])


def _shown(value: object) -> str:
    """Return a value as a file would have it: a constant duration as seconds."""
    if isinstance(value, dict) and value.get("kind") == "constant":
        value = value["value"]
    return toml(f"{value:.10g}s" if isinstance(value, float) else value)


def _plain_limit(seconds: int) -> object:
    return {"kind": "constant", "value": float(seconds)} if seconds else UNLIMITED


def _limit_s(plain: object, law: Law | None) -> int:
    """Return a time-out in whole seconds, the mean where it is not the same for all; 0 for none."""
    seconds = whole_seconds(plain)
    if seconds is None:
        assert law is not None
        return max(round(law.mean_s), 1)
    return seconds


def export(scenario: Scenario, system: str) -> str:
    """Return the lots of a scenario as configuration of a PBX.

    Args:
        scenario: from a file, so that each line can name its origin.
        system: "asterisk" (``res_parking.conf`` of 12 and newer) or "freeswitch" (a part of the dial plan).

    Raises:
        ArgumentError: another system.
    """
    if system not in SYSTEMS:
        raise ArgumentError(f"{system}: parksim writes for {' or '.join(SYSTEMS)}")
    lots = [_Lot(scenario, place, least=int(system == "asterisk")) for place in range(len(scenario.lots))]
    head = f"The parking lots of {_one_line(scenario.name)} ({scenario.short_digest}), by parksim export."
    return (_to_asterisk if system == "asterisk" else _to_freeswitch)(head, lots)


def _one_line(text: str) -> str:
    return text.replace("--", "- -")


REMARKS: Final = 'A remark "parksim: KEY = VALUE" is what the PBX has no word for; parksim import reads it back.'


def _to_asterisk(head: str, lots: list[_Lot]) -> str:
    """Return ``res_parking.conf``."""
    lines = [f"; {head}", '; Copy it to res_parking.conf, and load it: asterisk -rx "module reload res_parking"']
    lines += [f"; {REMARKS}", "", "[general]"]
    if all(lot.is_named and lot.name.lower() != "default" for lot in lots):
        lines.append("; Asterisk adds a lot [default] of its own, 701-750, beside those that follow.")
    for lot in lots:
        section = "default" if not lot.is_named else f"lot-{lot.name}" if lot.name.lower() == "general" else lot.name
        lines += ["", f"[{section}]"]
        lines += [f"{one.text:<28} ; {one.comment}" for one in _asterisk_lines(lot, alone=len(lots) == 1)]
        if lot.recall["to"] != "parker":
            context, to = (ELSEWHERE, "VoiceMail") if lot.recall["to"] == ELSEWHERE else ("parkedcallstimeout", "Queue")
            lines.append(f"; In extensions.conf [{context}] says where these calls go: exten => s,1,{to}(...)")
        native = {"slots": lot.plain["slots"], "first": lot.first, "choice": _asterisk_choice(lot)[1]}
        recall = {"to": _returns(lot), "ring": float(_ring_s(lot))}
        options = {"first": f"parkpos = {lot.first}-{lot.last}", "max_in_parking": f"parkingtime = {lot.limit_s}"}
        options["choice"] = f"findslot = {_asterisk_choice(lot)[0]}"
        options["recall.ring"] = f"comebackdialtime = {_ring_s(lot)}"
        remarks = [*lot.remarks(native, recall | {"attempts": 1, "busy": "drop", "unanswered": "drop"}, options)]
        if section != (lot.name if lot.is_named else "default"):
            remarks.insert(0, _Line(f"parksim: name = {toml(lot.name)}", _WHY["name"]))
        for one in remarks:
            why = one.comment.format(choices="first or next; Park(LOT,R) parks at random")
            lines += [f"; Asterisk cannot say it: {why}.", f"; {one.text}"]
    return "\n".join(lines) + "\n"


def _asterisk_lines(lot: _Lot, *, alone: bool) -> Iterator[_Line]:
    yield _Line(f"parkext = {lot.parks_at}", _DIALS)
    context = "parkedcalls" if alone else f"parkedcalls-{lot.name}"
    yield _Line(f"context = {context}", "not in the scenario; include it where your telephones dial")
    yield _Line(f"parkpos = {lot.first}-{lot.last}", lot.origin("first", "slots"))
    yield _Line(f"parkingtime = {lot.limit_s}", lot.origin("max_in_parking"))
    yield _Line(f"findslot = {_asterisk_choice(lot)[0]}", lot.origin("choice"))
    yield _Line(f"comebacktoorigin = {'yes' if lot.recall['to'] == 'parker' else 'no'}", lot.recall_origin("to"))
    if lot.recall["to"] == ELSEWHERE:
        yield _Line(f"comebackcontext = {ELSEWHERE}", lot.recall_origin("to"))
    yield _Line(f"comebackdialtime = {_ring_s(lot)}", lot.recall_origin("ring"))


def _asterisk_choice(lot: _Lot) -> tuple[str, str]:
    """Return the value of findslot, and the choice that it is."""
    return ("next", "next") if lot.plain["choice"] == "next" else ("first", "lowest")


def _ring_s(lot: _Lot) -> int:
    ring = lot.recall["ring"]
    return 1_000_000 if ring == UNLIMITED else max(round(ring), 1)


def _to_freeswitch(head: str, lots: list[_Lot]) -> str:
    """Return a part of the dial plan."""
    lines = [f"<!-- {head} -->", "<!-- Copy it to the folder of the dial plan, and load it: reloadxml. -->"]
    lines += [f"<!-- {REMARKS} -->", "<include>"]
    for lot in lots:
        lines += [f'  <extension name="{lot.name}-park">']
        lines += [f"    {_in_xml(one.text)}  <!-- {_in_comment(one.comment)} -->" for one in _freeswitch_lines(lot)]
        lines += ["    </condition>"]
        options = {"max_in_parking": f"valet_parking_timeout = {lot.limit_s}"}
        native = {"slots": lot.plain["slots"], "first": lot.first, "choice": "lowest"}
        recall = {"to": _returns(lot) if _orbit(lot) else "parker", "ring": 30.0, "attempts": 1, "busy": "wait"}
        for one in lot.remarks(native, recall | {"unanswered": "group"}, options):
            why = one.comment.format(choices="the lowest free slot (auto in)")
            lines.append(f"    <!-- FreeSWITCH cannot say it: {_in_comment(why)}. -->")
            lines.append(f"    <!-- {_in_comment(one.text)} -->")
        lines += ["  </extension>", f'  <extension name="{lot.name}-fetch">']
        numbers = f"^({'|'.join(numbers_between(lot.first, lot.last))})$"
        lines += [f'    <condition field="destination_number" expression="{numbers}">']
        lines.append(f'      <action application="valet_park" data="{lot.name} $1"/>')
        lines += ["    </condition>", "  </extension>"]
    return "\n".join([*lines, "</include>"]) + "\n"


def _freeswitch_lines(lot: _Lot) -> Iterator[_Line]:
    condition = f'<condition field="destination_number" expression="^{lot.parks_at}$">'
    yield _Line(condition, _DIALS)
    if lot.limit_s:
        yield _Line(f"  set valet_parking_timeout={lot.limit_s}", lot.origin("max_in_parking"))
    if orbit := _orbit(lot):
        comment = lot.recall_origin("to")
        if orbit != freeswitch.PARKER:
            whose = "a mailbox" if orbit == ELSEWHERE else "your attendants' queue"
            comment += f"; write the number of {whose}, or let this name lead to it"
        yield _Line(f"  set valet_parking_orbit_exten={orbit}", comment)
    yield _Line(f"  valet_park {lot.name} auto in {lot.first} {lot.last}", lot.origin("first", "slots"))


def _orbit(lot: _Lot) -> str:
    """Return where calls go after the time-out; nothing without one, since an orbit would bring one."""
    names = {"parker": freeswitch.PARKER, ELSEWHERE: ELSEWHERE}
    return names.get(lot.recall["to"], "operator") if lot.limit_s else ""


def _returns(lot: _Lot) -> str:
    """Return where calls return to, as far as the PBX's own lines say it."""
    return str(lot.recall["to"]) if lot.recall["to"] in ("parker", ELSEWHERE) else "group"


def _in_xml(text: str) -> str:
    """Return an action as XML; a condition is XML already."""
    bare = text.lstrip()
    if bare.startswith("<"):
        return text
    application, _, data = bare.partition(" ")
    return f'  <action application="{application}" data="{data}"/>'


def _in_comment(text: str) -> str:
    """Return a text as it may stand in a comment of XML, which has no two hyphens in a row."""
    return text.replace("--", "\\u002d\\u002d") if text.startswith("parksim: ") else _one_line(text)


def numbers_between(first: int, last: int) -> list[str]:
    """Return expressions that together match the numbers from ``first`` to ``last``, and no others.

    >>> numbers_between(701, 704), numbers_between(98, 123), numbers_between(5, 5)
    (['70[1-4]'], ['9[8-9]', '1[0-1][0-9]', '12[0-3]'], ['5'])
    """
    found = []
    while first <= last:
        step = 1
        while first % (step * 10) == 0 and first + step * 10 - 1 <= last and step * 10 <= first:
            step *= 10
        end = first
        while end + step <= last and (end + step) // (step * 10) == first // (step * 10):
            end += step
        while end + step - 1 > last:
            end -= step
        digits = str(first // step)
        low, high = digits[-1], str(end // step)[-1]
        found.append(digits[:-1] + (low if low == high else f"[{low}-{high}]") + "[0-9]" * (len(str(step)) - 1))
        first = end + step
    return found
