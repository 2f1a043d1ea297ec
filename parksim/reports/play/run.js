// Runs designs: replication after replication, measures, controls, and what the page shows of them.

class Runner {
  constructor() {
    this.kept = many(MODEL.replications, () => new Map());
    this.journal = new Journal();
    this.means = new Map();
  }

  calls(design, replication) {
    return new Calls(design, MODEL.seed, replication, this.kept[replication]);
  }

  // Return the measures and controls of one replication, and how many slots are taken at each of some instants.
  replicate(design, replication) {
    const calls = this.calls(design, replication), stretches = stretchesOf(design.settings);
    const its = newCount(design.settings, stretches, calls.arrival_us), { journal } = this;
    journal.clear();
    simulate(design.settings, calls, (fact) => {
      journal.add(fact);
      tally$count(its, fact.time_us, fact.call, fact.lot, fact.slot, fact.extension, fact.kind, fact.reason);
    });
    const measures = measuresOf(its, design.settings, stretches);
    const sums = MODEL.with_controls
      ? Object.assign(totals(design, calls), innovations(design, calls, journal)) : null;
    return { measures, sums, levels: levelsOf(journal) };
  }

  // Return the means of a design's controls.
  meansOf(design) {
    const { settings, laws, arrivals } = design;
    const key = JSON.stringify([{ ...settings, attendants: 0, staff: 0, counts: 0, when_full: 0 }, laws, arrivals]);
    if (!this.means.has(key)) {
      if (this.means.size > 256) this.means.clear();
      this.means.set(key, meansOf(design));
    }
    return this.means.get(key);
  }

  measured(design, replications) {
    const means = replications.length >= 5 ? this.meansOf(design) : {};
    return new Measured(design, replications.map(({ measures }) => measures), replications.map(({ sums }) => sums), means);
  }
}

const CUTS = 96;

// Return how many slots are taken on average in each of some equal stretches of the window.
function levelsOf(journal) {
  const { warm_up_us: low, horizon_us: high } = MODEL, width = (high - low) / CUTS, busy = new Float64Array(CUTS);
  let level = 0, since = 0;
  const add = (until) => {
    if (level) {
      let from = Math.min(Math.max(since, low), high);
      const end = Math.min(Math.max(until, low), high);
      while (from < end) {
        const cut = Math.min(Math.floor((from - low) / width), CUTS - 1), to = cut === CUTS - 1 ? end : Math.min(end, low + (cut + 1) * width);
        busy[cut] += level * (to - from);
        if (to <= from) break;
        from = to;
      }
    }
    since = until;
  };
  for (let row = 0; row < journal.length; row += 1) {
    const taken = journal.kind[row] === C_PARKED;
    if (!taken && !leavesSlot(journal.kind[row], journal.reason[row])) continue;
    add(journal.time_us[row]);
    level += taken ? 1 : -1;
  }
  add(high);
  return busy.map((one) => one / width);
}
