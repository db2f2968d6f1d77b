import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { settled } from "./dom.mjs";

const { tellFigures } = await import("../../static/webchat/chat/figures.js");

const AGAIN_MS = 30_000;
let asked;
let answer;
let ending;
let line;
/** @type {(inSight: boolean) => void} what the browser tells of the line */
let show;
let isObserved;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  // Nothing is laid out here, so the document tells no sight of its own.
  const value = class {
    constructor(tell) {
      show = (isIntersecting) => tell([{ isIntersecting }]);
    }

    observe(element) {
      isObserved = element === line;
    }

    disconnect() {
      isObserved = false;
    }
  };
  Object.defineProperty(globalThis, "IntersectionObserver", { value, configurable: true });
  asked = 0;
  answer = '<p class="webchat-availability"> 3 people are waiting. </p>';
  ending = new AbortController();
  line = document.createElement("p");
  line.innerHTML = "<span data-webchat-figures></span>";
  const host = {
    takeRequest: async () => {
      asked += 1;
      return new Response(answer, { status: answer ? 200 : 503, headers: { "Content-Type": "text/html" } });
    },
  };
  tellFigures(host, line, ending.signal);
});

afterEach(() => {
  ending.abort();
  mock.timers.reset();
});

async function tick(milliseconds) {
  mock.timers.tick(milliseconds);
  await settled();
  await settled();
}

test("a line in sight tells how many wait, and asks again", async () => {
  show(true);
  await tick(0);
  assert.equal(line.textContent, "3 people are waiting.");
  answer = '<p class="webchat-availability">2 people are waiting.</p>';
  await tick(AGAIN_MS);
  assert.equal(line.textContent, "2 people are waiting.");
  assert.equal(asked, 2);
});

test("a line out of sight asks nothing, and at once when it is back", async () => {
  show(false);
  await tick(AGAIN_MS);
  assert.equal(asked, 0);
  show(true);
  await tick(0);
  assert.equal(asked, 1);
  show(false);
  await tick(3 * AGAIN_MS);
  assert.equal(asked, 1);
});

test("figures that are not known any more are not told", async () => {
  show(true);
  await tick(0);
  answer = "";
  await tick(AGAIN_MS);
  assert.equal(line.textContent, "");
});

test("after the chat nothing is asked, and the line is not watched", async () => {
  show(true);
  await tick(0);
  ending.abort();
  await tick(2 * AGAIN_MS);
  assert.equal(asked, 1);
  assert.equal(isObserved, false);
});
