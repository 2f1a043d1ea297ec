// ---- controls -------------------------------------------------------------------------------------------------------

// What the viewer may command, the server says; it checks every command again.
const may = { time: false, calls: false };
const RATES = [1, 2, 5, 10, 30, 60, 120, 300, 600];
const DONE = { retrieve: "its parker is rung", hang_up: "hung up", park: "parked" };
let chosen = null; // the call that the dialog is about

async function command(content) {
  try {
    const answer = await fetch("/board/commands", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(content),
    });
    return answer.ok ? "" : (await answer.json()).error.message;
  } catch {
    return "The server does not answer.";
  }
}

async function askWhatMayBe() {
  try {
    const answer = await fetch("/board/commands");
    Object.assign(may, answer.ok ? await answer.json() : { time: false, calls: false });
  } catch {
    return; // the stream is gone as well, and asks again when it is back
  }
  byId("time").hidden = !may.time;
  document.body.classList.toggle("commands", may.calls);
  if (drawnPicture !== null) showControls(drawnPicture);
}

function showControls(shown) {
  write(byId("pause"), shown.paused ? "Resume" : "Pause");
  const rates = RATES.includes(shown.rate) ? RATES : [...RATES, shown.rate].sort((a, b) => a - b);
  const speed = byId("speed");
  if (speed.options.length !== rates.length || speed.value !== String(shown.rate)) {
    speed.replaceChildren(...rates.map((rate) => new Option(`× ${number.format(rate)}`, rate)));
    speed.value = String(shown.rate);
  }
  for (const button of document.querySelectorAll("button.act")) button.hidden = !may.calls;
  if (chosen !== null && !isThere(shown)) leaveChosen("This call is not there any more.");
}

function isThere(shown) {
  const parked = shown.lots.some((lot) => lot.slots.some((stay) => stay && stay.call === chosen.call));
  if (chosen.state === "parked") return parked;
  return [...shown.attendants, ...shown.placed].some((one) => one.call === chosen.call);
}

// A button that opens the dialog about the call that `what` tells when it is pressed.
function actButton(what) {
  const button = make("button", "act");
  button.type = "button";
  button.hidden = !may.calls;
  button.addEventListener("click", () => openDialog(what()));
  return button;
}

function nameButton(button, text) {
  if (button.ariaLabel !== text) button.ariaLabel = text;
}

function openDialog(what) {
  if (what === null) return;
  chosen = what;
  write(byId("act-title"), what.title);
  for (const button of byId("act").querySelectorAll("[data-command]")) {
    button.hidden = !(what.state === "parked" ? ["retrieve", "hang_up"] : ["park", "hang_up"]).includes(button.dataset.command);
    button.disabled = false;
  }
  byId("act-retrieve").textContent = what.parker ? `Retrieve to ${what.parker}` : "Retrieve";
  byId("act-said").textContent = "";
  byId("act").showModal();
}

function leaveChosen(words) {
  byId("act-said").textContent = words;
  for (const button of byId("act").querySelectorAll("[data-command]")) button.disabled = true;
}

async function give(button) {
  const { title, call } = chosen;
  const refused = await command({ command: button.dataset.command, call });
  if (refused) {
    byId("act-said").textContent = refused;
    return;
  }
  byId("act").close();
  news.done = `${title}: ${DONE[button.dataset.command]}.`;
}

async function moveTime(content) {
  byId("time-said").textContent = await command(content);
}

function makeControls() {
  byId("pause").addEventListener("click", () => {
    if (picture === null) return;
    moveTime(picture.paused ? { command: "run", rate: Math.min(600, Math.max(1, picture.rate)) } : { command: "pause" });
  });
  byId("speed").addEventListener("change", (event) => moveTime({ command: "run", rate: Number(event.target.value) }));
  for (const button of byId("act").querySelectorAll("[data-command]")) {
    button.addEventListener("click", () => give(button));
  }
  byId("act-close").addEventListener("click", () => byId("act").close());
  byId("act").addEventListener("close", () => { chosen = null; });
}
