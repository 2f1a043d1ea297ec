// The parking board: draws the pictures that the switchboard sends, and lets simulated time run between them.
//
// Every picture is whole, so drawing one needs no other; only what is told as news (a refusal, the spoken summary)
// compares a picture with the one before. Elements are kept and their texts changed where they differ, so that a
// screen reader does not lose its place and 5,000 calls are no more work than what has changed. Text of strangers
// (a caller's id) goes into the page by textContent alone.
"use strict";

const SECOND_US = 1e6;
const SOON_US = 30 * SECOND_US; // the last half minute of a stay is urgent
const TICK_MS = 200; // how often running times are drawn
const REFUSAL_MS = 8000; // how long a refusal stays readable
const SPEAK_MS = 5000; // no more than one spoken summary in this time
const AGAIN_MS = 3000; // after the server has turned the page away
const TILES = 400; // slots drawn, over all lots; of more, the most urgent
const ROWS = 50; // of a table; the rest is a number
const ROOMY_SLOTS = 12; // no more of them than this are drawn large
const DENSE_SLOTS = 30; // more of them are drawn closer together
const NAME_LENGTH = 160; // longer texts are cut in the page

const COUNTERS = ["offered", "parked", "refused", "retrieved", "expired", "abandoned", "lost", "ended"];
const STATES = { free: "○ free", talking: "● talking", ringing: "◆ ringing", announcing: "◇ announcing", off: "– off" };

const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en-GB");
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/gu; // would turn or break the line

// ---- small parts -------------------------------------------------------------------------------------------------

function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

// The text node is kept and its data changed: cheaper to draw than a new one.
function write(element, text) {
  const node = element.firstChild;
  if (node === null) element.textContent = text;
  else if (node.data !== text) node.data = text;
}

// A stranger's text as it may stand in the page: what turns the direction of writing is shown as a mark.
function plain(text) {
  const shown = String(text).slice(0, NAME_LENGTH + 1).replace(CONTROLS, "\ufffd");
  return shown.length > NAME_LENGTH ? `${shown.slice(0, NAME_LENGTH)}…` : shown || "unknown";
}

function twoDigits(value) {
  return String(value).padStart(2, "0");
}

// 83 seconds are "1:23".
function span(seconds) {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = twoDigits(seconds % 60);
  return hours ? `${number.format(hours)}:${twoDigits(minutes)}:${rest}` : `${minutes}:${rest}`;
}

function elapsed(sinceUs, nowUs) {
  return span(Math.max(0, Math.floor((nowUs - sinceUs) / SECOND_US)));
}

// The clock on the wall of the simulated place: the epoch's own offset from UTC is kept.
function instant(epoch, nowUs) {
  const begun = Date.parse(epoch);
  if (Number.isNaN(begun)) return ["", span(Math.floor(nowUs / SECOND_US))];
  const offset = /([+-])(\d\d):?(\d\d)$/.exec(epoch);
  const minutes = offset ? Number(`${offset[1]}1`) * (Number(offset[2]) * 60 + Number(offset[3])) : 0;
  const there = new Date(begun + minutes * 60000 + Math.floor(nowUs / 1000));
  return [day.format(there), there.toISOString().slice(11, 19)];
}

// ---- state -------------------------------------------------------------------------------------------------------

let picture = null; // the newest
let receivedMs = 0; // when it came, on the page's own steady clock
let drawnPicture = null;
let connection = "connecting";
let lostMs = 0;
let refusedHideMs = 0;

function simulatedUs() {
  const passedMs = picture.running ? performance.now() - receivedMs : 0;
  return picture.now_us + passedMs * 1000 * picture.rate;
}

// ---- slots -------------------------------------------------------------------------------------------------------

class Slot {
  constructor() {
    this.label = make("span", "label");
    this.time = make("span");
    this.word = make("span", "unseen", " left");
    this.left = make("span", "left", this.time, this.word);
    this.caller = make("bdi");
    this.parker = make("bdi");
    this.parked = make("span", "parked");
    this.bar = make("span", "bar");
    this.bar.setAttribute("aria-hidden", "true");
    const by = make("span", "parker", make("span", "unseen said", "parked by "), this.parker);
    this.callerLine = make("span", "caller", make("span", "unseen", "caller "), this.caller);
    this.detail = make("span", "detail", by, " ", make("span", "", make("span", "unseen said", "for "), this.parked));
    this.item = make("li", "slot free", make("span", "unseen", "slot "), this.label, " ", this.left, " ",
      this.callerLine, " ", this.detail, this.bar);
    this.stay = null;
    this.drawn = undefined; // the stay that the texts show
  }

  set(label, stay) {
    write(this.label, label);
    this.stay = stay;
  }

  draw(nowUs) {
    const stay = this.stay;
    if (this.drawn !== stay) {
      this.drawn = stay;
      write(this.caller, stay ? plain(stay.caller) : "");
      write(this.parker, stay ? plain(stay.parker) : "");
      this.callerLine.hidden = this.detail.hidden = !stay;
    }
    this.turn(stateOf(stay, nowUs));
    if (!stay) return this.count("free", 0);
    write(this.parked, elapsed(stay.parked_us, nowUs));
    if (stay.deadline_us === null) return this.count("no limit", 0);
    const leftUs = stay.deadline_us - nowUs;
    if (leftUs <= 0) return this.count("time up", 0);
    return this.count(span(Math.ceil(leftUs / SECOND_US)), leftUs / Math.max(leftUs, stay.deadline_us - stay.parked_us));
  }

  turn(state) {
    if (this.state === state) return;
    this.state = state;
    this.item.className = `slot ${state}`;
    this.word.hidden = state !== "taken" && state !== "soon";
  }

  // Show the time left, and its share of the whole stay as the bar.
  count(text, share) {
    if (this.text !== text) {
      this.text = text;
      write(this.time, text);
      this.left.classList.toggle("long", /\d.{5}/.test(text));
    }
    const rounded = Math.round(share * 200) / 200;
    if (this.share !== rounded) {
      this.share = rounded;
      this.bar.style.setProperty("--share", String(rounded));
    }
  }
}

function stateOf(stay, nowUs) {
  if (!stay) return "free";
  if (stay.deadline_us === null) return "unlimited";
  const leftUs = stay.deadline_us - nowUs;
  if (leftUs <= 0) return "over";
  return leftUs <= SOON_US ? "soon" : "taken";
}

class Lot {
  constructor(place) {
    this.name = make("bdi");
    this.sum = make("span");
    this.list = make("ol");
    this.list.setAttribute("role", "list");
    const title = make("h2", "", "Lot ", this.name, " ", this.sum);
    title.id = `lot-${place}`;
    this.list.setAttribute("aria-labelledby", title.id);
    this.more = make("p", "more");
    this.section = make("section", "lot", title, this.list, this.more);
    this.section.setAttribute("aria-labelledby", title.id);
    this.slots = [];
    this.stays = [];
  }

  set(lot, most, nowUs) {
    write(this.name, plain(lot.name));
    this.stays = lot.slots;
    const places = mostUrgent(lot.slots, most);
    while (this.slots.length < places.length) {
      const slot = new Slot();
      this.slots.push(slot);
      this.list.append(slot.item);
    }
    for (const slot of this.slots.splice(places.length)) slot.item.remove();
    places.forEach((place, index) => this.slots[index].set(String(lot.first + place), lot.slots[place]));
    const hidden = lot.slots.length - places.length;
    this.more.hidden = hidden === 0;
    write(this.more, `and ${number.format(hidden)} more slots; these are the calls whose time is up first`);
    this.draw(nowUs);
  }

  draw(nowUs) {
    for (const slot of this.slots) slot.draw(nowUs);
    let taken = 0;
    let urgent = 0;
    for (const stay of this.stays) {
      const state = stateOf(stay, nowUs);
      if (state !== "free") taken += 1;
      if (state === "soon" || state === "over") urgent += 1;
    }
    const sum = `${number.format(taken)} of ${number.format(this.stays.length)} taken`;
    write(this.sum, urgent ? `${sum}, ${number.format(urgent)} urgent` : sum);
  }
}

// The places of the slots to draw: all, or in a lot of thousands those whose time is up first.
function mostUrgent(stays, most) {
  const places = [...stays.keys()];
  if (places.length <= most) return places;
  const dueUs = (place) => (stays[place] ? (stays[place].deadline_us ?? Number.MAX_VALUE) : Infinity);
  return places.sort((a, b) => Math.sign(dueUs(a) - dueUs(b)) || a - b).slice(0, most).sort((a, b) => a - b);
}

const lots = [];

function showLots(shown, nowUs) {
  while (lots.length < shown.length) {
    const lot = new Lot(lots.length);
    lots.push(lot);
    byId("slots").append(lot.section);
  }
  for (const lot of lots.splice(shown.length)) lot.section.remove();
  const slots = shown.reduce((sum, lot) => sum + lot.slots.length, 0);
  document.body.classList.toggle("roomy", slots <= ROOMY_SLOTS);
  document.body.classList.toggle("dense", slots > DENSE_SLOTS);
  shown.forEach((lot, place) => lots[place].set(lot, Math.ceil(TILES / shown.length), nowUs));
}

// ---- tables ------------------------------------------------------------------------------------------------------

// A table of things that last: each row has cells of text and ends with the time since when.
class Table {
  constructor(id, kinds) {
    this.section = byId(id);
    this.body = this.section.querySelector("tbody");
    this.table = this.section.querySelector("table");
    this.nothing = this.section.querySelector(".nothing");
    this.more = this.section.querySelector(".more");
    this.kinds = kinds; // of the cells before the time: "name" (a stranger's text) or "mark" (a state)
    this.rows = [];
  }

  show(things, cells, nowUs) {
    const shown = things.slice(0, ROWS);
    while (this.rows.length < shown.length) this.rows.push(this.row());
    for (const row of this.rows.splice(shown.length)) row.element.remove();
    shown.forEach((thing, place) => {
      const row = this.rows[place];
      row.sinceUs = thing.since_us;
      cells(thing).forEach(([text, state], column) => {
        write(row.cells[column], text);
        if (state !== undefined && row.cells[column].dataset.state !== state) row.cells[column].dataset.state = state;
      });
    });
    this.table.hidden = things.length === 0;
    this.nothing.hidden = things.length > 0;
    this.more.hidden = things.length <= ROWS;
    write(this.more, `and ${number.format(things.length - shown.length)} more`);
    this.tick(nowUs);
  }

  row() {
    const cells = this.kinds.map((kind) => (kind === "name" ? make("bdi") : make("span", "mark")));
    const time = make("td", "time");
    const element = make("tr", "", ...cells.map((cell) => make("td", "", cell)), time);
    this.body.append(element);
    return { element, cells, time, sinceUs: 0 };
  }

  tick(nowUs) {
    for (const row of this.rows) write(row.time, elapsed(row.sinceUs, nowUs));
  }
}

const returning = new Table("returning", ["name", "name", "mark"]);
const attendants = new Table("attendants", ["name", "mark"]);
const queue = new Table("queue", ["name"]);

function attendantsSum(shown) {
  const free = shown.filter((attendant) => attendant.state === "free").length;
  return shown.length ? `${number.format(free)} of ${number.format(shown.length)} free` : "";
}

// ---- counters and refusals ---------------------------------------------------------------------------------------

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

// ---- what is spoken ----------------------------------------------------------------------------------------------

// News is gathered and told in one sentence each, so that a screen reader is not talked over by a busy lot.
const news = { parked: [], returned: [], refused: 0, connection: "" };
let spokenMs = -SPEAK_MS;

function list(labels, one, many) {
  if (labels.length === 0) return "";
  if (labels.length <= 3) return `${one} ${labels.join(", ")}.`;
  return `${number.format(labels.length)} ${many}.`;
}

function speak(nowMs) {
  if (nowMs - spokenMs < SPEAK_MS) return;
  const refused = news.refused === 1 ? "1 park refused." : `${number.format(news.refused)} parks refused.`;
  const sentences = [
    news.connection,
    list(news.parked, "Parked in", "calls parked"),
    list(news.returned, "Time up, returning to", "calls returning"),
    news.refused ? refused : "",
  ].filter(Boolean);
  if (sentences.length === 0) return;
  byId("spoken").textContent = sentences.join(" ");
  spokenMs = nowMs;
  news.parked = [];
  news.returned = [];
  news.refused = 0;
  news.connection = "";
}

function gatherNews(before, after, time) {
  const refused = after.counters.refused - before.counters.refused;
  if (refused > 0) {
    news.refused += refused;
    showRefusals(refused, time);
  }
  after.lots.forEach((lot, place) => {
    const old = before.lots[place] ? before.lots[place].slots : [];
    lot.slots.forEach((stay, slot) => {
      if (stay && (!old[slot] || old[slot].call !== stay.call)) news.parked.push(String(lot.first + slot));
    });
  });
  const known = new Set(before.returns.map((call) => call.call));
  for (const call of after.returns) if (!known.has(call.call)) news.returned.push(plain(call.parker));
}

// ---- drawing -----------------------------------------------------------------------------------------------------

function draw() {
  const shown = picture;
  if (shown === null || shown === drawnPicture) return;
  const nowUs = simulatedUs();
  byId("waiting").hidden = true;
  write(byId("name"), plain(shown.name));
  for (const [key, { value }] of counters) write(value, number.format(shown.counters[key] ?? 0));
  showLots(shown.lots, nowUs);
  returning.show(shown.returns, (call) => [
    [plain(call.caller)],
    [plain(call.parker)],
    call.ringing ? ["◆ ringing", "ringing"] : ["… waits", "waiting"],
  ], nowUs);
  attendants.show(shown.attendants, (attendant) => [
    [plain(attendant.extension)],
    [STATES[attendant.state] ?? plain(attendant.state), attendant.state],
  ], nowUs);
  queue.show(shown.queue, (call) => [[plain(call.caller)]], nowUs);
  write(byId("returning-sum"), shown.returns.length ? number.format(shown.returns.length) : "");
  write(byId("attendants-sum"), attendantsSum(shown.attendants));
  write(byId("queue-sum"), shown.queue.length ? number.format(shown.queue.length) : "");
  const taken = shown.lots.reduce((sum, lot) => sum + lot.slots.filter(Boolean).length, 0);
  document.title = `${number.format(taken)} parked – ${plain(shown.name)}`;
  if (drawnPicture !== null) gatherNews(drawnPicture, shown, instant(shown.epoch, shown.now_us)[1]);
  drawnPicture = shown;
  tickHead(nowUs);
}

function tickHead(nowUs) {
  write(byId("clock"), instant(picture.epoch, nowUs).filter(Boolean).join(" "));
  write(byId("rate"), picture.running ? `× ${number.format(picture.rate)}` : "stopped");
}

function tick() {
  const nowMs = performance.now();
  if (connection === "reconnecting") {
    write(byId("connection"), `Reconnecting for ${span(Math.floor((nowMs - lostMs) / 1000))}`);
  }
  if (refusedHideMs && nowMs >= refusedHideMs) hideRefusals();
  speak(nowMs);
  if (drawnPicture === null || document.hidden) return;
  const nowUs = simulatedUs();
  tickHead(nowUs);
  for (const lot of lots) lot.draw(nowUs);
  for (const table of [returning, attendants, queue]) table.tick(nowUs);
}

// ---- connection --------------------------------------------------------------------------------------------------

const TOLD = {
  live: "Live",
  reconnecting: "Reconnecting",
  closed: "Not let in: open the link that the server printed",
};

function turn(state) {
  if (state === connection) return;
  if (state === "reconnecting") lostMs = performance.now();
  if (connection !== "connecting") news.connection = `${TOLD[state]}.`;
  connection = state;
  byId("connection").dataset.state = state;
  write(byId("connection"), TOLD[state]);
  document.body.classList.toggle("stale", state !== "live" && drawnPicture !== null);
}

function connect() {
  const source = new EventSource("/board/events");
  source.addEventListener("picture", (event) => {
    const first = picture === null;
    const waiting = picture !== drawnPicture;
    picture = JSON.parse(event.data);
    receivedMs = performance.now();
    turn("live");
    // Several pictures within one frame are drawn once; a page that nobody sees draws when it is seen again.
    if (first) draw();
    else if (!waiting) requestAnimationFrame(draw);
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) {
      turn("closed");
      setTimeout(connect, AGAIN_MS);
    } else {
      turn("reconnecting");
    }
  });
}

makeCounters();
connect();
setInterval(tick, TICK_MS);
