// The running chat: what happens between the connection and the page.

import { ApiError, backOff, sleep } from "./api.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { Transcript } from "./transcript.js";
import { languageOf, part } from "./words.js";


const CONNECTING_MS = 800;
const RESTORED_MS = 4000;
// A screen reader that announced each keystroke's burst would talk over the conversation.
const TYPING_ANNOUNCED_MS = 2000;

export class Chat {
  isRunning = true;
  /** @type {Set<string>} */
  #agents = new Set();
  /** @type {Set<string>} */
  #typists = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typingTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #statusTimer;
  /** @type {Status} */
  #status = "connecting";
  #ending = false;
  #listening = new AbortController();

  /**
   * @param {Host} host
   * @param {HTMLElement} view
   * @param {Words} words
   * @param {Api} api
   * @param {Credentials} credentials
   * @param {{startAnother: () => void, disowned: () => void}} on `disowned`: it is no longer this visitor's to see
   */
  constructor(host, view, words, api, credentials, on) {
    this.host = host;
    this.view = view;
    this.words = words;
    this.api = api;
    this.session = credentials.session_id;
    this.identity = credentials.identity;
    this.connection = new Connection(credentials, () => this.#renew(), {
      status: (status) => this.#showStatus(status),
      messages: (entries, live) => this.#arrived(entries, live),
      removed: (index) => this.#removed(index),
      seen: (index) => this.transcript.showSeen(index),
      presence: (identity, joined, at) => this.#presence(identity, joined, at),
      typing: (identity, isTyping) => this.#typing(identity, isTyping),
      named: () => this.#named(),
      // Twilio may tell the end that we asked for before our server answers.
      ended: () => this.#finish({ by: this.#ending ? "visitor" : "agent", told: this.#ending }),
    });
    this.transcript = new Transcript(view, words, {
      nameOf: (identity) => this.connection.nameOf(identity),
      resend: (entry) => this.#send(entry, true),
      older: () => (this.connection.hasOlder ? this.connection.older() : null),
    });
    this.composer = new Composer(host, view, words, this.session, {
      send: (text, files) => this.#compose(text, files),
      typing: () => this.connection.typing(),
    });
    this.tabs = new BroadcastChannel(`webchat:${host.slug}`);
    this.tabs.onmessage = ({ data }) => data.ended === this.session && this.#finish({ by: "visitor", told: true });
    const { signal } = this.#listening;
    document.addEventListener("visibilitychange", () => this.#read(), { signal });
    this.transcript.log.addEventListener("scroll", () => this.#read(), { signal, passive: true });
    part(view, "reconnect").addEventListener("click", () => this.#open());
    part(view, "confirm-end").addEventListener("click", () => this.#confirmed());
    part(view, "confirm-keep").addEventListener("click", () => this.#confirm(false));
    part(view, "confirm").addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.#confirm(false);
    });
    part(view, "new").addEventListener("click", on.startAnother);
    this.on = on;
    host.child("end").hidden = false;
    if (!host.isOpen) host.remember("minimised");
    this.#open();
  }

  /** The panel came into sight. @param {{focus: boolean}} options */
  shown({ focus }) {
    this.transcript.shown();
    if (focus && this.isRunning) this.composer.focus();
    this.#read();
  }

  askToEnd() {
    this.#confirm(true);
  }

  /** Ends the chat for both sides. Rejects with ApiError when the server could not be told. */
  async end() {
    if (!this.isRunning) return;
    this.#ending = true;
    try {
      await this.api.end(this.session);
    } catch (error) {
      this.#ending = false;
      if (!(error instanceof ApiError) || !error.isGone) throw error;
    }
    this.#finish({ by: "visitor", told: true });
  }

  /** Something else takes its place in the panel. */
  dispose() {
    this.#listening.abort();
    this.connection.close();
    this.tabs.close();
  }

  async #open() {
    try {
      await this.connection.open();
    } catch (error) {
      if (!this.isRunning) return;
      if (error instanceof ApiError && error.isGone) return this.#finish({ by: "agent" });
      this.#showStatus("unreachable");
      this.host.emit("error", { code: error instanceof ApiError ? error.code : "connection" });
    }
  }

  /** Repeats until the server answers: the chat lives on the old token meanwhile. */
  async #renew() {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.api.renew(this.session);
      } catch (error) {
        if (!this.isRunning || !(error instanceof ApiError) || error.isGone || error.status === 403) throw error;
        await sleep(Math.max(backOff(attempt), (error.retryAfter ?? 0) * 1000));
      }
    }
  }

  // --- Messages -------------------------------------------------------------------------------------------------

  /** @param {string} text @param {File[]} files */
  #compose(text, files) {
    /** @type {Entry} */
    const entry = {
      kind: "message",
      index: null,
      clientId: crypto.getRandomValues(new Uint32Array(4)).join("-"),
      author: this.identity,
      own: true,
      at: new Date(),
      text,
      status: "sending",
      ...(files.length ? { files: files.map(ownFile), uploads: files } : {}),
    };
    this.transcript.markUnread(null);
    this.transcript.add([entry]);
    this.#send(entry, false);
  }

  /** @param {Entry} entry @param {boolean} again */
  async #send(entry, again) {
    const cancelling = new AbortController();
    entry.cancel = () => cancelling.abort();
    entry.status = "sending";
    this.transcript.update(entry);
    try {
      await this.connection.send(entry, again, cancelling.signal);
      delete entry.uploads;
      this.host.emit("message", { from: "visitor" });
    } catch {
      // If it got through nevertheless, its echo brings it back.
      if (cancelling.signal.aborted) return this.transcript.remove(entry);
      if (entry.index === null) entry.status = "failed";
      this.transcript.update(entry);
      this.host.emit("error", { code: "not_sent" });
    }
  }

  /** @param {Entry[]} entries @param {boolean} live */
  #arrived(entries, live) {
    if (live) {
      for (const { own } of this.transcript.add(entries)) if (!own) this.host.emit("message", { from: "agent" });
      for (const { author } of entries) this.#typing(author, false);
    } else {
      this.transcript.fill(entries);
    }
    this.#waiting();
    this.#read();
  }

  /** @param {number} index */
  #removed(index) {
    const entry = this.transcript.timeline.byIndex(index);
    if (entry) this.transcript.remove(entry);
  }

  /** What is in sight counts as read; the rest is counted on the launcher and in the title. */
  #read() {
    const { timeline, isAtEnd } = this.transcript;
    const newest = timeline.entries.reduce((index, entry) => Math.max(index, entry.index ?? -1), -1);
    if (this.host.isVisible && isAtEnd) {
      this.connection.read(newest);
      this.host.unread = 0;
    } else {
      const unread = timeline.unreadAfter(this.connection.readHorizon);
      if (unread && !this.host.unread) this.transcript.markUnread(this.connection.readHorizon);
      this.host.unread = unread;
    }
  }

  // --- People ---------------------------------------------------------------------------------------------------

  /** @param {string} identity @param {boolean} joined @param {Date | null} at */
  #presence(identity, joined, at) {
    if (this.#agents.has(identity) === joined) return;
    if (joined) this.#agents.add(identity);
    else {
      this.#agents.delete(identity);
      this.#typing(identity, false);
    }
    this.transcript.add([
      {
        kind: "event",
        event: joined ? "joined" : "left",
        index: null,
        clientId: null,
        author: identity,
        own: false,
        at: at ?? this.transcript.timeline.latest,
        text: "",
        status: "sent",
      },
    ]);
    this.#named();
  }

  #named() {
    this.transcript.rename();
    this.#waiting();
    const presence = this.host.child("presence");
    presence.hidden = !this.#agents.size || !this.isRunning;
    presence.textContent = presence.hidden ? "" : this.words.text("present", { name: this.#list(this.#agents) });
    this.#showTyping();
  }

  /** @param {Iterable<string>} identities */
  #list(identities) {
    const names = new Set([...identities].map((identity) => this.transcript.label(identity)));
    return new Intl.ListFormat(languageOf(this.view)).format(names);
  }

  #waiting() {
    const answered = this.transcript.timeline.entries.some(({ kind, own }) => kind === "message" && !own);
    const waiting = this.isRunning && this.#status === "connected" && !answered && !this.#agents.size;
    part(this.view, "waiting").hidden = !waiting;
  }

  /** @param {string} identity @param {boolean} isTyping */
  #typing(identity, isTyping) {
    if (identity === this.identity || this.#typists.has(identity) === isTyping) return;
    if (isTyping) this.#typists.add(identity);
    else this.#typists.delete(identity);
    this.#showTyping();
  }

  #showTyping() {
    const line = part(this.view, "typing");
    const spoken = part(this.view, "typing-status");
    const text = this.#typists.size ? this.words.text("typing", { name: this.#list(this.#typists) }) : "";
    line.hidden = !text;
    part(line, "typing-text").textContent = text;
    if (this.transcript.isAtEnd) this.transcript.scrollToEnd();
    if (!text) {
      clearTimeout(this.#typingTimer);
      this.#typingTimer = undefined;
      spoken.textContent = "";
    }
    this.#typingTimer ??= setTimeout(() => {
      spoken.textContent = line.textContent?.trim() ?? "";
    }, TYPING_ANNOUNCED_MS);
  }

  // --- Connection -----------------------------------------------------------------------------------------------

  /** @param {Status} status */
  #showStatus(status) {
    if (!this.isRunning) return;
    const before = this.#status;
    if (before === status && status !== "connecting") return;
    this.#status = status;
    clearTimeout(this.#statusTimer);
    const lost = before !== "connected" && before !== "connecting";
    const words = status === "connected" ? (lost ? "restored" : "") : status;
    const notice = part(this.view, "connection");
    const show = () => (notice.textContent = words && this.words.text(words));
    // Most connections are there before anybody could read that they are being made.
    if (words === "connecting") this.#statusTimer = setTimeout(show, CONNECTING_MS);
    else show();
    if (words === "restored") this.#statusTimer = setTimeout(() => (notice.textContent = ""), RESTORED_MS);
    part(this.view, "reconnect").hidden = status !== "unreachable";
    this.#waiting();
  }

  // --- The end --------------------------------------------------------------------------------------------------

  /** @param {boolean} asking */
  #confirm(asking) {
    if (!this.isRunning) return;
    part(this.view, "confirm").hidden = !asking;
    part(this.view, "confirm-problem").textContent = "";
    this.composer.hide(asking);
    if (asking) part(this.view, "confirm-keep").focus();
    else this.host.child("end").focus();
  }

  async #confirmed() {
    const button = part(this.view, "confirm-end", HTMLButtonElement);
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      await this.end();
    } catch (error) {
      part(this.view, "confirm-problem").textContent = this.words.problem(error);
    }
    button.removeAttribute("aria-disabled");
  }

  /** @param {{by: "visitor" | "agent", told?: boolean}} how `told`: our server knows already */
  #finish({ by, told = false }) {
    if (!this.isRunning) return;
    this.isRunning = false;
    this.connection.close();
    // The page is told first: what our server answers changes nothing for the visitor.
    if (!told) {
      this.api.end(this.session).catch((error) => {
        // Somebody signed in or out, here or in another tab: the next person at this screen reads nothing of it.
        if (error instanceof ApiError && error.status === 404) this.on.disowned();
      });
    }
    this.tabs.postMessage({ ended: this.session });
    this.tabs.close();
    const had = this.view.contains(document.activeElement);
    this.composer.forget();
    this.composer.hide(true);
    this.view.classList.add("webchat-over");
    this.#typists.clear();
    clearTimeout(this.#statusTimer);
    part(this.view, "connection").textContent = "";
    for (const name of ["reconnect", "confirm"]) part(this.view, name).hidden = true;
    this.host.child("end").hidden = true;
    part(this.view, "ended").hidden = false;
    part(this.view, "ended-text").textContent = this.words.text("ended");
    this.#named();
    if (had) part(this.view, "new").focus();
    if (!this.host.isOpen) this.host.remember(null);
    this.host.emit("ended", { session_id: this.session, by });
  }
}

/** @param {File} file @returns {Attachment} */
function ownFile(file) {
  const url = URL.createObjectURL(file);
  return { name: file.name, type: file.type, url: async () => url };
}
