// ---- alerts ---------------------------------------------------------------------------------------------------------

// A lot that is full, and stays that end soon: shown as long as they last, announced once, heard where that is wanted.
const ALERT_MS = 5000; // no more than one announcement, and one sound, in this time
const FAST = 10; // at higher rates the last half minute of a stay is over before anybody could act
const SHOWN_STAYS = 2;
const SOUND = "parksim board sound";

const alerts = { told: new Set(), toldMs: -ALERT_MS, sound: false, audio: null };

function fullLots(shown) {
  return shown.lots.filter((lot) => lot.slots.length > 0 && lot.slots.every(Boolean))
    .map((lot) => ({ key: `full ${lot.name}`, text: `Lot ${plain(lot.name)} is full` }));
}

function endingStays(shown, nowUs) {
  if (shown.rate > FAST || shown.paused || !shown.running) return [];
  const found = shown.lots.flatMap((lot) => lot.slots.map((stay, slot) => ({ stay, label: lot.first + slot }))
    .filter(({ stay }) => stateOf(stay, nowUs) === "soon"));
  return found.sort((a, b) => a.stay.deadline_us - b.stay.deadline_us).map(({ stay, label }) => ({
    key: `ends ${stay.call} ${stay.deadline_us}`,
    text: `Slot ${label}: time up in ${span(Math.ceil((stay.deadline_us - nowUs) / SECOND_US))}`,
  }));
}

function showAlerts(nowUs, nowMs) {
  const full = fullLots(picture);
  const ending = endingStays(picture, nowUs);
  const more = ending.length - SHOWN_STAYS;
  const texts = [...full, ...ending.slice(0, SHOWN_STAYS)].map(({ text }) => text);
  if (more > 0) texts.push(`and ${number.format(more)} more`);
  byId("alert").hidden = texts.length === 0;
  byId("alert").dataset.state = full.length > 0 ? "full" : "ending";
  write(byId("alert-text"), texts.join(" · "));
  const all = [...full, ...ending];
  alerts.told = new Set(all.map(({ key }) => key).filter((key) => alerts.told.has(key))); // what is over may come again
  const fresh = all.filter(({ key }) => !alerts.told.has(key));
  if (fresh.length > 0 && nowMs - alerts.toldMs >= ALERT_MS) tellAlerts(fresh, nowMs);
}

function tellAlerts(fresh, nowMs) {
  for (const { key } of fresh) alerts.told.add(key);
  const texts = fresh.map(({ text }) => text);
  byId("alarm").textContent = texts.length > 3 ? `${number.format(texts.length)} alerts. ${texts[0]}.` : `${texts.join(". ")}.`;
  alerts.toldMs = nowMs;
  if (alerts.sound) beep();
}

// A browser lets a page be heard only after somebody has touched it.
function mayBeHeard() {
  return navigator.userActivation?.hasBeenActive ?? true;
}

function beep() {
  if (!mayBeHeard()) return;
  alerts.audio ??= new AudioContext();
  [0, 0.25].forEach((delay) => {
    const tone = alerts.audio.createOscillator();
    const volume = alerts.audio.createGain();
    tone.frequency.value = 660;
    volume.gain.value = 0.2;
    tone.connect(volume).connect(alerts.audio.destination);
    tone.start(alerts.audio.currentTime + delay);
    tone.stop(alerts.audio.currentTime + delay + 0.15);
  });
}

function turnSound(on) {
  alerts.sound = on;
  byId("sound").setAttribute("aria-pressed", String(on));
  write(byId("sound-state"), !on ? "off" : mayBeHeard() ? "on" : "on after a click");
  try {
    localStorage.setItem(SOUND, on ? "on" : "off");
  } catch { /* a browser that keeps nothing */ }
}

function makeAlerts() {
  let kept = "off";
  try {
    kept = localStorage.getItem(SOUND) ?? "off";
  } catch { /* a browser that keeps nothing */ }
  turnSound(kept === "on");
  byId("sound").addEventListener("click", () => {
    turnSound(!alerts.sound);
    if (alerts.sound) beep();
  });
  for (const touch of ["pointerup", "keyup"]) document.addEventListener(touch, () => turnSound(alerts.sound), { once: true });
  byId("missed-close").addEventListener("click", () => { byId("missed").hidden = true; });
}

// ---- what was missed ------------------------------------------------------------------------------------------------

const MISSED = { offered: ["call", "calls"], refused: ["refusal", "refusals"], expired: ["return", "returns"],
  abandoned: ["caller who gave up", "callers who gave up"], lost: ["lost call", "lost calls"] };
const BRIEF_MS = 3000; // a shorter break in which nothing happened is not worth a word

// The page has been without pictures: what is between the last one and this one.
function tellMissed(before, after, lostForMs) {
  const counts = Object.entries(MISSED).map(([key, words]) => [after.counters[key] - before.counters[key], words]);
  const anew = after.now_us < before.now_us || counts.some(([count]) => count < 0);
  const happened = counts.filter(([count]) => count > 0)
    .map(([count, [one, many]]) => `${number.format(count)} ${count === 1 ? one : many}`);
  const restarted = after.begun_s !== before.begun_s;
  if (lostForMs < BRIEF_MS && happened.length === 0 && !restarted) return;
  const [from, until] = [before, after].map((shown) => instant(shown.epoch, shown.now_us)[1]);
  const server = anew ? "The server was started anew, without the calls of before."
    : restarted && after.resumed_after_us >= SECOND_US
      ? `The server was started again; for ${elapsed(0, after.resumed_after_us)} of simulated time there was none.`
      : restarted ? "The server was started again." : "";
  const missed = anew ? "" : `Missed from ${from} to ${until}: ${happened.length ? happened.join(", ") : "nothing"}.`;
  const words = [`Back after ${span(Math.round(lostForMs / 1000))}.`, server, missed].filter(Boolean).join(" ");
  byId("missed").hidden = false;
  write(byId("missed-text"), words);
  news.missed = words;
}
