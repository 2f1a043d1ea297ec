// ---- slots -------------------------------------------------------------------------------------------------------

const SOON_US = 30 * SECOND_US; // the last half minute of a stay is urgent
const TILES = 400; // slots drawn, over all lots; of more, the most urgent
const ROOMY_SLOTS = 12; // no more of them than this, in an only lot, are drawn large
const DENSE_SLOTS = 30; // more of them are drawn closer together

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
    this.act = actButton(() => this.stay && {
      state: "parked",
      call: this.stay.call,
      parker: plain(this.stay.parker),
      title: `Slot ${this.label.textContent}, ${plain(this.stay.caller)}`,
    });
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
      if (stay) {
        nameButton(this.act, `Slot ${this.label.textContent}, ${plain(stay.caller)}: retrieve or hang up`);
        if (!this.act.isConnected) this.item.append(this.act);
      } else this.act.remove();
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
  document.body.classList.toggle("roomy", shown.length < 2 && slots <= ROOMY_SLOTS);
  document.body.classList.toggle("dense", slots > DENSE_SLOTS);
  shown.forEach((lot, place) => lots[place].set(lot, Math.ceil(TILES / shown.length), nowUs));
}
