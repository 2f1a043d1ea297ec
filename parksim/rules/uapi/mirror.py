"""What the facts of a switchboard mean in the register: simulated calls seen through UAPI.

A switchboard has calls that no client has asked for. ``mirrored`` takes one fact and answers with the register after
it: a call stands there from the moment an extension of the directory talks to it until it ends, or until somebody has
it who is not in the directory; its stay in the lot stands there in any case. A fact's extension is a place in the
register's extensions; one beyond them, or ``NOBODY``, is not in the directory.

>>> from parksim.rules.uapi.register import new_register
>>> from parksim.rules import codes as c
>>> register = new_register({"12": ["0003*210"]})
>>> register = mirrored(register, Fact(0, c.NEVER, 0, c.NOBODY, c.NOBODY, c.NOBODY, c.OFFERED, 0))
>>> register = mirrored(register, Fact(5_000_000, c.NEVER, 0, c.NOBODY, c.NOBODY, 0, c.ANSWERED, 0))
>>> register.calls[0].views[0].caller_id
'Caller <5550000000>'
"""

from typing import Final

from parksim.rules import codes as c
from parksim.rules.lot import Fact
from parksim.rules.uapi.calls import handed_over, id_of_number
from parksim.rules.uapi.register import (
    FLOW_INCOMING,
    STATUS_ON_CALL,
    STATUS_OTHER_RINGING,
    Call,
    Register,
    Return,
    Stay,
    View,
    with_call,
    with_fact,
    with_new_call,
    with_view,
    without_call,
)

_TALKS: Final = frozenset({c.ANSWERED, c.RETRIEVED, c.RECALL_ANSWERED})


def caller_number(call: int) -> str:
    """Return the number from which a simulated call comes."""
    return f"555{call:07d}"


def caller_id(call: int) -> str:
    """Return how a simulated call shows itself."""
    return f"Caller <{caller_number(call)}>"


def mirrored(register: Register, fact: Fact) -> Register:
    """Return the register after a fact of the switchboard."""
    if fact.kind == c.OFFERED:
        return register._replace(next_call=fact.call + 1)
    if _frees_or_takes_a_slot(fact):
        parker = _parker(register, fact)
        register = with_fact(register, fact)
    else:
        parker = c.NOBODY
    call = next((known for known in register.calls if known.number == fact.call), None)
    if call is None:
        listed = fact.kind in _TALKS and _is_listed(register, fact.extension)
        return with_new_call(register, _new_call(register, fact)) if listed else register
    if fact.kind in {c.ENDED, c.LOST, c.ABANDONED}:
        return without_call(register, fact.call)
    if fact.kind in {c.RETRIEVED, c.RECALL_ANSWERED} and not _is_listed(register, fact.extension):
        return without_call(register, fact.call)
    return with_call(register, _moved(register, call, fact, parker))


def _moved(register: Register, call: Call, fact: Fact, parker: int) -> Call:
    if fact.kind == c.PARKED:
        parked = with_view(call, 0, on_hold_us=c.NEVER)
        return parked._replace(stay=Stay(0, fact.lot, fact.slot, fact.time_us, c.NOBODY, c.NEVER))
    if fact.kind == c.RETRIEVED:
        return handed_over(register, call, parker, fact.extension)._replace(stay=None, ending=c.AFTER_RETRIEVAL)
    if fact.kind == c.EXPIRED:
        assert call.stay is not None
        return call._replace(stay=None, returning=Return(call.stay.view, fact.extension))
    if fact.kind == c.RECALL_RINGING:
        assert call.returning is not None
        view = call.returning.view
        rings = with_view(call, view, status=STATUS_OTHER_RINGING, ringing_us=fact.time_us)
        return rings._replace(returning=Return(view, fact.extension))
    if fact.kind == c.RECALL_ANSWERED:
        assert call.returning is not None
        talks = with_view(call, call.returning.view, status=STATUS_ON_CALL)
        return handed_over(register, talks, call.returning.parker, fact.extension)._replace(returning=None)
    return call


def _new_call(register: Register, fact: Fact) -> Call:
    """Return a call of which the directory knew nothing, and that one of its extensions talks to from now on."""
    extension, peer = register.extensions[fact.extension].number, caller_number(fact.call)
    view = View(
        "01",
        fact.extension,
        (peer,),
        (extension,),
        caller_id(fact.call),
        FLOW_INCOMING,
        STATUS_ON_CALL,
        c.NEVER,
        fact.time_us,
        c.NEVER,
    )
    name = id_of_number(fact.call)
    ending = c.AFTER_RETRIEVAL if fact.kind == c.RETRIEVED else c.TALKED
    return Call(fact.call, name, fact.extension, "", (view,), fact.time_us, fact.time_us, None, None, ending)


def _is_listed(register: Register, extension: int) -> bool:
    return 0 <= extension < len(register.extensions)


def _frees_or_takes_a_slot(fact: Fact) -> bool:
    return fact.kind in {c.PARKED, c.RETRIEVED, c.EXPIRED} or (fact.kind == c.ABANDONED and fact.reason == c.IN_LOT)


def _parker(register: Register, fact: Fact) -> int:
    return register.lots[fact.lot].parkers[fact.slot]


__all__ = ["caller_id", "caller_number", "mirrored"]
