"""The lots of ``res_parking.conf`` (Asterisk 12 and newer), and of ``features.conf`` (1.8 to 11).

Source: the options' registration in res/res_parking.c and main/features.c, and the sample files. Since 12 each section
but ``general`` is a lot; before, ``general`` is the default lot and ``parkinglot_NAME`` are the others. What is not
written has Asterisk's default: slots 701 to 750, 45 s, the lowest slot, back to the parker for 30 s.
"""

from pathlib import Path
from typing import Final

from parksim.errors import ConfigurationError
from parksim.pbx.configuration.asterisk_syntax import Group, groups_of
from parksim.pbx.configuration.lots import (
    ELSEWHERE,
    Imported,
    LeftOut,
    PbxLot,
    Setting,
    remark_of,
    returns_to,
    with_remarks,
)
from parksim.scenario.messages import nearest

NEW: Final = "Asterisk 12 or newer (res_parking.conf)"
OLD: Final = "Asterisk 1.8 to 11 (features.conf)"
DEFAULTS: Final = {
    "parkpos": "701-750",
    "parkingtime": "45",
    "findslot": "first",
    "comebacktoorigin": "yes",
    "comebackdialtime": "30",
}
"""What a lot has where its section says nothing."""
_CHOICES: Final = {"first": "lowest", "next": "next"}
_TRUE: Final = ("yes", "true", "y", "t", "1", "on")
_DIAL_PLAN: Final = "a number or a context of the dial plan; a scenario has no dial plan"
_PHONE: Final = "a feature of telephones, which a scenario has not"
_MUSIC: Final = "music; a scenario has the patience that it buys ([caller] or lot.patience)"
WITHOUT: Final = {
    "parkext": _DIAL_PLAN,
    "parkext_exclusive": _DIAL_PLAN,
    "context": _DIAL_PLAN,
    "comebackcontext": _DIAL_PLAN,
    "parkinghints": "lamps; the lot's events tell as much",
    "courtesytone": "a tone at pick-up",
    "parkedplay": "a tone at pick-up",
    "parkedmusicclass": _MUSIC,
    "parkeddynamic": "lots made while calls come; a scenario's lots are there from the start",
    **dict.fromkeys(("parkedcalltransfers", "parkedcallhangup", "parkedcallrecording"), _PHONE),
    "parkedcallreparking": f"{_PHONE}; parking.max_parks says how often a call is parked",
    "adsipark": _PHONE,
}
"""Options of a lot without a counterpart in a scenario, and why."""
_ONLY_OF_LOTS: Final = frozenset({*DEFAULTS, "parkext", "parkedmusicclass", "parkinghints"})
FEATURES: Final = ("general", "featuremap", "applicationmap")


def lots_of(path: Path, text: str) -> Imported:
    """Return the lots of a file of Asterisk.

    Raises:
        ConfigurationError: it has no lot, or a value of one is no value of Asterisk.
    """
    groups, left_out = groups_of(path, text)
    general = next((one for one in groups if one.name.lower() == "general"), None)
    is_old = any(one.name.lower().startswith("parkinglot_") for one in groups) or (
        general is not None and any(one.key in _ONLY_OF_LOTS for one in general.settings)
    )
    lots = []
    for group in groups:
        name = _lot_name(group, is_old=is_old)
        if group.is_template or name is None:
            left_out += [] if group.is_template else _of_no_lot(group, is_old=is_old)
            continue
        lots.append(_lot(name, group, left_out, shares_section=is_old and group is general))
    if not lots:
        rule = f"no parking lot is in it (sections: {', '.join(one.name for one in groups[:8])[:120] or 'none'})"
        raise ConfigurationError(path, None, rule, "lots are in res_parking.conf, before Asterisk 12 in features.conf")
    return Imported(path, OLD if is_old else NEW, lots, left_out)


def _lot_name(group: Group, *, is_old: bool) -> str | None:
    """Return the name of the lot of a section; None where it is no lot."""
    lower = group.name.lower()
    if is_old:
        return "default" if lower == "general" else group.name[11:] if lower.startswith("parkinglot_") else None
    has_lot = lower == "default" or any(one.key in _ONLY_OF_LOTS for one in group.settings)
    return group.name if has_lot and lower != "general" else None


def _of_no_lot(group: Group, *, is_old: bool) -> list[LeftOut]:
    if group.name.lower() != "general":
        count = len(group.settings)
        what = Setting(group.path, group.line, f"[{group.name}]", "")
        return [LeftOut(what, f"no lot; {count} {'line' if count == 1 else 'lines'} of it passed over")]
    return [LeftOut(one, WITHOUT.get(one.key, _unknown(one.key))) for one in group.settings if not is_old]


def _lot(name: str, group: Group, left_out: list[LeftOut], *, shares_section: bool) -> PbxLot:
    """Return the lot of a section; ``shares_section`` where other features stand in it as well."""
    lot = PbxLot(_word(name, group, left_out), group.line)
    last = {one.key: one for one in group.settings}  # Asterisk, too, takes the last of several
    for key, value in DEFAULTS.items():
        _take(lot, last.get(key) or Setting(group.path, 0, key, value))
    for key, one in last.items():
        if key == "comebackcontext" and lot.recall["to"] == "group" and returns_to(one.value) == ELSEWHERE:
            lot.set_recall("to", ELSEWHERE, f"comebackcontext = {one.value} ({one.place})")
        elif key not in DEFAULTS:
            other = "another feature than parking" if shares_section else _unknown(key)
            left_out.append(LeftOut(one, WITHOUT.get(key, other)))
    lot.set_recall("attempts", 1, "Asterisk rings the parker once")
    for key in ("busy", "unanswered"):
        lot.set_recall(key, "drop", "then the call ends, unless the dial plan continues")
    lot.remarks = [found for one in group.remarks if (found := remark_of(one)) is not None]
    with_remarks(lot, left_out)
    return lot


def _word(name: str, group: Group, left_out: list[LeftOut]) -> str:
    """Return a lot's name as a scenario can have it."""
    word = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_") else "-" for sign in name)[:64] or "lot"
    if word != name:
        what = Setting(group.path, group.line, f"[{group.name}]", "")
        left_out.append(LeftOut(what, f"a lot's name is letters, digits, '-' and '_'; here it is {word}"))
    return word


def _unknown(key: str) -> str:
    near = nearest(key, (*DEFAULTS, *WITHOUT), 0.75)
    return f"no option that parksim knows; did you mean {near}?" if near else "no option of a lot that parksim knows"


def _take(lot: PbxLot, one: Setting) -> None:
    """Put one option of Asterisk into the words of a scenario."""
    origin = f"{one.key} = {one.value} ({one.place})" if one.line else f"{one.key} = {one.value}, Asterisk's default"
    lot.said[one.key] = one.value
    if one.key == "parkpos":
        first, last = _range(one)
        lot.set("slots", last - first + 1, origin)
        lot.set("first", first, origin)
    elif one.key == "findslot":
        lot.set("choice", _choice(one), origin)
    elif one.key == "parkingtime":
        lot.set_limit(_seconds(one), origin)
    elif one.key == "comebackdialtime":
        lot.set_recall("ring", f"{max(_seconds(one), 1)}s", origin)
    elif one.value.lower() in _TRUE:
        lot.set_recall("to", "parker", origin)
    else:
        lot.set_recall("to", "group", f"{origin}: comebackcontext decides; if it is not to the attendants, say so here")


def _wrong(one: Setting, rule: str, step: str) -> ConfigurationError:
    value = one.value if len(one.value) <= 60 else f"{one.value[:57]}..."
    return ConfigurationError(one.path, one.line, f"{one.key} = {value}: {rule}", step)


def _range(one: Setting) -> tuple[int, int]:
    first, dash, last = (part.strip() for part in one.value.partition("-"))
    if not (dash and _is_number(first) and _is_number(last) and int(first) <= int(last)):
        raise _wrong(one, "a range of slots is two numbers, the lower first", "write for instance parkpos = 701-720")
    if int(last) - int(first) >= 10_000:
        raise _wrong(one, "a lot of a scenario has at most 10,000 slots", "look for a wrong digit")
    return int(first), int(last)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9


def _seconds(one: Setting) -> int:
    if not (_is_number(one.value) and int(one.value) <= 1_000_000):
        raise _wrong(one, "Asterisk takes whole seconds", f"write for instance {one.key} = 45")
    return int(one.value)


def _choice(one: Setting) -> str:
    choice = _CHOICES.get(one.value.lower())
    if choice is None:
        near = nearest(one.value, _CHOICES)
        raise _wrong(one, "Asterisk takes first or next", f"did you mean {near}?" if near else "write findslot = first")
    return choice
