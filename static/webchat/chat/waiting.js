// What a visitor reads who waits for an agent: words by how long it takes, what is known of the queue and of the opening
// hours, and a way out. Imported when there is more to say than the first words.

import { markupOf } from "../api.js";
import { find, part } from "../templates.js";

/**
 * @import {WebChatElement} from "../web-chat-element.js"
 * @import {Chat} from "./chat.js"
 */

// Until our server has said how soon it may know more.
const AGAIN_MS = 30_000;
const PANEL_TIMEOUT_MS = 15_000;
const MINUTE = 60_000;
/** From so long after the chat's beginning. @type {[number, string][]} */
const STAGES = [
  [MINUTE, "waiting-longer"],
  [5 * MINUTE, "waiting-long"],
];

export class Waiting {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #isInSight = false;
  /** Our server knows that nobody comes soon, and says so in place of the first words. */
  #isInPlace = false;
  #pause = AGAIN_MS;

  /**
   * @param {Chat} chat
   * @param {() => number} waited milliseconds since the chat began, by our server's clock
   * @param {AbortSignal} signal the chat has gone
   */
  constructor(chat, waited, signal) {
    this.chat = chat;
    this.host = chat.host;
    this.templates = chat.templates;
    this.waited = waited;
    this.signal = signal;
    // In sight while the visitor waits.
    const line = part(chat.view, "waiting");
    this.line = line;
    this.words = part(line, "waiting-text");
    this.first = this.words.textContent ?? "";
    this.wayOut = part(line, "way-out");
    find(line, "leave-message")?.addEventListener("click", () => this.#leaveMessage());
    find(line, "give-up")?.addEventListener("click", () => chat.askToEnd());
    const observer = new IntersectionObserver((entries) => this.inSight(entries.at(-1)?.isIntersecting ?? false));
    observer.observe(line);
    signal.addEventListener("abort", () => {
      clearTimeout(this.#timer);
      observer.disconnect();
    });
  }

  /** @param {boolean} isInSight nobody is told what they do not see */
  inSight(isInSight) {
    this.#isInSight = isInSight;
    return this.#tell();
  }

  async #tell() {
    this.#plan();
    if (!this.#isInSight || this.signal.aborted) return;
    this.#show();
    const markup = await markupOf(this.host.takeRequest()).catch(() => "");
    const panel = new DOMParser().parseFromString(markup, "text/html");
    const known = panel.querySelector(".webchat-availability");
    this.#isInPlace = !!known?.hasAttribute("data-webchat-in-place");
    write(part(this.line, "figures"), known?.textContent?.replace(/\s+/g, " ").trim() ?? "");
    this.#show();
    const seconds = Number(panel.querySelector("[data-ask-again]")?.getAttribute("data-ask-again"));
    if (seconds) this.#pause = 1000 * seconds;
    this.#plan();
  }

  /** Tells again when a stage begins, or our server may know more. */
  #plan() {
    clearTimeout(this.#timer);
    if (!this.#isInSight || this.signal.aborted) return;
    const waited = this.waited();
    const next = STAGES.map(([from]) => from - waited).filter((left) => left > 0);
    this.#timer = setTimeout(() => this.#tell(), Math.min(...next, this.#pause));
  }

  #show() {
    const waited = this.waited();
    const stages = STAGES.filter(([from]) => waited >= from).map(([, name]) => name);
    // Without words of its own, a stage keeps those of the one before.
    const [name] = stages.reverse().filter((one) => find(this.host, `template="${one}"`, HTMLTemplateElement));
    write(this.words, name ? this.templates.text(name) : this.#isInPlace ? "" : this.first);
    this.wayOut.hidden = !this.#isInPlace && stages.length < STAGES.length;
  }

  /** What the visitor has written goes into the message. */
  async #leaveMessage() {
    const { chat } = this;
    const written = chat.transcript.timeline.entries.filter(({ own }) => own).map(({ text }) => text);
    const text = [...written, chat.composer.input.value.trim()].filter(Boolean).join("\n\n");
    const problem = part(this.line, "way-out-problem");
    problem.textContent = "";
    try {
      await chat.leave(text, () => messageFormOf(this.host));
    } catch (error) {
      problem.textContent = this.templates.problem(error);
    }
  }
}

/** The panel with the form for a message, though a chat may be had. @param {WebChatElement} host */
function messageFormOf(host) {
  const address = new URL(host.src, location.href);
  address.searchParams.set("leave", "1");
  return fetch(address, { signal: AbortSignal.timeout(PANEL_TIMEOUT_MS) });
}

/** Only what changed: it is read out. @param {Element} element @param {string} text */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
