"""What a PBX's configuration says about its lots, in the words of a scenario, and the TOML of it.

Both ways keep what the PBX has no word for: ``export`` writes it as a remark, ``parksim: when_full = "drop"``, and
``import`` reads the remark back. A remark that stands for a rounded or a missing value names the line it goes with
(``while parkingtime = 78``) and counts only as long as that line is unchanged.
"""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from parksim.errors import ConfigurationError, UnfitError
from parksim.scenario.comments import toml
from parksim.scenario.lots import UAPI_LIMITS_S
from parksim.scenario.messages import nearest
from parksim.scenario.quantities import UNLIMITED, duration_s
from parksim.scenario.reading import MIB, names_beside, read

LARGEST_FILE: Final = 4 * MIB
_REMARK: Final = re.compile(r"parksim: (?P<key>[a-z_.]+) = (?P<value>.*)", re.DOTALL)
_WHILE: Final = re.compile(r"(?P<value>.*) while (?P<option>\w+) = (?P<is>\S+)", re.DOTALL)


class Setting(NamedTuple):
    """One line of a PBX's configuration."""

    path: Path
    line: int
    key: str
    value: str

    @property
    def place(self) -> str:
        """The file and the line, as a person reads them."""
        return f"{self.path.name}, line {self.line}"


class LeftOut(NamedTuple):
    """A line that a scenario has no counterpart for, and why."""

    setting: Setting
    why: str

    def __str__(self) -> str:
        one = self.setting
        value = f" = {_shown(one.value)}" if one.value else ""
        return f"{one.place}: {one.key}{value}: {self.why}"


class Remark(NamedTuple):
    """What an export kept beside the lines of the PBX: a scenario's key and value."""

    setting: Setting
    key: str
    value: Any
    option: str
    """The option of the PBX that the value stands for; "" where it stands for none."""
    option_value: str


ELSEWHERE: Final = "elsewhere"
_VOICEMAIL: Final = re.compile(r"(?<![a-z])(elsewhere|voicemail|vm)(?![a-z])")


def returns_to(name: str) -> str:
    """Return where calls go whose context or extension has a name; only a few names say that it is not the attendants.

    >>> returns_to("voicemail-100"), returns_to("operator")
    ('elsewhere', 'group')
    """
    return ELSEWHERE if _VOICEMAIL.search(name.lower()) else "group"


@dataclass
class PbxLot:
    """A lot as the PBX has it: a scenario's keys, and where each value was said."""

    name: str
    line: int
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    recall: dict[str, Any] = field(default_factory=dict)
    recall_origins: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    """The PBX's own options, as they are written or by its defaults: remarks go with them."""
    remarks: list[Remark] = field(default_factory=list)

    def set(self, key: str, value: Any, origin: str) -> None:
        """Note the value of a key of the lot."""
        self.values[key], self.origins[key] = value, origin

    def set_recall(self, key: str, value: Any, origin: str) -> None:
        """Note the value of a key of [recall]."""
        self.recall[key], self.recall_origins[key] = value, origin

    def set_limit(self, seconds: int, origin: str) -> None:
        """Note the time-out, and the range of time-outs that allows it; 0 for none."""
        self.set("max_in_parking", f"{seconds}s" if seconds else UNLIMITED, origin)
        if not seconds or not UAPI_LIMITS_S[0] <= seconds <= UAPI_LIMITS_S[1]:
            self.set("limits", "pbx", "outside UAPI's 10 s to 3,600 s")


@dataclass
class Imported:
    """The lots of a PBX's configuration, in the words of a scenario.

    Attributes:
        source: The file.
        system: The PBX whose file it is, as "Asterisk 12 or newer".
        lots: In the order of the file; one is ``[lot]``, several are ``[[lot]]``.
        left_out: What a scenario has no counterpart for.
    """

    source: Path
    system: str
    lots: list[PbxLot]
    left_out: list[LeftOut]

    @property
    def tables(self) -> dict[str, Any]:
        """The tables of the scenario as plain values: "lot", and "parking" and "recall" where something was said."""
        rows = [{"name": lot.name, **lot.values} if self._named else dict(lot.values) for lot in self.lots]
        tables: dict[str, Any] = {"lot": rows if self._named else rows[0]}
        for table in ("parking", "recall"):
            found = {key: value for key, (value, _) in self._shared(table).items()}
            tables |= {table: found} if found else {}
        return tables

    @property
    def _named(self) -> bool:
        return len(self.lots) > 1 or "organization" in self.lots[0].values

    def _shared(self, table: str) -> dict[str, tuple[Any, str]]:
        """Return what all lots have together: the first lot's values of a table, with their origins."""
        lot = self.lots[0]
        recall = lot.recall if table == "recall" else {}
        found = {key: (value, lot.recall_origins[key]) for key, value in recall.items()}
        for one in lot.remarks:
            if one.key.startswith(f"{table}."):
                found[one.key.partition(".")[2]] = (one.value, one.setting.place)
        return found

    @property
    def toml(self) -> str:
        """The tables as TOML, each value with its origin as a comment, after what was left out."""
        lines = [f"# From {self.source.name}, {self.system}."]
        if self.left_out:
            lines += ["# Without a counterpart in a scenario:", *(f"#   {_comment(str(one))}" for one in self.left_out)]
        for lot in self.lots:
            lines += ["", "[[lot]]", f"name = {toml(lot.name)}"] if self._named else ["", "[lot]"]
            lines += [_pair(key, value, lot.origins[key]) for key, value in lot.values.items()]
        for table in ("parking", "recall"):
            shared = self._shared(table)
            if shared:
                lines += ["", f"[{table}]", *(_pair(key, value, said) for key, (value, said) in shared.items())]
        return "\n".join(lines) + "\n"


def _pair(key: str, value: Any, origin: str) -> str:
    return f"{f'{key} = {toml(value)}':<36} # {_comment(origin)}"


def _comment(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def content_of(path: Path) -> str:
    """Return the text of a configuration file; bytes that are not UTF-8 are read as Latin-1.

    Raises:
        ConfigurationError: there is no such file, or it cannot be read.
    """
    try:
        content = read(path, LARGEST_FILE)
    except FileNotFoundError:
        raise ConfigurationError(path, None, "there is no such file", _beside(path)) from None
    except UnfitError as error:
        raise ConfigurationError(path, None, error.rule, error.step) from None
    if b"\0" in content:
        raise ConfigurationError(path, None, "this is not text (it has NUL bytes)", "name the PBX's own file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _beside(path: Path) -> str:
    near = nearest(path.name, names_beside(path))
    return f'did you mean "{near}"?' if near else "name res_parking.conf, features.conf or a dial plan of FreeSWITCH"


def remark_of(setting: Setting) -> Remark | None:
    """Return what an export kept in a comment; None for any other comment.

    Raises:
        ConfigurationError: it is such a remark, and its value cannot be read.
    """
    found = _REMARK.fullmatch(setting.value.strip())
    if found is None:
        return None
    for text, option, is_now in ((found["value"], "", ""), *_split(found["value"])):
        try:
            return Remark(setting, found["key"], tomllib.loads(f"value = {text}")["value"], option, is_now)
        except (ValueError, RecursionError):
            continue
    rule = f"the remark parksim: {_shown(found['key'])} has no value of TOML"
    raise ConfigurationError(setting.path, setting.line, rule, "export it again, or remove the remark")


def _split(text: str) -> list[tuple[str, str, str]]:
    found = _WHILE.fullmatch(text)
    return [] if found is None else [(found["value"], found["option"], found["is"])]


def with_remarks(lot: PbxLot, left_out: list[LeftOut]) -> None:
    """Let the remarks of an export replace what the PBX's own lines say less well."""
    for one in lot.remarks:
        now = lot.said.get(one.option, "")
        if one.option and now != one.option_value:
            why = f"it went with {one.option} = {one.option_value}, which is {now or 'not there'} now"
            left_out.append(LeftOut(one.setting, why))
        elif one.key == "name":
            lot.name = str(one.value)
        elif "." not in one.key:
            lot.set(one.key, one.value, one.setting.place)
    kept = [one for one in lot.remarks if lot.said.get(one.option, "") == one.option_value]
    lot.remarks = kept


def whole_seconds(value: object) -> int | None:
    """Return a time-out in whole seconds, 0 for none; None where a PBX cannot say it."""
    if value == UNLIMITED:
        return 0
    seconds = value.get("value") if isinstance(value, dict) and value.get("kind") == "constant" else value
    try:
        exact = duration_s(seconds)
    except UnfitError:
        return None
    return int(exact) if exact == int(exact) else None
