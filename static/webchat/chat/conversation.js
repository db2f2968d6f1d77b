// One conversation over Twilio's Conversations SDK: https://www.twilio.com/docs/conversations/sdk-guides
// Whatever the SDK's surprises are, they end here.

import { ApiError, backOff, sleep, within } from "../api.js";
import { CALL_LIMIT } from "./twilio-client.js";

/**
 * @import {ConversationHandlers, Credentials, Entry} from "#types"
 * @import {TwilioClient} from "./twilio-client.js"
 * @import {Client, Conversation as TwilioConversation, Message, Paginator, Participant} from "@twilio/conversations"
 */

// What the site tells the agent (webchat/flex/conversations.py), by its client id: a line for the visitor.
const NOTES = new Map(
  /** @type {const} */ ([
    ["note", "signed-in"],
    ["moved", "moved"],
  ]),
);
const PAGE_SIZE = 30;
// How often the line of a page in sight is tried, and how long it has to answer. Frames that vanish close no socket.
const PULSE_MS = 45_000;
const PULSE_LIMIT = 10_000;
// The longest that a timer takes, in milliseconds: an upload may be slow.
const FOR_EVER = 2 ** 31 - 1;

/** @type {Omit<ConversationHandlers, "loadFiles">} */
const NOBODY = {
  messages() {},
  removed() {},
  read() {},
  seen() {},
  presence() {},
  typing() {},
  named() {},
  closed() {},
};

export class Conversation {
  /** @type {TwilioConversation | undefined} */
  #conversation;
  /** @type {Paginator<Message> | undefined} */
  #oldest;
  /** @type {Map<string, string | null>} */
  #names = new Map();
  #lastRead = -1;
  /** @type {Promise<void>} what is sent waits for it */
  #opening = Promise.resolve();
  #pulse = setInterval(() => this.tryLine(), PULSE_MS);

  /**
   * @param {TwilioClient} client
   * @param {Credentials} credentials
   * @param {ConversationHandlers} on
   */
  constructor(client, { identity, channel_sid: sid, api }, on) {
    this.client = client;
    this.identity = identity;
    this.sid = sid;
    this.api = api;
    this.on = on;
  }

  /** The SDK may go on for some seconds, and nobody hears of it any more. */
  dispose() {
    clearInterval(this.#pulse);
    this.on = { ...this.on, ...NOBODY };
  }

  /** Undefined while there is no connection that knows it. */
  get #live() {
    return this.client.isJoined ? this.#conversation : undefined;
  }

  /** The index up to which the visitor has read; -1 for nothing. */
  get readHorizon() {
    return Math.max(this.#lastRead, this.#live?.lastReadMessageIndex ?? -1);
  }

  get hasOlder() {
    return this.#oldest?.hasPrevPage ?? false;
  }

  /** @param {string} identity @returns {string | null} a name meant for display, never an identity */
  nameOf(identity) {
    return this.#names.get(identity) ?? null;
  }

  /**
   * Connects and reads the newest messages. Rejects when it cannot; called again, it starts over.
   * @param {() => void} joined the conversation was found, or another attempt took over
   */
  open(joined) {
    this.#opening = this.#open(joined);
    return this.#opening;
  }

  async #open(/** @type {() => void} */ joined) {
    const client = await this.client.connect((client) => this.#watch(client));
    const conversation = client && (await this.#join(client));
    joined();
    if (!conversation || this.client.current !== client) return;
    this.#conversation = conversation;
    this.client.isJoined = true;
    this.#listen(conversation);
    this.#oldest = await this.client.answer(conversation.getMessages(PAGE_SIZE));
    const entries = this.#oldest.items.map((message) => this.#entry(message));
    this.on.messages(entries, false);
    this.client.report();
    this.#checkEnded();
    this.#meet(await this.client.answer(conversation.getParticipants()));
  }

  /** After a pause, in which a line may have died unnoticed: a machine slept, or a router forgot it. */
  tryLine() {
    if (document.visibilityState !== "visible" || this.client.current?.connectionState !== "connected") return;
    const count = this.#live?.getMessagesCount();
    if (count) this.client.answer(count, PULSE_LIMIT).catch(() => {});
  }

  /** The messages before those that are known. @returns {Promise<Entry[]>} */
  async older() {
    if (!this.#oldest?.hasPrevPage) return [];
    this.#oldest = await this.client.answer(this.#oldest.prevPage());
    return this.#oldest.items.map((message) => this.#entry(message));
  }

  /**
   * @param {Entry} entry its client id travels in the attributes, to recognise the echo
   * @param {boolean} again the message may have arrived already, though no answer came
   * @param {AbortSignal} signal calls off an upload
   */
  async send(entry, again, signal) {
    const { text, clientId, files } = entry;
    try {
      if (!this.#live) await within(CALL_LIMIT, this.#opening);
      const conversation = this.#live;
      if (!conversation) throw new ApiError("network");
      if (again) {
        const { items } = await this.client.answer(conversation.getMessages(PAGE_SIZE));
        const entries = items.map((message) => this.#entry(message));
        this.on.messages(entries, true);
        if (entries.some((entry) => entry.own && entry.clientId === clientId)) return;
      }
      const attributes = { client_id: clientId };
      if (files?.length) {
        const { upload } = await this.on.loadFiles();
        return await this.client.answer(upload(conversation, entry, attributes, signal), FOR_EVER);
      }
      await this.client.answer(conversation.sendMessage(text, attributes));
    } catch (error) {
      const { status = 0 } = /** @type {{status?: number}} */ (error);
      // A refused file says nothing of the chat: its role at Twilio may forbid files alone.
      if (!files?.length && (status === 403 || status === 404 || status === 410)) this.#end();
      throw error;
    }
  }

  typing() {
    this.#live?.typing().catch(() => {});
  }

  /** @param {number} index the newest message that the visitor has seen */
  read(index) {
    if (!this.#live || this.client.isOver || index <= this.readHorizon) return;
    this.#lastRead = index;
    this.#live.advanceLastReadMessageIndex(index).catch(() => {});
  }

  /** Before the client knows what it is in: it may learn first that this is over. @param {Client} client */
  #watch(client) {
    client.on("conversationLeft", ({ sid }) => sid === this.sid && this.#end());
    client.on("conversationRemoved", ({ sid }) => sid === this.sid && this.#end());
  }

  /**
   * The channel may reach the SDK a moment after it was made.
   * @param {Client} client
   * @returns {Promise<TwilioConversation>}
   */
  async #join(client) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await within(CALL_LIMIT, client.getConversationBySid(this.sid));
      } catch (error) {
        if (this.client.isOver || this.client.current !== client) throw error;
        const { status = 0 } = /** @type {{status?: number}} */ (error);
        if (attempt === 4) {
          if (status === 403 || status === 404) this.#end();
          throw error;
        }
        await sleep(backOff(attempt));
      }
    }
  }

  /** Before the first page is read: what arrives in between is not announced again. */
  #listen(/** @type {TwilioConversation} */ conversation) {
    conversation.on("messageAdded", (message) => this.on.messages([this.#entry(message)], true));
    conversation.on("messageUpdated", ({ message }) => this.on.messages([this.#entry(message)], false));
    conversation.on("messageRemoved", (message) => this.on.removed(message.index));
    conversation.on("typingStarted", ({ identity }) => identity && this.on.typing(identity, true));
    conversation.on("typingEnded", ({ identity }) => identity && this.on.typing(identity, false));
    conversation.on("participantJoined", (participant) => this.#meet([participant]));
    conversation.on("participantUpdated", ({ participant }) => this.#noteRead([participant]));
    conversation.on("participantLeft", ({ identity }) => {
      if (identity && identity !== this.identity) this.on.presence(identity, false, null);
    });
    conversation.on("updated", () => {
      this.on.read();
      this.#checkEnded();
    });
    conversation.on("removed", () => this.#end());
  }

  #checkEnded() {
    const conversation = this.#live;
    if (!conversation) return;
    const attributes = /** @type {{status?: unknown} | null} */ (conversation.attributes);
    const inactive = this.api === "web_channels" && attributes?.status === "INACTIVE";
    if (conversation.state?.current === "closed" || conversation.status === "notParticipating" || inactive) this.#end();
  }

  #end() {
    if (!this.client.isOver) this.on.closed();
  }

  /** @param {Participant[]} participants */
  #noteRead(participants) {
    for (const { identity, lastReadMessageIndex } of participants) {
      if (identity !== this.identity) this.on.seen(lastReadMessageIndex ?? -1);
    }
  }

  /** @param {Participant[]} participants */
  #meet(participants) {
    this.#noteRead(participants);
    for (const participant of participants) {
      const { identity, dateCreated } = participant;
      if (!identity || identity === this.identity) continue;
      this.#learnName(identity, () => participant.getUser()).then(() => {
        if (!this.client.isOver) this.on.presence(identity, true, dateCreated);
      });
    }
  }

  /** @param {string} identity @param {() => Promise<{friendlyName: string | null}>} look */
  async #learnName(identity, look) {
    if (this.#names.get(identity)) return;
    this.#names.set(identity, null);
    const user = await within(5000, Promise.resolve().then(look)).catch(() => null);
    const name = user?.friendlyName?.trim();
    if (!name || name === identity) return;
    this.#names.set(identity, name);
    this.on.named();
  }

  /** @param {Message} message @returns {Entry} */
  #entry(message) {
    const author = message.author ?? "";
    const own = author === this.identity;
    const client = this.client.current;
    if (author && !own && client && !this.#names.has(author)) this.#learnName(author, () => client.getUser(author));
    const { client_id: clientId } = /** @type {{client_id?: unknown}} */ (message.attributes ?? {});
    const event = own ? undefined : NOTES.get(/** @type {"note"} */ (clientId));
    return {
      kind: event ? "event" : "message",
      event,
      index: message.index,
      clientId: typeof clientId === "string" ? clientId : null,
      author,
      own,
      at: message.dateCreated ?? new Date(),
      text: message.body ?? "",
      files: (message.attachedMedia ?? []).map((media) => ({
        name: media.filename || media.contentType,
        type: media.contentType,
        url: () => media.getContentTemporaryUrl(),
      })),
      status: "sent",
    };
  }
}
