// Runs designs: replication after replication, measures, controls, and what the page shows of them.

// What was drawn is kept of the replications that begin with this many calls; it is drawn again of the others.
const MOST_KEPT_CALLS = 300000;

class Runner {
  constructor() {
    this.kept = many(MODEL.replications, () => new Map());
    this.kept_calls = 0;
    this.journal = new Journal();
    this.means = new Map();
  }

  calls(design, replication) {
    const kept = this.kept[replication],
      calls = new Calls(design, MODEL.seed, replication, kept ?? new Map());
    if (kept && !kept.counted) {
      kept.counted = true;
      this.kept_calls += calls.length;
      if (this.kept_calls > MOST_KEPT_CALLS) this.kept[replication] = null;
    }
    return calls;
  }

  // Return the measures and controls of one replication.
  replicate(design, replication) {
    const calls = this.calls(design, replication),
      stretches = stretchesOf(design.settings);
    const its = newCount(design.settings, stretches, calls.arrival_us),
      { journal } = this;
    journal.clear();
    simulate(design.settings, calls, (fact) => {
      journal.add(fact);
      tally$count(its, fact.time_us, fact.call, fact.lot, fact.slot, fact.extension, fact.kind, fact.reason);
    });
    const measures = measuresOf(its, design.settings, stretches);
    const sums = MODEL.with_controls ? Object.assign(totals(design, calls), innovations(design, calls, journal)) : null;
    return { measures, sums };
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

  // Controls correct the numbers of all replications only: to know their means takes longer than a few replications.
  measured(design, replications) {
    const means = replications.length === MODEL.replications ? this.meansOf(design) : {};
    return new Measured(
      design,
      replications.map(({ measures }) => measures),
      replications.map(({ sums }) => sums),
      means,
    );
  }
}

// What the page shows of a design: numbers only, so that they can be sent.
function answerOf(measured, base) {
  const names = shownMeasures(),
    rows = names.map((name) => {
      const estimate = measured.estimate(name);
      return { name, estimate, difference: measured === base ? null : differenceOf(measured, base, name) };
    });
  const objectives = MODEL.objectives.map(({ measure, relation, value }) =>
    verdictOf(rows[names.indexOf(measure)].estimate, relation, value),
  );
  return { rows, objectives, hours: hoursOf(measured), base_hours: measured === base ? null : hoursOf(base) };
}

const shownMeasures = () => [
  ...new Set([
    ...MODEL.objectives.map(({ measure }) => measure),
    ...(MODEL.objectives.length ? [] : ["refused_share", "expired_share", "occupancy_mean"]),
  ]),
];

// By hour of the day: busy slots with their interval and the middle 90 % of replications, and refused parks per hour.
function hoursOf({ results, slots }) {
  const open_us = results[0].open_by_hour_us,
    found = [];
  for (let hour = 0; hour < HOURS; hour += 1) {
    if (!open_us[hour]) continue;
    const busy = results.map((result) => result.occupancy_mean_by_hour[hour]),
      ordered = [...busy].sort((a, b) => a - b);
    const { mean, low, high } = tInterval(meanSample(busy), [0, slots]),
      rank = Math.floor(0.05 * busy.length);
    const asked = sumOf(results.map((result) => result.parks_requested_by_hour[hour]));
    const refused = sumOf(results.map((result) => result.refusals_by_hour[hour]));
    found.push({
      hour,
      mean,
      low,
      high,
      least: ordered[rank],
      most: ordered.at(-1 - rank),
      asked,
      refused,
      per_hour: refused / results.length / (open_us[hour] / HOUR_US),
    });
  }
  return found;
}

// The stays in the lots of one replication, its refused parks and its returns: what a timeline shows.
function timelineOf(runner, design, replication) {
  const calls = runner.calls(design, replication),
    open = design.settings.slots.map(() => []),
    stays = [],
    refused = [];
  simulate(design.settings, calls, ({ time_us, lot, slot, kind, reason }) => {
    if (kind === C_PARKED) open[lot][slot] = time_us;
    else if (leavesSlot(kind, reason)) {
      const how = kind === C_EXPIRED ? "expired" : kind === C_RETRIEVED ? "retrieved" : "abandoned";
      stays.push({ lot, slot, from_us: open[lot][slot], until_us: time_us, how });
    } else if (kind === C_REFUSED) refused.push({ lot, time_us });
  });
  return { stays, refused, replication };
}
