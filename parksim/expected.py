"""What theory says of a scenario: a formula's value for each measure, or the reason why none holds."""

from collections.abc import Mapping
from typing import NamedTuple

from parksim.measures import SCALARS, VECTORS
from parksim.scenario import Scenario


class Formula(NamedTuple):
    """What theory says of one measure: its value (a tuple for a vector) and by which formula, or why there is none."""

    value: float | tuple[float, ...] | None
    reason: str

    def at(self, index: int | None) -> dict[str, float | str | None]:
        """Return the JSON of the formula, of one element if it is a vector's."""
        value = self.value[index] if isinstance(self.value, tuple) and index is not None else self.value
        assert not isinstance(value, tuple)
        return {"formula": value, "formula_reason": self.reason}


def formulas(scenario: Scenario) -> Mapping[str, Formula]:
    """Return what theory says of every measure of ``scenario``."""
    return dict.fromkeys((*SCALARS, *VECTORS), Formula(None, "none yet"))
