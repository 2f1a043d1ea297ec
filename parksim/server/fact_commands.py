"""What the rules have decided, as commands to the switchboard: it must write the very facts."""

from collections.abc import Sequence
from typing import Final

from parksim.engines.commanded import ANSWER, HANG_UP, PARK, PICK_UP, PLACE, UNPARK, Command
from parksim.rules import codes as c
from parksim.rules.lot import Fact

_COMMANDS: Final = {
    c.OFFERED: PLACE,
    c.ANSWERED: ANSWER,
    c.RECALL_ANSWERED: ANSWER,
    c.PARKED: PARK,
    c.REFUSED: PARK,
    c.RETRIEVED: UNPARK,
    c.ABANDONED: HANG_UP,
    c.ENDED: HANG_UP,
}


def commands_of(facts: Sequence[Fact], now_us: int) -> list[Command]:
    """Return the commands that make the switchboard write those facts, all at once."""
    commands: list[Command] = []
    for fact in facts:
        if fact.kind == c.RECALL_UNANSWERED:  # by the same command as the retrieval behind it
            continue
        kind = PICK_UP if (fact.kind, fact.reason) == (c.RETRIEVED, c.RINGING) else _COMMANDS[fact.kind]
        call = c.NOBODY if fact.kind == c.OFFERED else fact.call
        limit_us = c.NEVER if fact.deadline_us == c.NEVER else fact.deadline_us - now_us
        command = Command(now_us, kind, call, fact.extension, limit_us, max(fact.lot, 0))
        commands.append(command._replace(joined=bool(commands)))
    return commands


def agreed(fact: Fact) -> tuple[int, ...]:
    """Return what the rules and the switchboard must agree on; reasons and extensions of an end may differ."""
    return fact.call, fact.kind, fact.slot, fact.deadline_us
