// ---- tables ------------------------------------------------------------------------------------------------------

const ROWS = 50; // of a table; the rest is a number
const STATES = { free: "○ free", talking: "● talking", ringing: "◆ ringing", announcing: "◇ announcing", off: "– off" };

// A table: each row has cells of text and ends with a time, that since when something lasts, or that at which it was.
class Table {
  constructor(id, kinds, act = null) {
    this.section = byId(id);
    this.body = this.section.querySelector("tbody");
    this.table = this.section.querySelector("table");
    this.nothing = this.section.querySelector(".nothing");
    this.more = this.section.querySelector(".more");
    this.kinds = kinds; // of the cells before the time: "name" (a stranger's text) or "mark" (a state)
    this.act = act; // what to do with the call of a row, where it has one
    this.rows = [];
  }

  show(things, cells, nowUs) {
    const shown = things.slice(0, ROWS);
    while (this.rows.length < shown.length) this.rows.push(this.row());
    for (const row of this.rows.splice(shown.length)) row.element.remove();
    shown.forEach((thing, place) => {
      const row = this.rows[place];
      row.sinceUs = thing.since_us;
      row.thing = thing;
      if (thing.at_us !== undefined) write(row.time, instant(picture.epoch, thing.at_us)[1]);
      cells(thing).forEach(([text, state], column) => {
        write(row.cells[column], text);
        if (state !== undefined && row.cells[column].dataset.state !== state) row.cells[column].dataset.state = state;
      });
    });
    for (const row of this.rows) {
      const what = this.act && this.act(row.thing);
      if (this.act) row.button.classList.toggle("none", !what);
      if (what) nameButton(row.button, `${what.title}: park or hang up`);
    }
    this.table.hidden = things.length === 0;
    this.nothing.hidden = things.length > 0;
    this.more.hidden = things.length <= ROWS;
    write(this.more, `and ${number.format(things.length - shown.length)} more`);
    this.tick(nowUs);
  }

  row() {
    const cells = this.kinds.map((kind) => (kind === "name" ? make("bdi") : make("span", "mark")));
    const time = make("td", this.table.querySelector("th:last-child").className);
    const element = make("tr", "", ...cells.map((cell) => make("td", "", cell)), time);
    this.body.append(element);
    const row = { element, cells, time, sinceUs: 0, thing: null };
    if (this.act) {
      row.button = actButton(() => this.act(row.thing));
      element.firstChild.append(row.button);
    }
    return row;
  }

  tick(nowUs) {
    for (const row of this.rows) if (row.sinceUs !== undefined) write(row.time, elapsed(row.sinceUs, nowUs));
  }
}

const returning = new Table("returning", ["name", "name", "mark"]);
const inHand = (one) => one.call && one.state !== "ringing" && {
  state: "in hand", call: one.call, title: `Call at ${plain(one.extension)}`,
};
const attendants = new Table("attendants", ["name", "mark"], inHand);
const placed = new Table("placed", ["name", "name"], inHand);
const queue = new Table("queue", ["name"]);
const refusals = new Table("refusals", ["name", "name"]);
const timeouts = new Table("timeouts", ["name", "name"]);

function attendantsSum(shown) {
  const free = shown.filter((attendant) => attendant.state === "free").length;
  return shown.length ? `${number.format(free)} of ${number.format(shown.length)} free` : "";
}
