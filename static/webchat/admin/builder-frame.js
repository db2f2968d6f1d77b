/** What visitors find, in a frame of the builder: their own element and modules over markup that came with the frame. */

import { Composer } from "../chat/composer.js";
import { EndDialog } from "../chat/end-dialog.js";
import { People } from "../chat/people.js";
import { Transcript } from "../chat/transcript.js";
import { Waiting } from "../chat/waiting.js";
import { Header } from "../header.js";
import { part, Templates } from "../templates.js";
import { WebChatElement } from "../web-chat-element.js";

/** @import {Entry} from "#types" */

const MINUTE = 60_000;
const AGENT = "agent";
const { shown = "", brand = "", ink = "" } = document.body.dataset;

class PreviewedChat extends WebChatElement {
  /** No webchat has such a name: what the panel tells other tabs and the browser's storage is of no visitor's chat. */
  get slug() {
    return `preview of ${super.slug}`;
  }

  /** It begins anew each time. */
  recall() {
    return undefined;
  }

  remember() {}

  takeRequest() {
    return Promise.resolve(new Response(document.getElementById("panel")?.innerHTML));
  }
}

/** Before any listener of the page's: nothing here is pressed, followed or sent. @param {Event} event */
function stop(event) {
  const pressed = event.target instanceof Element && event.target.closest("a, button");
  const key = event instanceof KeyboardEvent && event.key === "Escape";
  if (!pressed && !key && event.type !== "submit") return;
  event.preventDefault();
  event.stopImmediatePropagation();
}

/** The styles of a chat, which stand last. @param {PreviewedChat} host */
async function style(host) {
  host.append(part(host, "chat-stylesheet", HTMLTemplateElement).content);
  await new Promise((resolve) => {
    for (const type of ["load", "error"]) host.lastElementChild?.addEventListener(type, resolve);
  });
}

/** A sample conversation, as far as the state has it. @param {PreviewedChat} host @param {HTMLTemplateElement} sample */
async function converse(host, sample) {
  const lines = [...sample.content.children].map((line) => /** @type {HTMLElement} */ (line));
  const name = lines.map((line) => line.dataset.from).find((from) => from !== "visitor") ?? "";
  const view = part(host, "view");
  const templates = new Templates(host);
  const header = new Header(host);
  await style(host);
  view.replaceChildren(templates.clone("chat"));
  const transcript = new Transcript(view, templates, {
    now: () => new Date(),
    nameOf: () => name,
    resend() {},
    older: () => null,
    loadFiles: () => host.load("received-files"),
    loadRichText: () => host.load("rich-text"),
  });
  const people = new People(header, view, templates, transcript);
  const composer = new Composer(host, view, templates, "", { send: (text) => composer.putBack(text), typing() {} });
  people.isConnected = true;
  header.offerEnd(() => {}, templates.element("options"));
  const [question, ...rest] = lines.map((line, index) => entry(line, index, lines.length));
  transcript.fill([question]);
  if (shown.startsWith("waiting")) {
    people.show();
    const waited = Number(shown.split("-")[1] ?? 0) * MINUTE;
    const chat = /** @type {any} */ ({ host, view, templates, transcript, composer });
    if (waited) new Waiting(chat, () => waited, new AbortController().signal);
    return;
  }
  people.presence(AGENT, true, new Date(question.at.getTime() + MINUTE / 2));
  transcript.fill(rest);
  transcript.showSeen(lines.length);
  if (shown === "chat") return people.typing(AGENT, true);
  people.end();
  header.clear();
  composer.hide(true);
  const rating = document.getElementById("rating");
  if (rating instanceof HTMLTemplateElement) part(view, "rating-place").append(rating.content);
  new EndDialog(view, templates, { asked() {}, confirmed: () => Promise.resolve() }).show("", { isNews: false });
}

/** @param {HTMLElement} line @param {number} index @param {number} count @returns {Entry} one a minute, until now */
function entry(line, index, count) {
  const own = line.dataset.from === "visitor";
  const at = new Date(Date.now() - (count - index) * MINUTE);
  const text = line.textContent ?? "";
  return { kind: "message", index, clientId: null, author: own ? "visitor" : AGENT, own, at, text, status: "sent" };
}

async function show() {
  const host = /** @type {PreviewedChat} */ (document.querySelector("web-chat"));
  host.style.setProperty("--webchat-brand", brand);
  host.style.setProperty("--webchat-brand-ink", ink);
  if (shown === "launcher") return;
  // As after a reload: on a phone an open panel would be a step of the tab's history.
  history.replaceState({ webchat: host.slug }, "");
  await host.open({ focus: false });
  const sample = document.getElementById("sample");
  if (sample instanceof HTMLTemplateElement) await converse(host, sample);
}

for (const type of ["click", "auxclick", "submit", "keydown"]) window.addEventListener(type, stop, { capture: true });
// What asks for the focus would take it from the form beside it.
const panel = document.getElementById("panel");
if (panel instanceof HTMLTemplateElement)
  for (const first of panel.content.querySelectorAll("[autofocus]")) first.removeAttribute("autofocus");
PreviewedChat.define();
show().finally(() => window.frameElement?.dispatchEvent(new Event("webchat-builder:shown")));
