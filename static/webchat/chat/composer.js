// Where the visitor writes. The draft outlives a reload of the tab; what is left of it at the end of the chat can be taken
// into another one.

import { persistently } from "../api.js";
import { find, followDirection, part } from "../templates.js";
import { bytesOf, MESSAGE_MAX_BYTES } from "./timeline.js";

/**
 * @import {Attachment} from "#types"
 * @import {Templates} from "../templates.js"
 * @import {WebChatElement} from "../web-chat-element.js"
 * @import {OutgoingFiles} from "./outgoing-files.js"
 */

const MAX_ROWS = 6;
// From here on the visitor is told how much room is left.
const NEARLY_FULL = 0.9;
// There, Enter writes a new line as everywhere on a phone: its keyboard has no Shift + Enter.
const TOUCH = matchMedia("(pointer: coarse)");

export class Composer {
  /** @type {OutgoingFiles | undefined} */
  #outgoing;

  /**
   * @param {WebChatElement} host
   * @param {HTMLElement} view
   * @param {Templates} templates
   * @param {string} session the chat that the draft belongs to
   * @param {object} on
   * @param {(text: string, files: Attachment[]) => void} on.send
   * @param {() => void} on.typing
   */
  constructor(host, view, templates, session, on) {
    this.host = host;
    this.templates = templates;
    this.session = session;
    this.on = on;
    this.form = part(view, "composer", HTMLFormElement);
    this.input = part(this.form, "message", HTMLTextAreaElement);
    this.problem = part(this.form, "too-long");
    this.room = part(this.form, "room");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.input.addEventListener("keydown", (event) => {
      const isNewLine = event.shiftKey || (TOUCH.matches && !event.ctrlKey && !event.metaKey);
      if (event.key !== "Enter" || isNewLine || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#send();
    });
    this.input.addEventListener("input", () => {
      if (this.input.value.trim()) this.on.typing();
      this.#changed();
    });
    if (TOUCH.matches) {
      part(this.form, "keys").remove();
      this.input.setAttribute("aria-describedby", this.problem.id);
    }
    this.#restore();
    if (find(this.form, "attach")) this.#attach(view);
  }

  focus() {
    if (matchMedia("(pointer: fine)").matches) this.input.focus();
  }

  /** @param {boolean} hidden */
  hide(hidden) {
    this.form.hidden = hidden;
  }

  /** Before what is written there meanwhile. @param {string} text that was not sent after all */
  putBack(text) {
    this.input.value = [text, this.input.value].filter(Boolean).join("\n");
    this.#changed();
  }

  /** What is written and not sent. */
  get draft() {
    return this.input.value.trim();
  }

  /** The chat is over. @returns {Attachment[]} the files that were chosen and not sent */
  finish() {
    this.hide(true);
    this.host.remember(null, "draft");
    return this.#outgoing?.take() ?? [];
  }

  /** @param {HTMLElement} view */
  async #attach(view) {
    const module = await persistently(
      () => this.host.load("outgoing-files"),
      () => view.isConnected,
    );
    // What took the chat's place may have come first.
    if (module && view.contains(this.form)) this.#outgoing = new module.OutgoingFiles(view, this.templates);
  }

  #send() {
    const text = this.draft;
    if ((!text && !this.#outgoing?.files.length) || bytesOf(text) > MESSAGE_MAX_BYTES) return;
    const files = this.#outgoing?.take() ?? [];
    this.input.value = "";
    this.#changed();
    this.input.focus();
    this.on.send(text, files);
  }

  #changed() {
    followDirection(this.input);
    const room = MESSAGE_MAX_BYTES - bytesOf(this.draft);
    const tooLong = room < 0;
    const words = tooLong ? this.templates.text("too-long") : "";
    this.room.hidden = tooLong || room > MESSAGE_MAX_BYTES * (1 - NEARLY_FULL);
    this.room.textContent = this.room.hidden ? "" : this.templates.text("room", { count: room });
    if (this.problem.textContent !== words) this.problem.textContent = words;
    if (tooLong) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
    this.#grow();
    this.host.remember(this.input.value && JSON.stringify([this.session, this.input.value]), "draft");
  }

  #grow() {
    this.input.rows = 1;
    while (this.input.rows < MAX_ROWS && this.input.scrollHeight > this.input.clientHeight) this.input.rows += 1;
  }

  #restore() {
    const [session, text] = JSON.parse(this.host.recall("draft") ?? "[]");
    if (session === this.session && text) this.putBack(text);
  }
}
