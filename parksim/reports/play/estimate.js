// Estimates and their intervals: stats/estimate.py, stats/events.py and studies/estimates.py, for one study.

const ALL = [-Infinity, Infinity],
  SHARE = [0, 1];
const estimateOf = (mean, low, high, n, method) => ({ mean, low, high, n, method });
const undefinedOf = () => estimateOf(null, null, null, 0, "undefined");

// A ratio of sums and what each replication does to it: the jackknife's residuals.
function sample(factors) {
  const n = Math.min(...factors.map(([, wholes]) => wholes.filter((whole) => whole > 0).length));
  let point = 1,
    without = factors[0][0].map(() => 1);
  for (const [parts, wholes] of factors) {
    const part = sumOf(parts),
      whole = sumOf(wholes);
    if (!(whole > 0)) return null;
    const ratio = part / whole;
    point *= ratio;
    without = without.map((value, place) => {
      const x = parts[place],
        y = wholes[place];
      return value * (y === 0 || x / y === ratio || y === whole ? ratio : (part - x) / (whole - y));
    });
  }
  const residuals = n < 2 ? without.map(() => 0) : without.map((value) => (n - 1) * (point - value));
  return { point, residuals, n, controls: 0 };
}

function meanSample(values) {
  const point = values.every((value) => value === values[0]) ? values[0] : sumOf(values) / values.length;
  return { point, residuals: values.map((value) => value - point), n: values.length, controls: 0 };
}

const dfOf = (of) => of.n - 1 - of.controls;
const varianceOf = (of) => (of.n < 2 ? 0 : of.residuals.reduce((sum, one) => sum + one * one, 0) / (of.n * (of.n - 1)));
const dot = (a, b) => a.reduce((sum, one, place) => sum + one * b[place], 0);
const average = (row) => sumOf(row) / row.length;
const deviationOf = (row) => {
  const mean = average(row);
  return Math.sqrt(average(row.map((one) => (one - mean) ** 2)));
};
function medianOfRow(row) {
  const ordered = [...row].sort((a, b) => a - b),
    half = ordered.length >> 1;
  return ordered.length % 2 ? ordered[half] : 0.5 * (ordered[half - 1] + ordered[half]);
}

// Correct a sample by controls: columns of deviations from a known mean, the best control first.
function controlled(of, columns) {
  if (of.n !== of.residuals.length) return of;
  let { point, residuals } = of,
    used = [];
  let weight = residuals.map(() => 1 / of.n),
    leverage = residuals.map(() => 1 / of.n);
  for (const column of columns) {
    if (used.length >= Math.floor(of.n / 5)) break;
    let deviation = average(column),
      varying = column.map((one) => one - deviation);
    const least = 1e-6 * Math.sqrt(dot(varying, varying));
    for (const [direction, its] of used) {
      const along = dot(direction, varying);
      varying = varying.map((one, place) => one - along * direction[place]);
      deviation -= along * its;
    }
    const length = Math.sqrt(dot(varying, varying));
    if (length <= least) continue;
    const direction = varying.map((one) => one / length);
    deviation /= length;
    used.push([direction, deviation]);
    const along = dot(direction, residuals);
    residuals = residuals.map((one, place) => one - along * direction[place]);
    point -= along * deviation;
    weight = weight.map((one, place) => one - deviation * direction[place]);
    leverage = leverage.map((one, place) => one + direction[place] ** 2);
  }
  if (!used.length) return of;
  const explained = of.residuals.map((one, place) => one - residuals[place]),
    middle = medianOfRow(residuals);
  const alike = Math.max(0.25 * deviationOf(residuals), 1e-6 * Math.sqrt(varianceOf(of) * of.n));
  if (2 * residuals.filter((one) => Math.abs(one - middle) <= alike).length > of.n) {
    const back = Math.sqrt(-Math.expm1(Math.log(0.025) / of.n));
    residuals = residuals.map((one, place) => one + back * explained[place]);
  }
  residuals = residuals.map((one, place) => ((of.n - 1) * weight[place] * one) / Math.max(1 - leverage[place], 1e-6));
  return { point, residuals, n: of.n, controls: used.length };
}

function tInterval(of, bounds = ALL) {
  const variance = varianceOf(of);
  if (of.n < 2) return estimateOf(of.point, null, null, of.n, "one-replication");
  if (variance === 0) return equalOf(of.point, of.n, bounds);
  const half = tOf(dfOf(of)) * Math.sqrt(variance);
  return clippedOf(of.point, half, bounds, of.n, of.controls ? "control-t" : "student-t");
}

const clippedOf = (mean, half, bounds, n, method) =>
  estimateOf(mean, Math.max(bounds[0], mean - half), Math.min(bounds[1], mean + half), n, method);

function equalOf(point, n, bounds) {
  if (!bounds.every(Number.isFinite)) return estimateOf(point, null, null, n, "all-equal");
  const other = -Math.expm1(Math.log(tailOf()) / n);
  return estimateOf(point, point - other * (point - bounds[0]), point + other * (bounds[1] - point), n, "all-equal");
}

function together(a, b, bounds, columns) {
  const of = {
    point: a.point - b.point,
    residuals: a.residuals.map((one, place) => one - b.residuals[place]),
    n: Math.min(a.n, b.n),
    controls: 0,
  };
  if (of.n >= 2 && varianceOf(of) === 0) {
    const spread = Math.max(...[a, b].map(({ residuals }) => Math.max(...residuals) - Math.min(...residuals)));
    return equalOf(of.point, of.n, [of.point - spread, of.point + spread]);
  }
  return tInterval(controlled(of, columns), bounds);
}

const halfOf = (events) => 0.5 * Math.min(1, Math.max(0, (events - 2) / 3));
const ENOUGH = 500,
  FEW_UNITS = 15,
  CONTINUOUS = 1e9;

function shareInterval(of, units) {
  const tail = tailOf();
  if (of.point > 0.5) {
    const mirror = shareInterval({ ...of, point: 1 - of.point, residuals: of.residuals.map((one) => -one) }, units);
    const [low, high] = [mirror.high, mirror.low].map((end) => (end === null ? null : 1 - end));
    return { ...mirror, mean: of.point, low, high };
  }
  if (of.point === 0) return estimateOf(0, 0, units > 0 ? -Math.expm1(Math.log(tail) / units) : 1, of.n, "never-seen");
  if (of.n < 2) return tInterval(of, SHARE);
  const spread = varianceOf(of);
  let trials = spread > 0 ? (of.point * (1 - of.point)) / spread : units;
  if (of.point * units < FEW_UNITS) trials = Math.min(trials, units);
  trials *= (MODEL.z / tOf(dfOf(of))) ** 2;
  const events = of.point * trials;
  if (events >= ENOUGH && spread > 0) return tInterval(of, SHARE);
  const low = Math.min(of.point, betaQuantile(events + halfOf(events), trials - events + 1 - halfOf(events), tail));
  const high = Math.max(of.point, 1 - betaQuantile(trials - events, events + 1, tail));
  return estimateOf(of.point, low, high, of.n, of.controls ? "control-binomial" : "binomial");
}

function rateInterval(of, events) {
  const tail = tailOf();
  if (of.point === 0) return estimateOf(0, 0, events > 0 ? -Math.log(tail) / events : Infinity, of.n, "never-seen");
  if (of.n < 2) return tInterval(of);
  const spread = varianceOf(of);
  let worth = spread > 0 ? of.point ** 2 / spread : events;
  if (events < FEW_UNITS) worth = Math.min(worth, events);
  worth *= (MODEL.z / tOf(dfOf(of))) ** 2;
  if (worth >= ENOUGH && spread > 0) return tInterval(of, [0, Infinity]);
  const low = ((betaQuantile(worth + halfOf(worth), CONTINUOUS, tail) * CONTINUOUS) / worth) * of.point;
  const high = (((1 - betaQuantile(CONTINUOUS, worth + 1, tail)) * CONTINUOUS) / worth) * of.point;
  const method = of.controls ? "control-poisson" : "poisson";
  return estimateOf(of.point, Math.min(low, of.point), Math.max(high, of.point), of.n, method);
}

function medianInterval(values) {
  const ordered = [...values].sort((a, b) => a - b),
    n = values.length,
    tail = tailOf(),
    point = medianOfRow(values);
  let rank = 0,
    chance = 0.5 ** n,
    under = chance;
  while (n < 1000 && under <= tail) {
    rank += 1;
    chance *= (n - rank + 1) / rank;
    under += chance;
  }
  if (n >= 1000) rank = Math.floor(0.5 * n - MODEL.z * 0.5 * Math.sqrt(n));
  if (!rank) return estimateOf(point, null, null, n, "order-statistics");
  return estimateOf(point, ordered[rank - 1], ordered[n - rank], n, "order-statistics");
}

function differenceOfLimits(one, other, correlation, bounds) {
  const point = one.mean - other.mean,
    n = Math.min(one.n, other.n);
  if ([one.low, one.high, other.low, other.high].includes(null)) return estimateOf(point, null, null, n, "limits");
  const arm = (mine, its) => Math.sqrt(Math.max(0, mine * mine + its * its - 2 * correlation * mine * its));
  const low = point - arm(one.mean - one.low, other.high - other.mean);
  const high = point + arm(one.high - one.mean, other.mean - other.low);
  return estimateOf(point, Math.max(bounds[0], low), Math.min(bounds[1], high), n, "limits");
}

function correlationOf(a, b) {
  const scale = Math.sqrt(dot(a.residuals, a.residuals) * dot(b.residuals, b.residuals));
  return scale === 0 ? 0 : Math.max(-1, Math.min(1, dot(a.residuals, b.residuals) / scale));
}

function verdictOf({ low, high }, relation, target) {
  if (low === null || high === null) return "undecided";
  const [met, missed] = {
    "<": [high < target, low >= target],
    "<=": [high <= target, low > target],
    ">": [low > target, high <= target],
    ">=": [low >= target, high < target],
  }[relation];
  return met ? "met" : missed ? "missed" : "undecided";
}

// The replications of one design, as what can be said of each measure -------------------------------------------------

const QUANTILES = ["parked_s_p50", "parked_s_p95", "answer_wait_s_p95"];
const BURSTS = MODEL.bursts;
const sharesOf = (name) => MODEL.measures[name].of !== "";

class Measured {
  // `results` are the measures of each replication, `sums` their controls, `means` the means and errors of these.
  constructor(design, results, sums, means) {
    Object.assign(this, { design, results, sums, means });
    this.slots = sumOf(design.settings.slots);
    this.window_s = (MODEL.horizon_us - MODEL.warm_up_us) / 1e6;
    this.kept = new Map();
  }

  estimate(name) {
    if (name === "occupancy_p95") return this.occupancyQuantile(0.95);
    if (QUANTILES.includes(name)) return this.quantile(name);
    const plain = this.sample(name);
    if (plain === null) return undefinedOf();
    const n = plain.n,
      measure = MODEL.measures[name];
    if (n >= 2 && varianceOf(plain) === 0 && this.design.is_base && MODEL.certain[name] === plain.point) {
      return estimateOf(plain.point, plain.point, plain.point, n, "certain");
    }
    const of = this.controlled(name, plain);
    if (measure.of || (name === "parks_per_call" && this.design.max_parks === 1)) {
      return shareInterval(of, this.units(name, of.point));
    }
    if (measure.is_count || name === "parks_per_call") {
      const [parts, wholes] = this.factors(name)[0].map(sumOf);
      return rateInterval(of, parts || wholes);
    }
    if (name === "answer_wait_s_mean" && of.point === 0) return this.waitNeverSeen(of);
    return tInterval(of, [0, this.most(name)]);
  }

  controlled(name, of) {
    const share = sharesOf(name);
    if (share && rarerEvents(of) < MODEL.events_to_control) return of;
    const corrected = controlled(of, this.deviations(name));
    return corrected.point > 0 && !(share && corrected.point >= 1) ? corrected : of;
  }

  // By how much the controls of a measure are off their means, where these are known.
  deviations(name) {
    if (!MODEL.with_controls || !this.results.length) return [];
    const found = [];
    for (const control of MODEL.sums_of[name] ?? []) {
      const { mean, error } = this.means[control] ?? {};
      if (mean === undefined || !Number.isFinite(mean)) continue;
      const column = this.sums.map((sums) => sums[control]);
      if (error <= MODEL.negligible * deviationOf(column)) found.push(column.map((one) => one - mean));
    }
    return found;
  }

  sample(name) {
    if (QUANTILES.includes(name)) return null;
    if (!this.kept.has(name)) this.kept.set(name, sample(this.factors(name)));
    return this.kept.get(name);
  }

  factors(name) {
    const values = this.results.map((result) => result[name]),
      measure = MODEL.measures[name];
    if (name === "offered_erlang") {
      const requests = this.results.map((result) => result.parks_requested / this.window_s);
      return [[requests, requests.map(() => 1)], ...this.factors("parked_s_mean")];
    }
    if (name === "recalls_per_hour") {
      const open_h = this.window_s / 3600;
      return [
        [values.map((value) => (Number.isNaN(value) ? 0 : Math.round(value * open_h))), values.map(() => open_h)],
      ];
    }
    const of = measure.of || measure.per;
    if (of === "" || of === "the time") {
      const there = values.map((value) => !Number.isNaN(value));
      return [[values.map((value, place) => (there[place] ? value : 0)), there.map(Number)]];
    }
    const wholes = values.map((value, place) => (Number.isNaN(value) ? 0 : WHOLES[of](this.results[place])));
    const products = values.map((value, place) => (wholes[place] ? value * wholes[place] : 0));
    return [[measure.of ? products.map(Math.round) : products, wholes]];
  }

  mean(name) {
    return this.sample(name)?.point ?? 0;
  }

  // How many independent trials the trials of a share are worth; see studies/estimates.py.
  units(name, point) {
    const of = MODEL.measures[name].of || MODEL.measures[name].per,
      replications = this.results.length;
    const stay_s = this.mean("parked_s_mean");
    if (of === "the time") {
      if (!stay_s) return replications;
      const burst_s = stay_s / this.slots / (1 - Math.min(this.load(["lot"]), 0.99));
      return replications * Math.max(1, this.window_s / burst_s);
    }
    let [parts, wholes] = this.factors(name)[0];
    const trials = sumOf(wholes),
      load = this.load(BURSTS[name] ?? []);
    let burst = 1 / (1 - Math.min(load, 1 - 1 / Math.max(1, trials / replications)));
    if (point > 0.5) parts = wholes.map((whole, place) => whole - parts[place]);
    const seen = sumOf(parts);
    if (seen) burst = Math.max(1, Math.min(burst, (seen + 2 * burst) / (parts.filter(Boolean).length + 2)));
    return trials / burst;
  }

  load(resources) {
    return Math.max(
      0,
      ...resources.map((one) => {
        if (one === "attendants") return this.mean("attendant_utilisation");
        if (one === "staff") return this.mean("staff_utilisation");
        return (this.mean("parks_requested") * this.mean("parked_s_mean")) / (this.window_s * this.slots);
      }),
    );
  }

  most(name) {
    if (name === "parked_s_mean") {
      return Math.max(
        ...this.design.laws.max_in_parking.map((law) =>
          law === null
            ? Infinity
            : ({ constant: law.value, uniform: law.high, empirical: sortedOf(law)?.at(-1) }[law.kind] ?? Infinity),
        ),
      );
    }
    return MODEL.measures[name].of ? 1 : MODEL.measures[name].quantity === "slots" ? this.slots : Infinity;
  }

  quantile(name) {
    const values = this.results.map((result) => result[name]).filter((value) => !Number.isNaN(value));
    if (!values.length) return undefinedOf();
    const seen = medianInterval(values),
      stays = this.mean(name.startsWith("parked") ? "parks_made" : "calls_offered");
    return stays * (1 - Number(name.slice(-2)) / 100) >= 20 ? seen : { ...seen, low: null, high: null, few: true };
  }

  occupancyQuantile(share) {
    const ends = [null, null, null],
      ones = this.results.map(() => 1);
    if (!this.results.length) return undefinedOf();
    for (let busy = 0; busy < this.slots && ends.includes(null); busy += 1) {
      const beyond = this.results.map(({ occupancy_pmf: pmf }) => {
        let sum = 0;
        for (let level = pmf.length - 1; level > busy; level -= 1) sum += pmf[level];
        return sum;
      });
      const of = sample([[beyond, ones]]),
        one = shareInterval(of, this.units("time_full_share", of.point));
      [one.low, one.mean, one.high].forEach((value, place) => {
        if (ends[place] === null && value !== null && value <= 1 - share + 1e-12) ends[place] = busy;
      });
    }
    const [low, point, high] = ends.map((end) => end ?? this.slots);
    if (this.results.length < 2) return estimateOf(point, null, null, 1, "one-replication");
    return estimateOf(point, low, high, this.results.length, "share-of-time");
  }

  waitNeverSeen(of) {
    const waiting = shareInterval(of, this.units("answer_wait_s_mean", 0)).high,
      { attendants } = this.design.settings;
    const work_s = this.mean("attendant_utilisation") * attendants * this.window_s,
      calls = this.mean("calls_offered");
    if (attendants === C_UNLIMITED || waiting === null || !calls) return tInterval(of);
    return estimateOf(0, 0, (waiting * work_s) / calls, of.n, "never-seen");
  }
}

const answersOf = (result) =>
  result.calls_offered &&
  Math.round(result.calls_offered * (1 - result.queue_abandoned_share - result.queue_full_share));
const WHOLES = {
  calls: (result) => result.calls_offered,
  answers: answersOf,
  "park requests": (result) => result.parks_requested,
  parks: (result) => result.parks_made,
  returns: (result) => (result.parks_made ? Math.round(result.expired_share * result.parks_made) : 0),
};

function rarerEvents(of) {
  const rare = Math.min(of.point, 1 - of.point),
    variance = varianceOf(of);
  return variance > 0 ? (rare * rare * (1 - rare)) / variance : 0;
}

const BY_SPREAD = ["student-t", "control-t", "all-equal", "certain", "one-replication"];

// A measure of one design less that of the other, replication by replication; see studies/compare.py.
function differenceOf(one, other, name) {
  const estimates = [one.estimate(name), other.estimate(name)];
  if (estimates.some(({ mean }) => mean === null)) return undefinedOf();
  const bounds = sharesOf(name) ? [-1, 1] : ALL,
    first = one.sample(name),
    second = other.sample(name);
  if (first === null || second === null) {
    const pairs = one.results
      .map((result, place) => [result[name], other.results[place][name]])
      .filter((pair) => !pair.some(Number.isNaN));
    if (!pairs.length) return undefinedOf();
    return together(meanSample(pairs.map(([a]) => a)), meanSample(pairs.map(([, b]) => b)), bounds, []);
  }
  const alike =
    first.residuals.some(Boolean) && first.residuals.every((value, place) => value === second.residuals[place]);
  if (alike || estimates.every(({ method }) => BY_SPREAD.includes(method))) {
    const [mine, its] = [one.deviations(name), other.deviations(name)],
      columns = [];
    for (let place = 0; place < Math.max(mine.length, its.length); place += 1) {
      columns.push(...[mine[place], its[place]].filter(Boolean));
    }
    return together(first, second, bounds, columns);
  }
  const both = [one.controlled(name, first), other.controlled(name, second)];
  return differenceOfLimits(...estimates, correlationOf(...both), bounds);
}
