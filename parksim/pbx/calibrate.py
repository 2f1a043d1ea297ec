"""From a log to a scenario: each figure with its 95 % interval, the number of observations, and its source.

What a log shows directly is counted (shares with Clopper and Pearson's limits, rates with Garwood's). Durations that
something else may cut short are fitted as censored (``survival``). What the log cannot show is a marked guess in the
scenario. The clocks of a stay (retrieval, patience, time-out) are assumed to be independent, as in parksim's model; no
log can show whether they are (Tsiatis 1975, Proc. Nat. Acad. Sci. 72, 20-22).
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist, fmean, median, stdev
from typing import Final

import numpy as np

from parksim.errors import ArgumentError, LogError
from parksim.journal.measures import open_by_hour_us
from parksim.journal.tally import Window
from parksim.pbx.agreement import Agreement
from parksim.pbx.conformance import timed_out_us
from parksim.pbx.durations import Clock, Observed, busiest, observe
from parksim.pbx.fitting import DRAWN, Calibration, empirical, number, percent, seconds, share_of, span
from parksim.pbx.formats import cel
from parksim.pbx.formats.entry import shown
from parksim.pbx.log import FieldLog
from parksim.pbx.missing import Span
from parksim.pbx.variation import busy_days, chi_squared, dispersion, shares_by_hour, widened
from parksim.rules import codes as c
from parksim.scenario.lots import UAPI_LIMITS_S
from parksim.scenario.model import DAY_S, Settings
from parksim.scenario.quantities import HOUR_US
from parksim.scenario.unknown import Limits
from parksim.stats.survival import Interval, poisson_limits

FEWEST_S: Final = 600
"""An hour of the day that the log covers for less than this, over all its days, gets no rate."""
FEW_LIMITS: Final = 8
"""Up to this many different time-outs are listed one by one."""
DEFAULT_S: Final = 180
"""UAPI's default of maxInParking, the last resort of a guess."""
HEADER: Final = "from the journal's header"
SILENT: Final = "guess: the log does not say"
INDEPENDENT: Final = (
    "Intervals are 95 %. A stay's clocks (retrieval, patience, time-out) are assumed to be independent, as in "
    "parksim's model; a log shows only which one rings first, so it cannot confirm this."
)
CHOSEN: Final = (
    "law (log-likelihood, AIC, BIC): the first was chosen by BIC; the exponential, unless another is better "
    "beyond chance at 1 %; KM: Kaplan and Meier's estimate."
)


def calibrate(log: FieldLog, agreement: Agreement, lot: str | None = None) -> Calibration:
    """Return the scenario of a log.

    Args:
        log: a PBX's log, or a journal of parksim.
        agreement: what ``conformance.compare`` found; it knows the slots and the slot choice.
        lot: whose scenario it is; by default the lot with most parks.

    Raises:
        ArgumentError: there is no such lot.
        LogError: there is no park in it.
    """
    if not log.lots:
        raise LogError(log.path, None, "no call is parked in this log", log.lacking)
    if lot is not None and lot not in log.lots:
        raise ArgumentError(f"there is no lot {lot} in the log; it has {', '.join(map(shown, log.lots))}")
    name = busiest(log) if lot is None else lot
    seen = observe(log, name)
    if not seen.arrivals_us or not seen.stays_s:
        where = f" in lot {shown(name)}" if len(log.lots) > 1 else ""
        raise LogError(log.path, None, f"no call is parked{where} from its beginning to its end", "record for longer")
    result = Calibration(f"Calibrated on {log.path.name}")
    result.head = [
        f"Calibrated on {log.path.name} ({log.form}): {seen.calls:,} calls, {seen.requests:,} requests for a slot, "
        f"{len(seen.stays_s):,} stays"
        + (f", {seen.open_stays:,} of them unfinished" if seen.open_stays else "")
        + (f", in lot {name}" if name and log.form != "a journal of parksim" else "")
        + ".",
        *log.coverage.in_words(),
        INDEPENDENT,
        CHOSEN,
    ]
    if len(log.lots) > 1:
        others = ", ".join(other for other in log.lots if other != name)
        result.unknown.append(f"the log has other lots ({others}), which are left out")
    _arrivals(result, log, seen)
    _queue(result, log, seen)
    _attendants(result, log, seen)
    _parking(result, log, seen)
    _lot(result, log, seen, agreement)
    _retrieval(result, log, seen)
    _recall(result, log, seen)
    return result


# Arrivals.


def _arrivals(result: Calibration, log: FieldLog, seen: Observed) -> None:
    at = seen.arrivals_us if log.calls_recorded else seen.requests_us
    first, last = at[0], at[-1]
    span_us = max(last - first, 1)
    stretches = _stretches(at, log.coverage.calls if log.calls_recorded else log.coverage.stays)
    seen_us = max(sum(one[-1] - one[0] for one in stretches), 1)
    counts, exposures = _by_hour(stretches)
    varies, why = rate_varies(counts, exposures)
    whole_day = varies or span_us > 24 * HOUR_US
    horizon = '"1d"' if whole_day else f'"{max(math.ceil(span_us / 1e6), 1)}s"'
    result.put("run.horizon", horizon, "one day" if whole_day else "as long as calls came in the log")
    if not log.calls_recorded:
        result.unknown.append(
            "calls that were never parked: arrivals are the requests for a slot, and a return that is parked again "
            "counts as another call"
        )
    for part in log.coverage.parts:
        if part.foreign:
            result.unknown.append(
                f"calls that {part.form} lacks and that were not parked; of parked calls it lacks {part.foreign:,}"
            )
    # N - 1 gaps of a Poisson process of rate r: r times their sum is gamma distributed; so it is where the rate
    # changes, for the mean rate between the first call and the last.
    gaps = max(sum(len(one) - 1 for one in stretches), 1)
    middle = gaps / (seen_us / 1e6) if len(at) > 1 else 1 / 3600
    low, high = (limit / (seen_us / 1e6) for limit in (poisson_limits(gaps)[0], poisson_limits(gaps - 1)[1]))
    busy = busy_days(at, [one[-1] for one in stretches[:-1]], [one[0] for one in stretches[1:]])
    cv = 0.0 if busy is None else busy[0].value
    by = dispersion(cv, middle * DAY_S)
    result.figures["arrivals.rate"] = mean = widened(Interval(middle, low, high), by)
    text = f"{span(Interval(*(one * 3600 for one in mean)), '/h')}; n = {len(at):,} calls"
    result.put("arrivals.kind", '"hourly"' if varies else '"poisson"', why)
    if busy is not None:
        result.figures["arrivals.busy_days.cv"] = busy[0]
        note = "the counts of days differ by more than chance (dispersion at 1 %); weekdays are not told apart"
        result.put(
            "arrivals.busy_days", f"{{ cv = {cv:.3f} }}", f"{span(busy[0], '')}; n = {busy[1]} whole days; {note}"
        )
    if varies:
        put_calls_per_hour(result, counts, exposures, cv, text)
        return
    if len(at) == 1:
        result.unknown.append("the rate of calls: the log has one call")
    drawn = result.generator("arrivals.rate").standard_gamma(gaps / by, DRAWN) * by
    result.draws["arrivals.rate"] = drawn / (seen_us / 1e6)
    result.put("arrivals.rate", f'"{middle * 3600:.6f}/h"', text)


def put_calls_per_hour(result: Calibration, counts: list[int], exposures: list[float], cv: float, mean: str) -> None:
    """Put the 24 rates, each with its limits (Garwood, and what days that differ add)."""
    rates, lines = [], []
    for hour in range(24):
        if exposures[hour] < FEWEST_S:
            rates.append(0.0)
            lines.append(f"{hour:02d} h: guess, not in the log")
            continue
        hours = exposures[hour] / 3600
        low, high = poisson_limits(counts[hour])
        one = Interval(counts[hour] / hours, low / hours, high / hours)
        name = f"arrivals.calls_per_hour.{hour}"
        by = dispersion(cv, one.value)
        result.figures[name] = one = widened(one, by)
        result.draws[name] = result.generator(name).standard_gamma((counts[hour] + 0.5) / by, DRAWN) * by / hours
        rates.append(one.value)
        lines.append(f"{hour:02d} h: {one.value:.1f} ({one.low:.1f} to {one.high:.1f})")
    if any("guess" in line for line in lines):
        result.unknown.append("calls in hours of the day that the log does not cover: assumed to be zero")
    text = ", ".join(f"{rate:.3f}" for rate in rates)
    result.put("arrivals.calls_per_hour", f"[{text}]", f"mean {mean}, by the log's clock: " + "; ".join(lines))


def _stretches(at_us: list[int], covered: Sequence[Span]) -> list[list[int]]:
    """Return the instants of calls in each covered span that has some."""
    parts = (at_us[bisect_left(at_us, begin_us) : bisect_right(at_us, end_us)] for begin_us, end_us in covered)
    return [part for part in parts if part] or [at_us]


def _by_hour(stretches: list[list[int]]) -> tuple[list[int], list[float]]:
    """Return calls, and seconds under observation, by hour of day: of each stretch from its first call to its last.

    The first is not counted: the observation begins with it, so that it was certain to be seen.
    """
    counts = Counter(one // HOUR_US % 24 for stretch in stretches for one in stretch[1:])
    open_us = np.sum([open_by_hour_us(Window(stretch[0], stretch[-1])) for stretch in stretches], axis=0)
    return [counts[hour] for hour in range(24)], (open_us / 1e6).tolist()


def rate_varies(counts: list[int], exposures: list[float]) -> tuple[bool, str]:
    """Say whether hours differ by more than chance, by Pearson's test at 1 % over hours with 5 calls expected."""
    rate = sum(counts) / max(sum(exposures), 1e-9)
    tested = [hour for hour in range(24) if exposures[hour] * rate >= 5]
    if len(tested) < 3:
        return False, "too few hours to see whether the rate changes by the hour: guess that it does not"
    calls, seconds = sum(counts[hour] for hour in tested), sum(exposures[hour] for hour in tested)
    expected = [calls * exposures[hour] / seconds for hour in tested]
    chi = sum((counts[hour] - mean) ** 2 / mean for hour, mean in zip(tested, expected, strict=True))
    limit = chi_squared(0.99, len(tested) - 1)
    text = f"chi-squared over {len(tested)} hours of the day is {chi:.1f}, {limit:.1f} is the limit at 1 %"
    return chi > limit, f"the rate {'changes by' if chi > limit else 'is the same in every'} hour: {text}"


# The sections.


def _queue(result: Calibration, log: FieldLog, seen: Observed) -> None:
    known = log.settings
    if known is not None and known.queue_limit != c.UNLIMITED:
        result.put("queue.limit", str(known.queue_limit), HEADER)
    if seen.queue.events:
        waited = Clock(seen.queue.kinds, [one for one in seen.queue.spells if one.length_us > 0])
        result.put_law("queue.patience", waited, "hung up waiting", "answered first")
    else:
        result.put("queue.patience", '"unlimited"', "guess: nobody was seen to hang up before an answer")
        if known is None:
            result.unknown.append("who waits for an attendant, for how long, and who gives up before an answer")


def _attendants(result: Calibration, log: FieldLog, seen: Observed) -> None:
    known = log.settings
    if known is None and log.agents:
        names = ", ".join(sorted(map(shown, log.agents))[:8])
        result.put("attendants.count", str(len(log.agents)), f"as many as answered calls: {names}")
        result.unknown.append("when each attendant is there: all of them always")
    elif known is not None:
        count = '"unlimited"' if known.attendants == c.UNLIMITED else str(list(known.counts) or known.attendants)
        result.put("attendants.count", count, HEADER)
    else:
        result.unknown.append("how many attendants there are, and when: unlimited, so no call waits")
        result.put("attendants.count", '"unlimited"', SILENT)
    if not log.calls_recorded or not seen.handling.events:
        result.unknown.append(
            "handling, the time from the answer to the wish to park: none, which with attendants unlimited changes "
            "nothing in the lot"
        )
        result.put("attendants.handling", '"0s"', SILENT)
        return
    result.put_law("attendants.handling", seen.handling, "from an answer to a request for a slot")
    whole, handled = seen.whole_talks.durations_s, seen.handling.durations_s
    if len(whole) < 2 or len(handled) < 2:
        result.put("attendants.talk", '"0s"', "guess: too few calls ended without a park")
        return
    talk = fmean(whole) - fmean(handled)
    score = NormalDist().inv_cdf(0.975)
    half = score * math.sqrt(stdev(whole) ** 2 / len(whole) + stdev(handled) ** 2 / len(handled))
    one = Interval(max(talk, 0.0), max(talk - half, 0.0), max(talk + half, 0.0))
    result.figures["attendants.talk.mean"] = one
    note = (
        f"mean {span(one)}: how much longer calls without a park took (n = {len(whole):,}) than calls with "
        f"one took until their request (n = {len(handled):,})"
    )
    if one.low <= 0:
        result.put("attendants.talk", '"0s"', note + "; that may be nothing")
    else:
        scores = result.generator("attendants.talk.mean").standard_normal(DRAWN).tolist()
        result.draws["attendants.talk.mean"] = np.array([Limits(*one, "positive").at(score) for score in scores])
        result.put("attendants.talk", f'{{ kind = "exponential", mean = "{number(talk)}s" }}', note + "; law: guess")


def _parking(result: Calibration, log: FieldLog, seen: Observed) -> None:
    known = log.settings
    if not log.calls_recorded:
        result.put("parking.probability", "1", "guess: all calls in this log were parked, or requested a park")
        result.put("parking.max_parks", "1", "returns that are parked again count as arrivals")
        return
    most = max(seen.most_parks, 1) if known is None else known.max_parks
    offered = zip(seen.wishes, seen.wished_us, strict=True)
    free = [(at_us // HOUR_US % 24, wished) for (parks, wished), at_us in offered if parks < most]
    if free:
        note = f"; n = {len(free):,} answered calls and returns"
        whole_day = seen.arrivals_us[-1] - seen.arrivals_us[0] > 24 * HOUR_US  # else its hours are not the scenario's
        _park_shares(result, free, shares_by_hour(free) if whole_day else {}, note)
    else:
        result.put("parking.probability", "1", "guess: no call was seen that could have been parked and was not")
    source = f"the most that was seen, of {seen.calls:,} calls" if known is None else HEADER
    result.put("parking.max_parks", str(most), source)
    if known is not None and known.announcement_us:
        result.put("parking.announcement", seconds(known.announcement_us), HEADER)


def _park_shares(result: Calibration, wishes: list[tuple[int, bool]], by_hour: dict[int, Interval], note: str) -> None:
    """Put the share of parks: one number, or that of each hour where they differ beyond noise."""
    counted = sum(wished for _, wished in wishes), len(wishes)
    one = share_of(*counted)
    if not by_hour:
        result.put_share("parking.probability", one, note, counted)
        return
    for hour in by_hour:
        of_hour = [wished for at, wished in wishes if at == hour]
        result.draw_share(f"parking.probability.{hour}", sum(of_hour), len(of_hour))
    result.figures["parking.probability"] = one
    result.figures |= {f"parking.probability.{hour}": share for hour, share in by_hour.items()}
    lines = [f"{hour:02d} h: {percent(share)}" for hour, share in by_hour.items()]
    if len(by_hour) < 24:
        lines.append("other hours: too few calls, so the mean")
    shares = ", ".join(f"{by_hour.get(hour, one).value:.6f}" for hour in range(24))
    why = "hours differ by more than chance (chi-squared at 1 %)"
    result.put("parking.probability", f"[{shares}]", f"mean {percent(one)}{note}; {why}: " + "; ".join(lines))


def _lot(result: Calibration, log: FieldLog, seen: Observed, agreement: Agreement) -> None:
    plan = agreement.lots[seen.lot]
    reported = log.lots[seen.lot].reported
    source = "as the log says" if reported else "the lowest and highest slot seen, or an option"
    if not log.has_slots:
        source = "the log has no slots: the most calls parked together, or an option"
        result.unknown.append("how many slots there are: at least as many as calls were parked together")
    result.put("lot.slots", str(plan.slots), source)
    result.put("lot.first", str(plan.first if log.settings is None and log.has_slots else 1))
    choice = c.CHOICE_NAMES[plan.choice or 0]
    agreed, rows = agreement.agreed["PARKED"], agreement.rows["PARKED"]
    why = f"{agreed:,} of {rows:,} parks agree with it" if log.has_slots else SILENT
    result.put("lot.choice", f'"{choice}"', why)
    if own := log.own_slots.get(plan.name):
        parkers = f"{len(own)} parkers have slots of their own"
        result.unknown.append(f'{parkers}: set parking.slot = "own" and attendants.count = {len(own)} to simulate that')
    _time_out(result, log, seen, plan.limit_us)
    _when_full(result, log, seen)
    nobody = f"{len(seen.stays_s):,} stays of up to {max(seen.stays_s, default=0.0):.4g} s"
    result.put_patience("lot.patience", seen.patience, ("hung up", "fetched or timed out first"), nobody)


def _time_out(result: Calibration, log: FieldLog, seen: Observed, lot_limit_us: int | None) -> None:
    """Put max_in_parking: one value, or all reported values as an empirical law."""
    limits_us = seen.limits_us
    source = f"n = {len(limits_us):,} parks that report it"
    if not limits_us and lot_limit_us is not None:
        limits_us = [lot_limit_us]
        ended = [one / 1e6 for one in timed_out_us(log, seen.lot)]
        source = f"the lot's; {len(ended):,} stays ended at it" + (f", after {median(ended):.4g} s" if ended else "")
    limits = Counter(limits_us)
    if not limits or set(limits) == {c.NEVER}:
        if not seen.patience.events and seen.retrieval.events < len(seen.retrieval.seen):
            result.unknown.append("what ends a stay that nobody fetches: no time-out and no hang-up was seen")
            guess_s = max(DEFAULT_S, math.ceil(max(seen.stays_s)))
            value, note = f'"{guess_s}s"', "guess: UAPI's default, or the longest stay seen"
        else:
            value, note = '"unlimited"', "no stay has a time-out in the log" + ("" if limits_us else ": guess")
        result.put("lot.limits", '"pbx"')
        result.put("lot.max_in_parking", value, note)
        return
    finite = {us: count for us, count in limits.items() if us != c.NEVER}
    if c.NEVER in limits:
        result.unknown.append(f"{limits[c.NEVER]:,} of {limits.total():,} parks had no time-out; they are left out")
    inside = all(UAPI_LIMITS_S[0] * 1e6 <= us <= UAPI_LIMITS_S[1] * 1e6 for us in finite)
    if not inside:
        result.put("lot.limits", '"pbx"', "a time-out outside 10 s to 3600 s, which UAPI does not allow")
    if len(finite) == 1:
        limit_s = next(iter(finite)) / 1e6
        result.figures["lot.max_in_parking"] = Interval(limit_s, limit_s, limit_s)
        result.put("lot.max_in_parking", f'"{number(max(limit_s, 1.0))}s"', source)
        return
    values = sorted(max(us / 1e6, 1.0) for us, count in finite.items() for _ in range(count))
    if len(finite) <= FEW_LIMITS:
        shares = (f"{us / 1e6:g} s {percent(share_of(finite[us], len(values)))}" for us in sorted(finite))
        note = ", ".join(shares)
    else:
        half = NormalDist().inv_cdf(0.975) * stdev(values) / math.sqrt(len(values))
        mean = Interval(fmean(values), fmean(values) - half, fmean(values) + half)
        result.figures["lot.max_in_parking.mean"] = mean
        note = f"mean {span(mean)}, from {values[0]:.5g} to {values[-1]:.5g} s"
    result.laws["lot.max_in_parking"] = "empirical"
    result.put("lot.max_in_parking", empirical(values), f"{note}; {source}")


def _when_full(result: Calibration, log: FieldLog, seen: Observed) -> None:
    known = log.settings
    if known is not None:
        result.put("lot.when_full", f'"{c.FULL_NAMES[known.when_full]}"', HEADER)
        if known.retries:
            result.put("lot.retries", str(known.retries))
            result.put("lot.retry_after", seconds(known.retry_after_us))
        return
    if not log.requests_recorded:
        result.unknown.append("refused parks: this log reports neither them nor what becomes of the call")
        result.put("lot.when_full", '"keep"', "guess: the log does not report refused parks")
        return
    if not seen.after_full:
        result.put("lot.when_full", '"keep"', "guess: no refused call was seen to its end")
        return
    way, times = max(seen.after_full.items(), key=lambda item: item[1])
    total = sum(seen.after_full.values())
    refused = f"{percent(share_of(seen.refused, seen.requests))} of {seen.requests:,} requests"
    result.put("lot.when_full", f'"{way}"', f"{times:,} of {total:,} refused calls; refused in the log: {refused}")
    if max(seen.retries, default=0) > 0 and seen.retry_after_s:
        result.put("lot.retries", str(max(seen.retries)), "the most that was seen")
        result.put("lot.retry_after", f'"{number(max(median(seen.retry_after_s), 1e-6))}s"', "median of those seen")


def _retrieval(result: Calibration, log: FieldLog, seen: Observed) -> None:
    known = log.settings
    clock = seen.retrieval
    if not clock.events:
        result.put("retrieval.never", "1", f"nobody was fetched in {len(clock.seen):,} stays")
        return
    cut = "timed out, hung up or unfinished first"
    best = result.put_law("retrieval.delay", clock, "fetched", cut, with_never=True)
    result.put_never("retrieval.never", best, clock, "not fetched")
    if known is not None and known.staff != c.UNLIMITED:
        result.put("retrieval.staff", str(known.staff), f"{HEADER}; the delay includes waits for free staff")
    elif known is None:
        result.unknown.append("how many people fetch calls: unlimited, so no retrieval waits")
    if seen.staff_talk.events:
        result.put_law("retrieval.talk", seen.staff_talk, "talks from the retrieval to the call's end")
    else:
        result.unknown.append("talk after a retrieval, which only the staff's load depends on")


def _recall(result: Calibration, log: FieldLog, seen: Observed) -> None:
    known = log.settings
    _ring(result, known, seen)
    if known is None or known.recall_to == c.TO_PARKER:
        _answer(result, known, seen)
    clock = seen.return_patience
    alike = not seen.answer.seen and any(part.form == cel.FORM for part in log.coverage.parts)
    if not clock.seen or alike:  # in CEL a caller who gives up looks like a return that rang in vain
        if seen.timed_out:
            result.unknown.append("who hangs up on the way back: nobody is assumed")
        result.put("recall.patience", '"unlimited"', SILENT)
        return
    ways = ("hung up on the way back", "answered or lost first")
    result.put_patience("recall.patience", clock, ways, f"{len(clock.seen):,} returns")


def _answer(result: Calibration, known: Settings | None, seen: Observed) -> None:
    """Put how soon a return is answered, and the share that never is."""
    clock = seen.answer
    if not clock.seen:
        if seen.timed_out:
            result.unknown.append("who answers a return, and after how long: at once is assumed")
        result.put("recall.answer", '"0s"', "guess: no return was seen to ring")
        return
    vain = "rang in vain or hung up first"
    best = result.put_law("recall.answer", clock, "answered", vain, with_never=True)
    if not clock.events:
        result.put("recall.never", "1", f"none of {len(clock.seen):,} returns was answered")
        return
    busy, returns = seen.returns.get("busy", 0), sum(seen.returns.values())
    if known is None and busy:
        # With attendants unlimited no parker is ever busy: a return that found its own busy is one not answered.
        counted = busy + seen.returns.get("unanswered", 0), max(returns, 1)
        note = (
            f"; n = {returns:,} returns, {busy:,} of which found their parker busy: since the log does not say how "
            "many attendants there are, those count as never answered"
        )
        result.put_share("recall.never", share_of(*counted), note, counted)
    else:
        result.put_never("recall.never", best, clock, "not answered")


def _ring(result: Calibration, known: Settings | None, seen: Observed) -> None:
    if known is not None:
        result.put("recall.to", f'"{c.RECALL_TO_NAMES[known.recall_to]}"', HEADER)
        result.put("recall.ring", seconds(known.ring_us))
        result.put("recall.attempts", str(known.attempts))
        result.put("recall.busy", f'"{c.BUSY_NAMES[known.busy]}"')
        result.put("recall.unanswered", f'"{c.UNANSWERED_NAMES[known.unanswered]}"')
        return
    if seen.rings_s:
        ring_s = median(seen.rings_s)
        one = Interval(ring_s, min(seen.rings_s), max(seen.rings_s))
        note = f"{span(one)}, shortest and longest; n = {len(seen.rings_s):,}"
        result.put("recall.ring", f'"{number(ring_s)}s"', note)
    lost, group = seen.returns.get("unanswered", 0), seen.returns.get("answered", 0)
    if lost or not group:
        said = f"{lost:,} returns that rang in vain were hung up" if lost else "guess: none was seen to ring in vain"
        result.put("recall.unanswered", '"drop"', said)
    busy = seen.returns.get("busy", 0)
    result.put("recall.busy", '"drop"', f"{busy:,} returns found their parker busy and were lost")
