import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { markup, settled } from "./dom.mjs";

const hours = await import("../../static/webchat/hours.js");
const { enhance } = await import("../../static/webchat/opening-time.js");
const { WebChatElement } = await import("../../static/webchat/web-chat-element.js");

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Closed for two hours, open for one, closed for three, then open as far as the page knows. */
const CHANGES = "120 60 180";

/** As on the page, but that it finds its module here. */
class LocalElement extends WebChatElement {
  loaded = 0;
  isLost = false;

  async load() {
    if (this.isLost) throw new TypeError("Failed to fetch");
    this.loaded += 1;
    return hours;
  }
}
LocalElement.define();

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => {
  document.body.replaceChildren();
  mock.timers.reset();
});

const LABELS = '<b data-webchat-when="open" hidden>Chat</b><b data-webchat-when="closed">Leave a message</b>';
const shown = (chat) =>
  [...chat.querySelectorAll("[data-webchat-when]")].filter((label) => !label.hidden).map((label) => label.textContent);

/** A launcher as it was rendered while closed. */
function launcher(labels = "", { recalled = null } = {}) {
  sessionStorage.clear();
  if (recalled) sessionStorage.setItem("webchat:support:panel", recalled);
  const rendered = new DOMParser().parseFromString(markup, "text/html").querySelector("web-chat");
  const chat = document.createElement("web-chat");
  for (const { name, value } of rendered.attributes) chat.setAttribute(name, value);
  chat.innerHTML = rendered.innerHTML;
  chat.mode = "launcher";
  chat.hidden = !labels;
  chat.dataset.webchatHours = CHANGES;
  chat.insertAdjacentHTML("beforeend", labels);
  document.body.replaceChildren(chat);
  return chat;
}

async function pass(time) {
  mock.timers.tick(time);
  await settled();
}

for (const [at, isOpen] of [
  [0, false],
  [1.999, false],
  [2, true],
  [2.999, true],
  [3, false],
  [6, true],
  [1000, true],
]) {
  test(`${at} hours after the epoch the launcher knows whether it is open`, () => {
    assert.equal(hours.isOpenAt(CHANGES, at * HOUR), isOpen);
  });
}

test("a page that was rendered while open begins with its closing", () => {
  assert.deepEqual(
    [0, 1, 4].map((at) => hours.isOpenAt("60 180", at * HOUR)),
    [true, false, true],
  );
});

test("a launcher asks for nothing more until the first change", async () => {
  const chat = launcher();
  await pass(2 * HOUR - 1);
  assert.deepEqual([chat.hidden, chat.loaded], [true, 0]);
  await pass(1);
  assert.deepEqual([chat.hidden, chat.loaded], [false, 1]);
});

test("a page that comes from a cache later than its first change is right at once", async () => {
  mock.timers.setTime(2 * HOUR);
  const chat = launcher();
  await settled();
  assert.equal(chat.hidden, false);
});

test("a launcher without another label is there while it is open, without anybody's doing", async () => {
  const chat = launcher();
  const seen = [];
  for (let hour = 0; hour < 7; hour += 1) {
    seen.push(chat.hidden);
    await pass(HOUR);
  }
  assert.deepEqual(seen, [true, true, false, true, true, true, false]);
});

test("a launcher with another label changes it and stays", async () => {
  const chat = launcher(LABELS);
  assert.deepEqual([chat.hidden, shown(chat)], [false, ["Leave a message"]]);
  await pass(2 * HOUR);
  assert.deepEqual(shown(chat), ["Chat"]);
  await pass(HOUR);
  assert.deepEqual([chat.hidden, shown(chat)], [false, ["Leave a message"]]);
});

test("an open panel is not taken away, nor a chat that runs", async () => {
  for (const recalled of ["open", "minimised"]) {
    const chat = launcher("", { recalled });
    await pass(3 * HOUR);
    assert.equal(chat.hidden, false);
    mock.timers.setTime(0);
  }
});

test("a page that slept looks at the clock within a minute", async () => {
  const chat = launcher();
  await pass(MINUTE / 2);
  mock.timers.setTime(2 * HOUR + MINUTE);
  await pass(MINUTE);
  assert.equal(chat.hidden, false);
});

test("a file that does not come is asked for again", async () => {
  const chat = launcher();
  chat.isLost = true;
  await pass(2 * HOUR);
  chat.isLost = false;
  await pass(MINUTE);
  assert.equal(chat.hidden, false);
});

test("a launcher that has left its page is left alone", async () => {
  const chat = launcher();
  chat.remove();
  await pass(2 * HOUR);
  assert.deepEqual([chat.hidden, chat.loaded], [true, 0]);
});

/** What the server renders for an opening on a Monday morning, in the business's zone. */
function opening(zone) {
  document.body.innerHTML = `<div lang="en"><p><time datetime="2026-12-07T08:00:00Z" data-webchat-zone="${zone}"></time></p>
    <p data-webchat-own-time hidden>By your clock: <span data-webchat-own-words></span></p></div>`;
  enhance(document.querySelector("[data-webchat-own-time]"));
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
