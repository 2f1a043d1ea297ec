"""Contender: park-1 in Ciw, a simulator of networks of queues, for whoever has installed it.

Three nodes: the attendants (twelve servers, returns ahead of new calls), the lot and the staff (servers without limit).
Ciw has no notion of an attendant who keeps a call that finds the lot full, nor of a race, so two methods of its node
are ours: where a call goes when its service ends, and that it stays when the lot is full. Ciw draws from the
standard library's generator.
"""

import random
from typing import Any

import ciw

from tests.speed import park1
from tests.speed.park1 import WARM_UP_S, Figures

ATTENDANTS, LOT, STAFF, OUTSIDE = 1, 2, 3, -1


class Arrivals(ciw.dists.Distribution):
    """Exponential gaps, until the calls wanted have come."""

    def __init__(self, until_s: float) -> None:
        super().__init__()
        self.until_s = until_s

    def sample(self, t: float | None = None, ind: Any = None) -> float:  # noqa: ARG002 - as Ciw calls it
        """Return the time to the next call, without end after the last one."""
        gap_s = random.expovariate(park1.ARRIVALS_PER_S)
        return gap_s if (t or 0.0) + gap_s < self.until_s else float("inf")


class Handling(ciw.dists.Distribution):
    """From the answer to the park request, or to the end of the talk."""

    def sample(self, t: float | None = None, ind: Any = None) -> float:  # noqa: ARG002 - as Ciw calls it
        """Decide whether the call is to be parked, and return how long the attendant has it."""
        ind.parks = getattr(ind, "parks", 0)  # of an individual that Ciw has made itself
        if ind.parks == 0:
            ind.counts = ind.arrival_date >= WARM_UP_S
        ind.wants_park = ind.parks < park1.MAX_PARKS and random.random() < park1.PARK_PROBABILITY
        handling_s = random.expovariate(1 / park1.HANDLING_S)
        return handling_s if ind.wants_park else handling_s + random.expovariate(1 / park1.TALK_S)


class Stay(ciw.dists.Distribution):
    """The stay in the lot: the first of patience, retrieval and time-out."""

    def sample(self, t: float | None = None, ind: Any = None) -> float:  # noqa: ARG002 - as Ciw calls it
        """Return how long it lasts; the call remembers what ended it."""
        ends = {
            "abandoned": random.expovariate(1 / park1.PATIENCE_S),
            "retrieved": random.lognormvariate(park1.RETRIEVAL_MU, park1.RETRIEVAL_SIGMA),
            "expired": park1.MAX_IN_PARKING_S,
        }
        ind.outcome = min(ends, key=ends.__getitem__)
        return ends[ind.outcome]


class Switchboard(ciw.Node):
    """A node of park-1, with the counts of the whole network in the simulation."""

    def accept(self, next_individual: Any, completed: bool = False) -> None:
        """Take a call in; those that return are ahead, here and from now on."""
        next_individual.prev_priority_class = next_individual.priority_class
        super().accept(next_individual, completed)

    def finish_service(self) -> None:
        """Keep a call whose park is refused for its talk; let any other go on."""
        call = self.next_individual[0]
        lot = self.simulation.nodes[LOT]
        if self.id_number == ATTENDANTS and call.wants_park and lot.number_of_individuals == park1.SLOTS:
            call.wants_park = False
            self.simulation.counts["refused"] += call.counts
            call.service_end_date = self.now + random.expovariate(1 / park1.TALK_S)
            call.server.next_end_service_date = call.service_end_date
        else:
            super().finish_service()

    def next_node(self, ind: Any) -> Any:
        """Say where a call goes whose service has ended, and count what happened to it."""
        nodes, counts = self.simulation.nodes, self.simulation.counts
        if self.id_number == ATTENDANTS and ind.wants_park:
            ind.parks += 1
            counts["parked"] += ind.counts
            return nodes[LOT]
        if self.id_number == LOT:
            counts[ind.outcome] += ind.counts
            self.simulation.add_stay(ind.arrival_date, self.now)
            if ind.outcome == "expired":
                ind.customer_class, ind.priority_class = "return", 0
                return nodes[ATTENDANTS]
            if ind.outcome == "retrieved":
                return nodes[STAFF]
        return nodes[OUTSIDE]


class Counted(ciw.Simulation):
    """A simulation that counts what park-1 is judged by."""

    def __init__(self, network: Any, until_s: float) -> None:
        self.counts = dict.fromkeys(("parked", "refused", "retrieved", "abandoned", "expired"), 0)
        self.occupied_slot_s = 0.0
        self.until_s = until_s
        super().__init__(network, node_class=Switchboard)

    def add_stay(self, from_s: float, until_s: float) -> None:
        """Add what a stay has in common with the time that counts."""
        self.occupied_slot_s += max(0.0, min(until_s, self.until_s) - max(from_s, WARM_UP_S))


def simulate(seed: int, calls: int) -> tuple[int, Figures]:
    """Run park-1 for about ``calls`` calls after the warm-up; return how many it simulated in all, and the figures."""
    counted_s = calls / park1.ARRIVALS_PER_S
    until_s = WARM_UP_S + counted_s
    service = [Handling(), Stay(), ciw.dists.Exponential(1 / park1.STAFF_TALK_S)]
    network = ciw.create_network(
        arrival_distributions={"call": [Arrivals(until_s), None, None], "return": [None, None, None]},
        service_distributions={"call": service, "return": service},
        number_of_servers=[park1.ATTENDANTS, float("inf"), float("inf")],
        priority_classes={"return": 0, "call": 1},
        routing={"call": [[0.0] * 3] * 3, "return": [[0.0] * 3] * 3},
    )
    ciw.seed(seed)
    board = Counted(network, until_s)
    board.simulate_until_max_time(until_s + 86_400.0)  # until all have ended: nothing comes in the last day
    first = [min(r.arrival_date for r in call.data_records) for call in board.nodes[OUTSIDE].all_individuals]
    counted = sum(arrival_s >= WARM_UP_S for arrival_s in first)
    figures = (board.counts[name] / counted for name in ("parked", "refused", "retrieved", "abandoned", "expired"))
    return len(first), Figures(*figures, board.occupied_slot_s / counted_s)
