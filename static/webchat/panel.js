// What the panel shows: the form, the running chat, or why there is none.

import { Api, ApiError } from "./api.js";
import { Chat } from "./chat.js";
import { StartForm } from "./form.js";
import { Words, part } from "./words.js";


export class Panel {
  /** @type {Api} */
  #api;
  /** @type {HTMLElement} */
  #body;
  /** @type {StartForm | undefined} */
  #form;
  /** @type {Chat | undefined} */
  #chat;
  #disposed = false;

  /**
   * @param {Host} host
   * @returns {Promise<Panel>} rejects with ApiError when the panel cannot be fetched
   */
  static async load(host) {
    const panel = new Panel(host);
    const content = host.child("content");
    const rendered = content.querySelector("[data-webchat-state]");
    const body = rendered instanceof HTMLElement ? rendered : await panel.#fetch();
    await stylesheetOf(host);
    panel.#show(body);
    return panel;
  }

  /** @param {Host} host */
  constructor(host) {
    this.host = host;
    this.words = new Words(host);
    this.#body = host.child("content");
    this.#api = new Api({ panel: host.dataset.panelUrl ?? "", sessions: "", current: "", token: "", end: "" }, "");
    this.#api.refresh = async () => {
      this.#api.csrf = (await this.#fetch()).dataset.csrf ?? "";
    };
    host.child("end").addEventListener("click", () => this.#chat?.askToEnd());
  }

  get isRunning() {
    return this.#chat?.isRunning ?? false;
  }

  /** @param {{focus: boolean}} options */
  shown({ focus }) {
    if (this.#chat) this.#chat.shown({ focus });
    else if (focus && this.#form?.asksNothing) this.#form.submit();
    else if (focus) this.#form?.focus();
  }

  async end() {
    await this.#chat?.end();
  }

  /** It is no longer on any page. */
  dispose() {
    this.#disposed = true;
    this.#chat?.dispose();
  }

  async #fetch() {
    const page = new DOMParser().parseFromString(await this.#api.panel(), "text/html");
    return document.adoptNode(part(page, "state"));
  }

  /** @param {HTMLElement} body */
  #show(body) {
    const { webchatState: state, sessionsUrl, currentUrl, tokenUrl, endUrl, csrf } = body.dataset;
    if (!body.isConnected) this.host.child("content").replaceChildren(body);
    this.#body = body;
    this.#chat?.dispose();
    this.#form = this.#chat = undefined;
    this.#api.csrf = csrf ?? "";
    Object.assign(this.#api.urls, { sessions: sessionsUrl, current: currentUrl, token: tokenUrl, end: endUrl });
    this.host.child("end").hidden = true;
    this.host.child("presence").hidden = true;
    if (state === "form") {
      this.#form = new StartForm(part(body, "form", HTMLFormElement), this.words, this.#api, {
        started: (credentials) => this.#begin(credentials, { focus: true, isNew: true }),
        stale: (form) => this.#replaceForm(form),
        failed: (error) => this.host.emit("error", { code: error.code }),
      });
    }
    if (state === "running") this.#resume();
    else if (!this.host.isOpen) this.host.remember(null);
  }

  get #view() {
    return part(this.#body, "view");
  }

  /** Another form, with a fresh key and CSRF token, in the place of one that the server no longer takes. */
  async #replaceForm(/** @type {StartForm} */ stale) {
    const body = await this.#fetch();
    const typed = stale.answers();
    this.#show(body);
    if (!this.#form) return;
    this.#form.fill(typed);
    this.#form.focus();
    await this.#form.submit({ repeated: true });
  }

  async #resume({ again = false } = {}) {
    this.#view.replaceChildren(this.words.clone("loading"));
    try {
      this.#begin(await this.#api.current(), { focus: false, isNew: false });
    } catch (error) {
      if (error instanceof ApiError && error.isGone && !again) return this.#reload({ again: true });
      this.#problem(error, () => this.#resume());
    }
  }

  async #reload({ again = false, focus = false } = {}) {
    const view = this.#view;
    view.replaceChildren(this.words.clone("loading"));
    try {
      const body = await this.#fetch();
      if (again && body.dataset.webchatState === "running") throw new ApiError("unexpected");
      this.#show(body);
      if (focus) this.shown({ focus });
    } catch (error) {
      this.#problem(error, () => this.#reload({ focus: true }));
    }
  }

  /** @param {unknown} error @param {() => void} retry */
  #problem(error, retry) {
    const problem = this.words.clone("problem", { detail: this.words.problem(error) });
    part(problem, "retry").addEventListener("click", retry);
    this.#view.replaceChildren(problem);
    this.host.emit("error", { code: error instanceof ApiError ? error.code : "unexpected" });
  }

  /** @param {Credentials} credentials @param {{focus: boolean, isNew: boolean}} options */
  #begin(credentials, { focus, isNew }) {
    if (this.#disposed) return;
    this.#form = undefined;
    this.#view.replaceChildren(this.words.clone("chat"));
    this.#chat = new Chat(this.host, this.#view, this.words, this.#api, credentials, {
      startAnother: () => this.#reload({ focus: true }),
      disowned: () => this.#reload(),
    });
    if (isNew) this.host.emit("started", { session_id: credentials.session_id });
    if (this.host.isOpen) this.#chat.shown({ focus });
  }
}

/** Resolves when the panel's stylesheet is there, or after 3 s without it: unstyled is better than nothing. */
async function stylesheetOf(/** @type {HTMLElement} */ host) {
  const link = host.querySelector("link[rel=stylesheet]");
  if (!(link instanceof HTMLLinkElement) || link.sheet) return;
  await new Promise((resolve) => {
    link.addEventListener("load", resolve, { once: true });
    link.addEventListener("error", resolve, { once: true });
    setTimeout(resolve, 3000);
  });
}
