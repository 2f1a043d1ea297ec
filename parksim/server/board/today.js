// ---- how the day goes -----------------------------------------------------------------------------------------------

const REFUSAL_MS = 8000; // how long a refusal stays readable
const VERDICTS = { good: "✓", bad: "✕", open: "–" };
const COUNTERS = ["calls", "parked", "refused", "fetched", "returned", "gave up", "lost", "ended"];
const PLACES = { queue: "in the queue", lot: "in the lot", return: "on the way back" };

// A share since midnight, with its objective where it has one: a sign and a word say whether it is met.
class Share {
  constructor() {
    this.value = make("strong", "value");
    this.verdict = make("span", "verdict");
    this.words = make("span", "words");
    this.wanted = make("span", "wanted");
    this.part = make("span", "part");
    const aim = make("span", "aim", this.wanted, " ", this.part);
    this.item = make("li", "", make("span", "first", this.value, " ", this.verdict), " ", this.words, " ", aim);
  }

  set(row) {
    const met = row.met === null ? "" : row.met ? "good" : "bad";
    this.item.className = `share ${met}`;
    write(this.value, row.shown === null ? "–" : plain(row.shown));
    write(this.verdict, met ? (row.met ? "✓ met" : "✕ missed") : row.wanted === null ? "" : row.measured ? "no value yet" : "not measured");
    write(this.words, plain(row.words));
    write(this.wanted, row.wanted === null ? "" : `wanted ${plain(row.wanted)}`);
    write(this.part, row.whole ? `${number.format(row.part)} of ${number.format(row.whole)}` : "");
  }
}

const shares = [];
let refusedHideMs = 0;

function showToday(shown) {
  byId("headline").dataset.state = shown.headline.state;
  write(byId("headline-sign"), VERDICTS[shown.headline.state] ?? "–");
  write(byId("headline-text"), plain(shown.headline.text));
  while (shares.length < shown.shares.length) {
    const share = new Share();
    shares.push(share);
    byId("shares").append(share.item);
  }
  for (const share of shares.splice(shown.shares.length)) share.item.remove();
  shown.shares.forEach((row, place) => shares[place].set(row));
  const gone = Object.values(shown.day.gave_up).reduce((sum, count) => sum + count, 0);
  for (const [key, { value }] of counters) write(value, number.format(key === "gave up" ? gone : shown.day[key]));
  const places = Object.entries(PLACES).map(([key, words]) => `${number.format(shown.day.gave_up[key])} ${words}`);
  write(byId("gave-up"), gone ? `Gave up: ${places.join(", ")}.` : "");
}

const counters = new Map();

function makeCounters() {
  for (const key of COUNTERS) {
    const value = make("dd", "", "–");
    const box = make("div", "", make("dt", "", key), value);
    counters.set(key, { box, value });
    byId("counters").append(box);
  }
}

function showRefusals(count, time) {
  const words = count === 1 ? "Park refused" : `${number.format(count)} parks refused`;
  const line = byId("refusal");
  const box = counters.get("refused").box;
  for (const element of [line, box]) {
    element.classList.remove("just");
    element.getAnimations().forEach((animation) => animation.cancel());
  }
  line.hidden = true;
  void line.offsetWidth; // what is shown anew flashes anew
  write(line, `${words} at ${time}`);
  line.hidden = false;
  box.classList.add("just");
  refusedHideMs = performance.now() + REFUSAL_MS;
}

function hideRefusals() {
  refusedHideMs = 0;
  byId("refusal").hidden = true;
  counters.get("refused").box.classList.remove("just");
}
