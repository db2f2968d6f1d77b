import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, continuesGroup, initialsOf, startsDay, Timeline } from "../../static/webchat/chat/timeline.js";

const BASE = new Date(2026, 10, 22, 12, 0, 0).getTime();

function message(values) {
  return {
    kind: "message",
    index: null,
    clientId: null,
    author: "visitor",
    own: true,
    at: new Date(BASE + (values.index ?? 0) * 1000),
    text: `text ${values.index}`,
    status: "sent",
    ...values,
  };
}
const agent = (values) => message({ author: "agent", own: false, ...values });
const event = (values) => agent({ kind: "event", event: "joined", ...values });
const indexes = (timeline) => timeline.entries.map(({ index }) => index);

test("pages in any order, and twice, make one conversation", () => {
  const timeline = new Timeline();
  for (const index of [5, 6, 7, 5, 1, 2, 7, 3, 4, 8]) timeline.merge(message({ index }));
  assert.deepEqual(indexes(timeline), [1, 2, 3, 4, 5, 6, 7, 8]);
});

test("a merge says whether the entry is new", () => {
  const timeline = new Timeline();
  assert.equal(timeline.merge(message({ index: 1 })).isNew, true);
  assert.equal(timeline.merge(message({ index: 1, text: "edited" })).isNew, false);
  assert.equal(timeline.entries[0].text, "edited");
});

test("an echo takes the place of the message that it echoes", () => {
  const timeline = new Timeline();
  timeline.merge(message({ index: 1 }));
  const { entry } = timeline.merge(message({ clientId: "a", status: "sending", text: "hello" }));
  const echo = timeline.merge(message({ index: 2, clientId: "a", text: "hello" }));
  assert.equal(echo.entry, entry);
  assert.equal(echo.isNew, false);
  assert.equal(entry.status, "sent");
  assert.deepEqual(indexes(timeline), [1, 2]);
});

test("a failed message that arrived after all is no longer failed, and is not doubled", () => {
  const timeline = new Timeline();
  const { entry } = timeline.merge(message({ clientId: "a", status: "failed" }));
  timeline.merge(message({ index: 4, clientId: "a" }));
  assert.equal(entry.status, "sent");
  assert.equal(timeline.entries.length, 1);
});

test("the question that our server posts becomes the one that is shown already, and no other message does", () => {
  const timeline = new Timeline();
  const { entry } = timeline.merge(message({ clientId: "question", status: "sending", text: "Where is it?" }));
  timeline.merge(message({ clientId: "a", status: "sending", text: "Where is it?" }));
  timeline.merge(agent({ index: 0, clientId: "question" }));
  assert.equal(timeline.byClientId("question"), entry);
  assert.equal(entry.status, "sending");
  const echo = timeline.merge(message({ index: 1, clientId: "question", text: "Where is it?" }));
  assert.equal(echo.entry, entry);
  assert.equal(echo.isNew, false);
  timeline.merge(message({ index: 1, clientId: "question", text: "Where is it?" }));
  timeline.merge(message({ index: 2, clientId: "a", text: "Where is it?" }));
  assert.equal(timeline.merge(message({ index: 3, text: "Where is it?" })).isNew, true);
  assert.deepEqual(indexes(timeline), [0, 1, 2, 3]);
});

test("somebody else's message with my client id is not my message", () => {
  const timeline = new Timeline();
  timeline.merge(message({ clientId: "a", status: "sending" }));
  timeline.merge(agent({ index: 1, clientId: "a" }));
  assert.equal(timeline.entries.length, 2);
});

test("unsent messages stay last, in the order written, even if the visitor's clock is slow", () => {
  const timeline = new Timeline();
  timeline.merge(message({ clientId: "a", status: "sending", at: new Date(BASE - 9e6), text: "first" }));
  timeline.merge(message({ clientId: "b", status: "failed", at: new Date(BASE - 8e6), text: "second" }));
  timeline.merge(agent({ index: 3 }));
  assert.deepEqual(
    timeline.entries.map(({ text }) => text),
    ["text 3", "first", "second"],
  );
});

test("events stand among the messages by time; one that happens now comes last", () => {
  const timeline = new Timeline();
  for (const index of [1, 2, 4]) timeline.merge(message({ index }));
  timeline.merge(event({ at: new Date(BASE + 3000) }));
  assert.deepEqual(indexes(timeline), [1, 2, null, 4]);
  timeline.merge(event({ at: timeline.latest, event: "left" }));
  assert.equal(timeline.entries.at(-1).event, "left");
});

test("two events are never one", () => {
  const timeline = new Timeline();
  timeline.merge(event({}));
  timeline.merge(event({}));
  assert.equal(timeline.entries.length, 2);
});

test("neighbours and look-ups", () => {
  const timeline = new Timeline();
  const [first, second] = [1, 2].map((index) => timeline.merge(message({ index })).entry);
  assert.equal(timeline.before(second), first);
  assert.equal(timeline.after(first), second);
  assert.equal(timeline.before(first), undefined);
  assert.equal(timeline.byIndex(2), second);
  timeline.remove(first);
  assert.deepEqual(indexes(timeline), [2]);
});

test("unread are the others' messages after the horizon", () => {
  const timeline = new Timeline();
  timeline.merge(agent({ index: 0 }));
  timeline.merge(message({ index: 1 }));
  timeline.merge(agent({ index: 2 }));
  timeline.merge(event({}));
  assert.equal(timeline.unreadAfter(-1), 2);
  assert.equal(timeline.unreadAfter(0), 1);
  assert.equal(timeline.unreadAfter(2), 0);
});

test("a group is one author within five minutes of one day", () => {
  const first = agent({ index: 1, at: new Date(BASE) });
  const at = (ms, values = {}) => agent({ index: 2, at: new Date(BASE + ms), ...values });
  assert.equal(continuesGroup(first, at(60_000)), true);
  assert.equal(continuesGroup(first, at(5 * 60_000)), false);
  assert.equal(continuesGroup(first, at(1000, { author: "other" })), false);
  assert.equal(continuesGroup(event({}), at(1000)), false);
  assert.equal(continuesGroup(undefined, first), false);
  const late = agent({ index: 1, at: new Date(2026, 10, 22, 23, 59, 0) });
  const early = agent({ index: 2, at: new Date(2026, 10, 23, 0, 1, 0) });
  assert.equal(continuesGroup(late, early), false);
  assert.equal(startsDay(late, early), true);
  assert.equal(startsDay(first, at(1000)), false);
  assert.equal(startsDay(undefined, first), true);
});

test("a message's size is counted in UTF-8", () => {
  assert.equal(bytesOf("abc"), 3);
  assert.equal(bytesOf("ü"), 2);
  assert.equal(bytesOf("😀"), 4);
});

test("initials are those of the first and the last name, in any script", () => {
  assert.equal(initialsOf("Robin"), "R");
  assert.equal(initialsOf("Ada King Lovelace"), "AL");
  assert.equal(initialsOf("émile (Support) zola"), "ÉZ");
  assert.equal(initialsOf("山田 太郎"), "山太");
  assert.equal(initialsOf("𝒜da"), "𝒜");
  assert.equal(initialsOf(""), "");
});

test("what was read and what is new are found by the horizon", () => {
  const timeline = new Timeline();
  const at = new Date("2026-01-01T12:00:00Z");
  const message = (index, own) => ({
    kind: "message",
    index,
    clientId: null,
    author: own ? "me" : "them",
    own,
    at,
    text: "",
    status: "sent",
  });
  for (const [index, own] of [
    [0, true],
    [1, false],
    [2, true],
    [3, false],
    [4, false],
  ])
    timeline.merge(message(index, own));
  assert.equal(timeline.ownUpTo(1).index, 0);
  assert.equal(timeline.ownUpTo(9).index, 2);
  assert.equal(timeline.ownUpTo(-1), undefined);
  assert.equal(timeline.firstUnread(-1).index, 1);
  assert.equal(timeline.firstUnread(1).index, 3);
  assert.equal(timeline.firstUnread(4), undefined);
});
