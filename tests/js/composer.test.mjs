import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { freshElement, settled, templatesOf } from "./dom.mjs";

const { Composer } = await import("../../static/webchat/chat/composer.js");
const outgoingFiles = await import("../../static/webchat/chat/outgoing-files.js");
const { WebChatElement } = await import("../../static/webchat/web-chat-element.js");

const MAX_BYTES = 32_768;
let element;
let templates;
let view;
let sent;
let typed;

beforeEach(() => {
  sessionStorage.clear();
  localStorage.clear();
  element = freshElement();
  templates = templatesOf(element);
  view = element.querySelector("[data-webchat-view]");
  view.replaceChildren(templates.clone("chat"));
  sent = [];
  typed = 0;
});

const found = (name, root = view) => root.querySelector(`[data-webchat-${name}]`);

const { recall, remember } = WebChatElement.prototype;

/** As in a chat, with what the browser remembers; it finds its module here. */
function composer(session = "one") {
  const host = { slug: "support", recall, remember, load: async () => outgoingFiles };
  return new Composer(host, view, templates, session, {
    send: (text, files) => sent.push([text, files.map(({ name }) => name)]),
    typing: () => (typed += 1),
  });
}

function write(text) {
  found("message").value = text;
  found("message").dispatchEvent(new Event("input"));
}

function press(options) {
  const event = new KeyboardEvent("keydown", { key: "Enter", cancelable: true, ...options });
  found("message").dispatchEvent(event);
  return event.defaultPrevented;
}

// --- What is written --------------------------------------------------------------------------------------------

test("Enter sends what is written, without the space around it, and empties the field", () => {
  composer();
  write("  Hello!\n");
  assert.equal(press(), true);
  assert.deepEqual(sent, [["Hello!", []]]);
  assert.equal(found("message").value, "");
});

test("Shift + Enter is a new line, and Enter within an input method is the method's", () => {
  composer();
  write("Hello");
  for (const options of [{ shiftKey: true }, { isComposing: true }, { keyCode: 229 }]) {
    assert.equal(press(options), false);
  }
  assert.deepEqual(sent, []);
});

test("nothing but space is neither sent nor told to the agent as typing", () => {
  composer();
  write(" \n ");
  press();
  assert.deepEqual(sent, []);
  assert.equal(typed, 0);
  write("H");
  assert.equal(typed, 1);
});

test("a text beyond Twilio's limit stays, and says so; just below it the room is told, in bytes of UTF-8", () => {
  composer();
  write("é".repeat(MAX_BYTES / 2 - 1));
  assert.equal(found("room").textContent, "Room for characters: 2");
  write(`${"é".repeat(MAX_BYTES / 2)}!`);
  assert.equal(found("room").hidden, true);
  assert.equal(found("too-long").textContent, "The message is too long. Please send it in parts.");
  assert.equal(found("message").getAttribute("aria-invalid"), "true");
  press();
  assert.deepEqual(sent, []);
  write("Short");
  assert.equal(found("too-long").textContent, "");
  assert.equal(found("message").hasAttribute("aria-invalid"), false);
});

test("a draft outlives a reload in its own chat, and in no other", () => {
  composer();
  write("half a sent");
  found("message").value = "";
  composer("another");
  assert.equal(found("message").value, "");
  composer("one");
  assert.equal(found("message").value, "half a sent");
});

test("what was not sent after all stands before what is written meanwhile", () => {
  const one = composer();
  write("second");
  one.putBack("first");
  assert.equal(found("message").value, "first\nsecond");
});

test("the end gives back what was not sent, and forgets it", () => {
  const one = composer();
  write(" half a sent ");
  assert.equal(one.draft, "half a sent");
  one.finish();
  assert.equal(found("composer").hidden, true);
  assert.equal(recall.call({ slug: "support" }, "draft"), null);
});

// --- Files ------------------------------------------------------------------------------------------------------

const file = (name, bytes = 3, type = "") => new File([new Uint8Array(bytes)], name, { type });
const drop = (...files) =>
  view.dispatchEvent(Object.assign(new Event("drop"), { dataTransfer: { types: ["Files"], files } }));
const chosen = () => [...found("chosen").children].map((item) => item.textContent.trim().split(/\s+/)[0]);

test("files that are dropped on the chat go out with the text, or without any", async () => {
  const one = composer();
  assert.equal(found("attach").hidden, true);
  await settled();
  assert.equal(found("attach").hidden, false);
  drop(file("a.png"), file("b.pdf"));
  assert.deepEqual(chosen(), ["a.png", "b.pdf"]);
  assert.equal(found("files-status").textContent, "Files to send: 2");
  write("Here they are");
  press();
  drop(file("c.png"));
  press();
  assert.deepEqual(sent, [
    ["Here they are", ["a.png", "b.pdf"]],
    ["", ["c.png"]],
  ]);
  assert.equal(found("chosen").hidden, true);
  drop(file("d.png"));
  one.finish();
  assert.deepEqual(chosen(), []);
});

test("what may not be sent says why, and the rest is taken", () => {
  const files = new outgoingFiles.OutgoingFiles(view, templates);
  files.add([file("a.png"), file("b.exe"), file("c.png", 0), file("no-extension", 3, "image/png")]);
  assert.deepEqual(
    files.files.map(({ name }) => name),
    ["a.png", "no-extension"],
  );
  assert.match(found("file-problem").textContent, /b\.exe/);
  assert.match(found("file-problem").textContent, /c\.png is empty\./);
  assert.equal(found("dismiss").hidden, false);
  files.add(Array.from({ length: 9 }, (_, number) => file(`${number}.png`)));
  assert.equal(files.files.length, 10);
  assert.match(found("file-problem").textContent, /8\.png is one too many/);
});

test("all files of a message together keep to the limit", () => {
  found("file-input").dataset.maxMegabytes = "1";
  const files = new outgoingFiles.OutgoingFiles(view, templates);
  files.add([file("a.png", 600_000), file("b.png", 600_000), file("c.png", 400_000)]);
  assert.deepEqual(
    files.files.map(({ name }) => name),
    ["a.png", "c.png"],
  );
});

test("a file can be taken out again, and the focus goes to the next", () => {
  const files = new outgoingFiles.OutgoingFiles(view, templates);
  files.add([file("a.png"), file("b.png")]);
  const [first] = found("chosen").children;
  found("remove", first).click();
  assert.deepEqual(chosen(), ["b.png"]);
  assert.equal(document.activeElement, found("remove", found("chosen").firstElementChild));
});

test("a name that Twilio would refuse keeps its end, which says the type", () => {
  const files = new outgoingFiles.OutgoingFiles(view, templates);
  files.add([file(`${"x".repeat(300)}.png`)]);
  assert.equal(files.files[0].name.length, 200);
  assert.match(files.files[0].name, /\.png$/);
});

test("sizes are said in kilobytes and megabytes of the language", () => {
  assert.equal(outgoingFiles.sizeInWords(1, "en"), "1 kB");
  assert.equal(outgoingFiles.sizeInWords(20_400, "en"), "20 kB");
  assert.equal(outgoingFiles.sizeInWords(1_250_000, "de"), "1,3 MB");
});
