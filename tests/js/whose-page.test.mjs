import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { settled } from "./dom.mjs";

const { watchVisitor } = await import("../../static/webchat/whose-page.js");

let answers;
let page;
let changes;
let ending;

beforeEach(() => {
  answers = [];
  changes = 0;
  page = document.createElement("div");
  ending = new AbortController();
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(globalThis, "fetch", async (address) => {
    assert.equal(address, "/visitor/");
    const answer = answers.shift();
    if (answer instanceof Response) return answer;
    throw answer ?? new Error("asked too often");
  });
});

afterEach(() => {
  ending.abort();
  mock.restoreAll();
  mock.timers.reset();
});

const says = (user) => Response.json({ user });
const watch = (data = { visitorUrl: "/visitor/", user: "ada" }) =>
  watchVisitor(data, page, () => (changes += 1), ending.signal);

async function shownAgain(persisted = true) {
  window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted }));
  const hidden = page.hidden;
  await settled();
  return hidden;
}

test("a page out of the browser's memory is hidden until it is known whose it is", async () => {
  watch();
  answers = [says("ada")];
  assert.equal(await shownAgain(), true);
  assert.equal(page.hidden, false);
  assert.equal(changes, 0);
});

test("another user's page stays hidden, and the page is told", async () => {
  watch();
  answers = [says("robin")];
  await shownAgain();
  assert.equal(page.hidden, true);
  assert.equal(changes, 1);
});

test("a page that is loaded anew asks nothing, nor one without an address to ask at", async () => {
  watch();
  assert.equal(await shownAgain(false), false);
  assert.equal(fetch.mock.callCount(), 0);
  ending.abort();
  ending = new AbortController();
  watch({ user: "ada" });
  assert.equal(await shownAgain(), false);
  assert.equal(fetch.mock.callCount(), 0);
});

test("without an answer it is asked again, and the page stays hidden", async () => {
  watch();
  answers = [new TypeError("Failed to fetch"), Response.json({ user: "ada" }, { status: 503 }), says("ada")];
  await shownAgain();
  assert.equal(page.hidden, true);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    mock.timers.tick(60_000);
    await settled();
  }
  assert.equal(fetch.mock.callCount(), 3);
  assert.equal(page.hidden, false);
});

test("a tab that is chosen asks once, and hides nothing", async () => {
  watch();
  answers = [new TypeError("Failed to fetch")];
  document.dispatchEvent(new Event("visibilitychange"));
  await settled();
  mock.timers.tick(60_000);
  await settled();
  assert.equal(fetch.mock.callCount(), 1);
  assert.equal(page.hidden, false);
  answers = [says(null)];
  document.dispatchEvent(new Event("visibilitychange"));
  await settled();
  assert.equal(changes, 1);
});

test("nobody is asked any more after the end", async () => {
  watch();
  ending.abort();
  await shownAgain();
  assert.equal(fetch.mock.callCount(), 0);
});
