"""What a log's order and its clock leave in doubt: is the PBX wrong, or the log?"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from parksim.pbx.agreement import Agreement, Disagreement, Off
from parksim.pbx.formats.order import SLIGHT_US
from parksim.pbx.log import FieldLog

FAR_US: Final = 2_500_000
"""A clock that is kept right is set by less; a single time-out farther off is a fault."""
ENOUGH: Final = 20
"""In a log of which this many events agree, a line or two whose instants do not fit are no evidence by themselves."""
SAME_STEPS: Final = 3
"""A clock is not set by the same amount this often; a PBX may be wrong by the same amount each time."""
_Span = tuple[Off, list[Off], tuple[int, int], bool]
"""A stay, those that one step of a clock explains with it, between which lines, and whether time goes back there."""


def with_doubts(result: Agreement, log: FieldLog, in_order: Agreement | None = None) -> Agreement:
    """Return what a comparison found with what the log's own order and clock leave in doubt.

    Args:
        result: the comparison.
        log: the log.
        in_order: the comparison of its rows in the order of their instants, if lines are out of place.
    """
    reason = "its instant does not fit the order of the lines around it: time goes back there"
    result.disagreements.extend(Disagreement(line, reason) for line in log.misplaced)
    result.doubts = [*log.doubts]
    doubt_the_clock(result, log.place, log.misplaced)
    if log.misplaced:
        _doubt_the_order(result, log, in_order)
    return result


def _doubt_the_order(result: Agreement, log: FieldLog, in_order: Agreement | None) -> None:
    """Doubt what lines out of place explain."""
    if log.disorder_us <= SLIGHT_US:
        why = f"the log is out of order by {log.disorder_us / 1e3:,.0f} ms: --tolerance {-(-log.disorder_us // 1000)}ms"
        result.doubtful |= dict.fromkeys(log.misplaced, why)
    path, line = log.place(log.misplaced[0])
    others = [one.line for one in result.disagreements if one.line not in {*log.misplaced, *result.doubtful}]
    if in_order is not None:
        fits = all(one.line in in_order.doubtful for one in in_order.disagreements)
        if fits and in_order.unjudged.total() <= result.unjudged.total():
            why = f"{path}: line {line} is out of place, and in the order of the instants all rows fit: sort them"
            result.doubtful = dict.fromkeys([*log.misplaced, *others], why) | result.doubtful
            return
    if not others and result.agreed.total() >= ENOUGH:
        back_s = log.disorder_us / 1e6
        why = f"{path}: time goes back {back_s:,.1f} s at line {line}: the clock was set, or a line moved"
        result.doubtful = dict.fromkeys(log.misplaced, why) | result.doubtful


def doubt_the_clock(result: Agreement, place: Callable[[int], tuple[Path, int]], misplaced: Sequence[int] = ()) -> None:
    """Take out of the disagreements what a clock explains that was set a little, or doubt it.

    Two stays that overlap and are off by the same amount show that the clock was set: they are not judged. One alone,
    off by no more than ``FAR_US``, may show it, or a fault of the PBX; so may one that is early, with a line in its
    stay at which time goes back. A stay that timed out in time shows that the clock was not set during it. What is off
    by the same amount again and again (``SAME_STEPS``) is no clock.

    Args:
        result: the comparison.
        place: gives the file of a line.
        misplaced: lines at which time goes back.
    """
    found: list[_Span] = []
    for one in result.off:
        same = _set_together(one, result)
        span = max(other.parked_line for other in same), min(other.ended_line for other in same)
        back_there = one.off_us < 0 and any(one.parked_line < line <= one.line for line in misplaced)
        if back_there or (span[0] < span[1] and not _covered(*span, result.in_time)):
            found.append((one, same, span, back_there))
    for one, same, _, back_there in found:
        if _steps_like(one, found, result.tolerance_us) >= SAME_STEPS:
            continue
        where = f"between lines {place(one.parked_line)[1]} and {place(one.line)[1]}"
        step_us = next((other.off_us for other in same if other.exact), one.off_us)
        why = f"the clock was set by {step_us / 1e6:+,.3f} s {where}"
        lines = {one.line, one.ended_line} if one.exact else {one.line}
        if len(same) > 1:
            gone = {other.line for other in result.disagreements if other.line in lines}
            result.disagreements = [other for other in result.disagreements if other.line not in lines]
            result.unjudged.update(one.kind if line == one.line else "EXPIRED" for line in gone)
            result.set_clocks[one.line] = f"{why}, as {len(same)} stays show"
        elif abs(one.off_us) <= FAR_US or back_there:
            result.doubtful |= dict.fromkeys(lines, f"{why}, or the PBX is wrong: one stay does not tell")
        if back_there:
            inside = (line for line in misplaced if one.parked_line < line <= one.line)
            result.doubtful = dict.fromkeys(inside, why) | result.doubtful


def _set_together(one: Off, result: Agreement) -> list[Off]:
    """Return the stays, itself among them, that overlap with a stay and are off by what one step of a clock explains.

    A stay that timed out is off by the step itself; one that was ended otherwise, and too late, by no more than that.
    """
    near = [
        other
        for other in result.off
        if other is one or (other.parked_line < one.ended_line and one.parked_line < other.ended_line)
    ]
    exact = [other for other in near if other.exact and (other.off_us >= one.off_us > 0 or one.exact)]
    step_us = one.off_us if one.exact or not exact else min(other.off_us for other in exact)
    within_us = 2 * result.tolerance_us
    return [
        other
        for other in near
        if other is one or abs(other.off_us - step_us) <= within_us or (not other.exact and 0 < other.off_us <= step_us)
    ]


def _steps_like(one: Off, found: Sequence[_Span], tolerance_us: int) -> int:
    """Return how many steps of a clock, at least, it takes to explain all that is off by as much as a stay."""
    spans = sorted(span for other, _, span, _ in found if abs(other.off_us - one.off_us) <= 2 * tolerance_us)
    steps, last = 0, -1
    for begin, end in sorted(spans, key=lambda span: span[1]):
        if begin >= last:
            steps, last = steps + 1, end
    return steps


def _covered(begin: int, end: int, stays: Sequence[tuple[int, int]]) -> bool:
    """Tell whether some stays leave no line between two in which a clock may have been set."""
    for first, last in sorted(one for one in stays if one[0] < end and one[1] > begin):
        if first > begin:
            return False
        begin = max(begin, last)
    return begin >= end
