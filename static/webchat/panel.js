// What the panel shows: the form, the running chat, or why there is none.

import { Api, ApiError } from "./api.js";
import { StartForm } from "./start-form.js";
import { Templates, part } from "./templates.js";

/**
 * @import {Credentials} from "#types"
 * @import {Chat} from "./chat/chat.js"
 * @import {WebChatElement} from "./web-chat-element.js"
 */

export class Panel {
  /** @type {Api} */
  #api;
  /** @type {HTMLElement} */
  #body;
  /** @type {StartForm | undefined} */
  #form;
  /** @type {Chat | undefined} */
  #chat;
  /** @type {{visitor: string | undefined, answers: FormData} | undefined} what the next form need not ask again */
  #kept;
  #disposed = false;

  /**
   * @param {WebChatElement} host
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

  /** @param {WebChatElement} host */
  constructor(host) {
    this.host = host;
    this.templates = new Templates(host);
    this.#body = host.child("content");
    this.#api = new Api({ panel: host.dataset.panelUrl ?? "", sessions: "", current: "", token: "", end: "" }, "");
    this.#api.refresh = async () => {
      this.#api.csrf = (await this.#fetch()).dataset.csrf ?? "";
    };
    host.child("end").addEventListener("click", () => this.#chat?.askToEnd());
    this.tabs = new BroadcastChannel(`webchat:${host.slug}`);
    this.tabs.onmessage = ({ data: { started, ended, renewed } }) => {
      if (this.#chat && this.#chat.session === renewed?.session_id) this.#chat.given = renewed;
      if (ended && ended === this.#chat?.session) this.#chat?.endedElsewhere();
      if (started && this.#form && !this.#form.isBusy) this.#join(started, this.#form);
    };
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
    this.tabs.close();
    this.#chat?.dispose();
  }

  async #fetch() {
    const page = new DOMParser().parseFromString(await this.#api.panel(this.host.takeRequest()), "text/html");
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
      this.#form = new StartForm(part(body, "form", HTMLFormElement), this.templates, this.#api, {
        preload: () => this.#prefetch(),
        ready: () => this.host.load("chat"),
        prove: async (puzzle) => (await this.host.load("proof-of-work")).solve(puzzle),
        started: (credentials) => this.#started(credentials),
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
    const [body, { fill }] = await Promise.all([this.#fetch(), this.host.load("refill")]);
    const typed = stale.answers();
    this.#show(body);
    if (!this.#form) return;
    fill(this.#form.form, typed);
    this.#form.focus();
    await this.#form.submit({ repeated: true });
  }

  /** Another tab of this browser began a chat: it goes on here too, with what was written here as its draft. */
  async #join(/** @type {string} */ session, /** @type {StartForm} */ form) {
    const { question } = form;
    if (question) this.host.remember(JSON.stringify([session, question]), "draft");
    await this.#reload();
  }

  async #started(/** @type {Credentials} */ credentials) {
    if (this.#form) this.#kept = { visitor: this.#body.dataset.visitor, answers: this.#form.answers() };
    await this.#begin(credentials, { focus: true });
    const { session_id } = credentials;
    this.tabs.postMessage({ started: session_id });
    this.host.emit("started", { session_id });
  }

  /** What a chat takes, while there is time. Asked for again when it is needed. */
  #prefetch() {
    this.host.fetchModule("chat").catch(() => {});
    this.host.fetchModule("sdk").catch(() => {});
  }

  async #resume({ again = false } = {}) {
    this.#view.replaceChildren(this.templates.clone("loading"));
    this.#prefetch();
    try {
      await this.#begin(await this.#api.current(), { focus: false });
    } catch (error) {
      if (error instanceof ApiError && error.isGone && !again) return this.#reload({ again: true });
      this.#problem(error, () => this.#resume());
    }
  }

  async #reload({ again = false, focus = false } = {}) {
    const view = this.#view;
    view.replaceChildren(this.templates.clone("loading"));
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
    const problem = this.templates.clone("problem", { detail: this.templates.problem(error) });
    part(problem, "retry").addEventListener("click", retry);
    this.#view.replaceChildren(problem);
    this.host.emit("error", { code: error instanceof ApiError ? error.code : "unexpected" });
  }

  /** @param {Credentials} credentials @param {{focus: boolean}} options */
  async #begin(credentials, { focus }) {
    const { Chat } = await this.host.load("chat");
    if (this.#disposed) return;
    this.#form = undefined;
    this.#view.replaceChildren(this.templates.clone("chat"));
    this.#chat = new Chat(this.host, this.#view, this.templates, this.#api, credentials, {
      startAnother: () => this.#startAnother(),
      disowned: () => {
        this.#kept = undefined;
        this.#reload();
      },
      ended: () => this.tabs.postMessage({ ended: credentials.session_id }),
      renewed: (renewed) => this.tabs.postMessage({ renewed }),
    });
    if (this.host.isOpen) this.#chat.shown({ focus });
  }

  /** The next form knows what this visitor answered about themselves, unless somebody else sits here now. */
  async #startAnother() {
    await this.#reload();
    if (this.#form && this.#kept && this.#kept.visitor === this.#body.dataset.visitor) {
      // Without it the form is empty, no more.
      const answers = await this.host.load("refill").catch(() => null);
      if (this.#form) answers?.fillPersonal(this.#form.form, this.#kept.answers);
    }
    this.shown({ focus: true });
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
