// The sums of a replication that serve as controls: the switchboard without limits (engines/unlimited.py), and what
// happened while a lot was full beyond what was to be expected (journal/innovations.py).

// Facts in columns that grow.
class Journal {
  constructor() {
    this.length = 0;
    this.columns = {
      time_us: Float64Array,
      call: Int32Array,
      lot: Int16Array,
      slot: Int16Array,
      extension: Int16Array,
      kind: Uint8Array,
      reason: Uint8Array,
    };
    this.names = Object.keys(this.columns);
    for (const name of this.names) this[name] = new this.columns[name](4096);
  }

  clear() {
    this.length = 0;
  }

  add(fact) {
    const place = this.length;
    if (place === this.time_us.length) {
      for (const name of this.names) {
        const longer = new this.columns[name](2 * place);
        longer.set(this[name]);
        this[name] = longer;
      }
    }
    this.time_us[place] = fact.time_us;
    this.call[place] = fact.call;
    this.lot[place] = fact.lot;
    this.slot[place] = fact.slot;
    this.extension[place] = fact.extension;
    this.kind[place] = fact.kind;
    this.reason[place] = fact.reason;
    this.length += 1;
  }
}

const NEVER_ENDS_US = 2 ** 60;
const orNever = (value) => (value === C_NEVER ? NEVER_ENDS_US : value);
const inside = (from, until, low, high) => Math.min(Math.max(until, low), high) - Math.min(Math.max(from, low), high);

// Without limits: each call goes its way by its own columns -----------------------------------------------------------

// The lives of all calls, and their sums, which depend on no limit.
function livesOf(design, calls) {
  const { settings } = design,
    { warm_up_us: low, horizon_us: high } = MODEL,
    { arrival_us } = calls;
  const first = below(arrival_us, low),
    end = below(arrival_us, high);
  const sums = Object.fromEntries(MODEL.sums.map((name) => [name, 0])),
    lots = settings.slots.map(() => ({ begins: [], ends: [], asks: [] }));
  let stay_us = 0,
    busy_us = 0,
    attended_us = 0,
    staff_us = 0;
  let alive = Array.from(arrival_us, (_, call) => call),
    taken_us = arrival_us;
  for (let parks = 0; parks < settings.max_parks && alive.length; parks += 1) {
    const handling = calls.row("handling_us", parks),
      talk = calls.row("talk_us", parks),
      wants = calls.row("wants_park", parks);
    const patience = calls.row("patience_us", parks),
      retrieval = calls.row("retrieval_us", parks);
    const limit = calls.row("max_in_parking_us", parks),
      lot_of = calls.row("lot", 0),
      again = [],
      again_us = [];
    for (let place = 0; place < alive.length; place += 1) {
      const call = alive[place],
        taken = taken_us[place];
      const parked = taken + at(handling, call),
        wishes = at(wants, call) !== 0,
        counted = call >= first && call < end;
      attended_us += inside(taken, parked + (wishes ? settings.announcement_us : at(talk, call)), low, high);
      if (!wishes) continue;
      const hangs = orNever(at(patience, call)),
        comes = orNever(at(retrieval, call));
      const stay = Math.min(hangs, comes, orNever(at(limit, call))),
        left = parked + stay;
      const how = hangs === stay ? "hung_up" : comes === stay ? "retrieved" : "returns",
        lot = lots[at(lot_of, call)];
      if (stay > 0) {
        lot.begins.push(parked);
        lot.ends.push(left);
      }
      busy_us += inside(parked, left, low, high);
      if (counted) {
        lot.asks.push(parked);
        sums.park_requests += 1;
        sums[how] += 1;
        stay_us += stay;
      }
      if (how === "retrieved") staff_us += inside(left, left + at(calls.row("staff_talk_us", parks), call), low, high);
      if (how !== "returns") continue;
      if (left >= low && left < high) sums.time_outs += 1;
      const [answered, rung] = ringing(settings, (name) => at(calls.row(name, parks), call));
      if (settings.recall_to === C_TO_PARKER) attended_us += inside(left, left + rung, low, high);
      if (answered) {
        again.push(call);
        again_us.push(left + rung);
      }
    }
    [alive, taken_us] = [again, again_us];
  }
  alive.forEach((call, place) => {
    const talked_us =
      at(calls.row("handling_us", settings.max_parks), call) + at(calls.row("talk_us", settings.max_parks), call);
    attended_us += inside(taken_us[place], taken_us[place] + talked_us, low, high);
  });
  sums.calls = end - first;
  Object.assign(sums, {
    stay_s: stay_us / 1e6,
    busy_slot_s: busy_us / 1e6,
    attended_s: attended_us / 1e6,
    staff_s: staff_us / 1e6,
  });
  const sorted = (lot) =>
    Object.fromEntries(Object.entries(lot).map(([name, row]) => [name, Float64Array.from(row).sort()]));
  return { sums, lots: lots.map(sorted) };
}

function totals(design, calls) {
  const { sums, lots } = calls.once("lives", design.keys.lives, () => livesOf(design, calls)),
    found = { ...sums };
  lots.forEach((lot, number) => {
    const [asks, full_us] = atLeast(design.settings.slots[number], lot, MODEL.warm_up_us, MODEL.horizon_us);
    found.requests_at_full += asks;
    found.full_s += full_us / 1e6;
  });
  return found;
}

// Return whether a return is answered in the end, and for how long it rings before.
function ringing(settings, value) {
  if (settings.recall_to === C_TO_ELSEWHERE) return [false, 0];
  const patience = orNever(value("recall_patience_us"));
  if (settings.recall_to === C_TO_GROUP) return [patience > 0, 0];
  const answer = orNever(value("answer_us"));
  const ring = settings.ring_us === C_UNLIMITED ? NEVER_ENDS_US : settings.ring_us * settings.attempts;
  const rung = Math.min(patience, answer, ring);
  return [patience > rung && (settings.unanswered === C_UNANSWERED_GROUP || answer === rung), rung];
}

// Return at how many of some instants at least `level` stays last, and for how long in the window.
function atLeast(level, lot, low, high) {
  const { begins, ends } = lot;
  let asks = 0,
    full_us = 0,
    begun = 0,
    gone = 0;
  for (const ask of lot.asks) {
    while (begun < begins.length && begins[begun] < ask) begun += 1;
    while (gone < ends.length && ends[gone] <= ask) gone += 1;
    if (begun - gone >= level) asks += 1;
  }
  for (let n = level - 1; n < begins.length; n += 1) {
    const next = n + 1 < begins.length ? begins[n + 1] : NEVER_ENDS_US;
    full_us += Math.max(0, inside(begins[n], Math.min(ends[n + 1 - level], next), low, high));
  }
  return [asks, full_us];
}

// While a lot is full -------------------------------------------------------------------------------------------------

const POINTS = 8192,
  LEAST = 1e-12;
const hazardsKept = new Map();

// Return -log P(X > age) at ages up to `most`; the square roots of the ages are equally far apart.
function hazards(law, never, most) {
  const key = JSON.stringify([law, never, most]);
  if (!hazardsKept.has(key)) {
    const survival = survivalOf(law);
    if (hazardsKept.size >= 64) hazardsKept.clear();
    hazardsKept.set(
      key,
      Float64Array.from({ length: POINTS }, (_, place) => {
        const root = place / (POINTS - 1),
          left = never + (1 - never) * survival(most * root * root);
        return -Math.log(Math.max(left, LEAST));
      }),
    );
  }
  return hazardsKept.get(key);
}

// A clock that overlaps with spans: whether it ends in one, and its ages as each overlap begins and ends; else null.
function clockAtFull(from, until, spans, factor = 1) {
  const first = below(spans.until, from, true),
    beyond = below(spans.from, until);
  if (beyond <= first) return null;
  const ages_s = [];
  for (let span = first; span < beyond; span += 1) {
    ages_s.push(Math.max(spans.from[span] - from, 0) / 1e6 / factor);
    ages_s.push((Math.min(spans.until[span], until) - from - 0.5) / 1e6 / factor);
  }
  return { at_full: until <= spans.until[beyond - 1], ages_s };
}

// Return how many ends of each clock are to be expected, in their order.
function expectedEnds(clocks, law, never) {
  let most = 1;
  for (const { ages_s } of clocks) for (const age of ages_s) most = Math.max(most, age);
  most = 2 ** Math.ceil(Math.log2(most));
  const table = hazards(law, never, most),
    scale = (POINTS - 1) / Math.sqrt(most);
  const read = (age) => {
    const place = Math.sqrt(Math.max(age, 0)) * scale,
      low = Math.min(Math.floor(place), POINTS - 2);
    return table[low] + (place - low) * (table[low + 1] - table[low]);
  };
  return clocks.map(({ ages_s }) => {
    let sum = 0;
    for (let place = 0; place < ages_s.length; place += 2) sum += read(ages_s[place + 1]) - read(ages_s[place]);
    return sum;
  });
}

const hasAtoms = (law) =>
  law.kind === "constant" ||
  law.kind === "empirical" ||
  meanOf(law) === 0 ||
  (law.kind === "uniform" && law.low === law.high) ||
  (law.kind === "hyperexponential" && law.means.some((mean, place) => mean === 0 && law.weights[place] > 0));

function innovations(design, calls, journal) {
  const { settings, laws } = design,
    { warm_up_us: low, horizon_us: high } = MODEL,
    { arrival_us } = calls;
  const first = below(arrival_us, low),
    end = below(arrival_us, high),
    lot_of = calls.row("lot", 0);
  const spans = fullSpans(journal, settings.slots),
    windows = spans.map((full) => clipped(full, low, high));
  const found = { wishes_at_full: 0, decisions_at_full: 0, departures_at_full: 0 };
  if (!spans.some(({ from }) => from.length)) return found;
  const wish = Array.isArray(laws.wish) ? (call) => laws.wish[calls.hour(call)] : () => laws.wish;
  const decisions = settings.slots.map(() => []),
    waits = settings.slots.map(() => []),
    parks_of = new Map();
  const open = settings.slots.map((slots) => new Float64Array(slots)),
    fetched = settings.slots.map(() => []);
  for (let row = 0; row < journal.length; row += 1) {
    const kind = journal.kind[row],
      call = journal.call[row],
      time = journal.time_us[row];
    if (kind === C_ANSWERED || kind === C_RECALL_ANSWERED) {
      const parks = kind === C_ANSWERED ? 0 : (parks_of.get(call) ?? 0) + 1;
      if (parks) parks_of.set(call, parks);
      if (parks >= settings.max_parks || call < first || call >= end) continue;
      const own = at(lot_of, call),
        clock = clockAtFull(time, time + at(calls.row("handling_us", parks), call), spans[own]);
      if (clock === null) continue;
      clock.wish = wish(call);
      if (clock.at_full) found.wishes_at_full += (at(calls.row("wants_park", parks), call) ? 1 : 0) - clock.wish;
      decisions[own].push(clock);
    } else if (kind === C_PARKED) {
      open[journal.lot[row]][journal.slot[row]] = time;
    } else if (leavesSlot(kind, journal.reason[row])) {
      const lot = journal.lot[row],
        from = open[lot][journal.slot[row]],
        own = at(lot_of, call),
        parks = parks_of.get(call) ?? 0;
      if (windows[lot].from.length === 0) continue;
      const patience = stayClock(at(calls.row("patience_us", parks), call), from, time, windows[lot], 1);
      if (patience) (waits[lot][own] ??= []).push(patience);
      const factor = laws.retrieval_factors ? laws.retrieval_factors[calls.hour(call)] : 1;
      const comes = stayClock(at(calls.row("retrieval_us", parks), call), from, time, windows[lot], factor);
      if (comes) fetched[lot].push(comes);
    }
  }
  if (!hasAtoms(laws.handling)) {
    for (const clocks of decisions) {
      const expected = expectedEnds(clocks, laws.handling, 0);
      clocks.forEach((clock, place) => {
        found.decisions_at_full += clock.wish * (clock.at_full - expected[place]);
      });
    }
  }
  waits.forEach((of_lots) =>
    of_lots.forEach((clocks, own) => {
      found.departures_at_full += departures(clocks, laws.patience[own], 0);
    }),
  );
  for (const clocks of fetched) found.departures_at_full += departures(clocks, laws.retrieval, laws.never_retrieved);
  return found;
}

const leavesSlot = (kind, reason) =>
  kind === C_EXPIRED || (kind === C_RETRIEVED && reason !== C_RINGING) || (kind === C_ABANDONED && reason === C_IN_LOT);

// Return when each lot is full: ascending spans, none in another.
function fullSpans(journal, slots) {
  const spans = slots.map(() => ({ from: [], until: [] })),
    level = slots.map(() => 0),
    since = slots.map(() => 0);
  for (let row = 0; row < journal.length; row += 1) {
    const parks = journal.kind[row] === C_PARKED;
    if (!parks && !leavesSlot(journal.kind[row], journal.reason[row])) continue;
    const lot = journal.lot[row],
      time = journal.time_us[row];
    if (level[lot] >= slots[lot]) {
      spans[lot].from.push(since[lot]);
      spans[lot].until.push(time);
    }
    level[lot] += parks ? 1 : -1;
    since[lot] = time;
  }
  return spans;
}

function clipped(spans, low, high) {
  const found = { from: [], until: [] };
  spans.from.forEach((from, place) => {
    const begin = Math.min(Math.max(from, low), high),
      end = Math.min(Math.max(spans.until[place], low), high);
    if (begin < end) {
      found.from.push(begin);
      found.until.push(end);
    }
  });
  return found;
}

// A clock of a stay: until it rings, or until the stay ends otherwise.
function stayClock(clock_us, from, until, spans, factor) {
  const rings = clock_us === C_NEVER ? until + 1 : from + clock_us,
    clock = clockAtFull(from, Math.min(rings, until), spans, factor);
  if (clock) clock.at_full &&= rings <= until;
  return clock;
}

// Return how many more of some clocks rang while their lot was full than were to be expected.
function departures(clocks, law, never) {
  if (law === null || hasAtoms(law) || never === 1) return 0;
  const expected = expectedEnds(clocks, law, never);
  return clocks.reduce((sum, { at_full }, place) => sum + at_full - expected[place], 0);
}
