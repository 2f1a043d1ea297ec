// The offered calls, drawn as parksim draws them with NumPy: SeedSequence, PCG64, and the laws. A word of 64 bits is
// two of 32, `hi` and `lo`. What workload.py draws is drawn here from the same words in the same order.

const WORD = 4294967296;

// SeedSequence --------------------------------------------------------------------------------------------------------

function seedWords(entropy) {
  let mixer = 0x43b0d7e5;
  const hashed = (value) => {
    value ^= mixer;
    mixer = Math.imul(mixer, 0x931e8875);
    value = Math.imul(value, mixer);
    return value ^ (value >>> 16);
  };
  const mixed = (left, right) => {
    const value = (Math.imul(left, 0xca01f9dd) - Math.imul(right, 0x4973f715)) | 0;
    return value ^ (value >>> 16);
  };
  const pool = [0, 1, 2, 3].map((place) => hashed(place < entropy.length ? entropy[place] : 0));
  for (let from = 0; from < 4; from += 1) {
    for (let to = 0; to < 4; to += 1) if (from !== to) pool[to] = mixed(pool[to], hashed(pool[from]));
  }
  for (let from = 4; from < entropy.length; from += 1) {
    for (let to = 0; to < 4; to += 1) pool[to] = mixed(pool[to], hashed(entropy[from]));
  }
  mixer = 0x8b51f9dd;
  return many(8, (place) => {
    let value = pool[place & 3] ^ mixer;
    mixer = Math.imul(mixer, 0x58f38ded);
    value = Math.imul(value, mixer);
    return (value ^ (value >>> 16)) >>> 0;
  });
}

function wordsOf(number) {
  const words = [];
  for (let rest = number; rest > 0; rest = Math.floor(rest / WORD)) words.push(rest % WORD);
  return words.length ? words : [0];
}

// PCG64: 128 bits in four words, the lowest first ---------------------------------------------------------------------

const FACTOR = [0x9fccf645, 0x4385df64, 0x1fc65da4, 0x2360ed05].map((word) => word >>> 0);

class Stream {
  constructor(entropy) {
    const words = seedWords(entropy); // pairs of words, the lower one first; the upper pair of each number comes first
    const start = [words[2], words[3], words[0], words[1]],
      sequence = [words[6], words[7], words[4], words[5]];
    this.i0 = ((sequence[0] << 1) | 1) >>> 0;
    this.i1 = ((sequence[1] << 1) | (sequence[0] >>> 31)) >>> 0;
    this.i2 = ((sequence[2] << 1) | (sequence[1] >>> 31)) >>> 0;
    this.i3 = ((sequence[3] << 1) | (sequence[2] >>> 31)) >>> 0;
    [this.s0, this.s1, this.s2, this.s3] = [this.i0, this.i1, this.i2, this.i3];
    let carry = 0;
    ["s0", "s1", "s2", "s3"].forEach((name, place) => {
      const sum = this[name] + start[place] + carry;
      carry = sum >= WORD ? 1 : 0;
      this[name] = sum >>> 0;
    });
    this.hi = 0;
    this.lo = 0;
    this.step();
  }

  // state = state * FACTOR + increment, modulo 2**128. The upper half of a product of two words is what is left of the
  // product, which is rounded by less than half of 2**32, after its lower half is taken away.
  step() {
    const a0 = this.s0,
      a1 = this.s1,
      a2 = this.s2,
      a3 = this.s3,
      [b0, b1, b2, b3] = FACTOR;
    const l00 = Math.imul(a0, b0) >>> 0,
      h00 = Math.round((a0 * b0 - l00) / WORD);
    const l01 = Math.imul(a0, b1) >>> 0,
      h01 = Math.round((a0 * b1 - l01) / WORD);
    const l10 = Math.imul(a1, b0) >>> 0,
      h10 = Math.round((a1 * b0 - l10) / WORD);
    const l02 = Math.imul(a0, b2) >>> 0,
      h02 = Math.round((a0 * b2 - l02) / WORD);
    const l11 = Math.imul(a1, b1) >>> 0,
      h11 = Math.round((a1 * b1 - l11) / WORD);
    const l20 = Math.imul(a2, b0) >>> 0,
      h20 = Math.round((a2 * b0 - l20) / WORD);
    const top = Math.imul(a0, b3) + Math.imul(a1, b2) + Math.imul(a2, b1) + Math.imul(a3, b0);
    let sum = l00 + this.i0;
    this.s0 = sum >>> 0;
    sum = h00 + l01 + l10 + this.i1 + (sum >= WORD ? 1 : 0);
    this.s1 = sum % WORD;
    sum = h01 + h10 + l02 + l11 + l20 + this.i2 + Math.floor(sum / WORD);
    this.s2 = sum % WORD;
    this.s3 = ((h02 + h11 + h20 + top + this.i3 + Math.floor(sum / WORD)) % WORD) >>> 0;
  }

  // Take the next word, into `hi` and `lo`: the halves of the state, one turned by its highest six bits.
  next() {
    this.step();
    const turn = this.s3 >>> 26,
      high = (this.s3 ^ this.s1) >>> 0,
      low = (this.s2 ^ this.s0) >>> 0;
    const [one, other] = turn & 32 ? [low, high] : [high, low],
      by = turn & 31;
    this.hi = by ? ((one >>> by) | (other << (32 - by))) >>> 0 : one;
    this.lo = by ? ((other >>> by) | (one << (32 - by))) >>> 0 : other;
  }

  random() {
    this.next();
    return (this.hi * 2097152 + (this.lo >>> 11)) / 9007199254740992;
  }

  exponential() {
    const { width, sure, height } = LAYERS.exponential;
    for (;;) {
      this.next();
      const layer = (this.lo >>> 3) & 255,
        place = this.hi * 2097152 + (this.lo >>> 11),
        x = place * width[layer];
      if (place < sure[layer]) return x;
      if (layer === 0) return LAYERS.exponential.r - Math.log1p(-this.random());
      if ((height[layer - 1] - height[layer]) * this.random() + height[layer] < Math.exp(-x)) return x;
    }
  }

  normal() {
    const { width, sure, height, r } = LAYERS.normal;
    for (;;) {
      this.next();
      const layer = this.lo & 255,
        place = (this.hi & 0x1fffffff) * 8388608 + (this.lo >>> 9);
      const x = this.lo & 256 ? -(place * width[layer]) : place * width[layer],
        negative = (this.lo >>> 17) & 1;
      if (place < sure[layer]) return x;
      if (layer === 0) {
        for (;;) {
          const beyond = -Math.log1p(-this.random()) / r,
            other = -Math.log1p(-this.random());
          if (other + other > beyond * beyond) return negative ? -(r + beyond) : r + beyond;
        }
      }
      if ((height[layer - 1] - height[layer]) * this.random() + height[layer] < Math.exp(-0.5 * x * x)) return x;
    }
  }

  gamma(shape) {
    if (shape === 1) return this.exponential();
    if (shape < 1) {
      for (;;) {
        const u = this.random(),
          v = this.exponential();
        if (u <= 1 - shape) {
          const x = Math.pow(u, 1 / shape);
          if (x <= v) return x;
        } else {
          const y = -Math.log((1 - u) / shape),
            x = Math.pow(1 - shape + shape * y, 1 / shape);
          if (x <= v + y) return x;
        }
      }
    }
    const b = shape - 1 / 3,
      c = 1 / Math.sqrt(9 * b);
    for (;;) {
      let x, v;
      do {
        x = this.normal();
        v = 1 + c * x;
      } while (v <= 0);
      v = v * v * v;
      const u = this.random();
      if (u < 1 - 0.0331 * (x * x) * (x * x)) return b * v;
      if (Math.log(u) < 0.5 * x * x + b * (1 - v + Math.log(v))) return b * v;
    }
  }
}

// Laws, as `model.py` writes them: seconds ----------------------------------------------------------------------------

const medianOf = (law) => law.median ?? law.mean / law.root;
const scaleOf = (law) => law.scale ?? law.mean / law.gamma;
const sortedOf = (law) => law.values ?? MODEL.tables[law.table];

const LONGEST_S = 1e9;
const capped = (value) => Math.min(value, LONGEST_S);
const DRAWS = {
  exponential: (law) => (stream) => capped(stream.exponential() * law.mean),
  lognormal: (law) => {
    const median = medianOf(law);
    return (stream) => capped(Math.exp(stream.normal() * law.sd) * median);
  },
  hyperexponential: (law) => (stream) => {
    const choice = stream.random(),
      amount = stream.random();
    let which = 0;
    while (which < law.edges.length && law.edges[which] <= choice) which += 1;
    return capped(-Math.log1p(-amount) * law.means[which]);
  },
  gamma: (law) => (stream) => capped(stream.gamma(law.shape) * (law.mean / law.shape)),
  weibull: (law) => {
    const scale = scaleOf(law);
    return (stream) => capped(Math.pow(stream.exponential(), 1 / law.shape) * scale);
  },
  uniform: (law) => (stream) => law.low + stream.random() * (law.high - law.low),
  empirical: (law) => {
    const values = sortedOf(law),
      size = values.length;
    return (stream) => values[Math.min(Math.floor(stream.random() * size), size - 1)];
  },
};

// Round to the nearest whole number, a half to the even one.
function rint(value) {
  const nearest = Math.round(value);
  return nearest - value === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

// The columns of a replication ----------------------------------------------------------------------------------------

const PURPOSES = {
  arrival: 0,
  queue_patience: 1,
  handling: 2,
  talk: 3,
  wants_park: 4,
  max_in_parking: 5,
  patience: 6,
  retrieval: 7,
  never_retrieved: 8,
  staff_talk: 9,
  slot: 10,
  answer: 11,
  never_answered: 12,
  recall_patience: 13,
  lot: 15,
  busy_days: 16,
};

// One replication's calls under a design: rows are drawn when they are asked for. What was drawn for another design
// of the same law is not drawn again: `kept` has the rows by what they depend on.
class Calls {
  constructor(design, seed, replication, kept) {
    this.design = design;
    this.entropy = [...seed, ...new Array(Math.max(0, 4 - seed.length)).fill(0), ...wordsOf(replication)];
    this.kept = kept;
    this.replication = replication;
    this.arrival_us = this.once("arrivals", design.keys.arrivals, () => this.arrivals());
    this.length = this.arrival_us.length;
    this.found = {};
  }

  once(name, key, make) {
    const before = this.kept.get(name);
    if (before && before.key === key) return before.row;
    const row = make();
    this.kept.set(name, { key, row });
    return row;
  }

  stream(purpose, parks) {
    return new Stream([...this.entropy, PURPOSES[purpose], parks]);
  }

  // A row of a column after some parks; undefined beyond the last one.
  row(name, parks) {
    const rows = (this.found[name] ??= []);
    if (rows[parks] !== undefined) return rows[parks];
    const { design } = this,
      flat = name === "queue_patience_us" || name === "lot";
    if (parks >= (flat ? 1 : design.max_parks + (name === "handling_us" || name === "talk_us" ? 1 : 0)))
      return undefined;
    rows[parks] = this.once(`${name} ${parks}`, design.keys[name], () => this.drawn(name, parks));
    return rows[parks];
  }

  drawn(name, parks) {
    const { design } = this;
    if (name === "lot") return this.lots();
    if (name === "wants_park") return this.happens(design.columns.wants_park, "wants_park", parks);
    if (name === "slot_u") return design.columns.slot_u ? this.slotNumbers(parks) : [0];
    const { laws, purpose, least_us, factors, never, never_purpose } = design.columns[name];
    let row = this.durations(laws[0], purpose, parks, least_us);
    laws.slice(1).forEach((law, index) => {
      if (JSON.stringify(law) === JSON.stringify(laws[0])) return;
      const lot = this.row("lot", 0),
        other = this.durations(law, purpose, parks, least_us),
        before = row;
      row = Float64Array.from({ length: this.length }, (_, call) => {
        const from = at(lot, call) === index + 1 ? other : before;
        return at(from, call);
      });
    });
    if (factors) {
      const before = row;
      row = Float64Array.from({ length: this.length }, (_, call) => rint(at(before, call) * factors[this.hour(call)]));
    }
    if (never) {
      const gone = this.happens(never, never_purpose, parks),
        before = row;
      row = Float64Array.from({ length: this.length }, (_, call) => (at(gone, call) ? -1 : at(before, call)));
    }
    return row;
  }

  hour(call) {
    return Math.floor(this.arrival_us[call] / 3.6e9) % 24;
  }

  durations(law, purpose, parks, least_us) {
    if (law === null) return [-1];
    if (law.kind === "constant") return [Math.max(rint(law.value * 1e6), least_us)];
    const stream = this.stream(purpose, parks),
      draw = DRAWS[law.kind](law),
      row = new Float64Array(this.length);
    for (let call = 0; call < row.length; call += 1) row[call] = Math.max(rint(draw(stream) * 1e6), least_us);
    return row;
  }

  happens(share, purpose, parks) {
    if (share === 0 || share === 1) return [share];
    const stream = this.stream(purpose, parks),
      row = new Float64Array(this.length);
    for (let call = 0; call < row.length; call += 1) {
      row[call] = stream.random() < (Array.isArray(share) ? share[this.hour(call)] : share) ? 1 : 0;
    }
    return row;
  }

  slotNumbers(parks) {
    const stream = this.stream("slot", parks);
    return BigInt64Array.from({ length: this.length }, () => {
      stream.next();
      return ((BigInt(stream.hi) << 32n) | BigInt(stream.lo)) >> 2n;
    });
  }

  lots() {
    const edges = this.design.lot_edges;
    if (!edges) return [0];
    const stream = this.stream("lot", 0);
    return Float64Array.from({ length: this.length }, () => {
      const share = stream.random();
      let lot = 0;
      while (lot < edges.length && edges[lot] <= share) lot += 1;
      return lot;
    });
  }

  arrivals() {
    const { arrivals: source, end_us } = this.design;
    if (source.recorded) return Float64Array.from(MODEL.recorded[MODEL.recorded.length > 1 ? this.replication : 0]);
    const stream = this.stream("arrival", 0),
      instants = [];
    const toUs = source.busy_cv || source.calls_per_hour ? this.byHour(source) : (ticks) => ticks * (1e6 / source.rate);
    for (let ticks = stream.exponential(); ; ticks += stream.exponential()) {
      const at_us = toUs(ticks);
      if (!(at_us < end_us)) return Float64Array.from(instants);
      instants.push(Math.floor(at_us));
    }
  }

  // Return the inverse of the expected number of calls until an instant, which is straight within each hour.
  byHour({ calls_per_hour, rate, busy_cv }) {
    const hours = Math.ceil(this.design.end_us / 3.6e9),
      of_day = calls_per_hour ?? [rate * 3600];
    const busy = busy_cv ? this.stream("busy_days", 0) : null,
      shape = busy_cv ** -2,
      expected = [0];
    let factor = 1;
    for (let hour = 0, sum = 0; hour < hours; hour += 1) {
      if (busy && hour % 24 === 0) factor = busy.gamma(shape) / shape;
      sum += of_day[hour % of_day.length] * factor;
      expected.push(sum);
    }
    let hour = 0;
    return (ticks) => {
      if (ticks >= expected[hours]) return Infinity;
      while (expected[hour + 1] <= ticks) hour += 1;
      const slope = 3.6e9 / (expected[hour + 1] - expected[hour]);
      return slope * (ticks - expected[hour]) + hour * 3.6e9;
    };
  }
}

// A row of one value may be a list of one.
const at = (row, call) => (row.length > 1 ? row[call] : row[0]);
