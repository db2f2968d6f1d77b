/** The widget beside the form of its webchat, with what the form holds now: after each change it is sent into a new frame. */

import { part } from "../templates.js";

const PAUSE_MS = 400;
const STORED = "webchat:builder";
// Whatever may change a form, also by a script of the page: it is compared with what is shown.
const CHANGES = ["input", "change", "click", "keyup", "pointerup", "drop", "formset:added", "formset:removed"];
// Of use to a save alone.
const OF_SAVES = ["as_shown"];

class WebchatBuilder extends HTMLElement {
  /** What was sent last. */
  #sent = "";
  #count = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  connectedCallback() {
    for (const hidden of this.querySelectorAll("[hidden]")) hidden.removeAttribute("hidden");
    this.choices = part(this, "builder-choices", HTMLFormElement);
    this.stage = part(this, "builder-stage");
    this.edited = /** @type {HTMLFormElement} */ (document.getElementById(this.dataset.of ?? ""));
    this.#recall();
    this.choices.addEventListener("submit", (event) => event.preventDefault());
    this.choices.addEventListener("change", () => {
      this.#remember();
      this.#refresh();
    });
    for (const type of CHANGES) {
      document.addEventListener(type, () => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#refresh(), PAUSE_MS);
      });
    }
    this.#refresh();
  }

  /** @returns {[string, string][]} */
  get #values() {
    const all = [this.edited, this.choices].flatMap((form) => [...new FormData(/** @type {HTMLFormElement} */ (form))]);
    return all.filter(([name]) => !OF_SAVES.includes(name)).map(([name, value]) => [name, String(value)]);
  }

  #refresh() {
    const values = this.#values;
    const sent = JSON.stringify(values);
    if (sent === this.#sent || !this.stage) return;
    this.#sent = sent;
    for (const late of this.stage.querySelectorAll(".is-coming")) late.remove();
    this.#count += 1;
    const frame = this.#newFrame(this.stage, `webchat-builder-${this.#count}`);
    const form = document.createElement("form");
    form.method = "post";
    form.action = this.dataset.address ?? "";
    form.target = frame.name;
    for (const [name, value] of values) {
      const input = document.createElement("input");
      input.type = "hidden";
      input.name = name;
      input.value = value;
      form.append(input);
    }
    this.append(form);
    HTMLFormElement.prototype.submit.call(form);
    form.remove();
  }

  /** Each document has a frame of its own: a second one in the same frame would be a step of the tab's history. */
  #newFrame(/** @type {HTMLElement} */ stage, /** @type {string} */ name) {
    const template = part(this, "builder-frame", HTMLTemplateElement);
    const frame = /** @type {HTMLIFrameElement} */ (document.importNode(template.content, true).firstElementChild);
    frame.name = name;
    frame.classList.add("is-coming");
    frame.addEventListener("webchat-builder:shown", () => this.#show(frame));
    frame.addEventListener("load", () => {
      // Of another origin, as the browser's own page of an error, there is none to see.
      const { URL: address, body } = frame.contentDocument ?? {};
      if (address !== "about:blank" && !body?.dataset.shown) this.#fail(frame);
    });
    stage.append(frame);
    return frame;
  }

  /** In the place of the one before. @param {HTMLIFrameElement} frame */
  #show(frame) {
    if (!this.stage || !frame.contentDocument) return;
    for (const other of this.stage.querySelectorAll("iframe")) if (other !== frame) other.remove();
    const { device } = Object.fromEntries(this.#values.map(([name, value]) => [name.replace("builder-", ""), value]));
    this.stage.dataset.device = device;
    const isLeft = !!frame.contentDocument.querySelector("web-chat.webchat-left");
    this.stage.classList.toggle("is-at-left", isLeft === (frame.contentDocument.dir === "ltr"));
    frame.classList.remove("is-coming");
    part(this, "builder-problem").textContent = "";
    const notes = frame.contentDocument.querySelectorAll("#notes > li");
    part(this, "builder-notes").replaceChildren(...[...notes].map((note) => document.importNode(note, true)));
  }

  /** @param {HTMLIFrameElement} frame */
  #fail(frame) {
    frame.remove();
    this.#sent = "";
    part(this, "builder-problem").textContent = part(this, "builder-failed", HTMLTemplateElement).content.textContent;
  }

  /** What is looked at, in this tab. */
  #remember() {
    try {
      sessionStorage.setItem(STORED, JSON.stringify([...new FormData(this.choices)]));
    } catch {
      // A browser that forbids storage forgets.
    }
  }

  #recall() {
    try {
      for (const [name, value] of JSON.parse(sessionStorage.getItem(STORED) ?? "[]")) {
        const choice = this.choices?.elements.namedItem(name);
        if (choice instanceof RadioNodeList || choice instanceof HTMLSelectElement) choice.value = value;
      }
    } catch {
      // As above.
    }
  }
}

customElements.define("webchat-builder", WebchatBuilder);
