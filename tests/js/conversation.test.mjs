import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { settled } from "./dom.mjs";
import { makeSdk, refused, TwilioConversation } from "./twilio.mjs";

const { Conversation } = await import("../../static/webchat/chat/conversation.js");
const { TwilioClient } = await import("../../static/webchat/chat/twilio-client.js");

const CREDENTIALS = {
  token: "t",
  region: "us1",
  sdk_options: {},
  identity: "me",
  channel_sid: "CH1",
  api: "conversations",
};
const AT = new Date("2026-01-05T12:00:00Z");
const NEVER = new AbortController().signal;

let sdk;
let client;
let conversation;
let twilio;
let users;
let told;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  sdk = makeSdk();
  twilio = new TwilioConversation();
  users = {};
  told = [];
});
afterEach(() => {
  conversation.dispose();
  client.close();
  mock.timers.tick(3000);
  mock.timers.reset();
  mock.restoreAll();
});

const tell =
  (what) =>
  (...values) =>
    told.push([what, ...values]);

function make(credentials = {}) {
  const given = { ...CREDENTIALS, ...credentials };
  client = new TwilioClient(given, {
    loadSdk: sdk.load,
    renew: async () => given,
    status: tell("status"),
    gone: tell("gone"),
    broken: async () => tell("broken")(),
  });
  conversation = new Conversation(client, given, {
    loadFiles: () => import("../../static/webchat/chat/outgoing-files.js"),
    messages: (entries, live) => told.push(["messages", entries.map(({ text }) => text), live]),
    removed: tell("removed"),
    read: tell("read"),
    seen: tell("seen"),
    presence: tell("presence"),
    typing: tell("typing"),
    named: tell("named"),
    closed: () => {
      told.push(["closed"]);
      client.close(); // as the chat does
    },
  });
  return conversation;
}

/** Begins to open, and lets the SDK's first connection stand. @returns how opening went: a promise in an array */
async function start({ credentials, found = () => twilio, joined = () => {} } = {}) {
  const result = make(credentials).open(joined);
  result.catch(() => {});
  await settled();
  const [made] = sdk.clients;
  made.users = users;
  Object.defineProperty(made.conversations, "CH1", { get: found });
  made.start();
  return [result];
}

async function open(options) {
  const [result] = await start(options);
  await result;
  await settled();
  return conversation;
}

const message = (index, values = {}) => ({
  index,
  author: "robin",
  body: `Message ${index}`,
  dateCreated: AT,
  attributes: {},
  attachedMedia: [],
  ...values,
});
const participant = (identity, values = {}) => ({
  identity,
  dateCreated: AT,
  lastReadMessageIndex: null,
  getUser: async () => users[identity] ?? { friendlyName: identity },
  ...values,
});
const own = (text, values = {}) => ({ text, clientId: "1-2", own: true, ...values });
const of = (what) => told.filter(([name]) => name === what);
const ask = (verb) => twilio.calls.filter(([name]) => name === verb);

async function pass(ms) {
  mock.timers.tick(ms);
  await settled();
}

// --- Opening -------------------------------------------------------------------------------------------------------

test("the newest messages are told as history, then that the line stands", async () => {
  twilio.messages = [message(0), message(1)];
  await open();
  assert.deepEqual(told.slice(0, 2), [
    ["messages", ["Message 0", "Message 1"], false],
    ["status", "connected"],
  ]);
});

test("what Twilio says of a message becomes one shape, whatever is missing", async () => {
  const media = { filename: null, contentType: "image/png", getContentTemporaryUrl: async () => "https://media/1" };
  await open();
  const entries = [];
  conversation.on.messages = (some) => entries.push(...some);
  for (const values of [
    { author: "me", body: "Mine", attributes: { client_id: "1-2" } },
    { body: null, attributes: null, attachedMedia: [media, { ...media, filename: "a.png" }] },
    { author: null, attachedMedia: null, attributes: { client_id: 5 } },
    { author: "system", attributes: { client_id: "note" } },
    { author: "me", attributes: { client_id: "note" } },
  ]) {
    twilio.emit("messageAdded", message(entries.length, values));
  }
  const [mine, files, nobodys, note, pretended] = entries;
  assert.deepEqual(mine, {
    kind: "message",
    event: undefined,
    index: 0,
    clientId: "1-2",
    author: "me",
    own: true,
    at: AT,
    text: "Mine",
    files: [],
    status: "sent",
  });
  assert.deepEqual([files.text, files.clientId, files.own], ["", null, false]);
  assert.deepEqual(
    files.files.map(({ name, type }) => [name, type]),
    [
      ["image/png", "image/png"],
      ["a.png", "image/png"],
    ],
  );
  assert.equal(await files.files[0].url(), "https://media/1");
  assert.deepEqual([nobodys.author, nobodys.own, nobodys.clientId, nobodys.files], ["", false, null, []]);
  assert.deepEqual([note.kind, note.event], ["event", "signed-in"]);
  assert.deepEqual([pretended.kind, pretended.event], ["message", undefined], "a visitor tells no events");
});

test("a channel that reaches the SDK a moment late is found, and the caller is told when", async () => {
  const order = [];
  const [opened] = await start({
    found: () => (order.push("asked") < 3 ? refused(404) : twilio),
    joined: () => order.push("joined"),
  });
  await settled();
  await pass(1200);
  await pass(2400);
  await opened;
  assert.deepEqual(order, ["asked", "asked", "asked", "joined"]);
  assert.deepEqual(of("closed"), []);
});

for (const [status, isOver] of [
  [403, true],
  [404, true],
  [500, false],
]) {
  test(`a channel that Twilio answers four times with ${status} ${isOver ? "is over" : "may come yet"}`, async () => {
    let asked = 0;
    const found = () => {
      asked += 1;
      return refused(status);
    };
    const [opened] = await start({ found });
    const refusal = assert.rejects(opened, { status });
    await settled();
    for (const longest of [1200, 2400, 4800]) await pass(longest);
    await refusal;
    assert.deepEqual([asked, of("closed").length], [4, Number(isOver)]);
  });
}

for (const [what, prepare, isOver, credentials] of [
  ["is closed", () => (twilio.state = { current: "closed" }), true],
  ["is inactive for a while", () => (twilio.state = { current: "inactive" }), false],
  ["has lost the visitor", () => (twilio.status = "notParticipating"), true],
  ["says so as the legacy API does", () => (twilio.attributes = { status: "INACTIVE" }), true, { api: "web_channels" }],
  ["says so, but not by the legacy API", () => (twilio.attributes = { status: "INACTIVE" }), false],
  ["has no attributes", () => (twilio.attributes = null), false, { api: "web_channels" }],
]) {
  test(`a conversation that ${what} ${isOver ? "is over" : "goes on"}, whether found so or told so`, async () => {
    await open({ credentials });
    assert.deepEqual(of("closed"), []);
    prepare();
    twilio.emit("updated", {});
    assert.equal(of("closed").length, Number(isOver));
    conversation.dispose();
    client.close();
    sdk = makeSdk();
    told = [];
    await open({ credentials });
    assert.equal(of("closed").length, Number(isOver));
  });
}

for (const event of ["conversationLeft", "conversationRemoved"]) {
  test(`${event} before the conversation was found ends it, but only it`, async () => {
    await start({ found: () => refused(404) });
    sdk.clients[0].emit(event, { sid: "CH2" });
    assert.deepEqual(of("closed"), []);
    sdk.clients[0].emit(event, { sid: "CH1" });
    assert.equal(of("closed").length, 1);
  });
}

test("an end is told once", async () => {
  await open();
  twilio.emit("removed", twilio);
  twilio.emit("removed", twilio);
  sdk.clients[0].emit("conversationLeft", { sid: "CH1" });
  assert.equal(of("closed").length, 1);
});

// --- What happens in it --------------------------------------------------------------------------------------------

test("news is told as news, a change of a message as history", async () => {
  await open();
  told = [];
  twilio.emit("messageAdded", message(0));
  twilio.emit("messageUpdated", { message: message(0, { body: "Mended" }) });
  twilio.emit("messageRemoved", message(0));
  twilio.emit("updated", {});
  assert.deepEqual(told, [
    ["messages", ["Message 0"], true],
    ["messages", ["Mended"], false],
    ["removed", 0],
    ["read"],
  ]);
});

test("who types is told, and nobody in particular is nobody", async () => {
  await open();
  told = [];
  twilio.emit("typingStarted", { identity: "robin" });
  twilio.emit("typingEnded", { identity: "robin" });
  twilio.emit("typingStarted", { identity: null });
  assert.deepEqual(told, [
    ["typing", "robin", true],
    ["typing", "robin", false],
  ]);
});

test("agents are met by name, come and go, and the visitor is none of them", async () => {
  users.robin = { friendlyName: " Robin " };
  twilio.participants = [participant("me"), participant(null), participant("robin")];
  await open();
  assert.deepEqual(of("presence"), [["presence", "robin", true, AT]]);
  assert.equal(conversation.nameOf("robin"), "Robin");
  told = [];
  twilio.emit("participantJoined", participant("kim"));
  await settled();
  twilio.emit("participantLeft", participant("kim"));
  twilio.emit("participantLeft", participant("me"));
  assert.deepEqual(of("presence"), [
    ["presence", "kim", true, AT],
    ["presence", "kim", false, null],
  ]);
});

test("an identity is no name, and a name that cannot be had is none", async () => {
  users.kim = { friendlyName: "Kim" };
  users.jo = { friendlyName: "jo" };
  users.lee = { friendlyName: null };
  twilio.messages = ["kim", "kim", "jo", "lee", "unknown"].map((author, index) => message(index, { author }));
  const asked = [];
  const [opened] = await start();
  const { getUser } = sdk.clients[0];
  sdk.clients[0].getUser = (identity) => {
    asked.push(identity);
    return getUser.call(sdk.clients[0], identity);
  };
  await opened;
  await settled();
  assert.deepEqual(asked, ["kim", "jo", "lee", "unknown"]);
  assert.deepEqual(
    ["kim", "jo", "lee", "unknown", "stranger"].map((one) => conversation.nameOf(one)),
    ["Kim", null, null, null, null],
  );
  assert.equal(of("named").length, 1);
});

test("how far agents have read is told, now and later; how far the visitor has is not", async () => {
  twilio.participants = [
    participant("me", { lastReadMessageIndex: 5 }),
    participant("robin", { lastReadMessageIndex: 3 }),
  ];
  await open();
  twilio.emit("participantUpdated", { participant: participant("robin", { lastReadMessageIndex: 4 }) });
  twilio.emit("participantUpdated", { participant: participant("kim") });
  twilio.emit("participantUpdated", { participant: participant("me", { lastReadMessageIndex: 9 }) });
  assert.deepEqual(of("seen"), [
    ["seen", 3],
    ["seen", 4],
    ["seen", -1],
  ]);
});

test("earlier pages are read from the newest back, until there are no more", async () => {
  twilio.messages = Array.from({ length: 70 }, (_, index) => message(index));
  await open();
  const pages = [];
  while (conversation.hasOlder) pages.push((await conversation.older()).map(({ index }) => index));
  assert.deepEqual(
    pages.map((page) => [page[0], page.at(-1)]),
    [
      [10, 39],
      [0, 9],
    ],
  );
  assert.deepEqual(await conversation.older(), []);
});

test("nobody hears of a conversation that something else has taken the place of", async () => {
  await open();
  told = [];
  conversation.dispose();
  twilio.emit("messageAdded", message(0));
  twilio.emit("typingStarted", { identity: "robin" });
  twilio.emit("participantUpdated", { participant: participant("robin") });
  twilio.emit("removed", twilio);
  assert.deepEqual(told, []);
});

// --- Sending -------------------------------------------------------------------------------------------------------

test("a message carries the id by which its echo is known", async () => {
  await open();
  await conversation.send(own("Hello"), false, NEVER);
  assert.deepEqual(ask("sendMessage"), [["sendMessage", "Hello", { client_id: "1-2" }]]);
});

test("what is sent while the line is being opened waits for it", async () => {
  make();
  conversation.open(() => {}).catch(() => {});
  const sending = conversation.send(own("Hello"), false, NEVER);
  await settled();
  assert.deepEqual(ask("sendMessage"), []);
  sdk.clients[0].conversations.CH1 = twilio;
  sdk.clients[0].start();
  await sending;
  assert.equal(ask("sendMessage").length, 1);
});

test("what is sent while there is no line fails", async () => {
  make();
  await assert.rejects(conversation.send(own("Hello"), false, NEVER), { code: "network" });
  const opening = conversation.open(() => {});
  opening.catch(() => {});
  const refusal = assert.rejects(conversation.send(own("Hello"), false, NEVER), { code: "timeout" });
  await settled();
  await pass(20_000);
  await refusal;
});

test("what may have arrived is looked for first, and not sent twice", async () => {
  await open();
  twilio.messages = [message(0, { author: "me", body: "Hello", attributes: { client_id: "1-2" } })];
  told = [];
  await conversation.send(own("Hello"), true, NEVER);
  assert.deepEqual(ask("sendMessage"), []);
  assert.deepEqual(told, [["messages", ["Hello"], true]], "and its echo is told");
  for (const other of [{ author: "robin" }, { attributes: { client_id: "9-9" } }]) {
    twilio.messages = [message(0, { author: "me", attributes: { client_id: "1-2" }, ...other })];
    await conversation.send(own("Hello"), true, NEVER);
  }
  assert.equal(ask("sendMessage").length, 2);
});

test("files go with their text in one message, however long that takes", async () => {
  await open();
  let arrive;
  const uploading = new Promise((resolve) => {
    twilio.upload = (message) => {
      resolve(message);
      return Object.assign(new Promise((done) => (arrive = done)), { cancel() {} });
    };
  });
  const file = { name: "a.png", type: "image/png", file: new Blob(["x"]) };
  let isSent = false;
  const sending = conversation.send(own("Look", { files: [file] }), false, NEVER).then(() => (isSent = true));
  assert.deepEqual(await uploading, { files: ["a.png"], attributes: { client_id: "1-2" }, text: "Look" });
  await pass(10 * 60_000);
  assert.equal(isSent, false);
  arrive(0);
  await sending;
  assert.deepEqual(of("broken"), []);
});

test("an upload that is called off is cancelled at Twilio, and one that has not begun never does", async () => {
  await open();
  const uploading = new Promise((begun) => {
    twilio.upload = () => {
      let cancel;
      const sending = new Promise((_, reject) => {
        cancel = () => reject(new Error("cancelled"));
      });
      begun();
      twilio.calls.push(["upload"]);
      return Object.assign(sending, { cancel });
    };
  });
  const file = { name: "a.png", type: "image/png", file: new Blob(["x"]) };
  const first = new AbortController();
  const refusal = assert.rejects(conversation.send(own("", { files: [file] }), false, first.signal), /cancelled/);
  await uploading;
  first.abort();
  await refusal;
  const second = AbortSignal.abort();
  await assert.rejects(conversation.send(own("", { files: [file] }), false, second), { name: "AbortError" });
  assert.equal(ask("upload").length, 1);
});

for (const [status, files, isOver] of [
  [403, [], true],
  [404, [], true],
  [410, [], true],
  [500, [], false],
  [403, [{ name: "a.png", type: "image/png", file: new Blob(["x"]) }], false],
]) {
  const what = files.length ? "a file" : "a message";
  test(`${what} that Twilio refuses with ${status} ${isOver ? "ends the chat" : "ends nothing"}`, async () => {
    await open();
    const refuse = () => Object.assign(Promise.reject(refused(status)), { cancel() {} });
    twilio.sendMessage = refuse;
    twilio.upload = refuse;
    await assert.rejects(conversation.send(own("Hello", { files }), false, NEVER), { status });
    assert.equal(of("closed").length, Number(isOver));
  });
}

test("that the visitor types is told, and a failure of that is nobody's matter", async () => {
  make().typing(); // without a line
  await open();
  twilio.typing = async () => {
    throw refused(500);
  };
  conversation.typing();
  await settled();
});

// --- Reading -------------------------------------------------------------------------------------------------------

test("what was read is told Twilio once, forwards only, and known at once", async () => {
  twilio.lastReadMessageIndex = 2;
  await open();
  assert.equal(conversation.readHorizon, 2);
  for (const index of [2, 4, 4, 3]) conversation.read(index);
  assert.deepEqual(ask("read"), [["read", 4]]);
  assert.equal(conversation.readHorizon, 4);
  twilio.lastReadMessageIndex = 7; // in another tab
  assert.equal(conversation.readHorizon, 7);
});

test("nothing is read without a line, or after the end", async () => {
  make().read(3);
  assert.equal(conversation.readHorizon, -1);
  await open();
  twilio.emit("removed", twilio);
  conversation.read(3);
  assert.deepEqual(ask("read"), []);
});

// --- The pulse -----------------------------------------------------------------------------------------------------

test("a page in sight asks every 45 s whether the line lives, and mends it when nothing answers for 10 s", async () => {
  await open();
  let asked = 0;
  twilio.getMessagesCount = () => {
    asked += 1;
    return asked < 2 ? Promise.resolve(0) : new Promise(() => {});
  };
  await pass(44_999);
  assert.equal(asked, 0);
  await pass(1);
  await pass(10_000);
  assert.deepEqual([asked, of("broken")], [1, []]);
  await pass(35_000);
  await pass(9999);
  assert.deepEqual([asked, of("broken")], [2, []]);
  await pass(1);
  assert.deepEqual(of("broken"), [["broken"]]);
});

for (const [what, change] of [
  ["a page out of sight", () => mock.method(document, "visibilityState", () => "hidden", { getter: true })],
  ["a line that is being mended", () => sdk.clients[0].move("connecting")],
  ["a conversation that was left", () => conversation.dispose()],
]) {
  test(`${what} asks nothing`, async () => {
    await open();
    let asked = 0;
    twilio.getMessagesCount = async () => {
      asked += 1;
    };
    change();
    await pass(5 * 60_000);
    assert.equal(asked, 0);
  });
}

test("opened again, it starts over with another client", async () => {
  twilio.messages = [message(0)];
  await open();
  told = [];
  const again = conversation.open(() => {});
  await settled();
  assert.equal(sdk.clients.length, 2);
  sdk.clients[1].conversations.CH1 = new TwilioConversation([message(0), message(1)]);
  sdk.clients[1].start();
  await again;
  assert.deepEqual(of("messages"), [["messages", ["Message 0", "Message 1"], false]]);
});
