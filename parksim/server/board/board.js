// ---- state ----------------------------------------------------------------------------------------------------------

const TICK_MS = 200; // how often running times are drawn
const AGAIN_MS = 3000; // after the server has turned the page away

let picture = null; // the newest
let receivedMs = 0; // when it came, on the page's own steady clock
let drawnPicture = null;
let connection = "connecting";
let lostMs = 0;

function simulatedUs() {
  const passedMs = picture.running && !picture.paused ? performance.now() - receivedMs : 0;
  return picture.now_us + passedMs * 1000 * picture.rate;
}

// ---- drawing --------------------------------------------------------------------------------------------------------

function draw() {
  const shown = picture;
  if (shown === null || shown === drawnPicture) return;
  const nowUs = simulatedUs();
  byId("waiting").hidden = true;
  write(byId("name"), plain(shown.name));
  showToday(shown);
  showLots(shown.lots, nowUs);
  showTrend(shown);
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
  placed.show(shown.placed, (call) => [[plain(call.caller)], [plain(call.extension)]], nowUs);
  placed.section.hidden = shown.placed.length === 0;
  write(byId("placed-sum"), number.format(shown.placed.length));
  const lotOf = (call) => (shown.lots.length > 1 ? `, lot ${plain(call.lot)}` : "");
  for (const [table, calls] of [[refusals, shown.refusals], [timeouts, shown.timeouts]]) {
    table.show(calls, (call) => [[plain(call.caller)], [plain(call.parker) + lotOf(call)]], nowUs);
  }
  write(byId("returning-sum"), shown.returns.length ? number.format(shown.returns.length) : "");
  write(byId("attendants-sum"), attendantsSum(shown.attendants));
  write(byId("queue-sum"), shown.queue.length ? number.format(shown.queue.length) : "");
  const taken = shown.lots.reduce((sum, lot) => sum + lot.slots.filter(Boolean).length, 0);
  document.title = `${number.format(taken)} parked – ${plain(shown.name)}`;
  if (drawnPicture !== null) gatherNews(drawnPicture, shown, instant(shown.epoch, shown.now_us)[1]);
  drawnPicture = shown;
  showControls(shown);
  showAlerts(nowUs, performance.now());
  tickHead(nowUs);
}

function tickHead(nowUs) {
  write(byId("clock"), instant(picture.epoch, nowUs).filter(Boolean).join(" "));
  const rate = picture.paused ? "paused" : `× ${number.format(picture.rate)}`;
  write(byId("rate"), picture.running ? rate : "stopped");
}

function tick() {
  const nowMs = performance.now();
  if (connection === "reconnecting") {
    write(byId("connection"), `Reconnecting for ${span(Math.floor((nowMs - lostMs) / 1000))}`);
  }
  if (refusedHideMs && nowMs >= refusedHideMs) hideRefusals();
  speak(nowMs);
  if (picture !== null) showAlerts(simulatedUs(), nowMs); // heard also where the page is not seen
  if (drawnPicture === null || document.hidden) return;
  const nowUs = simulatedUs();
  tickHead(nowUs);
  for (const lot of lots) lot.draw(nowUs);
  for (const table of [returning, attendants, queue, placed]) table.tick(nowUs);
}

// ---- connection -----------------------------------------------------------------------------------------------------

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
    if (connection !== "live" && drawnPicture !== null) tellMissed(drawnPicture, picture, performance.now() - lostMs);
    receivedMs = performance.now();
    if (connection !== "live") askWhatMayBe();
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
makeControls();
makeAlerts();
byId("numbers").addEventListener("toggle", () => picture && showTrend(picture));
connect();
setInterval(tick, TICK_MS);
