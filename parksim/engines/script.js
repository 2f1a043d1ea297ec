// What surrounds the loops: arrays, and the way in. The rest of this script is written from parksim's rules.

function remainder(number, by) {
  if (typeof number === "bigint") return Number(number % BigInt(by));
  const rest = number % by;
  return rest < 0 ? rest + by : rest;
}

function countsOf(marked, leaves) {
  const counts = new Int32Array(2 * leaves);
  for (let leaf = 0; leaf < marked; leaf += 1) trees$mark(counts, leaf, 1);
  return counts;
}

function powerFrom(least) {
  let power = 1;
  while (power < least) power *= 2;
  return power;
}

function many(length, make) {
  return Array.from({ length }, (_, number) => make(number));
}

const ROWS = many(1024, () => ({
  time_us: 0, deadline_us: 0, call: 0, lot: 0, slot: 0, extension: 0, kind: 0, reason: 0,
}));

function newCall() {
  return {
    wake_us: 0, patience_end_us: 0, answer_us: 0, since_us: 0, next: 0, previous: 0, next_joined: 0, call: 0,
    extension: 0, list: 0, asked: 0, lot: 0, slot: 0, parks: 0, wake_rank: 0, where: L_GONE, rings: 0,
  };
}

// Return everything as it is before the first call. `settings` has the fields of parksim's Settings, `calls` the
// columns of its Workload: `arrival_us`, and by `row(name, parks)` a row of any other; one value may be a list of one.
function newExchange(settings, calls) {
  const attendants = Math.max(settings.attendants, 0), extensions = attendants + Math.max(settings.staff, 0);
  const { counts, slots } = settings;
  const state = new Float64Array(S_COUNTS + counts.length);
  state[S_FIRST_JOINED] = state[S_LAST_JOINED] = -1;
  state.set(counts, S_COUNTS);
  state[S_ON_DUTY] = counts.length ? routing$on_duty(counts, settings.period_us, 0) : attendants;
  const change = routing$next_change_us(counts, settings.period_us, 0);
  state[S_NEXT_CHANGE] = change === C_NEVER ? Infinity : change;
  const idle_us = new Float64Array(extensions).fill(R_OFF_DUTY, state[S_ON_DUTY], attendants);
  const line = many(2, () => new Int32Array(extensions + 2));
  const people = many(extensions, (number) => number);
  trees$line_of(idle_us, people.slice(0, attendants), line[0], line[1], extensions);
  trees$line_of(idle_us, people.slice(attendants), line[0], line[1], extensions + 1);
  const leaves = powerFrom(Math.max(attendants, ...slots)), most = Math.max(...slots);
  const { arrival_us } = calls;
  const ex = {
    state,
    heap: many(2, () => new Float64Array(1024)),
    calls: many(S_LIVE_CALLS, newCall),
    lists: many(S_OWN_RETURNS + attendants, () => ({ first: -1, last: -1, length: 0, announces: 0 })),
    idle_us,
    line,
    places: many(4, () => slots.map(() => new Float64Array(most).fill(-1))),
    told: many(4, () => new Int32Array(1).fill(-1)),
    lots: slots.map((number, lot) => [number, settings.choices[lot], -1]),
    counts: [...slots, 0].map((marked) => countsOf(marked, leaves)),
    arrival_us,
    columns: DRAWN.map(() => []),
    drawn: [],
    policies: settings,
    rows: ROWS,
  };
  drawMore(ex, calls);
  return ex;
}

// Draw what is needed of calls that were parked once more than those before.
function drawMore(ex, calls) {
  const parks = ex.state[S_DRAWN_PARKS];
  DRAWN.forEach((name, number) => {
    const row = calls.row(name, parks);
    if (row) ex.columns[number].push([ex.drawn.push(row) - 1, 0, row.length > 1 ? 1 : 0]);
  });
  ex.state[S_DRAWN_PARKS] = parks + 1;
}

// Put calls through the rules, and give each fact to `take`, which keeps nothing of the object that it gets.
function simulate(settings, calls, take) {
  const ex = newExchange(settings, calls), { state } = ex;
  const takeAll = () => {
    for (let row = 0; row < state[S_ROWS]; row += 1) take(ex.rows[row]);
    state[S_ROWS] = 0;
  };
  while (kernel$advance(ex) !== S_DONE) {
    takeAll();
    if (state[S_RETURNS] >= state[S_DRAWN_PARKS]) drawMore(ex, calls);
    while (ex.rows.length < state[S_ROOM]) ex.rows.push({ ...ex.rows[0] });
    if (state[S_HEAP] + state[S_ROOM] > ex.heap[0].length) {
      ex.heap = ex.heap.map((old) => {
        const longer = new Float64Array(2 * old.length + state[S_ROOM]);
        longer.set(old);
        return longer;
      });
    }
    if (ex.calls[state[S_NEXT_CALL] & (ex.calls.length - 1)].where !== L_GONE) {
      const live = ex.calls.filter((record) => record.where !== L_GONE), size = 2 * ex.calls.length;
      ex.calls = many(size, newCall);
      for (const record of live) ex.calls[record.call & (size - 1)] = record;
    }
    if (state[S_TOLD_IS_FULL]) {
      const old = ex.told, size = 2 * old[0].length;
      ex.told = old.map(() => new Int32Array(size).fill(-1));
      for (let from = 0; from < old[0].length; from += 1) {
        if (old[0][from] !== -1) old.forEach((row, number) => { ex.told[number][old[3][from] & (size - 1)] = row[from]; });
      }
      state[S_TOLD_IS_FULL] = 0;
    }
  }
  takeAll();
  if (state[S_NOW] >= 2 ** 53) throw new Error("an instant passes 2**53 us, up to which whole numbers are exact");
}
