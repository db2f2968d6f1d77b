import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import "./dom.mjs";

const { follow, stateAt } = await import("../../static/webchat/hours.js");
const { showOwnTime } = await import("../../static/webchat/opening-time.js");

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Closed for two hours, open for one, closed for three, then open as far as the page knows. */
const CHANGES = "120 60 180";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

/** A launcher in the document, followed until `leave` is called. */
function launcher(labels = "", { isOpen = false, recalled = null } = {}) {
  document.body.innerHTML = `<div data-webchat-hours="${CHANGES}">${labels}</div>`;
  const chat = Object.assign(document.body.firstElementChild, { isOpen, recall: () => recalled });
  const left = new AbortController();
  follow(chat, left.signal);
  return { chat, leave: () => left.abort() };
}

const LABELS = '<b data-webchat-when="open">Chat</b><b data-webchat-when="closed" hidden>Leave a message</b>';
const shown = (chat) => [...chat.children].filter((label) => !label.hidden).map((label) => label.textContent);

for (const [hours, isOpen, changesAt] of [
  [0, false, 2],
  [2, true, 3],
  [2.999, true, 3],
  [3, false, 6],
  [6, true, Number.POSITIVE_INFINITY],
  [1000, true, Number.POSITIVE_INFINITY],
]) {
  test(`${hours} hours after the epoch the launcher knows whether it is open, and until when`, () => {
    assert.deepEqual(stateAt(CHANGES, hours * HOUR), { isOpen, changesAt: changesAt * HOUR });
  });
}

test("a launcher without another label is there while it is open, without anybody's doing", () => {
  const { chat } = launcher();
  const seen = [];
  for (let hour = 0; hour < 7; hour += 1) {
    seen.push(chat.hidden);
    mock.timers.tick(HOUR);
  }
  assert.deepEqual(seen, [true, true, false, true, true, true, false]);
});

test("a launcher with another label changes it and stays", () => {
  const { chat } = launcher(LABELS);
  assert.deepEqual([chat.hidden, shown(chat)], [false, ["Leave a message"]]);
  mock.timers.tick(2 * HOUR);
  assert.deepEqual(shown(chat), ["Chat"]);
  mock.timers.tick(HOUR);
  assert.deepEqual(shown(chat), ["Leave a message"]);
});

for (const state of [{ isOpen: true }, { recalled: "minimised" }]) {
  test(`${JSON.stringify(state)}: an open panel and a running chat are not taken away`, () => {
    assert.equal(launcher("", state).chat.hidden, false);
  });
}

test("a page that slept looks at the clock when it is seen again", () => {
  const { chat } = launcher();
  mock.timers.setTime(2 * HOUR + MINUTE);
  document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(chat.hidden, false);
});

test("a launcher that has left its page is left alone", () => {
  const { chat, leave } = launcher();
  leave();
  mock.timers.tick(2 * HOUR);
  document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(chat.hidden, true);
});

/** What the server renders for an opening on a Monday morning, in the business's zone. */
function opening(zone) {
  document.body.innerHTML = `<div lang="en"><p><time datetime="2026-12-07T08:00:00Z" data-webchat-zone="${zone}"></time></p>
    <p data-webchat-own-time hidden>By your clock: <span data-webchat-own-words></span></p></div>`;
  showOwnTime(document.body.firstElementChild);
  return document.querySelector("[data-webchat-own-time]");
}

test("a visitor whose clock differs reads the time by their own", () => {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const line = opening(own === "Asia/Tokyo" ? "Europe/Berlin" : "Asia/Tokyo");
  assert.equal(line.hidden, false);
  assert.match(line.textContent, /By your clock: Monday, December 7.*\d:\d\d/);
});

test("a visitor with the business's clock reads it once", () => {
  assert.equal(opening(Intl.DateTimeFormat().resolvedOptions().timeZone).hidden, true);
});
