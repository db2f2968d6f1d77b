import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { freshElement, templatesOf } from "./dom.mjs";

const { ConnectionNotice } = await import("../../static/webchat/chat/connection-notice.js");
const { EndDialog } = await import("../../static/webchat/chat/end-dialog.js");
const { People } = await import("../../static/webchat/chat/people.js");
const { Transcript } = await import("../../static/webchat/chat/transcript.js");
const { Alerts } = await import("../../static/webchat/chat/alerts.js");
const { Header } = await import("../../static/webchat/header.js");

const NAMES = { robin: "Robin", kim: "Kim", ada: "Ada King Lovelace", jo: "Jo Ng" };
let element;
let templates;
let view;

beforeEach(() => {
  element = freshElement();
  templates = templatesOf(element);
  view = element.querySelector("[data-webchat-view]");
  view.replaceChildren(templates.clone("chat"));
});

const found = (name, root = view) => root.querySelector(`[data-webchat-${name}]`);

// --- The connection --------------------------------------------------------------------------------------------

test("that it is being made is told only when it takes long", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const notice = new ConnectionNotice(view, templates, () => {});
  notice.show("connecting");
  t.mock.timers.tick(700);
  assert.equal(found("connection").textContent, "");
  notice.show("connected");
  t.mock.timers.tick(5000);
  assert.equal(found("connection").textContent, "");
  notice.show("connecting");
  t.mock.timers.tick(900);
  assert.equal(found("connection").textContent, "Connecting…");
});

test("a lost line is told, and for a moment that it is back", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const notice = new ConnectionNotice(view, templates, () => {});
  for (const [status, words] of [
    ["connected", ""],
    ["reconnecting", "The connection was lost. Reconnecting…"],
    ["offline", "You are offline. The chat goes on as soon as you are back."],
    ["connected", "You are connected again."],
  ]) {
    notice.show(status);
    assert.equal(found("connection").textContent, words);
    assert.equal(found("reconnect").hidden, true);
  }
  t.mock.timers.tick(4100);
  assert.equal(found("connection").textContent, "");
});

test("who cannot be reached can be tried again", () => {
  let tries = 0;
  const notice = new ConnectionNotice(view, templates, () => (tries += 1));
  notice.show("unreachable");
  assert.equal(found("connection").textContent, "We cannot reach the chat right now. Your text is kept.");
  assert.equal(found("reconnect").hidden, false);
  found("reconnect").querySelector("button").click();
  assert.equal(tries, 1);
  notice.clear();
  assert.equal(found("reconnect").hidden, true);
  assert.equal(found("connection").textContent, "");
});

// --- The people ------------------------------------------------------------------------------------------------

function peopleWith(header = new Header(element)) {
  const transcript = new Transcript(view, templates, {
    now: () => new Date(),
    nameOf: (identity) => NAMES[identity] ?? null,
    resend() {},
    older: () => null,
    loadFiles: async () => {},
    loadRichText: async () => import("../../static/webchat/chat/rich-text.js"),
  });
  return { transcript, people: new People(header, view, templates, transcript) };
}

test("until somebody comes, the visitor is asked to wait; afterwards they read who is there", () => {
  const { people, transcript } = peopleWith();
  people.isConnected = true;
  people.show();
  assert.equal(found("waiting").hidden, false);
  assert.equal(found("presence", element).hidden, true);
  people.presence("robin", true, new Date());
  people.presence("robin", true, new Date()); // told twice
  people.presence("kim", true, new Date());
  assert.equal(found("waiting").hidden, true);
  assert.equal(found("presence", element).textContent, "With Robin and Kim");
  people.presence("kim", false, null);
  assert.equal(found("presence", element).textContent, "With Robin");
  assert.deepEqual(
    transcript.timeline.entries.map(({ event, author }) => [event, author]),
    [
      ["joined", "robin"],
      ["joined", "kim"],
      ["left", "kim"],
    ],
  );
  people.end();
  assert.equal(found("presence", element).hidden, true);
  assert.equal(found("waiting").hidden, true);
});

test("agents stand in the logo's place by their initials, the rest is counted, and the line below the title is one", () => {
  const logo = document.createElement("img");
  logo.setAttribute("data-webchat-logo", "");
  element.querySelector(".webchat-header").prepend(logo);
  found("presence", element).dataset.webchatPresence = "We answer in minutes";
  const { people } = peopleWith();
  const pictures = () => [...found("people", element).children].map((one) => one.dataset.initials);
  people.show();
  assert.equal(found("presence", element).textContent, "We answer in minutes");
  assert.deepEqual([logo.hidden, found("people", element).hidden], [false, true]);
  for (const [who, shown] of [
    ["robin", ["R"]],
    ["nameless", ["R"]],
    ["kim", ["R", "K"]],
    ["ada", ["R", "K", "AL"]],
    ["jo", ["R", "K", "+2"]],
  ]) {
    people.presence(who, true, new Date());
    assert.deepEqual(pictures(), shown);
  }
  const { innerWidth } = globalThis;
  Object.defineProperty(globalThis, "innerWidth", { value: 320, configurable: true });
  people.show(); // so that the title has room for a word
  Object.defineProperty(globalThis, "innerWidth", { value: innerWidth, configurable: true });
  assert.deepEqual(pictures(), ["R", "+3"]);
  assert.deepEqual([logo.hidden, found("people", element).hidden], [true, false]);
  assert.equal(found("people", element).getAttribute("aria-hidden"), "true"); // their names are in the line
  assert.match(found("presence", element).textContent, /^With Robin, Our team, Kim, /);
  people.end();
  assert.deepEqual([logo.hidden, found("people", element).hidden], [false, true]);
  assert.equal(found("presence", element).textContent, "We answer in minutes");
});

test("several who type are several, and nobody types who has left", () => {
  const { people } = peopleWith();
  for (const who of ["robin", "kim"]) {
    people.presence(who, true, new Date());
    people.typing(who, true);
  }
  assert.equal(found("typing-text").textContent, "Robin and Kim are typing…");
  people.presence("kim", false, null);
  assert.equal(found("typing-text").textContent, "Robin is typing…");
  people.typing("kim", true); // told late
  assert.equal(found("typing-text").textContent, "Robin is typing…");
  people.presence("kim", true, new Date());
  people.typing("kim", true);
  assert.equal(found("typing-text").textContent, "Robin and Kim are typing…");
});

test("typing is shown at once, and read out only when it lasts", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { people } = peopleWith();
  people.typing("robin", true);
  assert.equal(found("typing").hidden, false);
  assert.equal(found("typing-text").textContent, "Robin is typing…");
  assert.equal(found("typing-status").textContent, "");
  people.typing("robin", false);
  t.mock.timers.tick(3000);
  assert.equal(found("typing").hidden, true);
  assert.equal(found("typing-status").textContent, "");
  const told = new MutationObserver(() => {});
  told.observe(found("typing-status"), { childList: true });
  for (let keystroke = 0; keystroke < 4; keystroke += 1) {
    people.typing("robin", true);
    t.mock.timers.tick(900);
  }
  assert.equal(told.takeRecords().length, 1);
  assert.equal(found("typing-status").textContent, "Robin is typing…");
  people.presence("robin", true, new Date());
  people.presence("robin", false, null); // who leaves types no more
  assert.equal(found("typing").hidden, true);
});

// --- Notifications ---------------------------------------------------------------------------------------------

test("notifications are offered only where they can be shown", (t) => {
  const Works = Object.assign(function works() {}, { permission: "default" });
  const ofWorkersAlone = () => {
    throw new TypeError("Illegal constructor. Use ServiceWorkerRegistration.showNotification() instead.");
  };
  const OfWorkersAlone = Object.assign(new Proxy(class {}, { construct: ofWorkersAlone }), { permission: "default" });
  const Denied = Object.assign(function denied() {}, { permission: "denied" });
  t.after(() => delete globalThis.Notification);
  for (const [Notification, offered] of [
    [Works, true],
    [OfWorkersAlone, false],
    [Denied, false],
    [undefined, false],
  ]) {
    if (Notification) Object.assign(globalThis, { Notification });
    else delete globalThis.Notification;
    const options = templates.element("options");
    const host = { slug: "support", recall: () => null, remember() {} };
    new Alerts(host, options, templates, "Chat with us");
    assert.equal(!found("notify-row", options).hidden, offered, Notification?.name);
  }
});

test("the options stand in the header while the chat runs", () => {
  const header = new Header(element);
  const options = templates.element("options");
  header.offerEnd(() => {}, options);
  assert.equal(found("end", element).previousElementSibling, options);
  header.clear();
  assert.equal(found("options", element), null);
});

// --- The end ---------------------------------------------------------------------------------------------------

function dialogWith(confirmed = async () => {}) {
  const asked = [];
  return { asked, dialog: new EndDialog(view, templates, { asked: (asking) => asked.push(asking), confirmed }) };
}

test("the question whether to end can be taken back, by Escape too", () => {
  const { dialog, asked } = dialogWith();
  dialog.ask(true);
  assert.equal(document.activeElement, found("confirm-keep"));
  const pressed = new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true });
  found("confirm").dispatchEvent(pressed);
  assert.ok(pressed.defaultPrevented); // else the panel would be minimised as well
  assert.equal(found("confirm").hidden, true);
  dialog.ask(true);
  found("confirm-keep").click();
  assert.deepEqual(asked, [true, false, true, false]);
});

test("an end that fails is told, and can be tried again, but not twice at once", async () => {
  const waiting = [];
  const { dialog } = dialogWith(() => new Promise((_, reject) => waiting.push(reject)));
  dialog.ask(true);
  found("confirm-end").click();
  found("confirm-end").click();
  assert.equal(waiting.length, 1);
  waiting[0]({ code: "network" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.match(found("confirm-problem").textContent, /We could not be reached/);
  found("confirm-end").click();
  assert.equal(waiting.length, 2);
});

test("after the end the focus goes to the sentence, from the chat or from a button that Safari gives none", () => {
  const outside = document.createElement("button");
  document.body.append(outside);
  for (const [focused, moves] of [
    [found("confirm-end"), true],
    [document.body, true],
    [outside, false],
  ]) {
    const { dialog } = dialogWith();
    dialog.ask(true);
    document.activeElement.blur();
    focused.focus();
    found("ended-text").setAttribute("role", "status");
    dialog.show("", { isNews: true });
    assert.equal(document.activeElement === found("ended-text"), moves);
    assert.equal(found("ended-text").hasAttribute("role"), !moves);
    assert.equal(found("ended-text").textContent, "This chat has ended.");
  }
});

// --- The header ------------------------------------------------------------------------------------------------

test("End chat is offered as long as there is something to end, to one chat at a time", () => {
  const ended = [];
  const header = new Header(element);
  assert.equal(found("end", element).hidden, true);
  header.offerEnd(() => ended.push(1));
  header.offerEnd(() => ended.push(2));
  assert.equal(found("end", element).hidden, false);
  found("end", element).click();
  header.clear();
  found("end", element).click();
  assert.deepEqual(ended, [2]);
  assert.equal(found("end", element).hidden, true);
});
