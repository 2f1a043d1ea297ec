// The parking board, one script in several files (app.py joins them, in its own order): draws the pictures that the
// switchboard sends, and lets simulated time run between them.
//
// Every picture is whole, so drawing one needs no other; only what is told as news (a refusal, the spoken summary)
// compares a picture with the one before. Elements are kept and their texts changed where they differ, so that a
// screen reader does not lose its place and 5,000 calls are no more work than what has changed. Text of strangers
// (a caller's id) goes into the page by textContent alone.
"use strict";

// ---- small parts -------------------------------------------------------------------------------------------------

const SECOND_US = 1e6;
const NAME_LENGTH = 160; // longer texts are cut in the page
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/gu; // would turn or break the line

const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en-GB");
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });

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
