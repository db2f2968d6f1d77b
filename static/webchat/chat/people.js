// What the visitor is told of the people at the other end: who is here, who is typing.

import { languageOf, part } from "../templates.js";
import { initialsOf } from "./timeline.js";

/**
 * @import {Templates} from "../templates.js"
 * @import {Header} from "../header.js"
 * @import {Transcript} from "./transcript.js"
 */

// A screen reader that announced each keystroke's burst would talk over the conversation.
const TYPING_ANNOUNCED_MS = 2000;
const MOST_PICTURES = 3;
const MOST_ON_A_SMALL_PHONE = 2;
const SMALL_PHONE_PX = 360;

/** The people at the other end, and whether anybody has come yet. */
export class People {
  isOver = false;
  isConnected = false;
  /** @type {Set<string>} */
  #agents = new Set();
  /** @type {Set<string>} */
  #typists = new Set();
  /** Of an agent who left, what Twilio still tells may be late. @type {Set<string>} */
  #gone = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typingTimer;

  /**
   * @param {Header} header
   * @param {HTMLElement} view
   * @param {Templates} templates
   * @param {Transcript} transcript
   */
  constructor(header, view, templates, transcript) {
    this.header = header;
    this.view = view;
    this.templates = templates;
    this.transcript = transcript;
  }

  /** @param {string} identity @param {boolean} joined @param {Date | null} at */
  presence(identity, joined, at) {
    if (this.#agents.has(identity) === joined) return;
    if (joined) {
      this.#agents.add(identity);
      this.#gone.delete(identity);
    } else {
      this.#agents.delete(identity);
      this.#gone.add(identity);
      this.typing(identity, false);
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
    this.show();
  }

  /** @param {string} identity of an agent @param {boolean} isTyping */
  typing(identity, isTyping) {
    if (this.#typists.has(identity) === isTyping || (isTyping && this.#gone.has(identity))) return;
    if (isTyping) this.#typists.add(identity);
    else this.#typists.delete(identity);
    this.#showTyping();
  }

  /** The chat is over. */
  end() {
    this.isOver = true;
    this.#typists.clear();
    this.show();
  }

  /** After anything that changes who is here, what they are called, or whether they have answered. */
  show() {
    if (this.#agents.size > 0 && !this.isOver) {
      this.header.showPresence(this.templates.clone("present", { name: this.#list(this.#agents) }), this.#pictures());
    } else this.header.showPresence("");
    const answered = this.transcript.timeline.entries.some(({ kind, own }) => kind === "message" && !own);
    part(this.view, "waiting").hidden = this.isOver || !this.isConnected || answered || this.#agents.size > 0;
    this.#showTyping();
  }

  /** The initials of each agent whose name is known; of many, of the first, and how many more they are. */
  #pictures() {
    const initials = [...this.#agents].map((one) => initialsOf(this.transcript.nameOf(one))).filter(Boolean);
    const most = innerWidth < SMALL_PHONE_PX ? MOST_ON_A_SMALL_PHONE : MOST_PICTURES;
    const rest = initials.length > most ? initials.splice(most - 1).length : 0;
    const more = new Intl.NumberFormat(languageOf(this.view), { signDisplay: "always" }).format(rest);
    return [...initials, ...(rest ? [more] : [])].map((text) => {
      const picture = this.templates.element("person");
      picture.dataset.initials = text;
      return picture;
    });
  }

  /** @param {Iterable<string>} identities */
  #list(identities) {
    const names = new Set([...identities].map((identity) => this.transcript.label(identity)));
    return new Intl.ListFormat(languageOf(this.view)).format(names);
  }

  #showTyping() {
    const line = part(this.view, "typing");
    const spoken = part(this.view, "typing-status");
    const sentence = this.#typists.size > 1 ? "typing-several" : "typing";
    const text = this.#typists.size ? this.templates.text(sentence, { name: this.#list(this.#typists) }) : "";
    const words = part(line, "typing-text");
    if (words.textContent === text) return;
    line.hidden = !text;
    words.textContent = text;
    if (this.transcript.isAtEnd) this.transcript.scrollToEnd();
    if (!text) {
      clearTimeout(this.#typingTimer);
      this.#typingTimer = undefined;
      spoken.textContent = "";
      return;
    }
    this.#typingTimer ??= setTimeout(() => {
      spoken.textContent = words.textContent;
    }, TYPING_ANNOUNCED_MS);
  }
}
