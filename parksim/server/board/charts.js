// ---- the last two hours ---------------------------------------------------------------------------------------------

// Small charts of columns of five minutes; a table behind them has the same numbers.
const MOST_LOTS = 4; // with more lots their slots are added up in one chart
const SVG = "http://www.w3.org/2000/svg";
const WIDE = 250; // of a chart, in its own units
const HIGH = 60;
const COLUMNS = 25; // two hours, and what has begun of five minutes

const decimal = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 });

function draws(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function clockTime(us) {
  return instant(picture.epoch, us)[1].slice(0, 5);
}

class Chart {
  constructor(kind) {
    this.title = make("bdi");
    this.sum = make("span", "sum");
    this.most = make("span", "most");
    this.begin = make("span");
    this.end = make("span");
    this.svg = draws("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", class: kind });
    const axis = make("span", "axis", this.begin, this.end);
    axis.setAttribute("aria-hidden", "true");
    this.most.setAttribute("aria-hidden", "true");
    const plot = make("span", "plot", this.most, this.svg);
    this.figure = make("figure", "", make("figcaption", "", this.title, " ", this.sum), plot, axis);
    this.bars = [];
  }

  // `top` is the value of the upper edge; a level has means, other columns count.
  set({ title, values, top, sum }, trend) {
    const key = JSON.stringify([title, values, top, trend.begin_us]);
    if (this.key === key) return;
    this.key = key;
    write(this.title, title);
    write(this.sum, sum);
    write(this.most, number.format(top));
    const room = Math.max(values.length, COLUMNS); // where a day is young its columns stand on the right
    const wide = WIDE / room;
    while (this.bars.length < values.length) {
      const bar = draws("rect", {});
      this.bars.push(bar);
      this.svg.append(bar);
    }
    for (const bar of this.bars.splice(values.length)) bar.remove();
    values.forEach((value, place) => {
      const high = (HIGH * value) / top;
      const shape = { x: (room - values.length + place) * wide, y: HIGH - high, width: wide * 0.85, height: high };
      for (const [name, size] of Object.entries(shape)) this.bars[place].setAttribute(name, size.toFixed(2));
    });
    const endUs = trend.begin_us + values.length * trend.column_us;
    write(this.begin, clockTime(endUs - room * trend.column_us));
    write(this.end, clockTime(endUs));
    const most = Math.max(...values);
    const when = clockTime(trend.begin_us + values.indexOf(most) * trend.column_us);
    const peak = most ? `; most ${decimal.format(most)} in the five minutes from ${when}` : "";
    this.svg.setAttribute("aria-label", `${title}, ${sum}${peak}`);
  }
}

const charts = [];

// Mean over time: the last column is not over yet.
function meanOf(values, trend, nowUs) {
  const lengths = values.map((_, place) => Math.min(trend.column_us, nowUs - trend.begin_us - place * trend.column_us));
  const all = lengths.reduce((sum, us) => sum + us, 0);
  return all > 0 ? values.reduce((sum, value, place) => sum + value * lengths[place], 0) / all : 0;
}

function total(values) {
  return values.reduce((sum, value) => sum + value, 0);
}

function seriesOf(shown) {
  const { trend } = shown;
  const apart = shown.lots.length <= MOST_LOTS;
  const sumOf = (rows) => rows[0].map((_, column) => total(rows.map((row) => row[column])));
  const takens = apart ? trend.taken : [sumOf(trend.taken)];
  const slots = shown.lots.map((lot) => lot.slots.length);
  const tops = apart ? slots : [total(slots)];
  const levels = takens.map((values, lot) => {
    const of = tops[lot];
    const title = shown.lots.length > 1 && apart ? `Taken, lot ${plain(shown.lots[lot].name)}` : "Taken slots";
    const sum = `mean ${decimal.format(meanOf(values, trend, shown.now_us))} of ${number.format(of)}`;
    return { kind: "taken", title, values, top: of || 1, sum };
  });
  const counts = ["refused", "returned"].map((kind) => {
    const values = trend[kind];
    const title = kind === "refused" ? "Refused parks" : "Returned calls";
    return { kind, title, values, top: Math.max(1, ...values), sum: `${number.format(total(values))} in all` };
  });
  const waiting = trend.waiting;
  const sum = `mean ${decimal.format(meanOf(waiting, trend, shown.now_us))}`;
  return [...levels, ...counts,
    { kind: "waiting", title: "Waiting callers", values: waiting, top: Math.max(1, Math.ceil(Math.max(...waiting))), sum }];
}

function showTrend(shown) {
  const series = seriesOf(shown);
  const kinds = series.map(({ kind }) => kind).join();
  if (charts.kinds !== kinds) {
    for (const chart of charts.splice(0)) chart.figure.remove();
    charts.kinds = kinds;
    for (const { kind } of series) charts.push(new Chart(kind));
    byId("charts").append(...charts.map((chart) => chart.figure));
  }
  series.forEach((one, place) => charts[place].set(one, shown.trend));
  if (byId("numbers").open) showNumbers(series, shown.trend);
}

// The same numbers as a table, drawn while it is open.
function showNumbers(series, trend) {
  const key = JSON.stringify([series, trend.begin_us]);
  if (charts.numbers === key) return;
  charts.numbers = key;
  const head = make("tr", "", ...["From", ...series.map(({ title }) => title)].map((title) => make("th", "", make("bdi", "", title))));
  for (const cell of head.children) cell.scope = "col";
  const rows = trend.refused.map((_, column) => make("tr", "",
    make("td", "", clockTime(trend.begin_us + column * trend.column_us)),
    ...series.map(({ values }) => make("td", "", decimal.format(values[column])))));
  const table = byId("numbers").querySelector("table");
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...rows);
}
