// ---- what is spoken -------------------------------------------------------------------------------------------------

const SPEAK_MS = 5000; // no more than one spoken summary in this time

// News is gathered and told in one sentence each, so that a screen reader is not talked over by a busy lot.
const news = { parked: [], returned: [], refused: 0, connection: "", missed: "", verdict: "", done: "" };
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
    news.missed,
    news.verdict,
    news.done,
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
  news.connection = news.missed = news.verdict = news.done = "";
}

function gatherNews(before, after, time) {
  const refused = after.counters.refused - before.counters.refused;
  if (refused > 0) {
    news.refused += refused;
    showRefusals(refused, time);
  }
  if (before.headline.state !== after.headline.state) news.verdict = plain(after.headline.text);
  after.lots.forEach((lot, place) => {
    const old = before.lots[place] ? before.lots[place].slots : [];
    lot.slots.forEach((stay, slot) => {
      if (stay && (!old[slot] || old[slot].call !== stay.call)) news.parked.push(String(lot.first + slot));
    });
  });
  const known = new Set(before.returns.map((call) => call.call));
  for (const call of after.returns) if (!known.has(call.call)) news.returned.push(plain(call.parker));
}
