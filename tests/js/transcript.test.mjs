import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { freshElement, settled, templatesOf } from "./dom.mjs";

const { Transcript } = await import("../../static/webchat/chat/transcript.js");

const NAMES = { robin: "Robin Ray" };
let transcript;
let view;
let resent;
let pages;
let loadFiles;
let loadRichText;
let now;

beforeEach(() => {
  const templates = templatesOf(freshElement());
  view = document.querySelector("[data-webchat-view]");
  view.replaceChildren(templates.clone("chat"));
  resent = [];
  pages = [];
  now = new Date();
  loadFiles = async () => import("../../static/webchat/chat/received-files.js");
  loadRichText = async () => import("../../static/webchat/chat/rich-text.js");
  transcript = new Transcript(view, templates, {
    now: () => new Date(now),
    nameOf: (identity) => NAMES[identity] ?? null,
    resend: (entry) => resent.push(entry),
    older: () => pages.shift() ?? null,
    loadFiles: () => loadFiles(),
    loadRichText: () => loadRichText(),
  });
});

const entry = (index, values = {}) => ({
  kind: "message",
  index,
  clientId: null,
  author: "robin",
  own: false,
  at: new Date(2026, 0, 5, 12, 0, index ?? 59),
  text: `Message ${index}`,
  status: "sent",
  ...values,
});
const own = (index, values = {}) => entry(index, { author: "me", own: true, ...values });
const items = () => [...transcript.list.children];
const texts = () => items().map((item) => item.querySelector("[data-webchat-text]").textContent);
const shown = (item, name) => {
  const found = item.querySelector(`[data-webchat-${name}]`);
  return found.hidden ? null : found.textContent.replace(/\s+/g, " ").trim();
};

test("messages stand in Twilio's order, each once, however they arrive", () => {
  transcript.add([entry(2), entry(0)]);
  assert.deepEqual(
    transcript.add([entry(1), entry(2)]).map(({ index }) => index),
    [1],
  );
  assert.deepEqual(texts(), ["Message 0", "Message 1", "Message 2"]);
});

test("an echo becomes the message that was sent, and is not drawn again", () => {
  transcript.add([own(null, { clientId: "1-2", text: "Hello", status: "sending" })]);
  const [item] = items();
  assert.equal(shown(item, "delivery"), "Sending…");
  transcript.add([own(0, { clientId: "1-2", text: "Hello" })]);
  assert.deepEqual(items(), [item]);
  assert.equal(shown(item, "delivery"), null);
});

/** Until what draws more than words has come, and the messages with it. */
const drawn = () => import("../../static/webchat/chat/rich-text.js").then(settled);

test("what somebody writes is text, and only web addresses become links", async () => {
  transcript.add([entry(0, { text: "<img src=x onerror=alert(1)> https://example.com/a?b=1. javascript:alert(1)" })]);
  const text = items()[0].querySelector("[data-webchat-text]");
  await drawn();
  assert.equal(text.querySelector("img"), null);
  assert.match(text.textContent, /^<img src=x onerror=alert\(1\)> /);
  const links = [...text.querySelectorAll("a")];
  assert.deepEqual(
    links.map((link) => [link.getAttribute("href"), link.getAttribute("rel"), link.target]),
    [["https://example.com/a?b=1", "noopener noreferrer nofollow", "_blank"]],
  );
});

test("agents' Markdown is drawn, the visitor's is not, and none where staff want it so", async () => {
  transcript.add([entry(0, { text: "**bold**" }), own(1, { text: "**bold**" }), own(2, { text: "👍" })]);
  assert.deepEqual(texts(), ["**bold**", "**bold**", "👍"]);
  await drawn();
  assert.deepEqual(texts(), ["bold", "**bold**", "👍"]);
  assert.equal(items()[0].querySelector("strong").textContent, "bold");
  assert.equal(items()[2].querySelector(".webchat-emoji").textContent, "👍");
  delete transcript.log.dataset.markdown;
  transcript.add([entry(3, { text: "**bold**" })]);
  assert.deepEqual(texts().at(-1), "**bold**");
});

test("what draws more than words is fetched only for more than words, as often as it takes", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  const real = await import("../../static/webchat/chat/rich-text.js");
  loadRichText = async () => {
    asked += 1;
    if (asked < 3) throw new TypeError("Failed to fetch");
    return real;
  };
  transcript.add([entry(0, { text: "Hello, 5 days - from 2026. on?" })]);
  assert.equal(asked, 0);
  transcript.add([entry(1, { text: "*Hello*" }), entry(2, { text: "*again*" })]);
  for (let pause = 0; pause < 2; pause += 1) {
    await settled();
    t.mock.timers.tick(30_000);
  }
  await settled();
  assert.equal(asked, 3);
  assert.deepEqual(texts(), ["Hello, 5 days - from 2026. on?", "Hello", "again"]);
});

test("a name stands once over what its owner says in a row, and becomes known later", () => {
  transcript.add([entry(0), entry(1), own(2), entry(3, { author: "kim" })]);
  assert.deepEqual(
    items().map((item) => item.classList.contains("webchat-grouped")),
    [false, true, false, false],
  );
  assert.deepEqual(
    items().map((item) => shown(item, "author")),
    ["Robin Ray", "Robin Ray", "You", "Our team"],
  );
  assert.equal(items()[0].querySelector("[data-webchat-initials]").dataset.initials, "RR");
  NAMES.kim = "Kim";
  transcript.rename();
  delete NAMES.kim;
  assert.equal(shown(items()[3], "author"), "Kim");
});

test("each day has its date, once", () => {
  transcript.add([entry(0), entry(1), entry(2, { at: new Date(2026, 0, 6, 9) })]);
  const days = items().map((item) => shown(item, "day"));
  assert.match(days[0], /5/);
  assert.equal(days[1], null);
  assert.match(days[2], /6/);
});

test("only the last of the visitor's messages that an agent has seen is marked as read", () => {
  transcript.add([own(0), own(1), own(2)]);
  transcript.showSeen(1);
  assert.deepEqual(
    items().map((item) => shown(item, "delivery")),
    [null, "Read", null],
  );
  transcript.showSeen(0); // late news changes nothing
  transcript.showSeen(2);
  assert.deepEqual(
    items().map((item) => shown(item, "delivery")),
    [null, null, "Read"],
  );
});

test("a message that was not sent can be sent again", () => {
  const failed = own(null, { clientId: "1", status: "failed" });
  transcript.add([failed]);
  const [item] = items();
  assert.equal(shown(item, "delivery"), "Not sent. Try again");
  assert.ok(item.classList.contains("webchat-failed"));
  item.querySelector("[data-webchat-resend]").click();
  assert.deepEqual(resent, [failed]);
  failed.status = "sent";
  transcript.update(failed);
  assert.equal(shown(item, "delivery"), null);
  assert.ok(!item.classList.contains("webchat-failed"));
});

test("an upload can be called off, and leaves nothing", () => {
  let cancelled = 0;
  const sending = own(null, { clientId: "1", status: "sending", files: [], cancel: () => (cancelled += 1) });
  transcript.add([sending]);
  sending.files = [{ name: "a.png", type: "image/png", url: async () => null }];
  transcript.update(sending);
  items()[0].querySelector("[data-webchat-cancel]").click();
  assert.equal(cancelled, 1);
  transcript.remove(sending);
  assert.deepEqual(items(), []);
});

test("where the reader stopped is marked, until they answer", () => {
  transcript.add([entry(0), entry(1), entry(2)]);
  transcript.markUnread(0);
  assert.deepEqual(
    items().map((item) => shown(item, "divider")),
    [null, "New messages", null],
  );
  transcript.markUnread(null);
  assert.deepEqual(
    items().map((item) => shown(item, "divider")),
    [null, null, null],
  );
});

test("who came and went is told in a line", () => {
  transcript.add([entry(null, { kind: "event", event: "joined", text: "" })]);
  transcript.add([entry(null, { kind: "event", event: "left", text: "" })]);
  assert.deepEqual(texts(), ["Robin Ray has joined the chat", "Robin Ray has left the chat"]);
});

test("only what happens now moves: history does not", async () => {
  transcript.fill([entry(0)]);
  await new Promise((resolve) => requestAnimationFrame(resolve));
  transcript.add([entry(1)]);
  assert.deepEqual(
    items().map((item) => item.classList.contains("webchat-arriving")),
    [false, true],
  );
});

test("a file's own size stands beside the bar that shows that it is on its way", () => {
  const file = { name: "a.png", type: "image/png", url: async () => null, size: "12 kB" };
  transcript.add([own(null, { clientId: "1", status: "sending", files: [file] })]);
  assert.ok(items()[0].querySelector("progress"));
  assert.equal(shown(items()[0], "delivery"), "12 kB Cancel");
});

test("history is put in without being read out", async () => {
  transcript.fill([entry(0)]);
  assert.equal(transcript.log.getAttribute("aria-busy"), "true");
  await new Promise((resolve) => requestAnimationFrame(resolve));
  assert.equal(transcript.log.getAttribute("aria-busy"), "false");
});

test("earlier pages are loaded one after the other, and a failure is told", async () => {
  transcript.add([entry(4)]);
  pages = [Promise.resolve([entry(2), entry(3)]), Promise.resolve([entry(0), entry(1)])];
  await transcript.loadAll();
  assert.deepEqual(texts(), ["Message 0", "Message 1", "Message 2", "Message 3", "Message 4"]);
  pages = [Promise.reject(new Error("lost"))];
  await assert.rejects(transcript.loadAll(), /lost/);
  assert.equal(transcript.log.querySelector("[data-webchat-older]").hidden, true);
});

test("files are shown as soon as their module comes, however often it has to be asked for", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  const real = await import("../../static/webchat/chat/received-files.js");
  loadFiles = async () => {
    asked += 1;
    if (asked < 3) throw new TypeError("Failed to fetch");
    return real;
  };
  transcript.add([entry(0, { files: [{ name: "bill.pdf", type: "application/pdf", url: async () => "https://x/" }] })]);
  const place = items()[0].querySelector("[data-webchat-files]");
  for (let pause = 0; pause < 2; pause += 1) {
    await settled();
    assert.equal(place.childElementCount, 0);
    t.mock.timers.tick(30_000);
  }
  await settled();
  assert.equal(asked, 3);
  assert.match(place.textContent, /bill\.pdf/);
});

const days = () => items().map((item) => shown(item, "day"));

test("at midnight Today becomes Yesterday", () => {
  now = new Date(2026, 0, 5, 23, 59);
  transcript.add([entry(0, { at: now })]);
  assert.deepEqual(days(), ["today"]);
  now = new Date(2026, 0, 6, 0, 1);
  transcript.add([entry(1, { at: now })]);
  assert.deepEqual(days(), ["yesterday", "today"]);
  now = new Date(2026, 0, 7, 9, 0);
  transcript.shown();
  assert.deepEqual(days(), ["Monday, January 5", "yesterday"]);
});

test("a day that has not come yet is called by its date", () => {
  now = new Date(2026, 0, 3, 12, 0);
  transcript.add([entry(0)]);
  assert.deepEqual(days(), ["Monday, January 5"]);
});

test("a message without words says so, and one with a file needs none", () => {
  transcript.add([
    entry(0, { text: "" }),
    entry(1, { text: " \u200b\n" }),
    entry(2, { text: "", files: [{ name: "a.pdf", type: "application/pdf", url: async () => null }] }),
    entry(3, { text: "\u{1f44d}\u200d" }),
    entry(4, { text: "\u2800\u3164\ufe0f" }), // letters that are drawn as nothing
  ]);
  const words = "This message cannot be shown here.";
  assert.deepEqual(texts(), [words, words, "", "\u{1f44d}\u200d", words]);
});
