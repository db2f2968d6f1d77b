// What a visitor reads who waits for an agent: words by how long it takes, what is known of the queue and of the opening
// hours, and a way out. Imported when there is more to say than the first words.

import { markupOf } from "../api.js";
import { part } from "../templates.js";

/**
 * @import {Templates} from "../templates.js"
 * @import {WebChatElement} from "../web-chat-element.js"
 */

// Our server's figures are hardly newer.
const AGAIN_MS = 30_000;
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

  /**
   * @param {WebChatElement} host
   * @param {HTMLElement} line in sight while the visitor waits
   * @param {Templates} templates
   * @param {object} on
   * @param {() => number} on.waited milliseconds since the chat began, by our server's clock
   * @param {() => Promise<void>} on.leaveMessage ends the chat first; rejects with ApiError
   * @param {() => void} on.giveUp
   * @param {AbortSignal} signal the chat has gone
   */
  constructor(host, line, templates, on, signal) {
    this.host = host;
    this.line = line;
    this.templates = templates;
    this.on = on;
    this.signal = signal;
    this.words = part(line, "waiting-text");
    this.first = this.words.textContent ?? "";
    this.wayOut = part(line, "way-out");
    line.querySelector("[data-webchat-leave-message]")?.addEventListener("click", () => this.#leaveMessage());
    line.querySelector("[data-webchat-give-up]")?.addEventListener("click", () => on.giveUp());
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
    clearTimeout(this.#timer);
    if (!this.#isInSight || this.signal.aborted) return;
    this.#show();
    const waited = this.on.waited();
    const figures = this.line.querySelector("[data-webchat-figures]");
    const next = STAGES.map(([from]) => from - waited).filter((left) => left > 0);
    const pause = Math.min(...next, figures ? AGAIN_MS : Infinity);
    if (pause < Infinity) this.#timer = setTimeout(() => this.#tell(), pause);
    if (!figures) return;
    const markup = await markupOf(this.host.takeRequest()).catch(() => "");
    const panel = new DOMParser().parseFromString(markup, "text/html");
    const known = panel.querySelector(".webchat-availability");
    this.#isInPlace = !!known?.hasAttribute("data-webchat-in-place");
    write(figures, known?.textContent?.replace(/\s+/g, " ").trim() ?? "");
    this.#show();
  }

  #show() {
    const waited = this.on.waited();
    const stages = STAGES.filter(([from]) => waited >= from).map(([, name]) => name);
    // Without words of its own, a stage keeps those of the one before.
    const [name] = stages.reverse().filter((one) => this.host.querySelector(`[data-webchat-template="${one}"]`));
    write(this.words, name ? this.templates.text(name) : this.#isInPlace ? "" : this.first);
    this.wayOut.hidden = !this.#isInPlace && stages.length < STAGES.length;
  }

  async #leaveMessage() {
    const problem = part(this.line, "way-out-problem");
    problem.textContent = "";
    try {
      await this.on.leaveMessage();
    } catch (error) {
      problem.textContent = this.templates.problem(error);
    }
  }
}

/** Only what changed: it is read out. @param {Element} element @param {string} text */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
