// What the visitor is told of the connection.

import { part } from "../templates.js";

/**
 * @import {Status} from "#types"
 * @import {Templates} from "../templates.js"
 */

const CONNECTING_MS = 800;
const RESTORED_MS = 4000;

export class ConnectionNotice {
  /** @type {Status} */
  #status = "connecting";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {HTMLElement} view @param {Templates} templates @param {() => void} reconnect */
  constructor(view, templates, reconnect) {
    this.templates = templates;
    this.line = part(view, "connection");
    this.again = part(view, "reconnect");
    this.again.addEventListener("click", reconnect);
  }

  /** @param {Status} status */
  show(status) {
    const before = this.#status;
    if (before === status && status !== "connecting") return;
    this.#status = status;
    clearTimeout(this.#timer);
    const lost = before !== "connected" && before !== "connecting";
    const words = status === "connected" ? (lost ? "restored" : "") : status;
    const show = () => (this.line.textContent = words && this.templates.text(words));
    // Most connections are there before anybody could read that they are being made.
    if (words === "connecting") this.#timer = setTimeout(show, CONNECTING_MS);
    else show();
    if (words === "restored") this.#timer = setTimeout(() => (this.line.textContent = ""), RESTORED_MS);
    this.again.hidden = status !== "unreachable";
  }

  clear() {
    clearTimeout(this.#timer);
    this.line.textContent = "";
    this.again.hidden = true;
  }
}
