// The messages on the page. Each entry is one list item of the log, drawn once: what is drawn twice is read out twice.

import { persistently } from "../api.js";
import { find, languageOf, part } from "../templates.js";
import { continuesGroup, initialsOf, startsDay, Timeline } from "./timeline.js";

/**
 * @import {Attachment, Entry, Modules} from "#types"
 * @import {Templates} from "../templates.js"
 */

// What may be more than words: an address, a sign of Markdown's, an emoji.
const RICH = /[*_`[@+]|https?:|www\.|^\s*(?:[-•]|\d+[.)])\s|\p{Extended_Pictographic}|\p{Regional_Indicator}/imu;

export class Transcript {
  timeline = new Timeline();
  /** @type {Map<Entry, HTMLElement>} */
  #items = new Map();
  #atEnd = true;
  #position = 0;
  #height = 0;
  /** The day on which the days were named. */
  #today = "";
  /** @type {Promise<boolean> | undefined} */
  #page;
  #seen = -1;
  /** @type {Entry | undefined} */
  #lastSeen;
  /** @type {Entry | undefined} */
  #firstUnread;
  /** @type {Modules["rich-text"] | undefined} once it was needed, and came */
  #richText;
  #awaitsRichText = false;

  /**
   * @param {ParentNode} view
   * @param {Templates} templates
   * @param {object} on
   * @param {() => Date} on.now
   * @param {(identity: string) => string | null} on.nameOf
   * @param {(entry: Entry) => void} on.resend
   * @param {() => Promise<Entry[]> | null} on.older null when there are none
   * @param {() => Promise<Modules["received-files"]>} on.loadFiles
   * @param {() => Promise<Modules["rich-text"]>} on.loadRichText
   */
  constructor(view, templates, on) {
    this.templates = templates;
    this.on = on;
    this.log = part(view, "log");
    this.list = part(this.log, "messages");
    this.jump = part(view, "jump");
    const language = languageOf(this.log);
    this.relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
    this.clock = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" });
    this.calendar = new Intl.DateTimeFormat(language, { weekday: "long", day: "numeric", month: "long" });
    this.log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.jump.addEventListener("click", () => {
      this.scrollToEnd();
      this.log.focus();
    });
    new ResizeObserver(() => {
      this.#height = this.log.clientHeight;
      if (this.#atEnd) this.scrollToEnd();
    }).observe(this.log);
  }

  /** Whether the newest message is in sight. */
  get isAtEnd() {
    return this.#atEnd;
  }

  /** Puts history in without having it read out. @param {Entry[]} entries */
  fill(entries) {
    this.#inSilence(() => this.add(entries));
  }

  /** @param {() => void} change that is not read out */
  #inSilence(change) {
    this.log.setAttribute("aria-busy", "true");
    change();
    requestAnimationFrame(() => this.log.setAttribute("aria-busy", "false"));
  }

  /** @param {Entry[]} entries @returns {Entry[]} those that were not known */
  add(entries) {
    this.#nameDays();
    const news = [];
    const follow = this.#atEnd || entries.some(({ status }) => status === "sending");
    for (const incoming of entries) {
      const { entry, isNew } = this.timeline.merge(incoming);
      this.#place(entry);
      if (isNew) news.push(entry);
      if (isNew && this.log.getAttribute("aria-busy") === "false")
        this.#items.get(entry)?.classList.add("webchat-arriving");
    }
    this.showSeen(-1);
    if (follow) this.scrollToEnd();
    else if (news.some(({ kind, own }) => kind === "message" && !own)) this.jump.hidden = false;
    return news;
  }

  /** @param {Entry} entry after its text or status changed */
  update(entry) {
    this.#place(entry);
    if (this.#atEnd) this.scrollToEnd();
  }

  /** @param {Entry} entry */
  remove(entry) {
    const next = this.timeline.after(entry);
    this.timeline.remove(entry);
    this.#items.get(entry)?.remove();
    this.#items.delete(entry);
    if (next) this.#decorate(next);
  }

  /** An agent has read up to this index. @param {number} index */
  showSeen(index) {
    this.#seen = Math.max(this.#seen, index);
    const before = this.#lastSeen;
    this.#lastSeen = this.timeline.ownUpTo(this.#seen);
    if (before === this.#lastSeen) return;
    for (const entry of [before, this.#lastSeen]) if (entry) this.#decorate(entry);
    if (this.#atEnd) this.scrollToEnd();
  }

  /** Where the reader stopped. @param {number | null} horizon null: nowhere any more */
  markUnread(horizon) {
    const before = this.#firstUnread;
    this.#firstUnread = horizon === null ? undefined : this.timeline.firstUnread(horizon);
    for (const entry of [before, this.#firstUnread]) if (entry) this.#decorate(entry);
  }

  /** Names became known. */
  rename() {
    for (const entry of this.timeline.entries) this.#decorate(entry);
  }

  /** At midnight "Today" becomes "Yesterday". */
  #nameDays() {
    const today = this.on.now().toDateString();
    if (this.#today !== today) this.rename();
    this.#today = today;
  }

  scrollToEnd() {
    this.#atEnd = true;
    this.jump.hidden = true;
    this.log.scrollTop = this.log.scrollHeight;
  }

  /** The panel is on the screen again. */
  shown() {
    this.#nameDays();
    if (this.#atEnd) this.scrollToEnd();
    else this.log.scrollTop = this.#position;
    this.#loadOlder();
  }

  /** @param {string} identity @returns {string} a name meant for display; empty where none is known */
  nameOf(identity) {
    return this.on.nameOf(identity) ?? "";
  }

  /** @param {string} identity @param {boolean} own */
  label(identity, own = false) {
    return (!own && this.nameOf(identity)) || this.templates.text(own ? "visitor" : "agent");
  }

  /** What stands in a message: nobody knows what an agent's tools send. @param {Entry} entry */
  wordsOf({ text, files = [] }) {
    const isBlank = /^[\s\p{Cc}\p{Cf}\p{DI}\u2800]*$/u.test(text);
    return isBlank && !files.length ? this.templates.text("not-shown") : text;
  }

  #scrolled() {
    // Hidden, or moved by a change of size: not the reader's doing.
    if (!this.log.clientHeight || this.log.clientHeight !== this.#height) return;
    this.#position = this.log.scrollTop;
    this.#atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 40;
    if (this.#atEnd) this.jump.hidden = true;
    this.#loadOlder();
  }

  /** Every page before. Rejects when one cannot be had. */
  async loadAll() {
    let isMore = true;
    while (isMore) isMore = await this.#loadPage();
  }

  /** Near the top, the page before. Scrolling again asks again. */
  #loadOlder() {
    if (this.log.clientHeight && this.log.scrollTop <= 120) this.#loadPage().catch(() => {});
  }

  /** Puts the page before above, without moving what is being read. @returns {Promise<boolean>} whether there was one */
  async #loadPage() {
    this.#page ??= this.#fetchPage().finally(() => {
      this.#page = undefined;
    });
    return this.#page;
  }

  async #fetchPage() {
    const page = this.on.older();
    if (!page) return false;
    const notice = part(this.log, "older");
    notice.hidden = false;
    try {
      const entries = await page;
      const fromEnd = this.log.scrollHeight - this.log.scrollTop;
      const followed = this.#atEnd;
      this.#atEnd = false;
      this.fill(entries);
      notice.hidden = true;
      this.#atEnd = followed;
      this.log.scrollTop = this.log.scrollHeight - fromEnd;
    } finally {
      notice.hidden = true;
    }
    return true;
  }

  /** @param {Entry} entry */
  #place(entry) {
    let item = this.#items.get(entry);
    const isNew = !item;
    if (!item) {
      item = this.templates.element(entry.kind);
      this.#items.set(entry, item);
    }
    const next = this.timeline.after(entry);
    const before = next ? (this.#items.get(next) ?? null) : null;
    if (isNew || item.nextElementSibling !== before) this.list.insertBefore(item, before);
    this.#decorate(entry);
    if (next) this.#decorate(next);
  }

  #day(/** @type {Date} */ at) {
    const days = Math.round((this.on.now().setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86_400_000);
    return days === 0 || days === 1 ? this.relative.format(-days, "day") : this.calendar.format(at);
  }

  /** @param {Entry} entry */
  #decorate(entry) {
    const item = this.#items.get(entry);
    if (!item) return;
    const previous = this.timeline.before(entry);
    const day = part(item, "day");
    day.hidden = !startsDay(previous, entry);
    write(day, day.hidden ? "" : this.#day(entry.at));
    if (entry.kind === "event") {
      write(part(item, "text"), this.templates.text(entry.event ?? "", { name: this.label(entry.author) }));
      return;
    }
    part(item, "divider").hidden = entry !== this.#firstUnread;
    item.classList.toggle("webchat-own", entry.own);
    item.classList.toggle("webchat-grouped", continuesGroup(previous, entry));
    item.classList.toggle("webchat-failed", entry.status === "failed");
    write(part(item, "author"), this.label(entry.author, entry.own));
    // Drawn by the stylesheet: who copies the conversation wants no letters in between.
    part(item, "initials").dataset.initials = entry.own ? "" : initialsOf(this.nameOf(entry.author));
    const time = part(item, "time", HTMLTimeElement);
    time.dateTime = entry.at.toISOString();
    write(time, this.clock.format(entry.at));
    this.#body(item, entry);
    this.#delivery(item, entry);
  }

  /** @param {HTMLElement} item @param {Entry} entry @param {boolean} [again] */
  #body(item, entry, again = false) {
    const text = part(item, "text");
    const files = entry.files ?? [];
    const content = JSON.stringify([entry.text, ...files.map(({ name }) => name)]);
    if (text.dataset.drawn === content && !again) return;
    text.dataset.drawn = content;
    const words = this.wordsOf(entry);
    const rich = this.#richText;
    if (!rich && RICH.test(words)) this.prepareRichText();
    text.classList.toggle("webchat-emoji", !!rich?.isFewEmoji(words));
    text.replaceChildren(
      ...(rich?.draw(this.templates, words, !entry.own && "markdown" in this.log.dataset) ?? [words]),
    );
    if (files.length && !again) this.#drawFiles(part(item, "files"), files);
  }

  /** Until it is there, messages are plain text. */
  async prepareRichText() {
    if (this.#awaitsRichText) return;
    this.#awaitsRichText = true;
    this.#richText = await persistently(this.on.loadRichText, () => this.log.isConnected);
    this.#inSilence(() => {
      for (const [entry, item] of this.#items) {
        if (entry.kind === "message" && RICH.test(entry.text)) this.#body(item, entry, true);
      }
    });
    if (this.#atEnd) this.scrollToEnd();
  }

  /** @param {HTMLElement} place @param {Attachment[]} files */
  async #drawFiles(place, files) {
    const module = await persistently(this.on.loadFiles, () => place.isConnected);
    if (!module) return;
    place.replaceChildren(...files.map((file) => module.drawFile(this.templates, file, this.log)));
    if (this.#atEnd) this.scrollToEnd();
  }

  /** @param {HTMLElement} item @param {Entry} entry */
  #delivery(item, entry) {
    const line = part(item, "delivery");
    const { status, files } = entry;
    const seen = entry === this.#lastSeen && "seen";
    const words = { sent: seen, failed: "not-sent", sending: files?.length ? "uploading" : "sending" }[status];
    if (line.dataset.words === String(words)) return;
    line.dataset.words = String(words);
    line.hidden = !words;
    const sizes = (files ?? []).map(({ size }) => size).filter(Boolean);
    const size = new Intl.ListFormat(languageOf(this.log), { type: "unit" }).format(/** @type {string[]} */ (sizes));
    line.replaceChildren(words ? this.templates.clone(words, { size }) : "");
    find(line, "resend")?.addEventListener("click", () => this.on.resend(entry));
    find(line, "cancel")?.addEventListener("click", () => entry.cancel?.());
  }
}

/** Only what changed: a live region reads out each change. @param {Element} element @param {string} text */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
