// ---- tables ------------------------------------------------------------------------------------------------------

const ROWS = 50; // of a table; the rest is a number
const STATES = { free: "○ free", talking: "● talking", ringing: "◆ ringing", announcing: "◇ announcing", off: "– off" };

// A table: each row has cells of text and ends with a time, that since when something lasts, or that at which it was.
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
      if (thing.at_us !== undefined) write(row.time, instant(picture.epoch, thing.at_us)[1]);
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
    const time = make("td", this.table.querySelector("th:last-child").className);
    const element = make("tr", "", ...cells.map((cell) => make("td", "", cell)), time);
    this.body.append(element);
    return { element, cells, time, sinceUs: 0 };
  }

  tick(nowUs) {
    for (const row of this.rows) if (row.sinceUs !== undefined) write(row.time, elapsed(row.sinceUs, nowUs));
  }
}

const returning = new Table("returning", ["name", "name", "mark"]);
const attendants = new Table("attendants", ["name", "mark"]);
const queue = new Table("queue", ["name"]);
const refusals = new Table("refusals", ["name", "name"]);
const timeouts = new Table("timeouts", ["name", "name"]);

function attendantsSum(shown) {
  const free = shown.filter((attendant) => attendant.state === "free").length;
  return shown.length ? `${number.format(free)} of ${number.format(shown.length)} free` : "";
}
