// The head of the panel: the logo, its title, who is there, and End chat.

import { find, part } from "./templates.js";

export class Header {
  #end;
  #logo;
  /** @type {HTMLElement | undefined} */
  #options;
  #people;
  #presence;
  #title;

  /** @param {HTMLElement} host */
  constructor(host) {
    this.#end = part(host, "end");
    this.#logo = find(host, "logo");
    this.#people = part(host, "people");
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
    this.#options?.remove();
    this.showPresence("");
  }

  /** @param {() => void} end what the button does @param {HTMLElement} [options] of the chat, that stand before it */
  offerEnd(end, options) {
    this.#end.onclick = end;
    this.#end.hidden = false;
    this.#options?.remove();
    this.#options = options;
    if (options) this.#end.before(options);
  }

  focusEnd() {
    this.#end.focus();
  }

  /**
   * In one line, whoever is there.
   * @param {string | DocumentFragment} text empty for nobody: then the line below the title is that of staff
   * @param {HTMLElement[]} [people] their pictures, in the logo's place
   */
  showPresence(text, people = []) {
    const words = text || /** @type {string} */ (this.#presence.dataset.webchatPresence);
    this.#presence.hidden = !words;
    this.#presence.replaceChildren(words);
    this.#people.hidden = !people.length;
    this.#people.replaceChildren(...people);
    if (this.#logo) this.#logo.hidden = !!people.length;
  }
}
