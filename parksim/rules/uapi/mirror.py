"""What the facts of a switchboard mean in the register: simulated calls seen through UAPI.

A switchboard has calls that no client has asked for. ``mirrored`` takes one fact and answers with the register after
it: a call stands there from the moment an extension of the directory talks to it until it ends, or until somebody has
it who is not in the directory. A fact's extension is a place in the register's extensions; one beyond them, or
``NOBODY``, is not in the directory. Lots and the next call's number are not followed: the switchboard has them.

>>> from parksim.rules.uapi.register import new_register
>>> from parksim.rules import codes as c
>>> register = new_register({"12": ["0003*210"]})
>>> register = mirrored(register, Fact(5_000_000, c.NEVER, 0, c.NOBODY, c.NOBODY, 0, c.ANSWERED, 0))
>>> register.calls[0].views[0].caller_id
'Caller <5550000000>'
"""

from typing import Final

from parksim.rules import codes as c
from parksim.rules.lot import Fact
from parksim.rules.uapi import register as r
from parksim.rules.uapi.calls import handed_over, id_of_number

_TALKS: Final = frozenset({c.ANSWERED, c.RETRIEVED, c.RECALL_ANSWERED})


def caller_number(call: int) -> str:
    """Return the number from which a simulated call comes."""
    return f"555{call:07d}"


def caller_id(call: int) -> str:
    """Return how a simulated call shows itself."""
    return f"Caller <{caller_number(call)}>"


def mirrored(register: r.Register, fact: Fact) -> r.Register:
    """Return the register after a fact of the switchboard."""
    call = register.calls.with_number(fact.call)
    if call is None:
        listed = fact.kind in _TALKS and _is_listed(register, fact.extension)
        return r.with_call(register, _new_call(register, fact)) if listed else register
    if fact.kind in {c.ENDED, c.LOST, c.ABANDONED}:
        return r.without_call(register, fact.call)
    if fact.kind in {c.RETRIEVED, c.RECALL_ANSWERED} and not _is_listed(register, fact.extension):
        return r.without_call(register, fact.call)
    return r.with_call(register, _moved(register, call, fact))


def _moved(register: r.Register, call: r.Call, fact: Fact) -> r.Call:
    if fact.kind == c.PARKED:
        stay = r.Stay(0, fact.lot, fact.slot, fact.extension, fact.time_us, c.NOBODY, c.NEVER, fact.deadline_us)
        return r.with_view(call, 0, on_hold_us=c.NEVER)._replace(stay=stay)
    if fact.kind == c.RETRIEVED:
        parker = c.NOBODY if call.stay is None else call.stay.parker
        if call.returning is not None:  # fetched while it rang
            parker = call.returning.parker
            call = r.with_view(call, call.returning.view, status=r.STATUS_ON_CALL)
        taken = handed_over(register, call, parker, fact.extension)
        ending = c.TALKED if fact.reason == c.ON_REMINDER else c.AFTER_RETRIEVAL
        return taken._replace(stay=None, returning=None, ending=ending)
    if fact.kind == c.EXPIRED:
        assert call.stay is not None
        return call._replace(stay=None, returning=r.Return(call.stay.view, fact.extension))
    if fact.kind == c.RECALL_RINGING:
        assert call.returning is not None
        rings = r.with_view(call, call.returning.view, status=r.STATUS_OTHER_RINGING, ringing_us=fact.time_us)
        return rings._replace(returning=call.returning._replace(parker=fact.extension))
    if fact.kind == c.RECALL_UNANSWERED and fact.reason == c.LAST:  # it rings no more, and a PickUp has nothing to pick
        assert call.returning is not None
        view, parker, *_ = call.returning
        return r.with_view(call, view, status=r.STATUS_ON_CALL)._replace(returning=r.Return(view, parker))
    if fact.kind == c.RECALL_ANSWERED:
        assert call.returning is not None
        talks = r.with_view(call, call.returning.view, status=r.STATUS_ON_CALL)
        return handed_over(register, talks, call.returning.parker, fact.extension)._replace(returning=None)
    return call


def _new_call(register: r.Register, fact: Fact) -> r.Call:
    """Return a call of which the directory knew nothing, and that one of its extensions talks to from now on."""
    source, destination = (caller_number(fact.call),), (register.extensions[fact.extension].number,)
    shown, flow, status = caller_id(fact.call), r.FLOW_INCOMING, r.STATUS_ON_CALL
    view = r.View("01", fact.extension, source, destination, shown, flow, status, c.NEVER, fact.time_us, c.NEVER)
    name = id_of_number(fact.call)
    ending = c.AFTER_RETRIEVAL if fact.kind == c.RETRIEVED else c.TALKED
    return r.Call(fact.call, name, fact.extension, "", (view,), fact.time_us, fact.time_us, None, None, ending)


def _is_listed(register: r.Register, extension: int) -> bool:
    return 0 <= extension < len(register.extensions)
