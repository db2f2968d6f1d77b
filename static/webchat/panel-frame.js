// What the panel does to the page around it: it covers a phone's, and unread messages show in the title and on the launcher.

import { find, part } from "./templates.js";

/**
 * @import {Templates} from "./templates.js"
 * @import {WebChatElement} from "./web-chat-element.js"
 */

// As in launcher.css.
const PHONE = matchMedia("(max-width: 640px), (max-height: 480px)");
const MOST_SHOWN = 99;

export class PanelFrame {
  /** How many messages the visitor has not seen. */
  unread = 0;
  #titlePrefix = "";
  /** @type {HTMLElement[]} */
  #inert = [];
  /** @type {AbortController | undefined} */
  #listening;
  /** Whether the newest entry of the tab's history is the panel's. */
  #isInHistory = false;
  /** That entry is being left: the browser does it later, and tells of it. */
  #isLeaving = false;

  /** @param {WebChatElement} host @param {Templates} templates */
  constructor(host, templates) {
    this.host = host;
    this.templates = templates;
  }

  /** The element is on a page: this one, or the next. */
  attach() {
    this.#listening?.abort();
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    PHONE.addEventListener("change", () => this.fit(), { signal });
    window.addEventListener("popstate", (event) => this.#wentBack(event), { signal, capture: true });
    for (const type of ["resize", "scroll"]) {
      window.visualViewport?.addEventListener(type, () => this.#fitKeyboard(), { signal });
    }
    this.fit();
    if (this.unread) this.#countAgain();
  }

  detach() {
    this.#listening?.abort();
    if (this.#isLeaving) this.#isInHistory = this.#isLeaving = false;
    this.#release();
  }

  dispose() {
    this.detach();
    this.showUnread(0);
  }

  /** On a phone the open panel covers the page, so nothing behind it may take focus or scroll. */
  fit() {
    this.#release();
    if (!this.host.isOpen && this.#isInHistory && !this.#isLeaving) {
      this.#isLeaving = true;
      history.back();
    }
    if (!this.host.isOpen || !PHONE.matches || this.host.mode !== "launcher") return;
    this.#enterHistory();
    const panel = part(this.host, "panel");
    panel.setAttribute("aria-modal", "true");
    document.documentElement.classList.add("webchat-locked");
    this.#fitKeyboard();
    /** @type {HTMLElement} */
    let inside = panel;
    while (inside.parentElement && inside !== document.body) {
      for (const other of inside.parentElement.children) {
        const isSpoken = other.getAttribute("role") === "status";
        if (other === inside || !(other instanceof HTMLElement) || other.inert || isSpoken) continue;
        other.inert = true;
        this.#inert.push(other);
      }
      inside = inside.parentElement;
    }
  }

  /** Back closes what covers the page, and leaves the page only then. */
  #enterHistory() {
    if (this.#isInHistory) return;
    this.#isInHistory = true;
    // After a reload the entry is there already.
    if (history.state?.webchat === this.host.slug) return;
    history.pushState({ ...history.state, webchat: this.host.slug }, "");
  }

  /** @param {PopStateEvent} event */
  #wentBack(event) {
    if (!this.#isInHistory || event.state?.webchat === this.host.slug) return;
    // Turbo and htmx would fetch the page that is on the screen.
    event.stopImmediatePropagation();
    const isOurs = this.#isLeaving;
    this.#isInHistory = this.#isLeaving = false;
    if (!isOurs) this.host.close();
    else if (this.host.isOpen) this.fit(); // opened again meanwhile
  }

  /** @param {number} count of messages that the visitor has not seen */
  showUnread(count) {
    const before = this.unread;
    this.unread = count;
    const { title } = document;
    const plain = title.startsWith(this.#titlePrefix) ? title.slice(this.#titlePrefix.length) : title;
    this.#titlePrefix = count ? `(${count}) ` : "";
    if (title !== this.#titlePrefix + plain) document.title = this.#titlePrefix + plain;
    const badge = find(this.host, "badge");
    if (!badge) return;
    const text = count ? this.templates.text("unread", { count }) : "";
    badge.hidden = !count;
    part(badge, "count").textContent = count > MOST_SHOWN ? `${MOST_SHOWN}+` : String(count);
    part(badge, "unread").textContent = text;
    // Said again, the same number would be taken back before it is read out.
    if (count !== before) part(this.host, "announcer").textContent = count > before ? text : "";
  }

  /** The next page has a title of its own: Turbo's has come already, htmx's is about to. */
  #countAgain() {
    this.showUnread(this.unread);
    const title = new MutationObserver(() => {
      title.disconnect();
      this.showUnread(this.unread);
    });
    title.observe(document.head, { childList: true, subtree: true, characterData: true });
  }

  #release() {
    for (const element of this.#inert.splice(0)) element.inert = false;
    part(this.host, "panel").removeAttribute("aria-modal");
    document.documentElement.classList.remove("webchat-locked");
  }

  /** iOS lays its keyboard over the page and moves the page under it: only the visual viewport knows what is in sight. */
  #fitKeyboard() {
    const viewport = window.visualViewport;
    if (!viewport || !this.host.isOpen || viewport.scale !== 1) return;
    this.host.style.setProperty("--webchat-viewport", `${viewport.height}px`);
    this.host.style.setProperty("--webchat-viewport-top", `${viewport.offsetTop}px`);
  }
}
