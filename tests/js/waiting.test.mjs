import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { freshElement, settled, templatesOf } from "./dom.mjs";

const { ApiError } = await import("../../static/webchat/api.js");
const { Waiting } = await import("../../static/webchat/chat/waiting.js");

const MINUTE = 60_000;
const FIRST = "An agent will be with you shortly.";
const LONGER = "Thank you for waiting. We have not forgotten you.";
const LONG = "We are sorry that it takes so long. You may go on waiting here.";

let element;
let line;
let gone;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  element = freshElement();
  const view = element.querySelector("[data-webchat-view]");
  view.replaceChildren(templatesOf(element).clone("chat"));
  line = view.querySelector("[data-webchat-waiting]");
  gone = new AbortController();
});
afterEach(() => {
  gone.abort(); // or what waits for an answer would go on by the real clock
  mock.timers.reset();
});

const found = (name) => line.querySelector(`[data-webchat-${name}]`);
const words = () => found("waiting-text").textContent;

/** Of a chat that began so long ago. What our server knows meanwhile is its panel's markup. */
function waiting(begun, { panel, on = {} } = {}) {
  element.takeRequest = async () => new Response(panel);
  const now = Date.now();
  const view = element.querySelector("[data-webchat-view]");
  const chat = { host: element, view, templates: templatesOf(element), isRunning: true, ...on };
  return new Waiting(chat, () => Date.now() - now + begun, gone.signal);
}

test("the words change after one and after five minutes, and then a way out is offered", () => {
  waiting(0).inSight(true);
  assert.deepEqual([words(), found("way-out").hidden], [FIRST, true]);
  mock.timers.tick(MINUTE - 1);
  assert.equal(words(), FIRST);
  mock.timers.tick(1);
  assert.deepEqual([words(), found("way-out").hidden], [LONGER, true]);
  mock.timers.tick(4 * MINUTE);
  assert.deepEqual([words(), found("way-out").hidden], [LONG, false]);
});

test("after a reload the stage is that of the chat, not of the page", () => {
  waiting(5 * MINUTE).inSight(true);
  assert.deepEqual([words(), found("way-out").hidden], [LONG, false]);
});

test("nothing is told that is not in sight, nor after the chat has gone", () => {
  const one = waiting(0);
  one.inSight(true);
  one.inSight(false); // an agent has joined, or the panel is closed
  mock.timers.tick(6 * MINUTE);
  assert.equal(words(), FIRST);
  one.inSight(true);
  assert.equal(words(), LONG);
  found("waiting-text").textContent = "";
  gone.abort();
  one.inSight(true);
  assert.equal(words(), "");
});

test("a stage without words of its own keeps those before", () => {
  element.querySelector('[data-webchat-template="waiting-long"]').remove();
  waiting(5 * MINUTE).inSight(true);
  assert.deepEqual([words(), found("way-out").hidden], [LONGER, false]);
  element.querySelector('[data-webchat-template="waiting-longer"]').remove();
  found("waiting-text").textContent = FIRST;
  waiting(5 * MINUTE).inSight(true);
  assert.equal(words(), FIRST);
});

test("the whole line is read out politely when it changes", () => {
  assert.equal(line.parentElement.getAttribute("role"), "status");
});

test("how many wait stands beside the words; that nobody comes soon takes the place of the first", async () => {
  await waiting(0, { panel: '<p class="webchat-availability">3 people are waiting.</p>' }).inSight(true);
  assert.deepEqual([words(), found("figures").textContent], [FIRST, "3 people are waiting."]);
  found("figures").textContent = "";
  const nobody = '<p class="webchat-availability" data-webchat-in-place>Nobody is free right now.</p>';
  await waiting(0, { panel: nobody }).inSight(true);
  assert.deepEqual([words(), found("figures").textContent], ["", "Nobody is free right now."]);
  assert.equal(found("way-out").hidden, false);
  found("figures").textContent = "";
  found("waiting-text").textContent = FIRST;
  await waiting(MINUTE, { panel: nobody }).inSight(true);
  assert.deepEqual([words(), found("figures").textContent], [LONGER, "Nobody is free right now."]);
});

test("the way out ends the chat where no messages are taken", () => {
  let asked = 0;
  waiting(5 * MINUTE, { on: { askToEnd: () => (asked += 1) } });
  found("give-up").click();
  assert.equal(asked, 1);
});

test("that the chat could not be ended for a message is said, and it can be tried again", async () => {
  found("way-out").innerHTML = '<button type="button" data-webchat-leave-message>Leave a message</button>';
  let isLost = true;
  const left = [];
  const chat = {
    transcript: {
      timeline: {
        entries: [
          { own: true, text: "Is it waterproof?" },
          { own: false, text: "Hello" },
        ],
      },
    },
    composer: { input: { value: " And warm? " } },
    async leave(text) {
      if (isLost) throw new ApiError("network");
      left.push(text);
    },
  };
  waiting(5 * MINUTE, { on: chat });
  found("leave-message").click();
  await settled();
  assert.match(found("way-out-problem").textContent, /We could not be reached/);
  isLost = false;
  found("leave-message").click();
  await settled();
  assert.deepEqual([found("way-out-problem").textContent, left], ["", ["Is it waterproof?\n\nAnd warm?"]]);
});

test("our server is asked again when it says so while the line is in sight, and what it knows no more is not told", async () => {
  const markup = '<div data-ask-again="30"><p class="webchat-availability">3 people are waiting.</p></div>';
  const one = waiting(0, { panel: markup });
  let asked = 0;
  let answer = new Response(markup);
  element.takeRequest = async () => {
    asked += 1;
    return answer;
  };
  await one.inSight(true);
  assert.deepEqual([asked, found("figures").textContent], [1, "3 people are waiting."]);
  answer = new Response("", { status: 503 });
  mock.timers.tick(30_000);
  await settled();
  await settled();
  assert.deepEqual([asked, found("figures").textContent], [2, ""]);
  await one.inSight(false);
  mock.timers.tick(10 * MINUTE);
  assert.equal(asked, 2);
  answer = new Response(markup);
  await one.inSight(true); // at once when it is back
  assert.equal(asked, 3);
  gone.abort();
  mock.timers.tick(10 * MINUTE);
  assert.equal(asked, 3);
});

test("where the answer will hardly change, our server is asked at the stages and each five minutes", async () => {
  const one = waiting(0);
  let asked = 0;
  element.takeRequest = async () => {
    asked += 1;
    return new Response('<div data-ask-again="300"></div>');
  };
  await one.inSight(true);
  const counts = [];
  for (const minutes of [0.9, 0.1, 3.9, 0.1, 4.9, 0.1]) {
    mock.timers.tick(minutes * MINUTE);
    await settled();
    await settled();
    counts.push(asked);
  }
  assert.deepEqual(counts, [1, 2, 2, 3, 3, 4]);
});

test("the browser tells whether the line is in sight, until the chat has gone", async () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, "IntersectionObserver");
  let tell;
  let observed;
  const value = class {
    constructor(told) {
      tell = (isIntersecting) => told([{ isIntersecting }]);
    }
    observe(one) {
      observed = one;
    }
    disconnect() {
      observed = null;
    }
  };
  Object.defineProperty(globalThis, "IntersectionObserver", { value, configurable: true });
  try {
    waiting(MINUTE);
  } finally {
    Object.defineProperty(globalThis, "IntersectionObserver", before);
  }
  assert.equal(observed, line);
  tell(false);
  assert.equal(words(), FIRST);
  tell(true);
  assert.equal(words(), LONGER);
  gone.abort();
  assert.equal(observed, null);
});
