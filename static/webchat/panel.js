// What the panel shows: the form of a chat or a message, the running chat, or why there is none.

import { Api, ApiError, markupOf, persistently } from "./api.js";
import { Header } from "./header.js";
import { PanelFrame } from "./panel-frame.js";
import { StartForm } from "./start-form.js";
import { find, part, Templates } from "./templates.js";
import { watchVisitor } from "./whose-page.js";

/**
 * @import {Credentials, Past, Receipt} from "#types"
 * @import {Chat} from "./chat/chat.js"
 * @import {WebChatElement} from "./web-chat-element.js"
 */

const STYLES_MS = 3000;
// How long a tab remembers a chat that has ended.
const PAST_MS = 30 * 60_000;

export class Panel {
  /** @type {HTMLElement} */
  #body;
  /** @type {Api} */
  #api;
  /** @type {StartForm | undefined} */
  #form;
  /** @type {Chat | undefined} */
  #chat;
  /** @type {{visitor: string | undefined, answers: FormData} | undefined} what the next form need not ask again */
  #kept;
  /** @type {{log: HTMLElement, draft: string} | undefined} the chat that has ended here, until another begins */
  #over;
  /** Written in the chat before, for one that asks no question. */
  #draft = "";
  /** @type {(() => Promise<Response>) | undefined} asks for the form of a message, though a chat may be had */
  #request;
  #disposed = false;
  #replaced = new AbortController();

  /**
   * @param {WebChatElement} host
   * @param {AbortSignal} unloaded the element has done with it meanwhile
   * @returns {Promise<Panel>} rejects with ApiError when the panel cannot be fetched
   */
  static async load(host, unloaded) {
    const body = find(part(host, "content"), "state") ?? (await fetchBody(host));
    await stylesOf(host);
    unloaded.throwIfAborted();
    return new Panel(host, body);
  }

  /** @param {WebChatElement} host @param {HTMLElement} body */
  constructor(host, body) {
    this.host = host;
    this.templates = new Templates(host);
    this.header = new Header(host);
    this.frame = new PanelFrame(host, this.templates);
    this.frame.attach();
    // Firefox forbids the channel where it keeps no cookies.
    this.tabs = navigator.cookieEnabled ? new BroadcastChannel(`webchat:${host.slug}`) : new MessageChannel().port1;
    this.tabs.onmessage = ({ data: { started, ended, renewed, offered, answered } }) => {
      if (offered && this.isRunning) this.#disown();
      if (answered && this.#body.dataset.webchatState === "offered") this.#reload();
      if (renewed) this.#chat?.renewedElsewhere(renewed);
      if (ended) this.#chat?.endedElsewhere(ended);
      if (started && !this.isRunning && !this.#form?.isBusy) this.#join(started);
    };
    this.#body = body;
    this.#api = this.#show(body);
  }

  get isRunning() {
    return this.#chat?.isRunning ?? false;
  }

  /**
   * Whether the next page needs it, though it be closed: for a running chat, and for what this tab remembers, which the
   * panel alone forgets when somebody else sits there.
   */
  get isKept() {
    return this.isRunning || !!this.host.recall("past") || !!this.host.recall("form");
  }

  /** @param {{focus: boolean}} options */
  shown({ focus }) {
    this.frame.fit();
    if (this.#chat) this.#chat.shown({ focus });
    else if (focus && this.#form?.asksNothing) this.#form.submit();
    else if (focus) this.#form?.focus();
  }

  minimised() {
    this.frame.fit();
  }

  /** The element is on a page, the same or another. */
  attached() {
    this.frame.attach();
  }

  detached() {
    this.frame.detach();
  }

  async end() {
    await this.#chat?.end();
  }

  /** It is no longer on any page. */
  dispose() {
    this.#disposed = true;
    this.#replaced.abort();
    this.tabs.close();
    this.#chat?.dispose();
    this.frame.dispose();
  }

  /** @param {HTMLElement} body @returns {Api} that of this body */
  #show(body) {
    // First: what it keeps of a chat is of the one whose body goes.
    this.#chat?.dispose();
    this.#form = this.#chat = undefined;
    if (!body.isConnected) part(this.host, "content").replaceChildren(body);
    const {
      webchatState: state,
      sessionsUrl = "",
      messagesUrl = "",
      currentUrl = "",
      tokenUrl = "",
      endUrl = "",
      csrf = "",
    } = body.dataset;
    const urls = { sessions: sessionsUrl, messages: messagesUrl, current: currentUrl, token: tokenUrl, end: endUrl };
    this.#body = body;
    this.#replaced.abort();
    this.#replaced = new AbortController();
    watchVisitor(body.dataset, body, () => this.#disown(), this.#replaced.signal);
    this.#api = new Api(urls, csrf, async () => (await fetchBody(this.host)).dataset.csrf ?? "");
    this.header.clear();
    const isStart = state === "form";
    if ((isStart || state === "message") && !navigator.cookieEnabled) {
      const blocked = new ApiError("no_cookies", { detail: this.templates.text("no-cookies") });
      this.#problem(blocked, () => this.#reload({ focus: true }));
    } else if (isStart || state === "message") {
      this.#form = new StartForm(part(body, "form", HTMLFormElement), this.templates, {
        preload: () => isStart && this.#prefetch(),
        typed: () => this.#keepForm(),
        ready: async () => isStart && this.host.load("chat"),
        prove: async (puzzle) => (await this.host.load("proof-of-work")).solve(puzzle),
        send: async (answers, key, waits) =>
          isStart
            ? this.#started(await this.#api.start(answers, key, waits))
            : this.#left(await this.#api.leave(answers, key)),
        stale: (form) => this.#replaceForm(form),
        closed: (form) => this.#offerMessage(form),
        failed: (error) => this.host.emit("error", { code: error.code }),
      });
    }
    this.#enhance();
    if (state === "running") {
      this.#resume();
      return this.#api;
    }
    if (state === "offered") {
      this.tabs.postMessage({ offered: true });
      this.#forget("past"); // it is not over
      this.host.load("offer").then(({ ask }) => ask(this, body, (markup) => this.#show(bodyOf(markup))), String);
      return this.#api;
    }
    this.#markBrowser(null);
    this.#forget("draft", "unsent"); // of a chat that is over
    const past = this.#recallPast();
    this.#refill();
    if (this.#over) this.#view.prepend(this.#over.log);
    else if (past) this.#showPast(past);
    if (!this.host.isOpen) this.host.remember(this.isKept ? "minimised" : null);
    return this.#api;
  }

  get #view() {
    return part(this.#body, "view");
  }

  /** Another form, with a fresh key and CSRF token, in the place of one that the server no longer takes. */
  async #replaceForm(/** @type {StartForm} */ stale) {
    const [body, { fill }] = await Promise.all([fetchBody(this.host, this.#request?.()), this.host.load("refill")]);
    const typed = stale.answers();
    const before = this.#body.dataset.webchatState;
    this.#show(body);
    if (!this.#form) return;
    fill(this.#form.form, typed);
    this.#form.focus();
    // What was written for a chat is not sent as a message unasked, nor the other way round.
    if (before === body.dataset.webchatState) await this.#form.submit({ repeated: true });
  }

  /**
   * The chat closed while its form was being filled.
   * @param {StartForm} form
   * @returns {Promise<boolean>} whether a form for a message stands in its place now, with what was typed
   */
  async #offerMessage(form) {
    const [body, { fill }] = await Promise.all([fetchBody(this.host), this.host.load("refill")]);
    if (body.dataset.webchatState !== "message") return false;
    const typed = form.answers();
    this.#show(body);
    if (this.#form) fill(this.#form.form, typed);
    part(this.host, "title").focus();
    return true;
  }

  /** What only some views need: an element names its module, and is of use without it. */
  #enhance() {
    /** @type {NodeListOf<HTMLElement>} */
    const parts = this.#view.querySelectorAll("[data-webchat-needs]");
    const { signal } = this.#replaced;
    for (const one of parts)
      persistently(
        () => this.host.load(/** @type {"afterwards" | "conditions" | "opening-time"} */ (one.dataset.webchatNeeds)),
        () => !signal.aborted,
      )
        .then((module) => signal.aborted || module?.enhance(one, this.host))
        .catch(String);
  }

  /** Another tab of this browser began a chat: it goes on here too, with what was written here as its draft. */
  async #join(/** @type {string} */ session) {
    this.#keepDraft(session, this.#form?.draft);
    this.#over = undefined;
    await this.#reload();
  }

  /** @param {string} session @param {string | undefined} draft for the composer of that chat */
  #keepDraft(session, draft) {
    if (draft) this.host.remember(JSON.stringify([session, draft]), "draft");
  }

  /** For the other tabs and the next day: with its next page view each shows the chat that runs. @param {string | null} mark */
  #markBrowser(mark) {
    try {
      const key = `webchat:${this.host.slug}:panel`;
      if (mark) localStorage.setItem(key, mark);
      else localStorage.removeItem(key);
    } catch {
      // A browser that forbids storage forgets.
    }
  }

  // --- What this tab remembers ------------------------------------------------------------------------------------

  /** @param {string[]} names */
  #forget(...names) {
    for (const name of names) this.host.remember(null, name);
  }

  /** What was typed into the form outlives the page, until it is sent or somebody else sits there. */
  #keepForm() {
    if (this.#form) this.host.remember(JSON.stringify([this.#body.dataset.visitor, this.#form.typed]), "form");
  }

  async #refill() {
    const form = this.#form;
    const [visitor, typed = []] = JSON.parse(this.host.recall("form") ?? "[]");
    if (visitor !== this.#body.dataset.visitor) this.#forget("form");
    else if (form) {
      const answers = new FormData();
      for (const [name, value] of typed) answers.append(name, value);
      // Without it the form is empty, no more.
      const refill = await this.host.load("refill").catch(() => null);
      refill?.fill(form.form, answers);
    }
  }

  /** @returns {Past | undefined} */
  #recallPast() {
    const { visitor, at, past } = JSON.parse(this.host.recall("past") ?? "{}");
    if (visitor === this.#body.dataset.visitor && Date.now() - at < PAST_MS) return past;
    this.#forget("past");
    return undefined;
  }

  /** The chat that has ended, in the place of the form, or above what is written in it already. @param {Past} past */
  async #showPast(past) {
    const body = this.#body;
    const form = this.#form;
    const under = [...this.#view.childNodes];
    this.#view.replaceChildren(this.templates.clone("loading"));
    this.#form = undefined; // that asks nothing would start by itself
    this.#style();
    const [module] = await Promise.all([this.host.load("chat").catch(() => null), stylesOf(this.host)]);
    if (this.#disposed || body !== this.#body) return;
    this.#view.replaceChildren(this.templates.clone("chat"));
    const { log } = module ? new module.PastChat(this, this.#view, past, () => this.#startAnother()).transcript : {};
    if (log) this.#over = { log, draft: past.draft };
    this.host.hidden = false;
    if (log && !this.host.recall("form")) return;
    this.#form = form;
    this.#view.replaceChildren(...(log ? [log] : []), ...under);
  }

  /** @param {Past} past */
  #keepPast(past) {
    const { visitor } = this.#body.dataset;
    this.host.remember(JSON.stringify({ visitor, at: Date.now(), past }), "past");
  }

  /** @param {Past} past */
  #ended(past) {
    this.#markBrowser(null);
    this.#keepPast(past);
    if (this.#chat) this.#over = { log: this.#chat.transcript.log, draft: past.draft };
  }

  // --- Chats ------------------------------------------------------------------------------------------------------

  async #started(/** @type {Credentials} */ credentials) {
    const form = this.#form;
    if (form) this.#kept = { visitor: this.#body.dataset.visitor, answers: form.answers() };
    const { session_id } = credentials;
    this.#forget("form");
    this.#keepDraft(session_id, this.#draft);
    await this.#begin(credentials, { focus: true, question: form?.question });
    this.tabs.postMessage({ started: session_id });
    this.host.emit("started", { session_id });
  }

  /** The message has arrived. @param {Receipt} receipt */
  #left({ message_id }) {
    this.#form = undefined;
    this.#request = undefined;
    this.#forget("form");
    this.#view.replaceChildren(this.templates.clone("message-left"));
    this.#enhance();
    part(this.#view, "left-title").focus();
    part(this.#view, "back").addEventListener("click", (event) => {
      event.preventDefault();
      this.#reload({ focus: true });
    });
    this.host.emit("left", { message_id });
  }

  /**
   * What a chat takes, while there is time. Asked for again when it is needed. Its own code is imported at once: what was
   * fetched only could not be imported any more on a line that broke meanwhile, where no cache has it.
   */
  #prefetch() {
    this.#style();
    this.host.load("chat").catch(() => {});
    this.host.fetchModule("sdk").catch(() => {});
  }

  /** Beside the panel's markup: they outlive it with a chat that has ended, which stands above the next form. */
  #style() {
    const styles = find(this.#body, "chat-stylesheet", HTMLTemplateElement);
    if (styles) this.host.append(styles.content);
  }

  async #resume({ again = false } = {}) {
    this.#view.replaceChildren(this.templates.clone("loading"));
    this.#prefetch();
    try {
      const { question } = this.#body.dataset;
      await this.#begin(await this.#api.current(), { focus: false, question });
    } catch (error) {
      if (error instanceof ApiError && error.isGone && !again) return this.#reload({ again: true });
      this.#problem(error, () => this.#resume());
    }
  }

  async #reload({ again = false, focus = false, retry = () => this.#reload({ focus: true }) } = {}) {
    const view = this.#view;
    const loading = this.templates.element("loading");
    view.replaceChildren(...(this.#over ? [this.#over.log] : []), loading);
    try {
      const body = await fetchBody(this.host, this.#request?.());
      if (again && body.dataset.webchatState === "running") throw new ApiError("unexpected");
      this.#show(body);
      if (focus) this.shown({ focus });
    } catch (error) {
      this.#problem(error, retry);
    }
  }

  /** Somebody else sits here now: nothing stays of what was shown. */
  #disown() {
    this.#chat?.dispose();
    this.#chat = this.#kept = this.#over = undefined;
    this.#draft = "";
    this.#forget("form", "past", "draft", "unsent", "unrated");
    this.#reload();
    this.#body.hidden = false;
  }

  /** @param {unknown} error @param {() => void} retry */
  #problem(error, retry) {
    if (this.#disposed) return;
    const problem = this.templates.clone("problem", { detail: this.templates.problem(error) });
    part(problem, "retry").addEventListener("click", retry);
    this.#view.replaceChildren(...(this.#over ? [this.#over.log] : []), problem);
    this.host.emit("error", { code: error instanceof ApiError ? error.code : "unexpected" });
  }

  /** @param {Credentials} credentials @param {{focus: boolean, question?: string}} options its question is on its way */
  async #begin(credentials, { focus, question }) {
    this.#prefetch();
    const [{ Chat }] = await Promise.all([this.host.load("chat"), stylesOf(this.host)]);
    if (this.#disposed) return;
    this.#form = this.#over = undefined;
    this.#draft = "";
    this.#forget("past");
    this.#markBrowser("minimised");
    // A launcher that nobody else finds on this page.
    this.host.hidden = false;
    this.#view.replaceChildren(this.templates.clone("chat"));
    this.#chat = new Chat(this, this.#view, this.#api, credentials, question, {
      startAnother: (message, request) => this.#startAnother(message, request),
      disowned: () => this.#disown(),
      hidden: (past) => this.#keepPast(past),
      ended: (past, here) => {
        // Of any other end each tab asks the server for itself, which says whether the chat is still its visitor's.
        if (here) this.tabs.postMessage({ ended: credentials.session_id });
        if (this.#chat?.session === credentials.session_id) this.#ended(past);
      },
      renewed: (renewed) => this.tabs.postMessage({ renewed }),
    });
    if (this.host.isOpen) this.#chat.shown({ focus });
  }

  /**
   * The next form stands below the chat that has ended, and knows what this visitor answered about themselves and had not
   * sent yet, unless somebody else sits here now.
   * @param {string} [message] to leave, instead of what was not sent
   * @param {() => Promise<Response>} [request] asks for its form
   */
  async #startAnother(message, request) {
    this.#request = request;
    // Without it the form is empty, no more. It may come when the visitor is writing.
    const refill = this.host.load("refill").catch(() => null);
    await this.#reload({ retry: () => this.#startAnother(message, request) });
    const draft = message ?? this.#over?.draft;
    if (draft && this.#form && !this.#form.putDraft(draft)) this.#draft = draft;
    this.shown({ focus: true });
    const module = await refill;
    if (this.#form && this.#kept && this.#kept.visitor === this.#body.dataset.visitor)
      module?.fillPersonal(this.#form.form, this.#kept.answers);
  }
}

/** @param {WebChatElement} host @param {Promise<Response>} [request] */
async function fetchBody(host, request = host.takeRequest()) {
  return bodyOf(await markupOf(request));
}

function bodyOf(/** @type {string} */ markup) {
  return document.adoptNode(part(new DOMParser().parseFromString(markup, "text/html"), "state"));
}

/** Resolves when the panel's styles are there, or after 3 s without them: unstyled is better than nothing. */
async function stylesOf(/** @type {HTMLElement} */ host) {
  /** @type {NodeListOf<HTMLLinkElement>} */
  const links = host.querySelectorAll("link[rel=stylesheet]");
  const arriving = [...links].filter(({ sheet }) => !sheet);
  const arrived = arriving.map(
    (link) =>
      new Promise((resolve) => {
        for (const type of ["load", "error"]) link.addEventListener(type, resolve, { once: true });
      }),
  );
  const late = new Promise((resolve) => setTimeout(resolve, STYLES_MS));
  if (arriving.length) await Promise.race([Promise.all(arrived), late]);
}
