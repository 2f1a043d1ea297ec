// The tally of a replication, and its measures: what journal/tally.py and journal/measures.py make around `count`.

const HOUR_US = 3.6e9,
  HOURS = 24;
const zeros = (...shape) =>
  shape.length === 1 ? new Float64Array(shape[0]) : many(shape[0], () => zeros(...shape.slice(1)));
const sumOf = (row) => row.reduce((sum, one) => sum + one, 0);

// Cut the window at every full hour and wherever the number on duty may change.
function stretchesOf(settings) {
  const { warm_up_us: low, horizon_us: high } = MODEL,
    cuts = new Set([low, high]);
  const counts = settings.counts.length ? settings.counts : [settings.attendants];
  for (let cut = (Math.floor(low / HOUR_US) + 1) * HOUR_US; cut < high; cut += HOUR_US) cuts.add(cut);
  const bounds = Float64Array.from(cuts).sort();
  const starts = bounds.slice(0, -1);
  return {
    bounds,
    hours: Array.from(starts, (start) => Math.floor(start / HOUR_US) % HOURS),
    duty: Array.from(starts, (start) => counts[Math.floor(start / settings.period_us) % counts.length]),
  };
}

// Return how many of ascending numbers are less than `value`, or no more than it.
function below(row, value, orEqual = false) {
  let low = 0,
    high = row.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (row[middle] < value || (orEqual && row[middle] === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function newCount(settings, stretches, arrival_us) {
  const slots = sumOf(settings.slots),
    first = below(arrival_us, MODEL.warm_up_us),
    end = below(arrival_us, MODEL.horizon_us);
  const now = zeros(T_HOUR_END_US + 1),
    first_slot = [];
  Object.assign(now, {
    [T_FIRST]: first,
    [T_END]: end,
    [T_TARGET_US]: MODEL.target_us,
    [T_ANNOUNCES]: settings.announcement_us,
    [T_LEVEL_US]: MODEL.warm_up_us,
    [T_EXPIRED_US]: C_NEVER,
  });
  settings.slots.reduce((sum, number) => {
    first_slot.push(sum);
    return sum + number;
  }, 0);
  const people = Math.max(settings.attendants, 0) + Math.max(settings.staff, 0);
  return {
    tally: {
      facts: zeros(MODEL.kinds, MODEL.reasons),
      of_hour: zeros(T_IN_TIME + 1, HOURS),
      of_lot: zeros(T_EXPIRIES + 1, settings.slots.length),
      level_us: zeros(slots + 1),
      slot_us: zeros(slots),
      busy_us: zeros(T_OVERTIME + 1, stretches.duty.length),
      sums: zeros(T_REUSED + 1),
      stays_us: zeros(settings.max_parks * (end - first)),
      waits_us: zeros(end - first),
    },
    offered_us: arrival_us,
    bounds_us: stretches.bounds,
    duty: stretches.duty,
    first_slot,
    since_us: zeros(slots + people).fill(C_NEVER),
    expired: zeros(slots),
    now,
  };
}

const ratio = (part, whole) => (whole ? part / whole : NaN);

// Return the least duration that at least `percent` % do not exceed; durations of 0 may be left out.
function quantileS(sorted_us, number, percent) {
  if (!number) return NaN;
  const rank = Math.ceil((number * percent) / 100) - 1 - (number - sorted_us.length);
  return rank >= 0 ? sorted_us[rank] / 1e6 : 0;
}

function measuresOf(its, settings, stretches) {
  const { tally, now } = its,
    window_us = MODEL.horizon_us - MODEL.warm_up_us,
    { facts } = tally;
  tally.level_us[now[T_LEVEL]] += MODEL.horizon_us - now[T_LEVEL_US];
  const number = (kind, ...reasons) =>
    reasons.length ? reasons.reduce((sum, reason) => sum + facts[kind][reason], 0) : sumOf(facts[kind]);
  const values = { calls_offered: number(C_OFFERED), parks_made: number(C_PARKED) },
    returns = number(C_EXPIRED);
  values.parks_requested = values.parks_made + number(C_REFUSED, C_LOT_FULL, C_SLOT_TAKEN);
  const wholes = { ...values, returns };
  for (const [name, [of, ...what]] of Object.entries(MODEL.shares_of))
    values[name] = ratio(number(...what), wholes[of]);
  values.recall_busy_share =
    settings.recall_to === C_TO_PARKER ? ratio(returns - tally.sums[T_RUNG_AT_ONCE], returns) : NaN;
  values.slot_reused_share = ratio(tally.sums[T_REUSED], values.parks_made);
  const hourly = tally.of_hour.map(sumOf),
    answers = number(C_ANSWERED);
  values.recalls_per_hour = hourly[T_TIME_OUTS] / (window_us / HOUR_US);
  const waits = tally.waits_us.slice(0, now[T_WAITS]).sort(),
    stays = tally.stays_us.slice(0, now[T_STAYS]).sort();
  values.answer_wait_s_mean = ratio(sumOf(waits) / 1e6, answers);
  values.answer_wait_s_p95 = quantileS(waits, answers, 95);
  values.answered_within_share = ratio(hourly[T_IN_TIME], values.calls_offered);
  values.parked_s_mean = ratio(sumOf(stays) / 1e6, stays.length);
  values.parked_s_p50 = quantileS(stays, stays.length, 50);
  values.parked_s_p95 = quantileS(stays, stays.length, 95);
  values.parks_per_call = ratio(values.parks_made, values.calls_offered);
  values.offered_erlang = (values.parks_requested * values.parked_s_mean) / (window_us / 1e6);
  occupancy(values, tally.level_us, window_us);
  utilisations(values, tally, settings, stretches, window_us);
  byHour(values, tally, stretches);
  return values;
}

function occupancy(values, level_us, window_us) {
  let busy = 0,
    upto = 0,
    p95 = level_us.length;
  level_us.forEach((one, level) => {
    busy += one * level;
    upto += one;
    if (p95 === level_us.length && upto * 100 >= 95 * window_us) p95 = level;
    if (one) values.occupancy_max = level;
  });
  values.occupancy_mean = busy / window_us;
  values.occupancy_p95 = p95;
  values.time_full_share = level_us.at(-1) / window_us;
  values.occupancy_pmf = Array.from(level_us, (one) => one / window_us);
}

function utilisations(values, tally, settings, { bounds, duty }, window_us) {
  values.attendant_utilisation = values.staff_utilisation = NaN;
  if (settings.attendants !== C_UNLIMITED) {
    const there = duty.reduce((sum, one, place) => sum + one * (bounds[place + 1] - bounds[place]), 0);
    values.attendant_utilisation = ratio(sumOf(tally.busy_us[T_ATTENDANTS]), there + sumOf(tally.busy_us[T_OVERTIME]));
  }
  if (settings.staff > 0) values.staff_utilisation = tally.sums[T_STAFF_US] / (settings.staff * window_us);
}

function byHour(values, tally, { bounds, hours }) {
  const open_us = zeros(HOURS),
    busy_us = zeros(HOURS);
  hours.forEach((hour, place) => {
    open_us[hour] += bounds[place + 1] - bounds[place];
    busy_us[hour] += tally.busy_us[T_SLOTS][place];
  });
  values.open_by_hour_us = open_us;
  values.parks_requested_by_hour = Array.from(
    open_us,
    (_, hour) => tally.of_hour[T_PARKS][hour] + tally.of_hour[T_REFUSALS][hour],
  );
  values.refusals_by_hour = Array.from(tally.of_hour[T_REFUSALS]);
  values.occupancy_mean_by_hour = Array.from(busy_us, (busy, hour) => busy / open_us[hour]);
  values.requests_by_lot = tally.of_lot[T_PARKS].map((one, lot) => one + tally.of_lot[T_REFUSALS][lot]);
}
