// The form that starts a chat or leaves a message. The server alone validates; this shows its verdict and keeps what
// was typed.

import { ApiError } from "./api.js";
import { find, followDirection, part } from "./templates.js";

/**
 * @import {Templates} from "./templates.js"
 */

/** Nothing was wrong with the answers: the same submit may succeed later. */
const REPEATABLE = new Set([0, 409, 429, 500, 502, 503, 504]);

/** The CSRF token, or the key: used with other answers, or for a chat that has ended. */
const STALE = new Set([403, 410, 422]);

/** So many wrong answers are listed above the form; fewer are told at their fields alone (webchat/forms/form.py). */
const LISTED_FROM = 3;
const SENTENCE_END = /[?؟？!！.。:：…]$/;

export class StartForm {
  #busy = false;

  /**
   * @param {HTMLFormElement} form
   * @param {Templates} templates
   * @param {object} on
   * @param {() => void} on.preload the visitor has begun to write, and will most likely chat
   * @param {() => void} on.typed an answer has changed
   * @param {() => Promise<unknown>} on.ready resolves when all is there that shows a chat: none is opened before
   * @param {(puzzle: string) => Promise<string>} on.prove solves a proof of work
   * @param {(answers: URLSearchParams, key: string, waits: (busy: ApiError) => void) => Promise<void>} on.send
   *   rejects with ApiError; waits for its turn where many are sent at once
   * @param {(form: StartForm) => Promise<void>} on.stale the key or the CSRF token is no longer good
   * @param {(form: StartForm) => Promise<boolean>} on.closed too late; whether something else took the answers
   * @param {(error: ApiError) => void} on.failed
   */
  constructor(form, templates, on) {
    this.form = form;
    this.templates = templates;
    this.on = on;
    this.errors = part(form, "errors");
    form.noValidate = true;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    form.addEventListener("input", on.preload, { once: true });
    form.addEventListener("input", ({ target }) => {
      const field = /** @type {HTMLInputElement} */ (target);
      // While it is written in, not as it is left: a button that moves then misses the click that left it.
      const row = field.closest("[data-webchat-field]");
      if (row && field.validity.valid) this.#unmark(row);
      followDirection(field);
      on.typed();
    });
    this.errors.addEventListener("click", (event) => this.#goToField(event));
  }

  /** The account answers everything: to open the chat is to start it. */
  get asksNothing() {
    return "webchatAsksNothing" in this.form.dataset;
  }

  /** To the first field where that opens no on-screen keyboard. */
  focus() {
    if (!matchMedia("(pointer: fine)").matches) return;
    const first = ".webchat-field :is(input, textarea, select, button):not([disabled], [type=hidden])";
    /** @type {HTMLElement | null} */ (this.form.querySelector(first))?.focus();
  }

  get isBusy() {
    return this.#busy;
  }

  answers() {
    return new FormData(this.form);
  }

  /** The answers that the visitor sees and may change, as pairs of name and value. @returns {[string, string][]} */
  get typed() {
    const answers = this.answers();
    /** @type {NodeListOf<HTMLInputElement>} */
    const hidden = this.form.querySelectorAll("[type=hidden]");
    for (const { name } of hidden) answers.delete(name);
    return [...answers].map(([name, value]) => [name, String(value)]);
  }

  get #about() {
    const question = this.form.elements.namedItem(this.form.dataset.webchatQuestion ?? "");
    /** @type {HTMLTextAreaElement | null} */
    const other = this.form.querySelector("textarea:enabled");
    return question instanceof HTMLTextAreaElement ? question : other;
  }

  /** What it is about, so far. */
  get draft() {
    return this.#about?.value.trim();
  }

  /** @param {string} text @returns {boolean} whether there is a question that takes it */
  putDraft(text) {
    const question = this.#about;
    if (!question) return false;
    question.value = text;
    followDirection(question);
    this.on.typed();
    return true;
  }

  /** The answer that our server posts as the first message; empty where there is none. */
  get question() {
    return String(this.answers().get(this.form.dataset.webchatQuestion ?? "") ?? "").trim();
  }

  async submit({ repeated = false } = {}) {
    if (this.#busy) return;
    this.#setBusy(true);
    try {
      await Promise.all([this.#prove(), this.on.ready()]).catch((error) => {
        throw error instanceof ApiError ? error : new ApiError("network");
      });
      const data = /** @type {any} */ (this.answers());
      const body = new URLSearchParams(data);
      body.set("location", location.href);
      body.set("referrer", document.referrer);
      await this.on.send(body, String(body.get("idempotency_key")), (busy) => this.#wait(busy));
    } catch (error) {
      const problem = error instanceof ApiError ? error : new ApiError("unexpected");
      if (!repeated && STALE.has(problem.status)) {
        await this.on.stale(this).catch((failure) => this.#show(failure));
      } else if (problem.code !== "chat_closed" || !(await this.on.closed(this).catch(() => false))) {
        this.#show(problem);
      }
    } finally {
      this.#setBusy(false);
    }
  }

  /** Says, for all to see, that it is a moment. @param {ApiError} busy */
  #wait(busy) {
    const progress = part(this.form, "progress");
    progress.textContent = busy.detail;
    progress.classList.remove("webchat-hidden");
  }

  /** While many chats are being started, the form brings a puzzle that costs a script more than a visitor. */
  async #prove() {
    const proof = find(this.form, "puzzle", HTMLInputElement);
    if (!proof || proof.value) return;
    proof.value = await this.on.prove(/** @type {string} */ (proof.dataset.webchatPuzzle));
  }

  /** @param {ApiError} error */
  #show(error) {
    this.#unmark(this.form);
    const links = part(this.errors, "error-links");
    links.replaceChildren();
    for (const [field, messages] of Object.entries(error.fields)) {
      const row = find(this.form, `field="${CSS.escape(field)}"`);
      const problem = messages.join(" ");
      if (!row) {
        links.append(this.templates.clone("error-line", { text: problem }));
        continue;
      }
      this.#mark(row, problem);
      const { webchatName: name = "" } = row.dataset;
      const line = this.templates.clone("error-link");
      const link = part(line, "to-field");
      link.setAttribute("href", `#${row.dataset.webchatTarget}`);
      const sentence = SENTENCE_END.test(name) ? "question" : "field";
      link.append(this.templates.clone(`${sentence}-problem`, { name, problem }));
      links.append(line);
    }
    const detail = part(this.errors, "detail");
    detail.textContent = this.templates.problem(error);
    detail.hidden = links.childElementCount > 0;
    part(this.errors, "again").hidden = !REPEATABLE.has(error.status);
    const marked = this.form.querySelectorAll("[data-webchat-error]:not([hidden])").length;
    const isListed = marked === 0 || marked >= LISTED_FROM || links.childElementCount > marked;
    this.errors.hidden = !isListed;
    /** @type {HTMLElement | null} */
    const invalid = this.form.querySelector("[aria-invalid=true]");
    (isListed ? this.errors : invalid)?.focus();
    this.on.failed(error);
  }

  /** @param {Element} marked a field's row, or all of them */
  #unmark(marked) {
    /** @type {NodeListOf<HTMLElement>} */
    const slots = marked.querySelectorAll("[data-webchat-error]");
    for (const slot of slots) {
      slot.hidden = true;
      slot.textContent = "";
      for (const field of marked.querySelectorAll(`[aria-describedby~="${CSS.escape(slot.id)}"]`)) {
        const ids = /** @type {string} */ (field.getAttribute("aria-describedby")).split(" ");
        field.setAttribute("aria-describedby", ids.filter((id) => id !== slot.id).join(" "));
      }
    }
    for (const field of marked.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  }

  /** @param {HTMLElement} row @param {string} problem */
  #mark(row, problem) {
    const slot = part(row, "error");
    slot.replaceChildren(this.templates.clone("field-error", { text: problem }));
    slot.hidden = false;
    const fields = row.querySelectorAll("fieldset, input, textarea, select");
    for (const field of fields) {
      if (field.tagName !== "FIELDSET") field.setAttribute("aria-invalid", "true");
      if (field !== fields[0]) continue;
      field.setAttribute("aria-describedby", `${field.getAttribute("aria-describedby") ?? ""} ${slot.id}`.trim());
    }
  }

  /** A link to a field moves the focus, not the page's address. @param {MouseEvent} event */
  #goToField(event) {
    const link = /** @type {Element} */ (event.target).closest("a");
    const field = link && document.getElementById(link.hash.slice(1));
    if (!field) return;
    event.preventDefault();
    field.focus();
  }

  /** @param {boolean} busy */
  #setBusy(busy) {
    this.#busy = busy;
    const button = part(this.form, "submit");
    this.form.setAttribute("aria-busy", String(busy));
    button.setAttribute("aria-disabled", String(busy));
    part(button, "label").hidden = busy;
    part(button, "busy").hidden = !busy;
    const progress = part(this.form, "progress");
    progress.textContent = busy ? this.templates.text("starting") : "";
    progress.classList.add("webchat-hidden");
  }
}
