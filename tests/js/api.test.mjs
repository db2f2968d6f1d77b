import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { Api, ApiError, backOff, errorOf, parseRetryAfter, within } from "../../static/webchat/api.js";

/** @type {import("node:http").Server} */
let server;
let origin = "";
/** @type {{method: string, url: string, headers: Record<string, string>, body: string}[]} */
let requests = [];
/** @type {((request: object, response: import("node:http").ServerResponse) => void)[]} */
let answers = [];

const json =
  (status, body, headers = {}) =>
  (_request, response) =>
    response
      .writeHead(status, { "Content-Type": "application/json", Connection: "close", ...headers })
      .end(JSON.stringify(body));

before(async () => {
  server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    requests.push({ method: request.method, url: request.url, headers: request.headers, body });
    const answer = answers.shift();
    if (!answer) throw new Error(`no answer scripted for ${request.method} ${request.url}`);
    answer(request, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${server.address().port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  requests = [];
  answers = [];
});

function api(freshCsrf = async () => "csrf-1") {
  const id = "00000000-0000-0000-0000-000000000000";
  const urls = {
    sessions: `${origin}/sessions/`,
    current: `${origin}/current/`,
    token: `${origin}/sessions/${id}/token/`,
    end: `${origin}/sessions/${id}/end/`,
  };
  return new Api(urls, "csrf-1", freshCsrf);
}

test("a start carries the answers, the key and the CSRF token", async () => {
  answers = [json(201, { session_id: "s" })];
  const credentials = await api().start(new URLSearchParams({ name: "José" }), "key-1");
  assert.equal(credentials.session_id, "s");
  const [request] = requests;
  assert.equal(request.method, "POST");
  assert.equal(request.headers["idempotency-key"], "key-1");
  assert.equal(request.headers["x-csrftoken"], "csrf-1");
  assert.equal(request.headers.accept, "application/json");
  assert.equal(new URLSearchParams(request.body).get("name"), "José");
});

test("while the server is still starting, the same key is sent again after Retry-After", async () => {
  answers = [json(409, { code: "starting" }, { "Retry-After": "1" }), json(200, { session_id: "s" })];
  const begun = Date.now();
  await api().start(new URLSearchParams(), "key-1");
  assert.ok(Date.now() - begun >= 950);
  assert.deepEqual(
    requests.map(({ headers }) => headers["idempotency-key"]),
    ["key-1", "key-1"],
  );
});

test("a start that finds no turn is repeated by itself, later than it was told, and the visitor learns why", async () => {
  const busy = json(503, { code: "busy", detail: "In a moment." }, { "Retry-After": "0" });
  answers = [busy, busy, json(201, { session_id: "s" })];
  const told = [];
  const credentials = await api().start(new URLSearchParams(), "key-1", (error) => told.push(error.detail));
  assert.equal(credentials.session_id, "s");
  assert.deepEqual(told, ["In a moment.", "In a moment."]);
  assert.deepEqual(
    requests.map(({ headers }) => headers["idempotency-key"]),
    ["key-1", "key-1", "key-1"],
  );
});

test("an outage is not repeated, nor a rush that lasts too long", async () => {
  answers = [
    json(503, { code: "chat_unavailable" }, { "Retry-After": "1" }),
    json(503, { code: "busy" }, { "Retry-After": "181" }),
  ];
  await assert.rejects(api().start(new URLSearchParams(), "k"), { code: "chat_unavailable" });
  await assert.rejects(api().start(new URLSearchParams(), "k"), { code: "timeout" });
});

test("a conflict without Retry-After, or beyond the patience, is an error", async () => {
  answers = [json(409, { code: "conflict" }), json(409, { code: "starting" }, { "Retry-After": "3600" })];
  await assert.rejects(api().start(new URLSearchParams(), "k"), { code: "conflict", status: 409 });
  await assert.rejects(api().start(new URLSearchParams(), "k"), { code: "starting", retryAfter: 3600 });
});

test("field errors, detail and Retry-After reach the caller", async () => {
  answers = [
    json(429, { code: "too_many", detail: "Please wait.", fields: { name: ["No."] } }, { "Retry-After": "60" }),
  ];
  await assert.rejects(api().start(new URLSearchParams(), "k"), {
    code: "too_many",
    detail: "Please wait.",
    fields: { name: ["No."] },
    retryAfter: 60,
    status: 429,
  });
});

test("an answer that is not ours is unexpected, whatever its status", async () => {
  const html = (status) => (_request, response) => response.writeHead(status).end("<h1>Bad gateway</h1>");
  answers = [html(502), html(200), json(200, null)];
  await assert.rejects(api().current(), { code: "unexpected", status: 502 });
  await assert.rejects(api().current(), { code: "unexpected", status: 200 });
  await assert.rejects(api().current(), { code: "unexpected" });
});

test("a lost connection is a network error", async () => {
  answers = [(_request, response) => response.destroy()];
  await assert.rejects(api().current(), { code: "network", status: 0 });
});

test("a body that never ends runs into the time limit", async (t) => {
  const limit = AbortSignal.timeout.bind(AbortSignal);
  t.mock.method(AbortSignal, "timeout", () => limit(150));
  answers = [(_request, response) => response.writeHead(200).write("{")];
  await assert.rejects(api().current(), { code: "timeout" });
});

test("renew and end name the session, and repeat once with a fresh CSRF token", async () => {
  const id = "7b1e2a34-0000-4000-8000-000000000001";
  const mine = api(async () => "csrf-2");
  answers = [
    json(403, { code: "csrf" }),
    json(200, { token: "t" }),
    json(403, { code: "csrf" }),
    json(403, { code: "csrf" }),
  ];
  assert.deepEqual(await mine.renew(id), { token: "t" });
  assert.deepEqual(
    requests.map(({ url, headers }) => [url, headers["x-csrftoken"]]),
    [
      [`/sessions/${id}/token/`, "csrf-1"],
      [`/sessions/${id}/token/`, "csrf-2"],
    ],
  );
  await assert.rejects(mine.end(id, "agent"), { status: 403 });
  assert.equal(requests.length, 4);
  assert.deepEqual(
    requests.slice(2).map(({ body }) => body),
    ["ended_by=agent", "ended_by=agent"],
  );
});

test("only absent and ended count as gone, and only if our server says so", () => {
  const statuses = [400, 403, 404, 410, 429, 503];
  const gone = (body) => statuses.filter((status) => errorOf(status, body, null).isGone);
  assert.deepEqual(gone('{"code": "any"}'), [404, 410]);
  assert.deepEqual(gone("<h1>Not found</h1>"), []);
});

test("Retry-After is seconds or a date", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  assert.equal(parseRetryAfter("7", now), 7);
  assert.equal(parseRetryAfter("Sun, 22 Nov 2026 12:00:30 GMT", now), 30);
  assert.equal(parseRetryAfter("Sun, 22 Nov 2026 11:00:00 GMT", now), 0);
  assert.equal(parseRetryAfter("soon", now), null);
  assert.equal(parseRetryAfter(null, now), null);
});

test("back-off doubles, is spread by a fifth and ends at half a minute", () => {
  const middle = [1, 2, 3, 6, 20].map((attempt) => backOff(attempt, () => 0.5));
  assert.deepEqual(middle.map(Math.round), [1000, 2000, 4000, 30_000, 30_000]);
  assert.equal(
    backOff(1, () => 0),
    800,
  );
  assert.equal(Math.round(backOff(1, () => 1)), 1200);
});

test("within gives the result, the rejection or a timeout", async () => {
  assert.equal(await within(1000, Promise.resolve(1)), 1);
  await assert.rejects(within(1000, Promise.reject(new ApiError("network"))), { code: "network" });
  await assert.rejects(within(10, new Promise(() => {})), { code: "timeout" });
});
