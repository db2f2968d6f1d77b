import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { markup, settled } from "./dom.mjs";
import { makeSdk, TwilioConversation } from "./twilio.mjs";

const { WebChatElement } = await import("../../static/webchat/web-chat-element.js");

const MODULES = {
  panel: "panel.js",
  refill: "refill.js",
  chat: "chat/chat.js",
  afterwards: "chat/afterwards.js",
  "outgoing-files": "chat/outgoing-files.js",
};
const SESSION = "7b1e2a34-0000-4000-8000-000000000001";
const CREDENTIALS = {
  session_id: SESSION,
  api: "conversations",
  channel_sid: "CH1",
  identity: "visitor",
  token: "t",
  expires_at: "2026-01-01T00:00:00Z",
  expires_in: 3600,
  region: "us1",
  sdk_options: {},
};

/** As on the page, but that modules come from the disk, and Twilio's SDK never: nothing here talks to Twilio. */
class LocalElement extends WebChatElement {
  lost = new Set(["sdk"]);
  slow = new Set();

  fetchModule(name) {
    if (this.slow.has(name)) return new Promise(() => {});
    return this.lost.has(name) ? Promise.reject(new TypeError("Failed to fetch")) : Promise.resolve(MODULES[name]);
  }

  async load(name) {
    return import(`../../static/webchat/${await this.fetchModule(name)}`);
  }
}

let server;
let answers;
let requests;
let element;
let events;
let shows = 0;
const form = new DOMParser().parseFromString(markup, "text/html").querySelector("[data-webchat-state]").outerHTML;
const realFetch = globalThis.fetch;

before(async () => {
  LocalElement.define();
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const answer = answers.find(([start]) => `${request.method} ${request.url}`.startsWith(start));
    const [, status, body] = answer ?? ["", 500, "{}"];
    // A connection that is kept may be closed just as it is taken again.
    response
      .writeHead(status, { "Content-Type": "text/html", Connection: "close" })
      .end(typeof body === "function" ? body() : body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  globalThis.fetch = (address, init) => realFetch(new URL(address, origin), init);
});
after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  requests = [];
  sessionStorage.clear();
  localStorage.clear();
  answers = [["GET /webchat/support/panel/", 200, () => form]];
});
afterEach(() => element.remove());

/** The element on a page, in a mode. Each has a slug of its own: what the one before still says to its tabs is not for it. */
function show(mode, prepare = () => {}) {
  shows += 1;
  const holder = document.createElement("div");
  holder.innerHTML = markup;
  element = holder.firstElementChild;
  element.setAttribute("mode", mode);
  element.setAttribute("slug", `chat-${shows}`);
  if (mode !== "page") found("content").replaceChildren();
  events = [];
  for (const name of ["opening", "opened", "started", "ending", "ended", "error"]) {
    element.addEventListener(`web-chat:${name}`, (event) => events.push([name, event.detail]));
  }
  prepare();
  document.body.replaceChildren(holder);
  return element;
}

/** Waits until the page says so. */
async function until(condition) {
  for (let attempt = 0; attempt < 1000; attempt += 1) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail(`never true: ${condition}`);
}

const found = (name) => element.querySelector(`[data-webchat-${name}]`);
const names = () => events.map(([name]) => name);

async function startChat({ question = "", ...typed } = {}) {
  answers.push(["POST /api/webchat/support/sessions/", 201, JSON.stringify(CREDENTIALS)]);
  show("inline").open();
  await until(() => found("form"));
  for (const [name, value] of Object.entries({ question, ...typed }))
    found("form").elements.namedItem(name).value = value;
  found("form").dispatchEvent(new Event("submit", { cancelable: true }));
  await until(() => found("reconnect") && !found("reconnect").hidden);
}

/** A page with a running chat in it. Resolves to the client of Twilio's SDK that it made. */
async function openRunningChat() {
  const sdk = makeSdk();
  answers = [["GET /webchat/support/panel/", 200, () => panelIs("running")]];
  answers.push(["GET /api/webchat/support/sessions/current/", 200, JSON.stringify(CREDENTIALS)]);
  show("inline");
  const { load } = element;
  element.load = (name) => (name === "sdk" ? sdk.load() : load.call(element, name));
  element.open();
  await until(() => sdk.clients.length);
  return sdk.clients[0];
}

test("a page that came with its form takes it, and asks the server for nothing", async () => {
  show("page");
  await until(() => found("form")?.noValidate);
  assert.deepEqual(requests, []);
});

test("an element that opens fetches its panel, and says when it cannot", async () => {
  answers = [["GET /webchat/support/panel/", 503, "<h1>Oops</h1>"]];
  show("inline").open();
  await until(() => found("retry"));
  assert.match(found("content").textContent, /The chat could not be loaded\./);
  assert.deepEqual(events, [
    ["opening", {}],
    ["opened", {}],
    ["error", { code: "load_failed" }],
  ]);
  answers = [["GET /webchat/support/panel/", 200, () => form]];
  found("retry").click();
  await until(() => found("form"));
});

test("a script that is lost is asked for again", async () => {
  show("inline").lost.add("panel");
  element.open();
  await until(() => found("retry"));
  element.lost.delete("panel");
  found("retry").click();
  await until(() => found("form"));
});

test("an opening that the page cancels opens nothing and leaves no trace", async () => {
  show("inline").addEventListener("web-chat:opening", (event) => event.preventDefault());
  await element.open();
  assert.equal(element.isOpen, false);
  assert.deepEqual(requests, []);
  assert.deepEqual(names(), ["opening"]);
  assert.equal(sessionStorage.length, 0);
});

test("attributes and properties are one", () => {
  show("inline");
  assert.deepEqual([element.slug, element.mode, element.src], [`chat-${shows}`, "inline", "/webchat/support/panel/"]);
  element.slug = "sales";
  element.setAttribute("src", "/webchat/sales/panel/");
  assert.deepEqual([element.getAttribute("slug"), element.src], ["sales", "/webchat/sales/panel/"]);
});

test("a panel that is minimised gives its focus to the launcher, also where Safari on a Mac gave it to the page", async () => {
  const focuses = [() => found("title").focus(), () => document.activeElement.blur(), (other) => other.focus()];
  for (const focus of focuses) {
    show("launcher", () => {
      element.insertAdjacentHTML("afterbegin", "<a data-webchat-link></a><button data-webchat-launcher></button>");
    });
    const other = document.createElement("button");
    document.body.append(other);
    await element.open();
    focus(other);
    const before = document.activeElement;
    await element.close();
    assert.equal(document.activeElement, before === other ? other : found("launcher"));
    element.remove();
  }
});

test("the open panel takes what a phone's keyboard leaves in sight", async () => {
  // As iOS tells it. A text stands in for the viewport: it hears events, and has no sizes of its own.
  const viewport = Object.assign(document.createTextNode(""), { height: 700, offsetTop: 0, scale: 1 });
  const tell = (type, values) => {
    Object.assign(viewport, values);
    viewport.dispatchEvent(new Event(type));
    return ["--webchat-viewport", "--webchat-viewport-top"].map((name) => element.style.getPropertyValue(name));
  };
  globalThis.visualViewport = viewport;
  try {
    show("inline").open();
    await until(() => found("form"));
    assert.deepEqual(tell("resize", { height: 400, offsetTop: 120 }), ["400px", "120px"]);
    assert.deepEqual(tell("scroll", { offsetTop: 150 }), ["400px", "150px"]);
    assert.deepEqual(tell("resize", { height: 200, offsetTop: 90, scale: 2 }), ["400px", "150px"], "a visitor zooms");
  } finally {
    delete globalThis.visualViewport;
  }
});

test("another src shows another panel, even while the first is on its way", async () => {
  answers.push(["GET /webchat/sales/panel/", 200, () => form.replaceAll("/webchat/support/", "/webchat/sales/")]);
  show("inline").open();
  element.src = "/webchat/sales/panel/";
  await until(() => found("form"));
  await settled();
  assert.equal(found("form").getAttribute("action"), "/webchat/sales/");
  assert.equal(element.querySelectorAll("[data-webchat-state]").length, 1);
  assert.deepEqual(names(), ["opening", "opened"]);
});

test("a start leads into the chat, even if Twilio's SDK does not come", async () => {
  await startChat();
  assert.equal(found("form"), null);
  assert.equal(found("end").hidden, false);
  assert.deepEqual(events.find(([name]) => name === "started")[1], { session_id: SESSION });
});

test("an attempt to connect that another has taken over says nothing any more", async (t) => {
  await startChat();
  const again = () => found("reconnect").querySelector("button").click();
  const errors = () => names().filter((name) => name === "error").length;
  const before = errors();
  element.slow.add("sdk");
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const pass = async (ms) => {
    t.mock.timers.tick(ms);
    await settled();
  };
  try {
    again();
    await pass(5000);
    assert.equal(found("reconnect").hidden, true);
    again();
    await pass(10_000); // the patience with the first would end here
    assert.equal(found("reconnect").hidden, true);
    await pass(5000);
    assert.equal(found("reconnect").hidden, false, "the patience with the second has ended");
    again();
    await pass(1000); // the first has failed here
    await pass(4000); // and the second
    assert.equal(found("reconnect").hidden, true);
    assert.equal(errors(), before);
    await pass(15_000);
    assert.equal(found("reconnect").hidden, false);
    assert.equal(errors(), before + 1, "the newest is told of");
  } finally {
    t.mock.timers.reset(); // the element leaves the page by a timer
  }
});

test("a chat that has left the page says nothing any more", async (t) => {
  await startChat();
  element.slow.add("sdk");
  t.mock.timers.enable({ apis: ["setTimeout"] });
  try {
    found("reconnect").querySelector("button").click();
    const view = found("view");
    element.remove();
    t.mock.timers.tick(1000); // until it is taken to have gone for good
    element.replaceChildren(); // its words with it
    t.mock.timers.tick(15_000);
    await settled();
    assert.equal(view.querySelector("[data-webchat-reconnect]").hidden, true);
  } finally {
    t.mock.timers.reset();
  }
});

const written = () =>
  [...found("messages").children].map((item) => [
    item.querySelector("[data-webchat-text]").textContent,
    item.querySelector("[data-webchat-delivery]").textContent.trim(),
  ]);

function send(text) {
  found("message").value = text;
  found("composer").dispatchEvent(new Event("submit", { cancelable: true }));
}

test("the question is shown at once as being sent; without one nothing is", async () => {
  await startChat({ question: "Where is my parcel?" });
  assert.deepEqual(written(), [["Where is my parcel?", "Sending…"]]);
  element.remove();
  await startChat();
  assert.deepEqual(written(), []);
});

test("what still waits behind the question is kept for the next page", async () => {
  await startChat({ question: "Where is my parcel?" });
  send("It is blue.");
  send("And heavy.");
  await settled();
  assert.deepEqual(written().slice(1), [
    ["It is blue.", "Sending…"],
    ["And heavy.", "Sending…"],
  ]);
  const [session, unsent] = JSON.parse(element.recall("unsent"));
  assert.equal(session, SESSION);
  assert.deepEqual(
    unsent.map(([, text]) => text),
    ["It is blue.", "And heavy."],
  );
});

test("an upload is called off at once, even while there is no line for it", async () => {
  await startChat();
  element.slow.add("sdk");
  found("reconnect").querySelector("button").click();
  await until(() => !found("attach").hidden);
  const files = [new File(["x"], "bill.png", { type: "image/png" })];
  found("view").dispatchEvent(Object.assign(new Event("drop"), { dataTransfer: { types: ["Files"], files } }));
  send("Here it is.");
  await until(() => found("cancel"));
  found("cancel").click();
  await settled();
  assert.equal(found("messages").childElementCount, 0);
  assert.equal(found("message").value, "Here it is.");
});

test("an end is told to the page first, which may cancel it, and to our server once", async () => {
  await startChat();
  answers.unshift([`POST /api/webchat/sessions/${SESSION}/end/`, 200, "{}"]);
  let isVetoed = true;
  element.addEventListener("web-chat:ending", (event) => isVetoed && event.preventDefault());
  await element.end();
  assert.ok(!requests.some((request) => request.endsWith("/end/")));
  isVetoed = false;
  await element.end();
  await element.end();
  assert.equal(requests.filter((request) => request.endsWith("/end/")).length, 1);
  assert.deepEqual(events.slice(-2), [
    ["ending", { session_id: SESSION }],
    ["ended", { session_id: SESSION, by: "visitor" }],
  ]);
  assert.equal(found("end").hidden, true);
  assert.equal(found("ended").hidden, false);
});

const panelIs = (state) => form.replace('data-webchat-state="form"', `data-webchat-state="${state}"`);
const mark = () => localStorage.getItem(`webchat:${element.slug}:panel`);

/** The same page in the same tab, loaded again. */
async function reload() {
  const { slug } = element;
  show("inline", () => element.setAttribute("slug", slug)).open();
  await until(() => found("ended") || found("form"));
  await settled();
}

async function endChat() {
  answers.unshift([`POST /api/webchat/sessions/${SESSION}/end/`, 200, "{}"]);
  await element.end();
}

test("the end takes no word, and the next chat is offered it, below what was said", async () => {
  await startChat({ question: "Where is my parcel?" });
  found("message").value = "half a sent";
  found("message").dispatchEvent(new Event("input", { bubbles: true }));
  found("message").focus();
  await endChat();
  assert.equal(document.activeElement, found("ended-text"));
  assert.deepEqual([found("kept").hidden, found("kept-text").value], [false, "half a sent"]);
  assert.equal(element.recall("draft"), null);
  found("new").click();
  await until(() => found("form"));
  await until(() => found("form").elements.namedItem("question").value === "half a sent");
  assert.equal(found("view").firstElementChild, found("log"));
  assert.match(found("log").textContent, /Where is my parcel\?/);
});

test("the next form is there to be written in before what fills it comes, which leaves alone what was written", async () => {
  await startChat({ question: "Where is my parcel?", name: "José", email: "jose@example.com" });
  found("message").value = "half a sent";
  await endChat();
  let bringRefill;
  const { load } = element;
  element.load = (name) =>
    name === "refill"
      ? new Promise((resolve) => (bringRefill = () => resolve(load.call(element, name))))
      : load.call(element, name);
  found("new").click();
  await until(() => found("form"));
  await settled();
  const field = (name) => found("form").elements.namedItem(name);
  assert.deepEqual([field("question").value, field("name").value], ["half a sent", ""]);
  assert.equal(document.activeElement, field("name"));
  field("name").value = "Josephine";
  field("question").value = "half a sentence";
  field("question").focus();
  bringRefill();
  await until(() => field("email").value === "jose@example.com");
  assert.deepEqual([field("question").value, field("name").value], ["half a sentence", "Josephine"]);
  assert.equal(document.activeElement, field("question"));
});

test("a next form that did not come takes what was not sent, once it does", async () => {
  await startChat({ name: "José" });
  found("message").value = "half a sent";
  await endChat();
  const [panel] = answers.splice(
    answers.findIndex(([start]) => start === "GET /webchat/support/panel/"),
    1,
  );
  found("new").click();
  await until(() => found("retry"));
  answers.push(panel);
  found("retry").click();
  await until(() => found("form")?.elements.namedItem("name").value === "José");
  assert.equal(found("form").elements.namedItem("question").value, "half a sent");
});

test("a chat that has ended is there after a reload, until another begins", async () => {
  await startChat({ question: "Where is my parcel?" });
  await endChat();
  await reload();
  await until(() => found("ended") && !found("ended").hidden);
  assert.match(found("log").textContent, /Where is my parcel\?/);
  assert.equal(found("composer").hidden, true);
  assert.equal(requests.filter((request) => request.startsWith("POST /api/webchat/support/")).length, 1);
  found("new").click();
  await until(() => found("form"));
  found("form").dispatchEvent(new Event("submit", { cancelable: true }));
  await until(() => found("composer") && !found("composer").hidden);
  assert.equal(element.recall("past"), null);
});

test("files that were chosen and not sent are named when the chat ends, and after a reload", async () => {
  await startChat();
  await until(() => !found("attach").hidden);
  const files = ["a.pdf", "b.pdf"].map((name) => new File(["content"], name));
  found("view").dispatchEvent(Object.assign(new Event("drop"), { dataTransfer: { types: ["Files"], files } }));
  await endChat();
  const last = () => found("messages").lastElementChild?.textContent ?? "";
  assert.equal(found("chosen").hidden, true);
  assert.match(last(), /Not sent\./);
  await reload();
  await until(() => found("ended") && !found("ended").hidden);
  assert.match(last(), /Attached file: a\.pdf\s+Attached file: b\.pdf\s+Not sent\./);
});

test("an agent's name that Twilio tells after the end is kept with what was said", async () => {
  const client = await openRunningChat();
  answers.push([`POST /api/webchat/sessions/${SESSION}/end/`, 200, "{}"]);
  const said = { index: 0, author: "robin", body: "On its way", dateCreated: new Date(), attributes: {} };
  client.conversations.CH1 = Object.assign(new TwilioConversation([said]), { state: { current: "closed" } });
  let tell;
  client.getUser = () => new Promise((resolve) => (tell = resolve));
  client.start();
  await until(() => names().includes("ended"));
  tell({ friendlyName: "Robin" });
  await settled();
  answers = [["GET /webchat/support/panel/", 200, () => form]];
  await reload();
  await until(() => found("messages")?.textContent.includes("On its way"));
  assert.match(found("messages").textContent, /Robin/);
});

test("what was written after the page was left is read from our server, once the chat is over", async () => {
  const client = await openRunningChat();
  const at = new Date();
  const said = (index, author, body) => ({ index, author, body, dateCreated: at, attributes: {} });
  client.conversations.CH1 = new TwilioConversation([said(40, "visitor", "Hello?"), said(41, "robin", "One moment")]);
  client.getUser = async () => ({ friendlyName: "Robin" });
  client.start();
  await until(() => found("messages")?.textContent.includes("Robin"));
  send("It is blue."); // arrives, and the page goes before it hears so
  await settled();
  const [[, clientId]] = JSON.parse(element.recall("unsent"))[1].map(([id]) => [null, id]);
  element.remove();
  await until(() => element.recall("past"));

  const written = (index, author, text, more) => ({
    ...{ index, author, text, own: author === "visitor", client_id: "", at: at.toISOString(), files: [] },
    ...more,
  });
  const pages = [
    { messages: [written(0, "visitor", "Anybody?"), written(41, "robin", "One moment")], next: "1~PT" },
    {
      messages: [
        written(42, "visitor", "It is blue.", { client_id: clientId }),
        written(43, "robin", "", { files: ["bill.pdf"] }),
        written(44, "kim", "Bye"),
      ],
      next: "",
    },
  ];
  const address = `GET /api/webchat/sessions/${SESSION}/messages/?place=`;
  answers = [["GET /webchat/support/panel/", 200, () => form]];
  answers.push([`${address}1%7EPT`, 200, JSON.stringify(pages[1])], [address, 200, JSON.stringify(pages[0])]);
  await reload();
  await until(() => found("messages")?.textContent.includes("Bye"));
  const shown = [...found("messages").querySelectorAll(".webchat-message")].map((item) =>
    ["author", "text", "delivery"].map((name) => item.querySelector(`[data-webchat-${name}]`).textContent.trim()),
  );
  assert.deepEqual(shown, [
    ["You", "Anybody?", ""],
    ["You", "Hello?", ""],
    ["Robin", "One moment", ""],
    ["You", "It is blue.", ""],
    ["Robin", "Attached file: bill.pdf", ""],
    ["Our team", "Bye", ""],
  ]);
});

test("Escape closes the options first, wherever the focus is, and a click elsewhere does", async () => {
  await startChat();
  const summary = found("options").querySelector("summary");
  // Whether it goes on to the panel, which it minimises.
  const press = (target) =>
    target.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true }));
  for (const [target, focused] of [
    [document.body, summary], // Safari on a Mac gives what was clicked no focus
    [summary, summary],
    [found("message"), found("message")],
  ]) {
    if (target === document.body) document.activeElement.blur();
    else target.focus();
    found("options").open = true;
    assert.deepEqual([press(target), found("options").open], [false, false]);
    assert.equal(document.activeElement, focused);
  }
  found("options").open = true;
  summary.parentElement.lastElementChild.click();
  assert.equal(found("options").open, true);
  found("log").click();
  assert.equal(found("options").open, false);
  assert.equal(press(document.body), true);
});

/** Until what failed is tried again, as it is after a second or so. */
async function afterASecond(t, failed) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  try {
    await failed();
    await settled();
    t.mock.timers.tick(1200);
  } finally {
    t.mock.timers.reset();
  }
}

test("what is offered after the end is asked for until it comes", async (t) => {
  await startChat();
  element.lost.add("afterwards");
  await afterASecond(t, async () => {
    await endChat();
    await settled();
    element.lost.delete("afterwards");
  });
  await until(() => requests.some((request) => request.includes(`${SESSION}/messages/`)));
});

test("the rating of a chat before is asked for until it comes", async (t) => {
  const place = '<div data-webchat-needs="afterwards" data-webchat-unrated="1" data-address="/rating/1/"></div>';
  answers = [["GET /webchat/support/panel/", 200, () => form.replace(/data-webchat-view[^>]*>/, `$&${place}`)]];
  answers.push(["GET /rating/1/", 200, "<div data-webchat-rating><p>How was it?</p></div>"]);
  show("inline").lost.add("afterwards");
  await afterASecond(t, async () => {
    await element.open();
    await settled();
    element.lost.delete("afterwards");
  });
  await until(() => found("rating"));
  await startChat();
  await endChat();
  const asked = () => requests.filter((request) => request === "GET /rating/1/").length;
  const before = asked();
  found("new").click();
  await until(() => found("form"));
  await settled();
  assert.deepEqual([asked(), found("rating")], [before, null], "the chat that stands above it is asked about instead");
});

test("a comment to a rating reads in its own direction, and an empty one in that of the page", async () => {
  const rating =
    '<div data-webchat-rating><form><textarea dir="auto"></textarea><p data-webchat-rating-failed></p></form></div>';
  const place = '<div data-webchat-needs="afterwards" data-webchat-unrated="1" data-address="/rating/1/"></div>';
  answers = [["GET /webchat/support/panel/", 200, () => form.replace(/data-webchat-view[^>]*>/, `$&${place}`)]];
  answers.push(["GET /rating/1/", 200, rating]);
  show("inline").open();
  await until(() => found("rating"));
  const comment = found("rating").querySelector("textarea");
  assert.equal(comment.dir, "");
  comment.value = "Quick!";
  comment.dispatchEvent(new Event("input", { bubbles: true }));
  assert.equal(comment.dir, "auto");
});

test("of a chat that is no longer the visitor's nothing is offered, and nothing is reported", async () => {
  const client = await openRunningChat();
  answers.push([`POST /api/webchat/sessions/${SESSION}/end/`, 404, JSON.stringify({ code: "not_found", detail: "" })]);
  answers[0] = ["GET /webchat/support/panel/", 200, () => form];
  client.start();
  client.emit("conversationLeft", { sid: CREDENTIALS.channel_sid }); // before what was said is there
  await until(() => found("form"));
  await element.load("afterwards");
  await fetch("/"); // what was asked before is answered
  assert.deepEqual(names(), ["opening", "opened", "ended"]);
  assert.ok(!requests.some((request) => request.includes("/messages/")));
});

test("what was missed is read above a form that is written in already", async () => {
  await startChat({ question: "Where is my parcel?" });
  await endChat();
  await until(() => names().includes("error")); // the line was never there, and nobody answers
  const { visitor } = JSON.parse(element.recall("past"));
  element.remember(JSON.stringify([visitor, [["name", "José"]]]), "form");
  const written = { index: 1, author: "robin", own: false, client_id: "", at: null, text: "On its way.", files: [] };
  answers.unshift([
    `GET /api/webchat/sessions/${SESSION}/messages/`,
    200,
    JSON.stringify({ messages: [written], next: "" }),
  ]);
  await reload();
  await until(() => names().includes("error") || found("log")?.textContent.includes("On its way."));
  assert.match(found("log").textContent, /On its way\./);
  assert.equal(found("form").elements.namedItem("name").value, "José");
  assert.ok(!names().includes("error"));
});

test("a chat whose end the page saw is read again by nobody; one that cannot be read keeps what there is", async () => {
  await startChat({ question: "Where is my parcel?" });
  await endChat();
  const past = JSON.parse(element.recall("past"));
  const asked = () => requests.filter((request) => request.includes("/messages/"));
  await until(() => asked().length === 1); // the line was never there
  await until(() => names().includes("error"));
  requests = [];
  element.remember(JSON.stringify({ ...past, past: { ...past.past, isWhole: true } }), "past");
  await reload();
  await until(() => requests.some((request) => request.includes("rating")) || found("ended"));
  await settled();
  assert.deepEqual(asked(), []);
  assert.match(found("log").textContent, /Where is my parcel\?/);
});

test("nobody else reads a chat that has ended, or what was typed into the form", async () => {
  await startChat({ question: "Where is my parcel?" });
  await endChat();
  element.remember(JSON.stringify([JSON.parse(element.recall("past")).visitor, [["name", "José"]]]), "form");
  answers.find(([start]) => start === "GET /webchat/support/panel/")[2] = () =>
    form.replace(/data-visitor="\w+"/, 'data-visitor="of somebody else"');
  await reload();
  assert.equal(found("log"), null);
  assert.equal(found("form").elements.namedItem("name").value, "");
  assert.deepEqual([element.recall("past"), element.recall("form")], [null, null]);
});

test("a chat that leaves the page as somebody else's panel comes is kept for its own visitor alone", async () => {
  show("inline").open();
  await until(() => found("form"));
  const coming = [];
  element.takeRequest = () => new Promise((resolve) => coming.push((markup) => resolve(new Response(markup))));
  answers.push(["GET /api/webchat/support/sessions/current/", 200, JSON.stringify(CREDENTIALS)]);
  const otherTab = new BroadcastChannel(`webchat:${element.slug}`);
  try {
    for (const _ of "12") otherTab.postMessage({ started: SESSION });
    await until(() => coming.length === 2);
    coming[0](panelIs("running"));
    await until(() => found("reconnect") && !found("reconnect").hidden);
    element.remove();
    coming[1](form.replace(/data-visitor="\w+"/, 'data-visitor="of somebody else"'));
    await until(() => found("form") || found("ended"));
    await settled();
    assert.equal(element.recall("past"), null);
    assert.equal(found("log"), null);
  } finally {
    otherTab.close();
  }
});

test("after half an hour a chat that has ended is forgotten", async () => {
  await startChat();
  await endChat();
  const past = JSON.parse(element.recall("past"));
  element.remember(JSON.stringify({ ...past, at: past.at - 30 * 60_000 }), "past");
  await reload();
  assert.equal(found("log"), null);
  assert.equal(element.recall("past"), null);
});

test("what was typed into the form is there after a reload, until it is sent", async () => {
  show("inline").open();
  await until(() => found("form"));
  found("form").elements.namedItem("name").value = "José";
  found("form")
    .elements.namedItem("name")
    .dispatchEvent(new Event("input", { bubbles: true }));
  assert.ok(!element.recall("form").includes(found("form").elements.namedItem("csrfmiddlewaretoken").value));
  await reload();
  await until(() => found("form").elements.namedItem("name").value === "José");
  answers.push(["POST /api/webchat/support/sessions/", 201, JSON.stringify(CREDENTIALS)]);
  found("form").dispatchEvent(new Event("submit", { cancelable: true }));
  await until(() => found("composer"));
  assert.equal(element.recall("form"), null);
});

test("every tab of the browser learns from a mark that a chat runs, as long as it does", async () => {
  await startChat();
  assert.equal(mark(), "minimised");
  sessionStorage.clear(); // as in another tab
  answers = [["GET /webchat/support/panel/", 200, () => panelIs("running")]];
  answers.push(["GET /api/webchat/support/sessions/current/", 200, JSON.stringify(CREDENTIALS)]);
  const { slug } = element;
  show("launcher", () => {
    element.setAttribute("slug", slug);
    element.hidden = true; // from those who have no chat
  });
  await until(() => found("composer"));
  assert.deepEqual([element.hidden, element.isOpen], [false, false]);
  await endChat();
  assert.equal(mark(), null);
});

test("a mark that is no longer true goes, and shows no launcher", async () => {
  answers = [["GET /webchat/support/panel/", 200, () => panelIs("closed")]];
  show("launcher", () => {
    localStorage.setItem(`webchat:${element.slug}:panel`, "minimised");
    element.hidden = true;
  });
  await until(() => mark() === null);
  assert.equal(element.hidden, true);
});

test("another tab's end is this one's, and our server knows already", async () => {
  await startChat();
  const tabs = new BroadcastChannel(`webchat:${element.slug}`);
  tabs.postMessage({ ended: "another chat" });
  tabs.postMessage({ ended: SESSION });
  await until(() => names().includes("ended"));
  tabs.close();
  const ends = events.filter(([name]) => name === "ended");
  assert.deepEqual(ends, [["ended", { session_id: SESSION, by: "visitor" }]]);
  assert.ok(!requests.some((request) => request.endsWith("/end/")));
});

test("a running chat that cannot be looked up can be tried again; one that is gone gives the form back", async () => {
  let running = form.replace('data-webchat-state="form"', 'data-webchat-state="running"');
  answers = [
    ["GET /webchat/support/panel/", 200, () => running],
    [
      "GET /api/webchat/support/sessions/current/",
      503,
      JSON.stringify({ code: "chat_unavailable", detail: "Not now." }),
    ],
  ];
  show("inline").open();
  await until(() => found("retry"));
  assert.match(found("view").textContent, /Not now\./);
  assert.deepEqual(events.at(-1), ["error", { code: "chat_unavailable" }]);
  answers[1] = ["GET /api/webchat/support/sessions/current/", 404, JSON.stringify({ code: "not_found", detail: "" })];
  running = form;
  found("retry").click();
  await until(() => found("form"));
});

for (const [state, after] of [
  ["message", "the form for a message has what was typed, and is not sent"],
  ["closed", "the form stays, and says when somebody is back"],
]) {
  test(`a chat that closes while its form is filled: ${after}`, async () => {
    const detail = "We are back on Monday.";
    answers.push(["POST /api/webchat/support/sessions/", 503, JSON.stringify({ code: "chat_closed", detail })]);
    show("inline").open();
    await until(() => found("form"));
    const first = found("form");
    first.elements.namedItem("name").value = "José";
    const panel = answers.find(([start]) => start === "GET /webchat/support/panel/");
    panel[2] = form.replace('data-webchat-state="form"', `data-webchat-state="${state}"`);
    found("submit").click();
    await until(() => (state === "message" ? found("form") !== first : !found("errors").hidden));
    await settled();
    assert.equal(found("form").elements.namedItem("name").value, "José");
    assert.equal(found("form") === first, state === "closed");
    assert.equal(found("detail").textContent, state === "closed" ? detail : "");
    assert.equal(requests.filter((request) => request.startsWith("POST")).length, 1);
  });
}

test("a form whose key is used up is replaced, with what was typed, and sent once more", async () => {
  let starts = 0;
  answers.push([
    "POST /api/webchat/support/sessions/",
    422,
    () => {
      starts += 1;
      return JSON.stringify({ code: "key_reused", detail: "Please try again." });
    },
  ]);
  show("inline").open();
  await until(() => found("form"));
  found("form").elements.namedItem("name").value = "José";
  const first = found("form");
  first.dispatchEvent(new Event("submit", { cancelable: true }));
  await until(() => !found("errors").hidden);
  assert.notEqual(found("form"), first);
  assert.equal(found("form").elements.namedItem("name").value, "José");
  assert.equal(starts, 2);
});
