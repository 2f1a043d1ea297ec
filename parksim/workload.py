"""The offered calls, drawn before the run: the only randomness of a simulation.

A ``Workload`` is a set of integer columns. Engines read them and draw nothing, so that two engines, two lots or two
staffings can be compared call by call (common random numbers), and any replication can be run again alone.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]


class Workload(NamedTuple):
    """The calls of one replication, numbered by (instant, line).

    All columns are int64; times are microseconds, ``-1`` means never. Per call: shape (calls,). With k = parks made
    so far: ``handling_us`` and ``talk_us`` have shape (max_parks + 1, calls), the others (max_parks, calls).
    """

    arrival_us: Column
    """Instant at which the call is offered."""
    queue_patience_us: Column
    """Longest wait in the queue, from the arrival."""
    lot: Column
    """The lot in which the call is parked first."""
    handling_us: Column
    """From being answered until the decision to park or not."""
    talk_us: Column
    """Talk with the attendant that ends the call, from handling's end or the last refusal."""
    wants_park: Column
    """1 if the k-th handling ends in a park request, else 0."""
    max_in_parking_us: Column
    """The longest stay, from PARKED."""
    patience_us: Column
    """When the parked caller hangs up, from PARKED."""
    retrieval_us: Column
    """When somebody comes to retrieve the call, from PARKED."""
    staff_talk_us: Column
    """Talk after the retrieval, which ends the call."""
    slot_u: Column
    """Random choice: the free slot number ``slot_u mod free``, 0 <= slot_u < 2**62."""
    answer_us: Column
    """When the parker answers a return, from the first ring."""
    recall_patience_us: Column
    """When a returning caller hangs up, from EXPIRED."""
