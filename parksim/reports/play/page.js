// The page: controls, the worker's answers, what was tried. `start` is called with the model and the worker's script.

const byId = (name) => document.getElementById(`play-${name}`);
const state = { moved: {}, id: 0, asked_ms: 0, worker: null, tried: new Map(), day: null, from_us: 0, chosen_us: null };

function made(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

// Controls ------------------------------------------------------------------------------------------------------------

function buildControls() {
  const form = byId("controls");
  form.addEventListener("submit", (event) => event.preventDefault());
  MODEL.controls.forEach((control, place) => {
    const box = made(
      "fieldset",
      { className: "control" },
      made("legend", { className: "name", textContent: capital(control.words) }),
    );
    box.dataset.place = place;
    if (control.still) {
      box.classList.add("still");
      box.append(made("span", { textContent: `Stands still: ${control.still}` }));
    } else {
      box.append(
        ...(control.choices.length
          ? chooser(control, place)
          : Array.isArray(control.value)
            ? hoursOfDay(control, place)
            : slider(control, place)),
      );
      box.append(
        made("span", { className: "of-report", textContent: `In the report: ${valueWords(control, control.value)}` }),
      );
    }
    form.append(box);
  });
}

const FULL = {
  keep: "The parker keeps the call, and may ask again.",
  overflow: "The call goes to the next lot, and after the last one elsewhere.",
  drop: "The call is lost.",
};

function chooser(control, place) {
  const select = made(
    "select",
    { ariaLabel: capital(control.words) },
    ...control.choices.map((one) => made("option", { value: one, textContent: one })),
  );
  select.addEventListener("change", () => move(place, select.value));
  return [select, made("span", { className: "means" })];
}

const scaleOfUnit = (control) => (control.unit === "%" ? 100 : 1);

function slider(control, place) {
  const times = scaleOfUnit(control),
    unit = { s: "seconds", "%": "per cent", times: "times" }[control.unit] ?? "";
  const limits = { min: control.least * times, step: control.step * times };
  const label = capital(control.words) + (unit ? `, ${unit}` : "");
  const range = made("input", { type: "range", ...limits, max: control.most * times, ariaLabel: label });
  const field = made("input", {
    type: "number",
    ...limits,
    step: isWhole(control) ? 1 : "any",
    max: control.limit * times,
    ariaLabel: `${label}, as a number`,
  });
  range.addEventListener("input", () => move(place, range.valueAsNumber / times));
  field.addEventListener("change", () => move(place, field.value === "" ? control.value : field.valueAsNumber / times));
  return [made("span", { className: "row" }, range, field, { s: "s", "%": "%" }[control.unit] ?? "")];
}

function hoursOfDay(control, place) {
  const fields = control.value.map((_, hour) => {
    const field = made("input", {
      type: "number",
      min: 0,
      max: control.limit,
      step: 1,
      ariaLabel: `${capital(control.words)}, ${hourWords(hour)}`,
    });
    field.addEventListener("change", () =>
      move(
        place,
        fields.map((one) => one.value),
      ),
    );
    return field;
  });
  return [
    made(
      "div",
      { className: "hours" },
      ...fields.map((field, hour) => made("label", {}, `${hour}\u2013${hour + 1} h`, field)),
    ),
  ];
}

function showControls() {
  for (const box of byId("controls").children) {
    const { place } = box.dataset,
      control = MODEL.controls[place];
    if (control.still) continue;
    const value = state.moved[place] ?? control.value,
      fields = box.querySelectorAll("input, select");
    box.classList.toggle("moved", place in state.moved);
    if (control.choices.length) box.querySelector(".means").textContent = FULL[value];
    fields.forEach((field, hour) => {
      const shown = Array.isArray(value) ? value[hour] : value;
      field.value = typeof shown === "number" ? Number((shown * scaleOfUnit(control)).toFixed(6)) : shown;
      if (field.type === "range") field.setAttribute("aria-valuetext", valueWords(control, value));
    });
  }
}

function move(place, given) {
  const control = MODEL.controls[place],
    value = valid(control, given);
  const moved = { ...state.moved };
  delete moved[place];
  if (value !== null && !same(value, control.value)) moved[place] = value;
  set(moved);
}

function set(moved) {
  state.chosen_us = null;
  state.moved = Object.fromEntries(Object.entries(moved).sort(([a], [b]) => a - b));
  showControls();
  const fragment = fragmentOf(state.moved);
  byId("link").href = `#${fragment}`;
  try {
    history.replaceState(null, "", `#${fragment}`);
  } catch {
    byId("link").hidden = true; // a page without an address of its own, as in a notebook
  }
  const none = Object.keys(state.moved).length === 0;
  byId("moved").textContent = none
    ? "Nothing is moved: this is the report\u2019s design."
    : `Moved: ${settingWords(state.moved)}.`;
  byId("back").disabled = none;
  ask();
}

// The worker ----------------------------------------------------------------------------------------------------------

function ask() {
  state.id += 1;
  state.asked_ms = performance.now();
  byId("progress").textContent = "Computing \u2026";
  document.getElementById("play").classList.add("busy");
  state.worker.postMessage({ id: state.id, moved: state.moved });
}

function hear({ data }) {
  if (data.timeline) {
    if (data.id === state.id) showDay(data);
    return;
  }
  if (data.id !== state.id) return;
  if (data.failed) {
    byId("progress").textContent = `This setting could not be computed: ${data.failed}`;
    return;
  }
  show(data);
  const name = data.last ? "all numbers" : "first numbers";
  performance.measure(name, { start: state.asked_ms, end: performance.now() });
  if (!data.last) return;
  document.getElementById("play").classList.remove("busy");
  document.getElementById("play").dataset.done = data.id;
  remember(data);
  askDay();
}

function show(data) {
  const moved = Object.keys(state.moved).length > 0,
    [verdict, sentence] = verdictWords(data.objectives);
  byId("answer").className = `answer ${verdict}`;
  if (byId("verdict").dataset.said !== sentence) {
    // a reader of the screen is told what has changed only
    byId("verdict").dataset.said = sentence;
    const sign = made("span", {
      className: "sign",
      ariaHidden: "true",
      textContent: SIGNS[verdict] ? `${SIGNS[verdict]} ` : "",
    });
    byId("verdict").replaceChildren(sign, sentence);
  }
  byId("progress").textContent =
    `${data.number} of ${MODEL.replications} replications${data.last ? "" : ", the others follow"}.`;
  showObjectives(data, moved);
  const slots = MODEL.controls.reduce(
    (sum, control, place) => (control.what === "slots" ? sum + (state.moved[place] ?? control.value) : sum),
    0,
  );
  drawBusy(byId("busy"), byId("busy-read"), data.hours, data.base_hours, slots);
  drawRefused(byId("refused"), byId("refused-read"), data.hours, data.base_hours);
  state.shown = data;
}

function row(cells, tag = "td") {
  return made(
    "tr",
    {},
    ...cells.map((cell) => {
      const { text, of, name } = typeof cell === "string" ? { text: cell } : cell,
        element = made(tag, { textContent: text });
      if (of !== undefined) element.dataset.of = of;
      if (name) element.className = name;
      if (tag === "th") element.scope = "col";
      return element;
    }),
  );
}

function showObjectives({ rows, objectives }, moved) {
  const heads = [
    "Objective",
    "Target",
    "Value",
    `${100 * MODEL.level} % interval`,
    "Verdict",
    "Against the report\u2019s design",
  ];
  if (!objectives.length) (heads.splice(4, 1), heads.splice(0, 2, "Measure"));
  const table = byId("objectives"),
    targets = new Map(MODEL.objectives.map((one, place) => [one.measure, { ...one, verdict: objectives[place] }]));
  table.tHead.replaceChildren(row(heads, "th"));
  table.tBodies[0].replaceChildren(
    ...rows.map(({ name, estimate, difference }) => {
      const [point, interval] = estimateWords(name, estimate),
        target = targets.get(name);
      const [change, direction] = moved ? differenceWords(name, difference) : ["the same", ""];
      const cells = [{ text: measureWords(name), of: "" }];
      if (target) cells.push({ text: target.text, of: "Target" });
      cells.push(
        { text: point, of: "Value", name: "number" },
        { text: interval, of: `${100 * MODEL.level} % interval` },
      );
      if (target)
        cells.push({ text: `${SIGNS[target.verdict]} ${target.verdict}`, of: "Verdict", name: target.verdict });
      cells.push({ text: change, of: "Against the report\u2019s design", name: direction });
      return row(cells);
    }),
  );
}

// What was tried ------------------------------------------------------------------------------------------------------

function remember(data) {
  const fragment = fragmentOf(state.moved);
  state.tried.delete(fragment);
  state.tried.set(fragment, { moved: state.moved, data });
  const all = [...state.tried.values()].reverse(),
    measures = data.rows.map(({ name }) => name),
    table = byId("tried");
  byId("tried-count").textContent = all.length;
  table.tHead.replaceChildren(
    row(["Setting", ...measures.map(measureWords), ...(MODEL.objectives.length ? ["Verdict"] : [])], "th"),
  );
  table.tBodies[0].replaceChildren(
    ...all.map((one) => {
      const [verdict] = verdictWords(one.data.objectives),
        line = row([
          { text: "", of: "" },
          ...one.data.rows.map(({ name, estimate }) => ({
            text: estimateWords(name, estimate).join(", "),
            of: measureWords(name),
          })),
          ...(verdict ? [{ text: `${SIGNS[verdict]} ${verdict}`, of: "Verdict", name: verdict }] : []),
        ]);
      line.cells[0].append(
        made("a", {
          href: `#${fragmentOf(one.moved)}`,
          textContent: capital(settingWords(one.moved)) || "The report\u2019s design",
        }),
      );
      return line;
    }),
  );
  byId("csv").href = `data:text/csv;charset=utf-8,${encodeURIComponent(csvOf(all))}`;
}

function csvOf(all) {
  const quoted = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const harmless = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
  };
  const moving = MODEL.controls.map((control, place) => ({ control, place })).filter(({ control }) => !control.still);
  const names = all[0].data.rows.map(({ name }) => name);
  const head = [
    ...moving.map(({ control }) => nameOf(control)),
    ...names.flatMap((name) => [name, `${name}_low`, `${name}_high`]),
  ];
  const lines = all.map(({ moved, data }) => [
    ...moving
      .map(({ control, place }) => moved[place] ?? control.value)
      .map((value) => (Array.isArray(value) ? value.join(" ") : value)),
    ...data.rows.flatMap(({ estimate }) => [estimate.mean, estimate.low, estimate.high]),
  ]);
  return [head, ...lines].map((line) => `${line.map(quoted).join(",")}\r\n`).join("");
}

function save() {
  if (MODEL.toml.needs_files) {
    byId("note").textContent =
      `The scenario reads files, which this page has not. Type: parksim run FILE ${setWords(state.moved)}`;
    return;
  }
  const link = made("a", {
    download: "scenario.toml",
    href: URL.createObjectURL(new Blob([scenarioFile(state.moved)], { type: "application/toml" })),
  });
  document.body.append(link);
  link.click();
  link.remove();
  byId("note").textContent =
    `Saved as scenario.toml. Type: parksim run scenario.toml --replications ${MODEL.replications} --seed ${MODEL.seed_text}`;
}

// One replication, call by call ---------------------------------------------------------------------------------------

function askDay() {
  state.worker.postMessage({ id: state.id, moved: state.moved, day: byId("day").valueAsNumber || 0 });
}

function showDay(data) {
  state.day = data;
  if (!state.placed) {
    toNext("refused", -1);
    if (state.chosen_us === null) state.from_us = busiestHour(data.timeline.stays);
  }
  state.placed = true;
  drawTimeline();
}

function drawTimeline(words = "") {
  const { timeline, slots } = state.day,
    { seen, missed } = drawDay(byId("timeline"), timeline, slots, state.from_us, state.chosen_us);
  byId("day-says").textContent =
    `${words}${words ? " " : ""}${clockWords(state.from_us)} to ${clockWords(state.from_us + 3.6e9)}: ` +
    `${seen} call${seen === 1 ? "" : "s"} in the lot, ${missed} park${missed === 1 ? "" : "s"} refused.`;
  byId("day-read").textContent =
    "A row is a slot, a bar a call. Blue: fetched. Orange: came back, time up. Dark: the caller hung up. Crosses above: refused parks.";
}

// The hour in which most stays begin.
function busiestHour(stays) {
  const begun = new Map();
  for (const { from_us } of stays)
    begun.set(Math.floor(from_us / 3.6e9), (begun.get(Math.floor(from_us / 3.6e9)) ?? 0) + 1);
  return [...begun].reduce((one, other) => (other[1] > one[1] ? other : one), [0, 0])[0] * 3.6e9;
}

// Go to the next refused park or return after an instant, from the first one again after the last.
function toNext(what, after_us) {
  const { stays, refused } = state.day.timeline;
  const instants = (
    what === "refused"
      ? refused.map(({ time_us }) => time_us)
      : stays.filter(({ how }) => how === "expired").map(({ until_us }) => until_us)
  ).sort((a, b) => a - b);
  if (!instants.length)
    return what === "refused" ? "No park is refused in this replication." : "No call comes back in this replication.";
  const next = instants.find((one) => one > after_us) ?? instants[0];
  state.chosen_us = next;
  state.from_us = Math.max(0, Math.floor((next - 1.8e9) / 6e8) * 6e8);
  return `${what === "refused" ? "Refused" : "Came back"} at ${clockWords(next, true)}.`;
}

function step(event) {
  const { step: what } = event.currentTarget.dataset;
  if (!state.day) return;
  if (what === "before" || what === "after") {
    state.chosen_us = null;
    state.from_us = Math.min(
      Math.max(0, state.from_us + (what === "after" ? 3.6e9 : -3.6e9)),
      Math.max(0, MODEL.end_us - 3.6e9),
    );
    drawTimeline();
  } else drawTimeline(toNext(what, state.chosen_us ?? state.from_us));
}

// The beginning -------------------------------------------------------------------------------------------------------

let MODEL = null;

function start(model, script) {
  MODEL = JSON.parse(model);
  const parts = ["const MODEL = ", model, ";\nconst LAYERS = MODEL.layers;\n", script];
  state.worker = new Worker(URL.createObjectURL(new Blob(parts, { type: "text/javascript" })));
  state.worker.onmessage = hear;
  state.worker.onerror = (event) => {
    event.preventDefault();
    cannot("This browser could not start the switchboard");
  };
  document.getElementById("play").hidden = false;
  byId("caption").textContent =
    `The objectives, over ${MODEL.replications} replication${MODEL.replications === 1 ? "" : "s"}`;
  if (MODEL.unknown)
    byId("note").textContent =
      "Values of this scenario have limits; the intervals here suppose that its values are right.";
  byId("day").max = MODEL.replications - 1;
  buildControls();
  byId("back").addEventListener("click", () => set({}));
  byId("save").addEventListener("click", save);
  byId("day").addEventListener("change", () => {
    byId("day").value = Math.min(Math.max(0, Math.round(byId("day").valueAsNumber) || 0), MODEL.replications - 1);
    state.placed = false;
    askDay();
  });
  for (const button of document.querySelectorAll("#play [data-step]")) button.addEventListener("click", step);
  window.addEventListener("hashchange", () => set(movedOf(location.hash.slice(1))));
  window.addEventListener("resize", () => {
    if (!state.shown) return;
    show(state.shown);
    if (state.day) drawTimeline();
  });
  set(movedOf(location.hash.slice(1)));
}

function cannot(why) {
  document.getElementById("play").hidden = true;
  byId("cannot").hidden = false;
  byId("cannot").textContent = `${why}, so this page cannot try other values; the report is complete without it.`;
}

async function unpacked(name) {
  const bytes = Uint8Array.from(atob(byId(name).textContent), (sign) => sign.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

if (!window.DecompressionStream || !window.Worker) cannot("This browser is too old");
else {
  Promise.all([unpacked("model"), unpacked("script")])
    .then((texts) => start(...texts))
    .catch((error) => cannot(`This browser could not start the switchboard (${error.message})`));
}
