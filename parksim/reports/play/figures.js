// The page's own charts, as SVG made of elements: no text is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

function drawn(name, attributes = {}, text = null) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== null) element.textContent = text;
  return element;
}

function chart(place, height, label) {
  const width = Math.max(280, Math.round(place.clientWidth || 700));
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  place.replaceChildren(svg);
  return { svg, width, left: 38, right: width - 8, top: 14, bottom: height - 24 };
}

function axis({ svg, left, right, top, bottom }, most, step) {
  const y = (value) => bottom - ((bottom - top) * value) / most;
  for (let tick = 0; tick <= most + 1e-9; tick += step) {
    svg.append(drawn("line", { class: "axis", x1: left, x2: right, y1: y(tick), y2: y(tick) }));
    svg.append(
      drawn(
        "text",
        { class: "soft", x: left - 5, y: y(tick) + 4, "text-anchor": "end" },
        String(Number(tick.toPrecision(3))),
      ),
    );
  }
  return y;
}

// A round step that gives some four ticks.
function stepOf(most) {
  const rough = most / 4,
    unit = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((one) => one * unit >= rough) * unit;
}

function hourAxis({ svg, bottom, left, right }, hours) {
  const x = (hour) => left + ((right - left) * (hour - hours[0].hour)) / (hours.at(-1).hour + 1 - hours[0].hour);
  const every = (right - left) / hours.length < 30 ? 3 : 1;
  for (let hour = hours[0].hour; hour <= hours.at(-1).hour + 1; hour += 1) {
    if (hour % every === 0)
      svg.append(drawn("text", { class: "soft", x: x(hour), y: bottom + 16, "text-anchor": "middle" }, String(hour)));
  }
  return x;
}

// Transparent columns that show the numbers of an hour under the pointer, and say them below the chart.
function columns({ svg, top, bottom }, hours, x, words, below) {
  for (const one of hours) {
    const column = drawn("rect", {
      class: "hit",
      x: x(one.hour),
      y: top,
      width: x(one.hour + 1) - x(one.hour),
      height: bottom - top,
    });
    column.append(drawn("title", {}, words(one)));
    column.addEventListener("pointerenter", () => {
      below.textContent = words(one);
    });
    column.addEventListener("pointerleave", () => {
      below.textContent = below.dataset.usual;
    });
    svg.append(column);
  }
}

const hourWords = (hour) => `${String(hour).padStart(2, "0")} to ${String(hour + 1).padStart(2, "0")} h`;

function drawBusy(place, below, hours, base, slots) {
  const most = Math.max(slots, ...hours.map(({ high }) => high ?? 0)) * 1.05;
  const busiest = hours.reduce((one, other) => (other.mean > one.mean ? other : one));
  const words = (one) =>
    `${hourWords(one.hour)}: ${one.mean.toFixed(2)} of ${slots} slots busy` +
    (one.low === null ? "" : ` (${one.low.toFixed(2)} to ${one.high.toFixed(2)})`);
  const frame = chart(place, 200, `Busy slots by hour of the day. Busiest ${words(busiest)}.`);
  const y = axis(frame, most, Math.max(1, stepOf(most))),
    x = hourAxis(frame, hours);
  const band = (low, high, name) => {
    for (const one of hours) {
      if (one[low] === null) continue;
      frame.svg.append(
        drawn("rect", {
          class: name,
          x: x(one.hour),
          width: x(one.hour + 1) - x(one.hour),
          y: y(one[high]),
          height: Math.max(0, y(one[low]) - y(one[high])),
        }),
      );
    }
  };
  const steps = (rows) =>
    rows
      .map(
        (one, n) =>
          `${n && rows[n - 1].hour === one.hour - 1 ? "L" : "M"}${x(one.hour)},${y(one.mean)}H${x(one.hour + 1)}`,
      )
      .join("");
  band("least", "most", "wide");
  band("low", "high", "narrow");
  frame.svg.append(drawn("line", { class: "all", x1: frame.left, x2: frame.right, y1: y(slots), y2: y(slots) }));
  frame.svg.append(
    drawn("text", { x: frame.right, y: y(slots) - 4, "text-anchor": "end" }, `${slots} slot${slots === 1 ? "" : "s"}`),
  );
  if (base) frame.svg.append(drawn("path", { class: "before", d: steps(base) }));
  frame.svg.append(drawn("path", { class: "line", d: steps(hours) }));
  below.dataset.usual =
    `Line: mean of the hour. Darker band: its ${100 * MODEL.level} % interval. Paler band: the middle 90 % of replications.` +
    (base ? " Dotted: the report\u2019s design." : "");
  below.textContent = below.dataset.usual;
  columns(frame, hours, x, words, below);
}

function drawRefused(place, below, hours, base) {
  const greatest = Math.max(...[...hours, ...(base ?? [])].map(({ per_hour }) => per_hour)),
    most = (greatest || 1) * 1.1;
  const words = (one) =>
    `${hourWords(one.hour)}: ${one.per_hour.toFixed(2)} refused per hour, ${one.refused} of ${one.asked} park requests`;
  const all = hours.reduce((sum, { refused }) => sum + refused, 0);
  const frame = chart(place, 150, `Refused parks per hour, by hour of the day: ${all} in all replications together.`);
  const y = axis(frame, most, stepOf(most)),
    x = hourAxis(frame, hours);
  for (const one of hours) {
    frame.svg.append(
      drawn("rect", {
        class: "bar",
        x: x(one.hour) + 2,
        width: Math.max(1, x(one.hour + 1) - x(one.hour) - 4),
        y: y(one.per_hour),
        height: y(0) - y(one.per_hour),
      }),
    );
  }
  if (base) {
    frame.svg.append(
      drawn("path", {
        class: "before",
        d: base.map((one) => `M${x(one.hour)},${y(one.per_hour)}H${x(one.hour + 1)}`).join(""),
      }),
    );
  }
  below.dataset.usual = `${all.toLocaleString("en")} refused in all replications together.${base ? " Dotted: the report\u2019s design." : ""}`;
  below.textContent = below.dataset.usual;
  columns(frame, hours, x, words, below);
}

const ENDS = { retrieved: "fetched", expired: "came back, time up", abandoned: "caller hung up" };

// One hour of a replication: a row is a slot, a bar a call, a stroke a refused park.
function drawDay(place, { stays, refused }, slots, from_us, chosen_us) {
  const rows = slots.reduce((sum, one) => sum + one, 0),
    row = Math.max(3, Math.min(20, Math.floor(360 / rows)));
  const firsts = slots.map((_, lot) => slots.slice(0, lot).reduce((sum, one) => sum + one, 0));
  const until_us = from_us + 3.6e9,
    seen = stays.filter((one) => one.until_us > from_us && one.from_us < until_us);
  const missed = refused.filter(({ time_us }) => time_us >= from_us && time_us < until_us);
  const frame = chart(
    place,
    60 + row * rows,
    `${clockWords(from_us)} to ${clockWords(until_us)}: ${seen.length} calls in the lot, ${missed.length} parks refused.`,
  );
  const { svg, left, right, top } = frame,
    bottom = top + 12 + row * rows;
  const x = (time_us) => left + (right - left) * Math.min(1, Math.max(0, (time_us - from_us) / 3.6e9));
  const every = right - left < 500 ? 15 : 10;
  for (let minute = 0; minute <= 60; minute += every) {
    const at = x(from_us + minute * 6e7);
    svg.append(drawn("line", { class: "axis", x1: at, x2: at, y1: top + 12, y2: bottom }));
    svg.append(
      drawn(
        "text",
        { class: "soft", x: at, y: bottom + 16, "text-anchor": minute ? (minute === 60 ? "end" : "middle") : "start" },
        clockWords(from_us + minute * 6e7)
          .split(", ")
          .at(-1),
      ),
    );
  }
  slots.forEach((number, lot) => {
    for (let slot = 0; slot < number; slot += 1) {
      const y = top + 12 + row * (firsts[lot] + slot);
      if (row >= 12)
        svg.append(
          drawn(
            "text",
            { class: "soft", x: left - 5, y: y + row - 4, "text-anchor": "end" },
            String(MODEL.first_labels[lot] + slot),
          ),
        );
      else if (slot === 0)
        svg.append(
          drawn(
            "text",
            { class: "soft", x: left - 5, y: y + 10, "text-anchor": "end" },
            String(MODEL.first_labels[lot]),
          ),
        );
    }
    if (lot)
      svg.append(
        drawn("line", {
          class: "all",
          x1: left,
          x2: right,
          y1: top + 12 + row * firsts[lot],
          y2: top + 12 + row * firsts[lot],
        }),
      );
  });
  for (const one of seen) {
    const bar = drawn("rect", {
      class: one.how,
      x: x(one.from_us),
      width: Math.max(1.5, x(one.until_us) - x(one.from_us)),
      y: top + 12 + row * (firsts[one.lot] + one.slot) + 1,
      height: Math.max(1, row - 2),
    });
    const label = `slot ${MODEL.first_labels[one.lot] + one.slot}, ${clockWords(one.from_us, true)} to ${clockWords(one.until_us, true)}: ${ENDS[one.how]}`;
    bar.append(drawn("title", {}, label));
    svg.append(bar);
  }
  for (const { time_us } of missed) {
    const stroke = drawn("path", { class: "refused", d: `M${x(time_us) - 3},${top}l6,8m0,-8l-6,8` });
    stroke.append(drawn("title", {}, `${clockWords(time_us, true)}: refused, no slot free`));
    svg.append(stroke);
  }
  if (chosen_us !== null && chosen_us >= from_us && chosen_us < until_us) {
    svg.append(drawn("line", { class: "chosen", x1: x(chosen_us), x2: x(chosen_us), y1: top - 6, y2: bottom }));
  }
  return { seen: seen.length, missed: missed.length };
}
