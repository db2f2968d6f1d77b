// The order and shape of a conversation, without a document.

/** @import {Entry} from "#types" */

/**
 * Unsent messages come last, sent ones in Twilio's order, events by time among them.
 * @param {Entry} a
 * @param {Entry} b
 */
export function compare(a, b) {
  const unsent = (/** @type {Entry} */ entry) => Number(entry.status !== "sent");
  if (unsent(a) !== unsent(b)) return unsent(a) - unsent(b);
  if (a.index !== null && b.index !== null) return a.index - b.index;
  return a.at.getTime() - b.at.getTime();
}

/** @param {Entry} a known @param {Entry} b incoming */
function isSame(a, b) {
  if (a.index !== null && a.index === b.index) return true;
  if (a.kind !== "message" || b.kind !== "message") return false;
  return a.clientId !== null && a.clientId === b.clientId && a.author === b.author;
}

/** Entries in order, each once, however often and in whatever order they arrive. */
export class Timeline {
  /** @type {Entry[]} */
  entries = [];

  /**
   * @param {Entry} incoming
   * @returns {{entry: Entry, isNew: boolean}} the entry that is kept: an echo is merged into the message it echoes
   */
  merge(incoming) {
    const known = this.entries.find((entry) => isSame(entry, incoming));
    if (known) this.entries.splice(this.entries.indexOf(known), 1);
    const entry = known ? Object.assign(known, incoming) : incoming;
    let position = this.entries.length;
    while (position > 0 && compare(this.entries[position - 1], entry) > 0) position -= 1;
    this.entries.splice(position, 0, entry);
    return { entry, isNew: !known };
  }

  /** @param {Entry} entry */
  remove(entry) {
    this.entries = this.entries.filter((other) => other !== entry);
  }

  /** @param {number} index */
  byIndex(index) {
    return this.entries.find((entry) => entry.kind === "message" && entry.index === index);
  }

  /** One of the visitor's own. @param {string} clientId */
  byClientId(clientId) {
    return this.entries.find((entry) => entry.own && entry.clientId === clientId);
  }

  /** @param {Entry} entry */
  before(entry) {
    return this.entries[this.entries.indexOf(entry) - 1];
  }

  /** @param {Entry} entry */
  after(entry) {
    return this.entries[this.entries.indexOf(entry) + 1];
  }

  /** The time of the newest entry, for an event that happens now: the visitor's clock may be wrong. */
  get latest() {
    return new Date(Math.max(0, ...this.entries.map(({ at }) => at.getTime())));
  }

  /** The newest of the visitor's messages up to an index. @param {number} index */
  ownUpTo(index) {
    return this.entries.filter(({ own, index: at }) => own && at !== null && at <= index).at(-1);
  }

  /** The first of the others' messages past the read horizon. @param {number} horizon */
  firstUnread(horizon) {
    return this.entries.find(({ kind, own, index }) => kind === "message" && !own && (index ?? -1) > horizon);
  }

  /** How many of the others' messages come after the read horizon. @param {number} horizon */
  unreadAfter(horizon) {
    return this.entries.filter(({ kind, own, index }) => kind === "message" && !own && (index ?? -1) > horizon).length;
  }
}

/** @param {Entry | undefined} previous @param {Entry} entry */
export function startsDay(previous, entry) {
  return !previous || previous.at.toDateString() !== entry.at.toDateString();
}

const GROUP_MS = 5 * 60 * 1000;

/**
 * Whether the entry goes on what its author was saying just before.
 * @param {Entry | undefined} previous
 * @param {Entry} entry
 */
export function continuesGroup(previous, entry) {
  return (
    !!previous &&
    previous.kind === "message" &&
    entry.kind === "message" &&
    previous.author === entry.author &&
    !startsDay(previous, entry) &&
    entry.at.getTime() - previous.at.getTime() < GROUP_MS
  );
}

/** Twilio takes messages of up to 32 KB. https://www.twilio.com/docs/conversations/conversations-limits */
export const MESSAGE_MAX_BYTES = 32 * 1024;

/** @param {string} text */
export function bytesOf(text) {
  return new TextEncoder().encode(text).length;
}

/** The first letters of the first and the last word of a name. @param {string} name */
export function initialsOf(name) {
  const words = name.split(/\s+/).filter((word) => /^\p{L}/u.test(word));
  return [...new Set([words[0], words.at(-1)])]
    .map((word) => [...(word ?? "")][0] ?? "")
    .join("")
    .toUpperCase();
}
