// The head of the panel: its title, who is there, and End chat.

import { part } from "./templates.js";

export class Header {
  #end;
  #presence;
  #title;

  /** @param {HTMLElement} host */
  constructor(host) {
    this.#end = part(host, "end");
    this.#presence = part(host, "presence");
    this.#title = part(host, "title");
    this.clear();
  }

  get title() {
    return this.#title.textContent ?? "";
  }

  /** Nothing runs that could be ended, and nobody is there. */
  clear() {
    this.#end.hidden = true;
    this.#end.onclick = null;
    this.showPresence("");
  }

  /** @param {() => void} end what the button does */
  offerEnd(end) {
    this.#end.onclick = end;
    this.#end.hidden = false;
  }

  focusEnd() {
    this.#end.focus();
  }

  /** @param {string} text who is there; empty for nobody */
  showPresence(text) {
    this.#presence.hidden = !text;
    this.#presence.textContent = text;
  }
}
