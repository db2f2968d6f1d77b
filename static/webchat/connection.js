// One conversation over Twilio's Conversations SDK: https://www.twilio.com/docs/conversations/sdk-guides
// Whatever the SDK's surprises are, they end here.

import { ApiError, backOff, sleep, within } from "./api.js";

/** @import {Client, Conversation, Message, Paginator, Participant} from "@twilio/conversations" */

const PAGE_SIZE = 30;
const CALL_LIMIT = 20_000;
const CONNECT_LIMIT = 15_000;
const LINGER = 3000;
// A lifetime shorter than Twilio's warning makes the warning come back at once after each renewal.
const RENEWAL_PAUSE = 20_000;

export class Connection {
  /** @type {Client | undefined} */
  #client;
  /** @type {Conversation | undefined} */
  #conversation;
  /** @type {Paginator<Message> | undefined} */
  #oldest;
  /** @type {Map<string, string | null>} */
  #names = new Map();
  /** @type {Promise<void> | undefined} */
  #renewing;
  #renewedAt = -RENEWAL_PAUSE;
  #denials = 0;
  #wasConnected = false;
  #over = false;
  #attempt = 0;
  #lastRead = -1;

  /**
   * @param {Credentials} credentials
   * @param {() => Promise<Credentials>} renew rejects with an ApiError that `isGone` when the chat has ended
   * @param {Handlers} on
   */
  constructor(credentials, renew, on) {
    this.credentials = credentials;
    this.on = on;
    this.renew = renew;
    const reachable = () => this.#report();
    this.#unlisten = () => ["online", "offline"].forEach((type) => window.removeEventListener(type, reachable));
    for (const type of ["online", "offline"]) window.addEventListener(type, reachable);
  }

  #unlisten;

  /** The index up to which the visitor has read; -1 for nothing. */
  get readHorizon() {
    return Math.max(this.#lastRead, this.#conversation?.lastReadMessageIndex ?? -1);
  }

  get hasOlder() {
    return this.#oldest?.hasPrevPage ?? false;
  }

  /** @param {string} identity @returns {string | null} a name meant for display, never an identity */
  nameOf(identity) {
    return this.#names.get(identity) ?? null;
  }

  /** Connects and reads the newest messages. Rejects when it cannot; called again, it starts over. */
  async open() {
    this.on.status("connecting");
    const attempt = ++this.#attempt;
    const patience = setTimeout(() => this.on.status("unreachable"), CONNECT_LIMIT);
    try {
      const client = await this.#connect(attempt);
      const conversation = client && (await this.#join(client));
      clearTimeout(patience);
      if (!conversation || this.#client !== client) return;
      this.#conversation = conversation;
      this.#listen(conversation);
      this.#oldest = await within(CALL_LIMIT, conversation.getMessages(PAGE_SIZE));
      this.on.messages(this.#oldest.items.map((message) => this.#entry(message)), false);
      this.#report();
      this.#checkEnded();
      this.#meet(await within(CALL_LIMIT, conversation.getParticipants()));
    } finally {
      clearTimeout(patience);
    }
  }

  /** The messages before those that are known. @returns {Promise<Entry[]>} */
  async older() {
    if (!this.#oldest?.hasPrevPage) return [];
    this.#oldest = await within(CALL_LIMIT, this.#oldest.prevPage());
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
      const conversation = this.#conversation;
      if (!conversation) throw new ApiError("network");
      if (again) {
        const { items } = await within(CALL_LIMIT, conversation.getMessages(PAGE_SIZE));
        const entries = items.map((message) => this.#entry(message));
        this.on.messages(entries, true);
        if (entries.some((entry) => entry.clientId === clientId)) return;
      }
      const attributes = { client_id: clientId };
      if (files?.length) {
        const { upload } = await import("./attachments.js");
        return await upload(conversation, entry, attributes, signal);
      }
      await within(CALL_LIMIT + 5000, conversation.sendMessage(text, attributes));
    } catch (error) {
      const { status = 0 } = /** @type {{status?: number}} */ (error);
      // A refused file says nothing of the chat: its role at Twilio may forbid files alone.
      if (!files?.length && (status === 403 || status === 404 || status === 410)) this.#end();
      throw error;
    }
  }

  typing() {
    this.#conversation?.typing().catch(() => {});
  }

  /** @param {number} index the newest message that the visitor has seen */
  read(index) {
    if (!this.#conversation || this.#over || index <= this.readHorizon) return;
    this.#lastRead = index;
    this.#conversation.advanceLastReadMessageIndex(index).catch(() => {});
  }

  close() {
    this.#over = true;
    this.#unlisten();
    // At once, the SDK would still ask for something and leave its refusal unhandled.
    setTimeout(() => this.#drop(), LINGER);
  }

  /** @param {number} attempt @returns {Promise<Client | null>} null when another attempt took over */
  async #connect(attempt) {
    const { Client } = await within(CALL_LIMIT, import("./sdk/conversations.js"));
    for (let tries = 1, renewed = false; attempt === this.#attempt && !this.#over; tries += 1) {
      this.#drop();
      const { token, sdk_options: options, region } = this.credentials;
      const client = new Client(token, {
        ...options,
        ...(region && region !== "us1" ? { region } : {}),
        // Else the SDK keeps the pre-engagement data in the tab, and shows a stale state after a reload.
        Sync: { ...options.Sync, enableSessionStorage: false },
      });
      this.#client = client;
      try {
        await this.#initialized(client);
        return client;
      } catch (error) {
        // A client whose first connection failed, for whatever reason, is never ready: it takes a new one.
        const { terminal } = /** @type {{terminal?: boolean}} */ (error);
        if (terminal && renewed) throw error;
        if (terminal) this.credentials = await this.renew();
        else await sleep(backOff(tries));
        renewed ||= !!terminal;
      }
    }
    return null;
  }

  #drop() {
    const client = this.#client;
    this.#client = undefined;
    this.#conversation = undefined;
    client?.shutdown().catch(() => {});
  }

  /** @param {Client} client @returns {Promise<void>} */
  #initialized(client) {
    return new Promise((resolve, reject) => {
      client.on("initFailed", ({ error }) => reject(error ?? {}));
      client.on("initialized", () => {
        this.#denials = 0;
        client.on("tokenAboutToExpire", () => this.#refresh());
        client.on("tokenExpired", () => this.#refresh({ now: true }));
        client.on("conversationLeft", ({ sid }) => sid === this.credentials.channel_sid && this.#end());
        client.on("conversationRemoved", ({ sid }) => sid === this.credentials.channel_sid && this.#end());
        resolve();
      });
      client.on("connectionStateChanged", (state) => {
        if (state === "connected") this.#denials = 0;
        if (state === "denied" && this.#conversation && ++this.#denials === 1) this.#refresh({ now: true });
        this.#report();
      });
    });
  }

  /**
   * The channel may reach the SDK a moment after it was made.
   * @param {Client} client
   * @returns {Promise<Conversation>}
   */
  async #join(client) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await within(CALL_LIMIT, client.getConversationBySid(this.credentials.channel_sid));
      } catch (error) {
        if (this.#over || this.#client !== client) throw error;
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
  #listen(/** @type {Conversation} */ conversation) {
    conversation.on("messageAdded", (message) => this.on.messages([this.#entry(message)], true));
    conversation.on("messageUpdated", ({ message }) => this.on.messages([this.#entry(message)], false));
    conversation.on("messageRemoved", (message) => this.on.removed(message.index));
    conversation.on("typingStarted", ({ identity }) => identity && this.on.typing(identity, true));
    conversation.on("typingEnded", ({ identity }) => identity && this.on.typing(identity, false));
    conversation.on("participantJoined", (participant) => this.#meet([participant]));
    conversation.on("participantUpdated", ({ participant }) => this.#noteRead([participant]));
    conversation.on("participantLeft", ({ identity }) => {
      if (identity && identity !== this.credentials.identity) this.on.presence(identity, false, null);
    });
    conversation.on("updated", () => this.#checkEnded());
    conversation.on("removed", () => this.#end());
  }

  #checkEnded() {
    const conversation = this.#conversation;
    if (!conversation) return;
    const attributes = /** @type {{status?: unknown} | null} */ (conversation.attributes);
    const inactive = this.credentials.api === "web_channels" && attributes?.status === "INACTIVE";
    if (conversation.state?.current === "closed" || conversation.status === "notParticipating" || inactive) this.#end();
  }

  #end() {
    if (this.#over) return;
    this.close();
    this.on.ended();
  }

  /** @param {Participant[]} participants */
  #noteRead(participants) {
    for (const { identity, lastReadMessageIndex } of participants) {
      if (identity !== this.credentials.identity) this.on.seen(lastReadMessageIndex ?? -1);
    }
  }

  /** @param {Participant[]} participants */
  #meet(participants) {
    this.#noteRead(participants);
    for (const participant of participants) {
      const { identity, dateCreated } = participant;
      if (!identity || identity === this.credentials.identity) continue;
      this.#learnName(identity, () => participant.getUser()).then(() => {
        if (!this.#over) this.on.presence(identity, true, dateCreated);
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
    const own = author === this.credentials.identity;
    const client = this.#client;
    if (author && !own && client && !this.#names.has(author)) this.#learnName(author, () => client.getUser(author));
    const { client_id: clientId } = /** @type {{client_id?: unknown}} */ (message.attributes ?? {});
    return {
      kind: "message",
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

  #report() {
    if (this.#over) return;
    const state = /** @type {string | undefined} */ (this.#client?.connectionState);
    if (state === "connected" && this.#conversation) {
      this.#wasConnected = true;
      this.on.status("connected");
    } else if (!navigator.onLine) {
      this.on.status("offline");
    } else if (state === "denied" && this.#denials > 1) {
      this.on.status("unreachable");
    } else if (this.#wasConnected) {
      this.on.status("reconnecting");
    }
  }

  #refresh({ now = false } = {}) {
    if (this.#over || this.#renewing || (!now && performance.now() - this.#renewedAt < RENEWAL_PAUSE)) return;
    this.#renewing = this.#renewToken().finally(() => {
      this.#renewing = undefined;
    });
  }

  async #renewToken() {
    this.#renewedAt = performance.now();
    const client = this.#client;
    try {
      this.credentials = await this.renew();
      // While it is closing, the SDK would keep the token, connect never, and take the same token for old news.
      while (client?.connectionState === "disconnecting") await sleep(200);
      await within(CALL_LIMIT, client?.updateToken(this.credentials.token) ?? Promise.reject());
    } catch (error) {
      if (error instanceof ApiError && error.isGone) this.#end();
      else if (!this.#over) await this.open().catch(() => this.on.status("unreachable"));
    }
  }
}
