// One conversation over Twilio's Conversations SDK: https://www.twilio.com/docs/conversations/sdk-guides
// Whatever the SDK's surprises are, they end here.

import { ApiError, backOff, sleep, within } from "./api.js";

/** @typedef {import("./api.js").Credentials} Credentials */
/** @typedef {import("./timeline.js").Entry} Entry */
/** @typedef {import("@twilio/conversations").Client} Client */
/** @typedef {import("@twilio/conversations").Conversation} Conversation */
/** @typedef {import("@twilio/conversations").Message} Message */
/** @typedef {import("@twilio/conversations").Participant} Participant */
/** @typedef {"connecting" | "connected" | "reconnecting" | "offline" | "unreachable"} Status */

/**
 * @typedef {object} Handlers
 * @property {(status: Status) => void} status
 * @property {(messages: Entry[], options: {live: boolean}) => void} messages new or changed ones
 * @property {(index: number) => void} removed
 * @property {(identity: string, options: {joined: boolean, at: Date | null}) => void} presence an agent came or went
 * @property {(identity: string, isTyping: boolean) => void} typing
 * @property {() => void} named a display name became known
 * @property {() => void} ended
 */

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
  /** @type {import("@twilio/conversations").Paginator<Message> | undefined} */
  #oldest;
  /** @type {Map<string, string | null>} */
  #names = new Map();
  /** @type {Promise<void> | undefined} */
  #renewing;
  #renewedAt = -RENEWAL_PAUSE;
  #denials = 0;
  #wasConnected = false;
  #over = false;
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
    return !this.#over && (this.#oldest?.hasPrevPage ?? false);
  }

  /** @param {string} identity @returns {string | null} a name meant for display, never an identity */
  nameOf(identity) {
    return this.#names.get(identity) ?? null;
  }

  /** Connects and reads the newest messages. Rejects when it cannot; may then be called again. */
  async open() {
    this.on.status("connecting");
    const patience = setTimeout(() => !this.#wasConnected && this.on.status("unreachable"), CONNECT_LIMIT);
    try {
      const client = await this.#connect();
      const conversation = await this.#find(client);
      if (this.#over || this.#client !== client) return;
      this.#conversation = conversation;
      this.#listen(conversation);
      const page = await within(CALL_LIMIT, conversation.getMessages(PAGE_SIZE));
      this.#oldest = page;
      this.on.messages(page.items.map((message) => this.#entry(message)), { live: false });
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
   * @param {string} text
   * @param {string} clientId travels in the attributes, to recognise the echo
   * @param {boolean} again the message may have arrived already, though no answer came
   */
  async send(text, clientId, again) {
    try {
      const conversation = this.#conversation;
      if (!conversation) throw new ApiError("network");
      if (again) {
        const { items } = await within(CALL_LIMIT, conversation.getMessages(PAGE_SIZE));
        const entries = items.map((message) => this.#entry(message));
        this.on.messages(entries, { live: true });
        if (entries.some((entry) => entry.clientId === clientId)) return;
      }
      await within(CALL_LIMIT + 5000, conversation.sendMessage(text, { client_id: clientId }));
    } catch (error) {
      const { status = 0 } = /** @type {{status?: number}} */ (error);
      if (status === 403 || status === 404 || status === 410) this.#end();
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

  async #connect() {
    const { Client } = await within(CALL_LIMIT, import("./sdk/conversations.js"));
    for (let renewed = false; ; renewed = true) {
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
        if (renewed || this.#over) throw error;
        this.credentials = await this.renew();
      }
    }
  }

  #drop() {
    const client = this.#client;
    this.#client = undefined;
    this.#conversation = undefined;
    client?.shutdown().catch(() => {});
  }

  /** @param {Client} client @returns {Promise<void>} has no time limit: without a network the SDK goes on trying */
  #initialized(client) {
    return new Promise((resolve, reject) => {
      client.on("initFailed", ({ error }) => reject(error ?? new ApiError("network")));
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

  /** The channel may reach the SDK a moment after it was made. @param {Client} client @returns {Promise<Conversation>} */
  async #find(client) {
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
    conversation.on("messageAdded", (message) => this.on.messages([this.#entry(message)], { live: true }));
    conversation.on("messageUpdated", ({ message }) => this.on.messages([this.#entry(message)], { live: false }));
    conversation.on("messageRemoved", (message) => this.on.removed(message.index));
    conversation.on("typingStarted", ({ identity }) => identity && this.on.typing(identity, true));
    conversation.on("typingEnded", ({ identity }) => identity && this.on.typing(identity, false));
    conversation.on("participantJoined", (participant) => this.#meet([participant]));
    conversation.on("participantLeft", ({ identity }) => {
      if (identity && identity !== this.credentials.identity) this.on.presence(identity, { joined: false, at: null });
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
  #meet(participants) {
    for (const participant of participants) {
      const { identity, dateCreated } = participant;
      if (!identity || identity === this.credentials.identity) continue;
      this.#learnName(identity, () => participant.getUser()).then(() => {
        if (!this.#over) this.on.presence(identity, { joined: true, at: dateCreated });
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
      files: (message.attachedMedia ?? []).map(({ filename, contentType }) => filename || contentType),
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
    try {
      this.credentials = await this.renew();
      if (this.#client) await within(CALL_LIMIT, this.#client.updateToken(this.credentials.token));
    } catch (error) {
      if (error instanceof ApiError && error.isGone) this.#end();
      else this.#report();
    }
  }
}
