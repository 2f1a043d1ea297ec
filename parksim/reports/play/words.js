// Numbers and times in words, as the report has them (reports/screen.py, reports/words.py). All of it is plain text.

const SIGNS = { met: "\u2713", missed: "\u2715", undecided: "?" };

function fixed(value, decimals) {
  const scaled = Math.abs(value) * 10 ** decimals;
  let text = Math.abs(value).toFixed(decimals);
  if (scaled % 1 === 0.5) text = ((2 * Math.round(scaled / 2)) / 10 ** decimals).toFixed(decimals); // a half goes to the even one
  const [whole, rest] = text.split("."),
    grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  const sign = value < 0 && Number(text) !== 0 ? "-" : "";
  return sign + grouped + (rest ? `.${rest}` : "");
}

// A value with the decimals that an uncertainty of `width` leaves; a share in per cent.
function numberWords(name, value, width = null, unit = " %") {
  const percent = MODEL.measures[name].of !== "";
  const shown = percent ? 100 * value : value;
  let decimals = 0;
  if (width || !Number.isInteger(shown)) {
    const by = width ? (percent ? 100 * width : width) : Math.abs(shown) / 1000;
    decimals = Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(by))));
  }
  return fixed(shown, decimals) + (percent ? unit : "");
}

function estimateWords(name, { mean, low, high, n, few }) {
  if (mean === null) return ["-", "undefined"];
  if (low === null) return [numberWords(name, mean), few ? "too few stays" : `none from ${n}`];
  const width = Math.max(high - mean, mean - low);
  return [numberWords(name, mean, width), `${numberWords(name, low, width)} to ${numberWords(name, high, width)}`];
}

// A difference in words, and whether it is better, worse, or told apart from nothing at all.
function differenceWords(name, difference) {
  if (!difference) return ["", ""];
  const { mean, low, high } = difference;
  if (mean === null) return ["undefined", ""];
  const signed = (value, width) => (value > 0 ? "+" : "") + numberWords(name, value, width, "").replace("-", "\u2212");
  const unit = MODEL.measures[name].of ? " points" : "";
  if (low === null) return [`${signed(mean, null)}${unit}`, ""];
  const width = Math.max(high - mean, mean - low),
    { better } = MODEL.measures[name];
  const relation = MODEL.objectives.find(({ measure }) => measure === name)?.relation[0];
  const wanted = relation ? { "<": "less", ">": "more" }[relation] : better;
  const change = low <= 0 && high >= 0 ? "" : !wanted ? "" : high < 0 === (wanted === "less") ? "better" : "worse";
  const told = low <= 0 && high >= 0 ? "not told apart" : change;
  const words = `${signed(mean, width)}${unit} (${signed(low, width)} to ${signed(high, width)})`;
  return [told ? `${words}, ${told}` : words, change];
}

const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

function measureWords(name) {
  const { words, unit, of } = MODEL.measures[name];
  return capital(!unit || of || unit === "1/h" ? words : `${words}, ${unit}`);
}

function spanWords(seconds) {
  const parts = [];
  let rest = seconds;
  for (const [unit, length] of [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
  ]) {
    const number = Math.floor(rest / length);
    rest -= number * length;
    if (number) parts.push(`${number} ${unit}`);
  }
  if (rest || !parts.length) parts.push(`${Number(rest.toFixed(3))} s`);
  return parts.join(" ");
}

function clockWords(time_us, seconds = false) {
  const of_day = Math.floor(time_us / 1e6) % 86400,
    two = (number) => String(number).padStart(2, "0");
  const day = MODEL.end_us > 86400e6 ? `day ${Math.floor(time_us / 86400e6) + 1}, ` : "";
  const words = `${two(Math.floor(of_day / 3600))}:${two(Math.floor(of_day / 60) % 60)}`;
  return day + words + (seconds ? `:${two(of_day % 60)}` : "");
}

// A value of a control in words.
function valueWords(control, value) {
  if (Array.isArray(value)) return value.join(" ");
  if (control.unit === "s") return spanWords(value);
  if (control.unit === "%") return `${Number((100 * value).toFixed(6))} %`;
  if (control.unit === "times") return `\u00d7 ${Number(value.toFixed(6))}`;
  return String(value);
}

const settingWords = (moved) =>
  Object.entries(moved)
    .map(([place, value]) => `${MODEL.controls[place].words}: ${valueWords(MODEL.controls[place], value)}`)
    .join("; ");

function verdictWords(objectives) {
  const number = objectives.length,
    missed = objectives.filter((one) => one === "missed").length;
  if (!number) return ["", "The scenario sets no objective."];
  if (missed) {
    return [
      "missed",
      number === 1
        ? "No: its objective is missed."
        : `No: ${missed} of ${number} objectives ${missed === 1 ? "is" : "are"} missed.`,
    ];
  }
  if (objectives.includes("undecided")) return ["undecided", "Not decided: an interval holds the target."];
  return ["met", number === 1 ? "Yes: its objective is met." : `Yes: all ${number} objectives are met.`];
}

// A setting as the fragment of an address, and back; what is not understood is left out.
const nameOf = (control) => (control.unit === "times" ? control.what : control.key);

function fragmentOf(moved) {
  return Object.entries(moved)
    .map(([place, value]) => `${encodeURIComponent(nameOf(MODEL.controls[place]))}=${encodeURIComponent(value)}`)
    .join("&");
}

function movedOf(fragment) {
  const moved = {};
  for (const pair of fragment.split("&")) {
    let name, text;
    try {
      [name, text] = pair.split("=").map(decodeURIComponent);
    } catch {
      continue; // it is not an address that this page made
    }
    const place = MODEL.controls.findIndex((control) => nameOf(control) === name),
      control = MODEL.controls[place];
    if (!control || control.still || text === undefined) continue;
    const value = valid(control, Array.isArray(control.value) ? text.split(",") : text);
    if (value !== null && !same(value, control.value)) moved[place] = value;
  }
  return moved;
}

const same = (one, other) => String(one) === String(other);
const isWhole = (control) => control.unit === "" || control.unit === "hours";

// Return a value as a control takes it, from a text or a number; null if it takes none such.
function valid(control, given) {
  if (control.choices.length) return control.choices.includes(given) ? given : null;
  if (Array.isArray(control.value)) {
    if (!Array.isArray(given) || given.length !== control.value.length) return null;
    const each = given.map((one) => valid({ ...control, value: 0 }, one));
    return each.includes(null) || !each.some((one) => one > 0) ? null : each;
  }
  if (given === "" || !Number.isFinite(Number(given))) return null;
  const value = Math.min(Math.max(Number(given), control.least), control.limit);
  return isWhole(control) ? Math.round(value) : value;
}

// Scenario files ------------------------------------------------------------------------------------------------------

function tomlOf(value) {
  if (Array.isArray(value)) return `[${value.map(tomlOf).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    return `{ ${Object.entries(value)
      .map(([key, one]) => `${key} = ${tomlOf(one)}`)
      .join(", ")} }`;
  }
  return JSON.stringify(value);
}

// The value that a key of the scenario gets.
function keyValue(control, value) {
  if (control.what === "volume") {
    const { rate, calls_per_hour } = MODEL.arrivals;
    return rate ? `${rate * value}/s` : calls_per_hour.map((one) => one * value);
  }
  if (control.what !== "speed") return value;
  const times = ["value", "mean", "median", "scale", "low", "high", "means", "values"];
  return Object.fromEntries(
    Object.entries(MODEL.delay).map(([name, one]) => [
      name,
      !times.includes(name) ? one : Array.isArray(one) ? one.map((each) => each * value) : one * value,
    ]),
  );
}

function scenarioFile(moved) {
  const lines = [...MODEL.toml.lines],
    further = [];
  for (const [place, value] of Object.entries(moved)) {
    const control = MODEL.controls[place],
      name = control.key.split(".").at(-1);
    const line = `${name} = ${tomlOf(keyValue(control, value))}    # tried in the page of a report`,
      { at, after } = MODEL.toml.places[place];
    if (at === null) further.push([after, line]);
    else lines[at] = line;
  }
  for (const [after, line] of further.sort(([a], [b]) => b - a)) lines.splice(after + 1, 0, line);
  return lines.join("\n");
}

const setWords = (moved) =>
  Object.entries(moved)
    .map(([place, value]) => {
      const { key } = MODEL.controls[place],
        text = keyValue(MODEL.controls[place], value);
      return `--set '${key}=${typeof text === "string" ? text : tomlOf(text)}'`;
    })
    .join(" ");
