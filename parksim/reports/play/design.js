// A design: the scenario of the report, with what was moved. `moved` has values by the place of a control.

const TIMES_OF_A_LAW = ["value", "mean", "median", "scale", "low", "high", "means", "values"];

function slower(law, factor) {
  if (law === null || factor === 1) return law;
  const found = { ...law };
  for (const name of TIMES_OF_A_LAW) {
    if (Array.isArray(law[name])) found[name] = law[name].map((one) => one * factor);
    else if (name in law) found[name] = law[name] * factor;
  }
  return found;
}

function designOf(moved) {
  const settings = { ...MODEL.settings, slots: [...MODEL.settings.slots], counts: [...MODEL.settings.counts] };
  const laws = { ...MODEL.laws, max_in_parking: [...MODEL.laws.max_in_parking] };
  const arrivals = { ...MODEL.arrivals };
  MODEL.controls.forEach((control, place) => {
    if (!(place in moved)) return;
    const value = moved[place];
    ({
      slots: () => {
        settings.slots[control.lot] = value;
      },
      max_in_parking: () => {
        laws.max_in_parking[control.lot] = { kind: "constant", value };
      },
      attendants: () => {
        settings.attendants = Array.isArray(value) ? Math.max(...value) : value;
        settings.counts = Array.isArray(value) ? value : [];
      },
      staff: () => {
        settings.staff = value;
      },
      when_full: () => {
        settings.when_full = ["keep", "overflow", "drop"].indexOf(value);
      },
      wish: () => {
        laws.wish = value;
      },
      volume: () => {
        if (arrivals.rate) arrivals.rate *= value;
        else arrivals.calls_per_hour = arrivals.calls_per_hour.map((one) => one * value);
      },
      speed: () => {
        laws.retrieval = slower(laws.retrieval, value);
      },
      announcement: () => {
        settings.announcement_us = rint(value * 1e6);
      },
    })[control.what]();
  });
  const upto = [];
  MODEL.lot_weights.reduce((sum, weight) => {
    upto.push(sum + weight);
    return sum + weight;
  }, 0);
  const lot_edges = upto.length > 1 ? upto.map((sum) => sum / upto.at(-1)) : null;
  const column = (purpose, law, further) => ({
    purpose,
    laws: Array.isArray(law) ? law : [law],
    least_us: 0,
    factors: null,
    never: 0,
    never_purpose: "",
    ...further,
  });
  const columns = {
    queue_patience_us: column("queue_patience", laws.queue_patience),
    handling_us: column("handling", laws.handling),
    talk_us: column("talk", laws.talk),
    wants_park: laws.wish,
    max_in_parking_us: column("max_in_parking", laws.max_in_parking, { least_us: 1 }),
    patience_us: column("patience", laws.patience),
    retrieval_us: column("retrieval", laws.retrieval, {
      factors: laws.retrieval_factors,
      never: laws.never_retrieved,
      never_purpose: "never_retrieved",
    }),
    staff_talk_us: column("staff_talk", laws.staff_talk),
    slot_u: laws.slot_u,
    answer_us: column("answer", laws.answer, { never: laws.never_answered, never_purpose: "never_answered" }),
    recall_patience_us: column("recall_patience", laws.recall_patience),
  };
  const keys = { arrivals: JSON.stringify(arrivals), lot: JSON.stringify([arrivals, lot_edges]) };
  keys.lives = JSON.stringify([arrivals, laws, settings.announcement_us]);
  for (const name of Object.keys(columns)) keys[name] = JSON.stringify([arrivals, columns[name]]);
  return {
    settings,
    laws,
    arrivals,
    lot_edges,
    columns,
    keys,
    max_parks: settings.max_parks,
    end_us: MODEL.end_us,
    is_base: Object.keys(moved).length === 0,
  };
}
