"""What a log does not tell, which file of the PBX tells it, and how that file is switched on."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from parksim.pbx.formats import freeswitch, freeswitch_cdr
from parksim.pbx.formats.cel import SWITCH_ON
from parksim.pbx.formats.entry import TELLS
from parksim.pbx.formats.table import JOURNAL


class Advice(NamedTuple):
    """What is not told, what to record for it, and how."""

    lacking: str
    record: str
    how: str


_AMI: Final = (
    "the manager's events (AMI)",
    "in manager.conf set timestampevents = yes and give a user read = call; log in as this user and keep what is sent",
)
_CEL: Final = "Asterisk's CEL", SWITCH_ON
_QUEUE: Final = (
    "queue_log",
    "let calls pass through Queue() in extensions.conf, and set queue_log = yes in logger.conf",
)
_VALET: Final = (
    "the event socket's valet events",
    "log in at the event socket, send: event plain CUSTOM valet_parking::info, and keep what is sent",
)
_CDR: Final = "cdr_csv", "load mod_cdr_csv, and set default-template to example in cdr_csv.conf.xml"
_ASTERISK: Final = {
    "slots": _AMI,
    "limits": _AMI,
    "refusals": _CEL,
    "parkers": _AMI,
    "retrievers": _AMI,
    "offered": _QUEUE,
    "waits": _QUEUE,
    "returns": _AMI,
    "settings": ("res_parking.conf", "parksim import res_parking.conf turns it into a scenario's lots"),
    "attendants": _QUEUE,
}
_FREESWITCH: Final = {
    "slots": _VALET,
    "limits": _VALET,
    "parkers": _VALET,
    "retrievers": _VALET,
    "offered": _CDR,
    "waits": _CDR,
    "settings": ("the dial plan", "parksim import FILE turns its valet_park into a scenario's lots"),
}


def to_record(forms: Iterable[str], tells: Iterable[str]) -> list[Advice]:
    """Return what to record to know more: each file once, in the order of ``TELLS``.

    Args:
        forms: of a log; the system that wrote them has its own files.
        tells: what they tell.
    """
    forms, told = set(forms), set(tells)
    if JOURNAL in forms:
        return []
    files = _FREESWITCH if forms & {freeswitch.FORM, freeswitch_cdr.FORM} else _ASTERISK
    lacking: dict[tuple[str, str], list[str]] = {}
    for one, words in TELLS.items():
        if one not in told and one in files:
            lacking.setdefault(files[one], []).append(words)
    return [Advice("; ".join(words), *file) for file, words in lacking.items()]
