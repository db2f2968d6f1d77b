import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { settled } from "./dom.mjs";
import { makeSdk } from "./twilio.mjs";

const { ApiError } = await import("../../static/webchat/api.js");
const { TwilioClient } = await import("../../static/webchat/chat/twilio-client.js");

const CREDENTIALS = { token: "first", region: "us1", sdk_options: {} };
const GONE = new ApiError("ended", { status: 410 });

let sdk;
let client;
let told;
let renewals;
let renew;
let now;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  // Node's timers leave this clock alone.
  now = 0;
  mock.method(performance, "now", () => now);
  sdk = makeSdk();
  told = [];
  renewals = 0;
  renew = async () => ({ ...CREDENTIALS, token: `renewed ${renewals}` });
});
afterEach(async () => {
  client?.close();
  mock.timers.tick(3000);
  mock.timers.reset();
  mock.restoreAll();
});

function make(credentials = {}, load = sdk.load) {
  client = new TwilioClient(
    { ...CREDENTIALS, ...credentials },
    {
      loadSdk: load,
      renew: () => {
        renewals += 1;
        return renew();
      },
      status: (status) => told.push(status),
      gone: () => told.push("gone"),
      broken: async () => {
        told.push("broken");
      },
    },
  );
  return client;
}

async function pass(ms) {
  now += ms;
  mock.timers.tick(ms);
  await settled();
}

const newest = () => sdk.clients.at(-1);

/** With a line that stands, and the conversation found through it. */
async function connected(credentials) {
  const connecting = make(credentials).connect(() => {});
  await settled();
  newest().start();
  await connecting;
  client.isJoined = true;
  client.report();
  told = [];
  return newest();
}

// --- The first connection ----------------------------------------------------------------------------------------

test("the SDK gets the token and what our server says, and keeps nothing in the tab", async () => {
  make({ sdk_options: { Sync: { a: 1 }, b: 2 } }).connect(() => {});
  await settled();
  assert.equal(newest().token, "first");
  assert.deepEqual(newest().options, { Sync: { a: 1, enableSessionStorage: false }, b: 2 });
});

test("a region is named only where it is not Twilio's own", async () => {
  make({ region: "ie1" }).connect(() => {});
  await settled();
  assert.equal(newest().options.region, "ie1");
});

test("whoever needs to hear what the client learns first has it before it is ready", async () => {
  const order = [];
  const connecting = make()
    .connect((ready) => order.push(["ready", ready]))
    .then((made) => order.push(["connected", made]));
  await settled();
  assert.deepEqual(order, []);
  newest().start();
  await connecting;
  assert.deepEqual(order, [
    ["ready", newest()],
    ["connected", newest()],
  ]);
});

test("a client whose first connection failed is given up for a new one, after a pause", async () => {
  const connecting = make().connect(() => {});
  await settled();
  const [first] = sdk.clients;
  first.fail();
  await settled();
  assert.equal(sdk.clients.length, 1);
  await pass(1200);
  assert.equal(sdk.clients.length, 2);
  assert.equal(first.isShutDown, true);
  newest().start();
  assert.equal(await connecting, newest());
  assert.equal(renewals, 0);
});

test("a client that never says how it went is given up as well", async () => {
  make().connect(() => {});
  await settled();
  await pass(40_000);
  await pass(1200);
  assert.equal(sdk.clients.length, 2);
});

test("a token that is refused is renewed once, and no second time", async () => {
  const connecting = make().connect(() => {});
  const refusal = assert.rejects(connecting, { terminal: true });
  await settled();
  newest().fail({ terminal: true });
  await settled();
  assert.deepEqual([renewals, newest().token], [1, "renewed 1"]);
  newest().fail({ terminal: true });
  await refusal;
  assert.equal(renewals, 1);
});

test("an SDK that does not come is waited for 20 s", async () => {
  const connecting = make({}, () => new Promise(() => {})).connect(() => {});
  const refusal = assert.rejects(connecting, { code: "timeout" });
  await pass(19_999);
  await pass(1);
  await refusal;
});

test("of two attempts the second goes on, and the first ends without a client", async () => {
  make();
  const first = client.connect(() => {});
  await settled();
  const second = client.connect(() => {});
  await settled();
  assert.deepEqual(
    sdk.clients.map(({ isShutDown }) => isShutDown),
    [true, false],
  );
  sdk.clients[0].fail();
  newest().start();
  assert.equal(await second, newest());
  await pass(1200);
  assert.equal(await first, null);
  assert.equal(sdk.clients.length, 2);
});

test("nobody connects after the end", async () => {
  make().close();
  assert.equal(await client.connect(() => {}), null);
  assert.deepEqual(sdk.clients, []);
});

// --- The state of the line -----------------------------------------------------------------------------------------

test("nothing is connected before the conversation was found, and nothing is lost before it was", async () => {
  make().connect(() => {});
  await settled();
  newest().move("disconnected");
  newest().start();
  assert.deepEqual(told, []);
  client.isJoined = true;
  client.report();
  for (const state of ["disconnected", "connecting", "retrying", "connected"]) newest().move(state);
  assert.deepEqual(told, ["connected", "reconnecting", "reconnecting", "reconnecting", "connected"]);
});

test("a browser that is offline says so at once, until the end", async () => {
  const made = await connected();
  let onLine = false;
  mock.method(Object.getPrototypeOf(navigator), "onLine", () => onLine, { getter: true });
  made.connectionState = "disconnected";
  window.dispatchEvent(new Event("offline"));
  onLine = true;
  window.dispatchEvent(new Event("online"));
  assert.deepEqual(told, ["offline", "reconnecting"]);
  client.close();
  window.dispatchEvent(new Event("offline"));
  made.move("connecting");
  assert.deepEqual(told, ["offline", "reconnecting"]);
});

test("Twilio's refusal is told when a fresh token was refused, too", async () => {
  const made = await connected();
  made.move("denied");
  await settled();
  assert.deepEqual([told, renewals, made.tokens], [["reconnecting"], 1, ["renewed 1"]]);
  made.move("connecting");
  made.move("denied");
  assert.deepEqual([told.at(-1), renewals], ["unreachable", 1]);
  made.move("connected");
  assert.equal(told.at(-1), "connected");
  await pass(1);
  made.move("denied"); // another day
  await settled();
  assert.deepEqual([told.at(-1), renewals], ["reconnecting", 2]);
});

// --- The token -----------------------------------------------------------------------------------------------------

test("a token that is about to expire is renewed, and a warning that comes back at once is not heeded", async () => {
  const made = await connected();
  made.emit("tokenAboutToExpire");
  made.emit("tokenAboutToExpire");
  await settled();
  await pass(19_999);
  made.emit("tokenAboutToExpire");
  await settled();
  assert.deepEqual(made.tokens, ["renewed 1"]);
  await pass(1);
  made.emit("tokenAboutToExpire");
  await settled();
  assert.deepEqual(made.tokens, ["renewed 1", "renewed 2"]);
  assert.equal(client.credentials.token, "renewed 2");
});

test("a token that has expired is renewed whenever that was", async () => {
  const made = await connected();
  made.emit("tokenAboutToExpire");
  await settled();
  made.emit("tokenExpired");
  await settled();
  assert.deepEqual(made.tokens, ["renewed 1", "renewed 2"]);
});

test("a client that is closing its line gets the token when it has", async () => {
  const made = await connected();
  made.connectionState = "disconnecting";
  made.emit("tokenExpired");
  await settled();
  await pass(1000);
  assert.deepEqual(made.tokens, []);
  made.connectionState = "disconnected";
  await pass(200);
  assert.deepEqual(made.tokens, ["renewed 1"]);
});

for (const [what, fails, outcome] of [
  ["our server gives no token any more", () => (renew = () => Promise.reject(GONE)), "gone"],
  ["our server fails", () => (renew = () => Promise.reject(new ApiError("unexpected", { status: 403 }))), "broken"],
  [
    "the SDK does not take the token",
    (made) => (made.updateToken = () => Promise.reject(new Error("refused"))),
    "broken",
  ],
]) {
  test(`${what}: ${outcome}, once`, async () => {
    const made = await connected();
    fails(made);
    made.emit("tokenExpired");
    await settled();
    assert.deepEqual(told, [outcome]);
  });
}

test("an SDK that never takes the token is waited for 20 s", async () => {
  const made = await connected();
  made.updateToken = () => new Promise(() => {});
  made.emit("tokenExpired");
  await settled();
  await pass(20_000);
  assert.deepEqual(told, ["broken"]);
});

test("after the end nothing is renewed, and a renewal that fails is told to nobody", async () => {
  const made = await connected();
  let fail;
  renew = () => new Promise((_, reject) => (fail = reject));
  made.emit("tokenExpired");
  client.close();
  fail(new ApiError("network"));
  await settled();
  made.emit("tokenExpired");
  await settled();
  assert.deepEqual([told, renewals], [[], 1]);
});

// --- Calls ---------------------------------------------------------------------------------------------------------

test("a call has its answer, and a failure of Twilio's is passed on", async () => {
  await connected();
  assert.equal(await client.answer(Promise.resolve(5)), 5);
  const failure = new Error("403");
  await assert.rejects(client.answer(Promise.reject(failure)), failure);
  assert.deepEqual(told, []);
});

test("a line that says it is open and does not answer is dead", async () => {
  const made = await connected();
  const asked = client.answer(new Promise(() => {}), 500);
  const other = client.answer(new Promise(() => {}));
  const refusals = Promise.all([
    assert.rejects(asked, { code: "timeout" }),
    assert.rejects(other, { code: "network" }),
  ]);
  await pass(500);
  await refusals;
  assert.deepEqual([told, made.isShutDown, client.current, client.isJoined], [["broken"], true, undefined, false]);
});

for (const [state, change] of [
  ["is being connected anyway", (made) => (made.connectionState = "connecting")],
  ["has not found its conversation yet", () => (client.isJoined = false)],
  ["was replaced meanwhile", () => client.connect(() => {})],
]) {
  test(`a slow answer over a line that ${state} breaks nothing`, async () => {
    const made = await connected();
    const asked = client.answer(new Promise(() => {}), 500);
    const refusal = assert.rejects(asked, ApiError);
    change(made);
    await settled();
    await pass(500);
    await refusal;
    assert.deepEqual(told, []);
  });
}

test("the SDK is let go some seconds after the end", async () => {
  const made = await connected();
  client.close();
  await pass(2999);
  assert.equal(made.isShutDown, false);
  await pass(1);
  assert.equal(made.isShutDown, true);
});
