// What the controls are on average: the switchboard without limits, as theory/ideal.py and studies/ideal.py have it.

const MOST_POINTS = 2 ** 17,
  ALIVE = 1e-9,
  LEFT = 1e-6,
  DAMPED = 1e-9,
  MOST_CUTS = 20000,
  SMALLEST_CUT_S = 5;

// Fourier's transform of complex numbers, in place; the length is a power of two.
function transform(re, im, backward) {
  const size = re.length;
  for (let from = 1, to = 0; from < size; from += 1) {
    let bit = size >> 1;
    for (; to & bit; bit >>= 1) to ^= bit;
    to ^= bit;
    if (from < to) {
      [re[from], re[to]] = [re[to], re[from]];
      [im[from], im[to]] = [im[to], im[from]];
    }
  }
  const turn = ((backward ? 2 : -2) * Math.PI) / size,
    cosines = new Float64Array(size / 2),
    sines = new Float64Array(size / 2);
  for (let place = 0; place < size / 2; place += 1) {
    cosines[place] = Math.cos(turn * place);
    sines[place] = Math.sin(turn * place);
  }
  for (let half = 1, step = size / 2; half < size; half *= 2, step /= 2) {
    for (let begin = 0; begin < size; begin += 2 * half) {
      for (let place = 0; place < half; place += 1) {
        const a = begin + place,
          b = a + half,
          c = cosines[place * step],
          s = sines[place * step];
        const x = re[b] * c - im[b] * s,
          y = re[b] * s + im[b] * c;
        re[b] = re[a] - x;
        im[b] = im[a] - y;
        re[a] += x;
        im[a] += y;
      }
    }
  }
}

// Masses on a grid, as their transform: products of these are convolutions.
class Spectrum {
  constructor(re, im) {
    this.re = re;
    this.im = im;
  }

  times(other) {
    const size = this.re.length,
      re = new Float64Array(size),
      im = new Float64Array(size);
    if (typeof other === "number") {
      for (let n = 0; n < size; n += 1) [re[n], im[n]] = [this.re[n] * other, this.im[n] * other];
    } else {
      for (let n = 0; n < size; n += 1) {
        re[n] = this.re[n] * other.re[n] - this.im[n] * other.im[n];
        im[n] = this.re[n] * other.im[n] + this.im[n] * other.re[n];
      }
    }
    return new Spectrum(re, im);
  }

  plus(other, factor = 1) {
    const number = typeof other === "number";
    return new Spectrum(
      this.re.map((one, n) => one + (number ? other : factor * other.re[n])),
      this.im.map((one, n) => one + (number ? 0 : factor * other.im[n])),
    );
  }
}

// A law for a race: its survival, the points that carry a share, and its mean.
function clockOf(law, factor = 1) {
  if (law === null) return null;
  const survival = survivalOf(law),
    atoms =
      {
        constant: () => [law.value],
        empirical: () => [...new Set(sortedOf(law))],
      }[law.kind]?.() ?? (hasAtoms(law) ? [law.kind === "uniform" ? law.low : 0] : []);
  return {
    mean: meanOf(law) * factor,
    atoms: atoms.map((atom) => atom * factor),
    survival: factor === 1 ? survival : (t) => survival(t / factor),
  };
}
const clockAt = (mean) => ({ mean, atoms: [mean], survival: (t) => (t < mean ? 1 : 0) });

// How a race of clocks ends on a grid, by clock in the order in which they win at a tie, and how long it lasts.
function race(clocks, never, step, points) {
  const after = clocks.map((clock, place) =>
    clock === null ? () => 1 : (t) => never[place] + (1 - never[place]) * clock.survival(t),
  );
  const product = (values, but = -1) => values.reduce((all, one, place) => (place === but ? all : all * one), 1);
  const alive = (t) => product(after.map((one) => one(t)));
  let used = Math.min(points, 64);
  while (used < points && alive((used - 1) * step) > ALIVE) used = Math.min(points, 2 * used);
  const end = (used - 1) * step,
    atoms = new Set(clocks.flatMap((clock) => clock?.atoms ?? []).filter((atom) => atom <= end));
  const edges = Float64Array.from(new Set([...many(used, (node) => node * step), ...atoms])).sort();
  const masses = clocks.map(() => new Float64Array(points)),
    lasting = new Float64Array(points);
  const give = (which, mass, where) => {
    const place = where / step,
      low = Math.floor(place),
      upper = mass * (place - low);
    if (low < points) masses[which][low] += mass - upper;
    if (low + 1 < points) masses[which][low + 1] += upper;
  };
  let left = null,
    lasted = 0,
    node = 0;
  edges.forEach((edge, number) => {
    const on = after.map((one) => one(edge));
    let before = on;
    if (atoms.has(edge)) {
      before = edge > 0 ? after.map((one) => one(edge * (1 - 2 ** -52))) : after.map(() => 1);
      after.forEach((_, which) => {
        const others = product(on.slice(0, which)) * product(before.slice(which + 1));
        give(which, others * (before[which] - on[which]), edge);
      });
    }
    if (number) {
      const from = edges[number - 1],
        width = edge - from,
        middle = after.map((one) => one(from + 0.5 * width));
      const falls = left.map(
        (one, which) =>
          (one - before[which]) * (product(left, which) + 4 * product(middle, which) + product(before, which)),
      );
      const total = sumOf(falls),
        first = product(left),
        last = product(before);
      if (total > 0) falls.forEach((fall, which) => give(which, (fall * (first - last)) / total, from + 0.5 * width));
      lasted += (width * (first + 4 * product(middle) + last)) / 6;
    }
    if (node < used && edge === node * step) {
      lasting[node] = lasted;
      node += 1;
    }
    left = on;
  });
  lasting.fill(lasting[used - 1], used);
  return { masses, lasting };
}

// What is to be expected of one call up to each age; see `Life` in theory/ideal.py.
function lifeOn(call, step, points) {
  const size = powerFrom(2 * points),
    damping = Float64Array.from({ length: points }, (_, n) => Math.exp((Math.log(DAMPED) / size) * n));
  const spectrum = (masses) => {
    const re = new Float64Array(size),
      im = new Float64Array(size);
    masses.forEach((mass, n) => {
      re[n] = mass * damping[n];
    });
    transform(re, im, false);
    return new Spectrum(re, im);
  };
  const back = ({ re, im }) => {
    const [one, other] = [re.slice(), im.slice()];
    transform(one, other, true);
    return Float64Array.from({ length: points }, (_, n) => one[n] / size / damping[n]);
  };
  const counted = (masses) => {
    let sum = 0;
    return masses.map((mass, n) => {
      sum += mass;
      return n ? sum - 0.5 * mass : mass;
    });
  };
  const single = (clock) => {
    const ends = race([clock], [0], step, points);
    return [spectrum(ends.masses[0]), spectrum(ends.lasting)];
  };
  const [handling, handled] = single(call.handling);
  const talked = call.talk.mean ? single(call.talk)[1] : null;
  const staffTalked = call.staff_talk.mean ? single(call.staff_talk)[1] : null;
  const announced = call.announcement_s ? single(clockAt(call.announcement_s))[1] : null;
  const [taken, rung] = takenOf(call, step, points, spectrum);
  const life = {
    step,
    lots: [],
    answers: new Float64Array(points),
    attended_s: new Float64Array(points),
    staff_s: new Float64Array(points),
  };
  const add = (name, curve) =>
    curve.forEach((one, n) => {
      life[name][n] += one;
    });
  for (const lot of call.lots) {
    if (!lot.share) {
      const none = new Float64Array(points);
      life.lots.push({ requests: none, retrieved: none, hung_up: none, expired: none, parked_s: none });
      continue;
    }
    const stay = race(
      [lot.patience, call.never < 1 ? call.retrieval : null, lot.limit],
      [0, call.never, 0],
      step,
      points,
    );
    const [hungUp, retrieved, expired] = stay.masses.map(spectrum);
    const wishes = handling.times(call.wish),
      again = wishes.times(expired).times(taken);
    let rounds = again.times(0).plus(1);
    for (let turn = 1; turn < call.most_parks; turn += 1) rounds = again.times(rounds).plus(1);
    const requests = wishes.times(lot.share).times(rounds),
      returns = requests.times(expired);
    const answers = returns.times(taken).plus(lot.share);
    life.lots.push({
      requests: counted(back(requests)),
      retrieved: counted(back(requests.times(retrieved))),
      hung_up: counted(back(requests.times(hungUp))),
      expired: counted(back(returns)),
      parked_s: back(requests.times(spectrum(stay.lasting))),
    });
    let attended = answers.times(handled);
    if (talked) attended = attended.plus(answers.times(handling).plus(requests, -1).times(talked));
    if (announced) attended = attended.plus(requests.times(announced));
    if (rung) attended = attended.plus(returns.times(rung));
    add("attended_s", back(attended));
    add("answers", counted(back(answers)));
    if (staffTalked) add("staff_s", back(requests.times(retrieved).times(staffTalked)));
  }
  return life;
}

// How long after a time-out a return is taken, as masses, and how long it rings.
function takenOf(call, step, points, spectrum) {
  if (!call.rings) {
    const share = call.recall_patience === null ? 1 : call.recall_patience.survival(0);
    return [spectrum(Float64Array.from({ length: points }, (_, n) => (n ? 0 : share))), null];
  }
  const limit = call.ring_s === null ? null : clockAt(call.ring_s);
  const ring = race([call.recall_patience, call.answer, limit], [0, call.never_answered, 0], step, points);
  const taken = call.unanswered_lost ? ring.masses[1] : ring.masses[1].map((one, n) => one + ring.masses[2][n]);
  return [spectrum(taken), spectrum(ring.lasting)];
}

function lifeOf(call, longest_s, given_step) {
  const means = [...call.lots.flatMap((lot) => [lot.patience, lot.limit]), call.retrieval, call.handling]
    .filter((clock) => clock !== null && clock.mean > 0)
    .map(({ mean }) => mean);
  const shortest = means.length ? Math.min(...means) : 60;
  let step = given_step ?? [1, 0.5].find((one) => one <= shortest / 20) ?? 0.25,
    points = 2048;
  for (;;) {
    const most = Math.ceil(longest_s / step) + 2,
      used = Math.min(points, most),
      life = lifeOn(call, step, used);
    const late = Math.floor((3 * used) / 4);
    const left =
      life.answers[used - 1] -
      life.answers[late] +
      life.lots.reduce((sum, { parked_s }) => sum + parked_s[used - 1] - parked_s[late], 0);
    if (points >= most || left <= LEFT) return life;
    if (points < MOST_POINTS) points *= 2;
    else step *= 2;
  }
}

// A rate that is constant between instants: `per[i]` from `starts[i]` on.
class Rates {
  constructor(starts, per) {
    this.starts = starts;
    this.per = per;
  }

  between(low, high) {
    const inner = this.starts.map((_, n) => n).filter((n) => this.starts[n] > low && this.starts[n] < high);
    const first = low >= this.starts[0] ? this.per[below(this.starts, low, true) - 1] : 0;
    return new Rates([low, ...inner.map((n) => this.starts[n]), high], [first, ...inner.map((n) => this.per[n]), 0]);
  }

  of(curve, step, times) {
    return this.added(curve, 0, step, times);
  }

  until(curve, step, times) {
    const whole = new Float64Array(curve.length);
    for (let n = 1; n < curve.length; n += 1) whole[n] = whole[n - 1] + 0.5 * (curve[n] + curve[n - 1]) * step;
    return this.added(whole, curve.at(-1), step, times);
  }

  added(curve, slope, step, times) {
    const end = (curve.length - 1) * step,
      last = curve.at(-1),
      number = times.length;
    const total = new Float64Array(number),
      late = new Float64Array(number + 1),
      slopes = new Float64Array(number + 1);
    this.starts.forEach((start, place) => {
      const jump = this.per[place] - (place ? this.per[place - 1] : 0);
      if (!jump) return;
      const over = below(times, start + end);
      for (let n = below(times, start); n < over; n += 1) {
        const where = (times[n] - start) / step,
          low = Math.min(Math.floor(where), curve.length - 2);
        total[n] += jump * (curve[low] + (where - low) * (curve[low + 1] - curve[low]));
      }
      late[over] += jump * (last - slope * (start + end));
      slopes[over] += jump * slope;
    });
    let kept = 0,
      slant = 0;
    for (let n = 0; n < number; n += 1) {
      kept += late[n];
      slant += slopes[n];
      total[n] += kept + slant * times[n];
    }
    return total;
  }
}

function poissonAtLeast(count, mean) {
  if (count <= 0) return 1;
  const at_count = Math.exp(count * Math.log(Math.max(mean, 1e-300)) - mean - logGamma(count + 1));
  let term = at_count,
    rest = 0;
  if (mean < count) {
    for (let number = count + 1; ; number += 1) {
      term *= mean / number;
      rest += term;
      if (!(term > 1e-17 * rest)) return at_count + rest;
    }
  }
  for (let number = count; number > 0; number -= 1) {
    term *= number / mean;
    rest += term;
    if (!(term > 1e-17 * rest)) break;
  }
  return 1 - rest;
}

// The means of the controls of a design -------------------------------------------------------------------------------

const livesKept = new Map();

function callOf({ settings, laws }, wish, factor) {
  const weight = sumOf(MODEL.lot_weights);
  return {
    handling: clockOf(laws.handling),
    talk: clockOf(laws.talk),
    wish,
    most_parks: settings.max_parks,
    announcement_s: settings.announcement_us / 1e6,
    lots: settings.slots.map((_, lot) => ({
      share: MODEL.lot_weights[lot] / weight,
      patience: clockOf(laws.patience[lot]),
      limit: clockOf(laws.max_in_parking[lot]),
    })),
    retrieval: clockOf(laws.retrieval, factor),
    never: laws.never_retrieved,
    staff_talk: clockOf(laws.staff_talk),
    rings: settings.recall_to === C_TO_PARKER,
    ring_s: settings.ring_us === C_UNLIMITED ? null : (settings.ring_us * settings.attempts) / 1e6,
    answer: clockOf(laws.answer),
    never_answered: laws.never_answered,
    recall_patience: settings.recall_to === C_TO_ELSEWHERE ? clockAt(0) : clockOf(laws.recall_patience),
    unanswered_lost: settings.unanswered !== C_UNANSWERED_GROUP,
  };
}

function ratesOf({ arrivals }) {
  const end_s = MODEL.end_us / 1e6;
  if (!arrivals.calls_per_hour) return new Rates([0, end_s], [arrivals.rate, 0]);
  const hours = Math.ceil(end_s / 3600),
    starts = many(hours, (hour) => hour * 3600);
  return new Rates([...starts, end_s], [...starts.map((_, hour) => arrivals.calls_per_hour[hour % 24] / 3600), 0]);
}

// Return the calls of some hours of the day: their life, all of them, and those that are counted.
function partsOf(design, given_step) {
  const { laws, settings } = design,
    rates = ratesOf(design),
    kinds = many(24, (hour) => [
      Array.isArray(laws.wish) ? laws.wish[hour] : laws.wish,
      laws.retrieval_factors ? laws.retrieval_factors[hour] : 1,
    ]);
  const [low, high] = [MODEL.warm_up_us / 1e6, MODEL.horizon_us / 1e6];
  return [...new Set(kinds.map((one) => one.join()))].map((kind) => {
    const [wish, factor] = kinds.find((one) => one.join() === kind);
    const key = JSON.stringify([
      laws,
      { ...settings, slots: 0, attendants: 0, staff: 0, counts: 0, when_full: 0 },
      wish,
      factor,
      given_step,
    ]);
    if (!livesKept.has(key)) {
      if (livesKept.size > 64) livesKept.clear();
      livesKept.set(key, lifeOf(callOf(design, wish, factor), MODEL.end_us / 1e6 + MODEL.late_s, given_step));
    }
    let of_hours = rates;
    if (!kinds.every((one) => one.join() === kind)) {
      const hours = many(Math.ceil(rates.starts.at(-1) / 3600), (hour) => hour * 3600);
      const starts = [...new Set([...rates.starts, ...hours])].sort((a, b) => a - b);
      of_hours = new Rates(
        starts,
        starts.map((start) =>
          kinds[Math.floor(start / 3600) % 24].join() === kind ? rates.per[below(rates.starts, start, true) - 1] : 0,
        ),
      );
    }
    return { life: livesKept.get(key), rates: of_hours, counted: of_hours.between(low, high) };
  });
}

const ofLots = (life, name) =>
  life.lots.reduce(
    (sum, lot) => sum.map((one, n) => one + lot[name][n]),
    life.lots[0][name].map(() => 0),
  );

function sumsOf(design, parts) {
  const low = MODEL.warm_up_us / 1e6,
    high = MODEL.horizon_us / 1e6,
    end = high + MODEL.late_s;
  const total = (curve_of, until, counted) =>
    parts.reduce((sum, part) => {
      const [begin, last] = (counted ? part.counted : part.rates).until(curve_of(part.life), part.life.step, [
        low,
        until,
      ]);
      return sum + last - begin;
    }, 0);
  const lots = (name) => (life) => ofLots(life, name),
    own = (name) => (life) => life[name];
  const found = {
    calls: total((life) => life.answers.map(() => 1), end, true),
    park_requests: total(lots("requests"), end, true),
    busy_slot_s: total(lots("parked_s"), high, false),
    time_outs: total(lots("expired"), high, false),
    retrieved: total(lots("retrieved"), end, true),
    hung_up: total(lots("hung_up"), end, true),
    returns: total(lots("expired"), end, true),
    stay_s: total(lots("parked_s"), end, true),
    attended_s: total(own("attended_s"), high, false),
    staff_s: total(own("staff_s"), high, false),
    full_s: 0,
    requests_at_full: 0,
  };
  const step = Math.max(...parts.map(({ life }) => life.step));
  for (const [first, last] of [
    [low, high],
    [high, end],
  ]) {
    const number = Math.max(2, Math.min(MOST_CUTS, Math.ceil((last - first) / Math.max(step, SMALLEST_CUT_S))));
    const cuts = Float64Array.from({ length: number + 1 }, (_, n) => first + ((last - first) / number) * n);
    const middles = cuts.slice(1).map((cut, n) => 0.5 * (cut + cuts[n]));
    design.settings.slots.forEach((slots, lot) => {
      const mean = new Float64Array(number),
        asks = new Float64Array(number);
      for (const { life, rates, counted } of parts) {
        rates.of(life.lots[lot].parked_s, life.step, middles).forEach((one, n) => {
          mean[n] += one;
        });
        const upto = counted.until(life.lots[lot].requests, life.step, cuts);
        for (let n = 0; n < number; n += 1) asks[n] += upto[n + 1] - upto[n];
      }
      for (const [factor, weight] of MODEL.day_factors) {
        for (let n = 0; n < number; n += 1) {
          const full = weight * poissonAtLeast(slots, factor * mean[n]);
          found.requests_at_full += factor * asks[n] * full;
          if (first === low) found.full_s += full * (cuts[n + 1] - cuts[n]);
        }
      }
    });
  }
  return found;
}

// Return the mean of each control and the error of that; none where it is not known.
function meansOf(design) {
  if (!MODEL.with_controls) return {};
  const means = Object.fromEntries(
    ["wishes_at_full", "decisions_at_full", "departures_at_full"].map((name) => [name, { mean: 0, error: 0 }]),
  );
  if (MODEL.arrivals.recorded) return means;
  const fine = partsOf(design),
    rough = sumsOf(design, fine),
    half = Math.max(...fine.map(({ life }) => life.step)) / 2;
  const values = sumsOf(design, partsOf(design, half));
  for (const [name, mean] of Object.entries(values)) {
    if (MODEL.arrivals.busy_cv && (name === "full_s" || name === "requests_at_full")) continue;
    means[name] = { mean, error: Math.abs(mean - rough[name]) };
  }
  return means;
}
