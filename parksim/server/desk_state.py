"""What a desk knows at an instant, as plain data: a checkpoint of a session holds it.

A new attribute of the desk that must survive a restart is a field here; ``Desk.state`` fills it, ``Desk.become`` takes
it back. What the desk puts off for later is a ``partial`` of one of the switchboard's ``works``, with plain arguments.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from parksim.engines.snapshot import Snapshot
from parksim.rules.uapi.register import Call, Return, Stay, Subscription, View


class DeskState(NamedTuple):
    """Everything that a desk knows and its arguments do not say.

    Attributes:
        reached_us: The last instant of which something has happened.
        speed: Simulated seconds a second, whether time stands still, and the rate of the server that this was told to.
        changes: How many facts there were.
        newest_event: The number of the newest event of calls; the events themselves are not kept.
        counters: How many of each kind that the board counts, in the order of ``desk.COUNTED``.
        day: What the board tells of a day, ``Day.state``.
        calls: The live calls of the register, in the order of their numbers.
        subscriptions: The phoneCallEvents of the register.
        model: The switchboard.
    """

    reached_us: int
    speed: Sequence[Any]
    changes: int
    newest_event: int
    counters: Sequence[int]
    day: dict[str, Any]
    calls: Sequence[Call]
    subscriptions: Sequence[Subscription]
    model: Snapshot

    def alike(self) -> "DeskState":
        """Return it without what nobody will ever see; states from which the same follows are equal then."""
        return self._replace(
            counters=tuple(self.counters),
            calls=tuple(self.calls),
            subscriptions=tuple(self.subscriptions),
            model=self.model.alike(),
        )


def call_of(row: Sequence[Any]) -> Call:
    """Return a call that JSON has made lists of."""
    number, name, extension, nonce, views, published_us, answered_us, stay, returning, ending = row
    return Call(
        *(number, name, extension, nonce),
        tuple(View(one[0], one[1], tuple(one[2]), tuple(one[3]), *one[4:]) for one in views),
        *(published_us, answered_us),
        stay and Stay(*stay),
        returning and Return(*returning),
        ending,
    )
