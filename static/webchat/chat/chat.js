// The running chat: what happens between the conversation at Twilio and the page, and how it ends.

import { ApiError, backOff, persistently, sleep } from "../api.js";
import { find, part } from "../templates.js";
import { Composer } from "./composer.js";
import { ConnectionNotice } from "./connection-notice.js";
import { Conversation } from "./conversation.js";
import { EndDialog } from "./end-dialog.js";
import { offerAfterwards, pastOf, saveConversation } from "./past-chat.js";
import { People } from "./people.js";
import { Transcript } from "./transcript.js";
import { TwilioClient } from "./twilio-client.js";

/**
 * @import {Attachment, Credentials, Entry, Past, Status} from "#types"
 * @import {Api} from "../api.js"
 * @import {Panel} from "../panel.js"
 * @import {Alerts} from "./alerts.js"
 */

export { PastChat } from "./past-chat.js";

const CONNECT_MS = 15_000;
// Our server tries for 3 s to post the question; after that its worker does, and nobody knows when.
const QUESTION_MS = 5000;
// Its client id there (webchat/chats/question.py).
const QUESTION = "question";

export class Chat {
  isRunning = true;
  /** Our server is being asked to end it. */
  #ending = false;
  /** Milliseconds that our server's clock is ahead of the visitor's, which may be wrong by days. */
  #skew;
  #listening = new AbortController();
  /** @type {Credentials | undefined} what another tab of this browser was given when it asked */
  #given;
  /** @type {Promise<Alerts | undefined> | undefined} */
  #alerts;
  /** @type {ReturnType<typeof setTimeout> | undefined} of the newest attempt to connect */
  #patience;
  /** @type {Promise<void> | undefined} what the visitor writes meanwhile waits for it */
  #questionPosted;
  /** @type {((value?: undefined) => void) | undefined} ends that wait */
  #stopWaiting;

  /**
   * @param {Panel} panel
   * @param {HTMLElement} view
   * @param {Api} api
   * @param {Credentials} credentials
   * @param {string | undefined} question that our server is posting as the first message
   * @param {object} on
   * @param {(message?: string, request?: () => Promise<Response>) => void} on.startAnother or leave that message
   *   instead, by the form that the request asks for
   * @param {() => void} on.disowned it is no longer this visitor's to see
   * @param {(past: Past) => void} on.hidden the page may never be seen again, nor the chat: it may be over by the next one
   * @param {(past: Past, here: boolean) => void} on.ended `here`: by the visitor in this tab
   * @param {(credentials: Credentials) => void} on.renewed
   */
  constructor({ host, templates, header, frame }, view, api, credentials, question, on) {
    this.host = host;
    this.view = view;
    this.templates = templates;
    this.header = header;
    this.frame = frame;
    this.api = api;
    this.on = on;
    this.session = credentials.session_id;
    this.identity = credentials.identity;
    this.#skew = Date.parse(credentials.expires_at) - credentials.expires_in * 1000 - Date.now();
    this.notice = new ConnectionNotice(view, templates, () => this.#open());
    this.client = new TwilioClient(credentials, {
      loadSdk: () => host.load("sdk"),
      renew: () => this.#renew(),
      status: (status) => this.#showStatus(status),
      // Our server gives no token any more. Told of the end, it says whether the chat is over or no longer this visitor's.
      gone: () => this.#finish("agent"),
      broken: () => this.#open("reconnecting"),
    });
    this.conversation = new Conversation(this.client, credentials, {
      loadFiles: () => host.load("outgoing-files"),
      messages: (entries, live) => this.#arrived(entries, live),
      removed: (index) => this.#removed(index),
      read: () => this.#read(),
      seen: (index) => this.transcript.showSeen(index),
      presence: (identity, joined, at) => {
        this.people.presence(identity, joined, at);
        this.transcript.prepareRichText();
      },
      typing: (identity, isTyping) => identity !== this.identity && this.people.typing(identity, isTyping),
      named: () => {
        if (!this.isRunning) this.on.hidden(this.#past);
        this.transcript.rename();
        this.people.show();
      },
      // An agent completed it, or it went idle. Twilio may tell the end that we asked for before our server answers.
      closed: () => this.#finish(this.#ending ? "visitor" : "agent"),
    });
    this.transcript = new Transcript(view, templates, {
      now: () => this.#now(),
      nameOf: (identity) => this.conversation.nameOf(identity),
      resend: (entry) => this.#send(entry, true),
      older: () => (this.isRunning && this.conversation.hasOlder ? this.conversation.older() : null),
      loadFiles: () => host.load("received-files"),
      loadRichText: () => host.load("rich-text"),
    });
    this.people = new People(header, view, templates, this.transcript);
    this.composer = new Composer(host, view, templates, this.session, {
      send: (text, files) => this.#compose(text, files),
      typing: () => this.conversation.typing(),
    });
    this.endDialog = new EndDialog(view, templates, {
      asked: (asking) => {
        this.composer.hide(asking);
        if (!asking) header.focusEnd();
      },
      confirmed: () => this.end(),
    });
    const { signal } = this.#listening;
    document.addEventListener("visibilitychange", () => this.#lookedAt(), { signal });
    this.transcript.log.addEventListener("scroll", () => this.#read(), { signal, passive: true });
    part(view, "new").addEventListener("click", () => on.startAnother());
    this.options = templates.element("options");
    for (const place of [view, this.options]) {
      part(place, "download").addEventListener("click", () => this.#download());
    }
    this.options.addEventListener("toggle", () => this.#prepareAlerts());
    for (const type of ["click", "keydown"])
      document.addEventListener(type, (event) => this.#closeOptions(event), { signal, capture: true });
    if (host.recall("sound") || host.recall("notify")) this.#prepareAlerts();
    // For a minute the first words do, where no more is known.
    const waited = () => Date.now() + this.#skew - Date.parse(credentials.began_at);
    setTimeout(
      () =>
        persistently(
          () => host.load("waiting"),
          () => this.isRunning && !signal.aborted,
        ).then((module) => this.isRunning && !signal.aborted && module && new module.Waiting(this, waited, signal)),
      find(view, "figures=now") ? 0 : 60_000 - waited(),
    );
    header.offerEnd(() => this.askToEnd(), this.options);
    if (!host.isOpen) host.remember("minimised");
    if (question) this.#expect(question);
    this.#restoreUnsent();
    this.#open();
  }

  #now() {
    return new Date(Date.now() + this.#skew);
  }

  /** The panel came into sight. @param {{focus: boolean}} options */
  shown({ focus }) {
    this.transcript.shown();
    if (focus && this.isRunning) this.composer.focus();
    this.#read();
  }

  get #isDisposed() {
    return this.#listening.signal.aborted;
  }

  /** Something else takes its place in the panel. */
  dispose() {
    this.host.isConnected || this.#keep();
    this.#listening.abort();
    this.conversation.dispose();
    this.client.close();
  }

  /** @param {Status} [status] */
  async #open(status = "connecting") {
    this.#showStatus(status);
    clearTimeout(this.#patience);
    const patience = setTimeout(() => this.#showStatus("unreachable"), CONNECT_MS);
    this.#patience = patience;
    try {
      await this.conversation.open(() => clearTimeout(patience));
    } catch (error) {
      if (!this.isRunning) return;
      if (error instanceof ApiError && error.isGone) return this.#finish("agent");
      if (patience !== this.#patience) return; // another attempt took over, and says how it goes
      this.#showStatus("unreachable");
      this.host.emit("error", { code: error instanceof ApiError ? error.code : "connection" });
    } finally {
      clearTimeout(patience);
    }
  }

  /** Another tab of this browser was given a token. @param {Credentials} given */
  renewedElsewhere(given) {
    if (given.session_id === this.session) this.#given = given;
  }

  /**
   * One tab asks for all: the others take what it was given. Without TLS there are no locks, and each one asks.
   * @returns {Promise<Credentials>}
   */
  #renew() {
    return new Promise((resolve, reject) => {
      const inTurn = async () => {
        const given = this.#given;
        if (given && given.expires_at > this.client.credentials.expires_at) return resolve(given);
        const fresh = await this.#ask();
        resolve(fresh);
        this.on.renewed(fresh);
        await sleep(100); // until they have heard of it
      };
      (navigator.locks?.request(this.session, inTurn) ?? inTurn()).catch(reject);
    });
  }

  /** Repeats until the server answers: the chat lives on the old token meanwhile. */
  async #ask() {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.api.renew(this.session);
      } catch (error) {
        if (!this.isRunning || !(error instanceof ApiError) || error.isGone || error.status === 403) throw error;
        await sleep(Math.max(backOff(attempt), (error.retryAfter ?? 0) * 1000));
      }
    }
  }

  /** @param {Status} status */
  #showStatus(status) {
    if (!this.isRunning || this.#isDisposed) return;
    this.notice.show(status);
    this.people.isConnected = status === "connected";
    this.people.show();
  }

  // --- Messages -------------------------------------------------------------------------------------------------

  /** Shows the question as being sent, until its echo takes its place. @param {string} question */
  #expect(question) {
    this.transcript.fill([this.#own(QUESTION, question)]);
    this.#questionPosted = new Promise((resolve) => {
      this.#stopWaiting = resolve;
      setTimeout(resolve, QUESTION_MS);
    });
  }

  /** What Twilio has not taken outlives the page as a draft does: it stands there again, to be sent or not. */
  #keepUnsent() {
    if (!this.isRunning) return;
    const unsent = this.transcript.timeline.entries
      .filter(({ own, index, text, clientId }) => own && index === null && text && clientId !== QUESTION)
      .map(({ clientId, text }) => [clientId, text]);
    this.host.remember(unsent.length ? JSON.stringify([this.session, unsent]) : null, "unsent");
  }

  #restoreUnsent() {
    const [session, unsent = []] = JSON.parse(this.host.recall("unsent") ?? "[]");
    if (session !== this.session) return;
    for (const [clientId, text] of unsent) {
      this.transcript.fill([{ ...this.#own(clientId, text), status: "failed" }]);
    }
  }

  /** @param {string} text @param {Attachment[]} files */
  #compose(text, files) {
    const entry = this.#own(crypto.getRandomValues(new Uint32Array(4)).join("-"), text, files);
    this.transcript.markUnread(null);
    this.transcript.add([entry]);
    this.#keepUnsent();
    this.#send(entry, false);
  }

  /** @param {string} clientId @param {string} text @param {Attachment[]} [files] @returns {Entry} */
  #own(clientId, text, files) {
    return {
      kind: "message",
      index: null,
      clientId,
      author: this.identity,
      own: true,
      at: this.#now(),
      text,
      files,
      status: "sending",
    };
  }

  /** @param {Entry} entry @param {boolean} again */
  async #send(entry, again) {
    const cancelling = new AbortController();
    const cancelled = new Promise((_, reject) => {
      entry.cancel = () => {
        cancelling.abort();
        reject();
      };
    });
    entry.status = "sending";
    this.transcript.update(entry);
    try {
      await Promise.race([this.#questionPosted, cancelled]);
      if (this.#isDisposed) return;
      await Promise.race([this.conversation.send(entry, again, cancelling.signal), cancelled]);
      const question = this.transcript.timeline.byClientId(QUESTION);
      if (question?.status === "sending" && question !== entry) {
        // Our server has failed once. It goes on trying, and so may the visitor: whoever comes second finds it there.
        question.status = "failed";
        this.transcript.update(question);
      }
      this.host.emit("message", { from: "visitor" });
    } catch {
      if (this.#isDisposed) return;
      // If it got through nevertheless, its echo brings it back.
      if (cancelling.signal.aborted) {
        this.composer.putBack(entry.text);
        this.transcript.remove(entry);
        return this.#keepUnsent();
      }
      if (entry.index === null) entry.status = "failed";
      this.transcript.update(entry);
      this.host.emit("error", { code: "not_sent" });
    }
  }

  /** @param {Entry[]} entries @param {boolean} live */
  #arrived(entries, live) {
    if (live) {
      // The site knows whether it is the other browser that the chat went to.
      if (entries.some(({ event }) => event === "moved"))
        this.api.renew(this.session).catch((error) => error.isGone && this.on.disowned());
      for (const { own, author, kind } of this.transcript.add(entries)) {
        if (own || kind === "event") continue;
        this.host.emit("message", { from: "agent" });
        this.#alerts?.then((alerts) => alerts?.call(this.transcript.label(author)));
      }
      for (const { author } of entries) this.people.typing(author, false);
    } else {
      this.transcript.fill(entries);
    }
    if (entries.some(({ own, clientId }) => own && clientId === QUESTION)) this.#stopWaiting?.();
    this.#keepUnsent();
    this.people.show();
    this.#read();
  }

  /** @param {number} index */
  #removed(index) {
    const entry = this.transcript.timeline.byIndex(index);
    if (entry) this.transcript.remove(entry);
  }

  /** Before the page goes, or when the element has left it: the chat may be over by the next one. */
  #keep() {
    if (this.isRunning) this.on.hidden(this.#past);
  }

  /** The page came into sight, or went out of it. */
  #lookedAt() {
    if (document.hidden) this.#keep();
    this.#read();
    this.conversation.tryLine();
  }

  /** What is in sight counts as read; the rest is counted on the launcher and in the title. */
  #read() {
    const { timeline, isAtEnd } = this.transcript;
    const newest = timeline.entries.reduce((index, entry) => Math.max(index, entry.index ?? -1), -1);
    if (this.host.isOpen && !document.hidden && isAtEnd) {
      this.conversation.read(newest);
      this.frame.showUnread(0);
    } else {
      const unread = timeline.unreadAfter(this.conversation.readHorizon);
      if (unread && !this.frame.unread) this.transcript.markUnread(this.conversation.readHorizon);
      this.frame.showUnread(unread);
    }
  }

  // --- What few need ----------------------------------------------------------------------------------------------

  #prepareAlerts() {
    this.#alerts ??= this.host.load("alerts").then(
      ({ Alerts }) => new Alerts(this.host, this.options, this.templates, this.header.title),
      () => this.#notLoaded(),
    );
  }

  /** As menus do: at a click elsewhere, and by Escape before that minimises the panel. @param {Event} event */
  #closeOptions(event) {
    const { options } = this;
    if (!options.hasAttribute("open")) return;
    if (event instanceof KeyboardEvent) {
      if (event.key !== "Escape") return;
      event.preventDefault();
      // Safari on a Mac gives what was clicked no focus: then the page has it.
      if (!this.view.contains(document.activeElement)) options.querySelector("summary")?.focus();
    } else if (options.contains(/** @type {Node} */ (event.target))) return;
    options.removeAttribute("open");
  }

  async #download() {
    await this.transcript.loadAll().catch(() => {});
    saveConversation(this.host, this.transcript);
  }

  #notLoaded() {
    this.#alerts = undefined;
    this.host.emit("error", { code: "load_failed" });
    return undefined;
  }

  // --- The end --------------------------------------------------------------------------------------------------

  askToEnd() {
    if (!this.isRunning) return;
    this.endDialog.ask(true);
    // While Twilio still has it: afterwards nobody can read what was not loaded.
    this.transcript.loadAll().catch(() => {});
  }

  /** Ends the chat for both sides, unless the page cancels it. Rejects with ApiError when the server was not told. */
  async end() {
    if (!this.isRunning) return;
    if (!this.host.emit("ending", { session_id: this.session }, { cancelable: true })) {
      this.endDialog.ask(false);
      return;
    }
    this.#ending = true;
    try {
      await this.api.end(this.session, "visitor");
    } catch (error) {
      this.#ending = false;
      if (!(error instanceof ApiError) || !error.isGone) throw error;
    }
    this.#finish("visitor");
  }

  /**
   * Ends the chat for a message in its place. Rejects as end() does.
   * @param {string} message
   * @param {() => Promise<Response>} request asks for its form
   */
  async leave(message, request) {
    await this.end();
    if (!this.isRunning) this.on.startAnother(message, request);
  }

  get #past() {
    const isWhole = !this.isRunning && this.people.isConnected && !this.conversation.hasOlder;
    return pastOf(this.session, this.transcript, this.templates, this.composer.draft, isWhole);
  }

  /** @param {string} session the chat that another tab of this browser ended */
  endedElsewhere(session) {
    if (session === this.session) this.#finish("visitor", false);
  }

  /**
   * The one place where a chat ends; what is no longer this visitor's to see goes by dispose() alone, without web-chat:ended.
   * @param {"visitor" | "agent"} by for the page, and for our server, which knows of the visitor's ends already
   * @param {boolean} [here] whether by the visitor in this tab
   */
  #finish(by, here = by === "visitor") {
    if (!this.isRunning) return;
    this.isRunning = false;
    this.#stopWaiting?.();
    this.client.close();
    // The page is told first: what our server answers changes nothing for the visitor.
    const told =
      by === "agent"
        ? this.api.end(this.session, by).catch((error) => {
            // Somebody signed in or out, here or in another tab: the next person at this screen reads nothing of it.
            if (error instanceof ApiError && error.status === 404) this.on.disowned();
          })
        : Promise.resolve();
    const files = this.composer.finish();
    if (files.length) this.transcript.add([{ ...this.#own("files", "", files), status: "failed" }]);
    const past = this.#past;
    this.host.remember(null, "unsent");
    this.endDialog.show(past.draft, { isNews: true });
    this.notice.clear();
    this.people.end();
    this.header.clear();
    this.on.ended(past, here);
    told.then(() => offerAfterwards(this.host, this.view, past, this.transcript));
    this.host.emit("ended", { session_id: this.session, by });
  }
}
