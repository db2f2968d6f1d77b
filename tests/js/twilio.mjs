// Twilio's SDK as a table of answers: clients and conversations that do what a test says, for units that are told what
// Twilio does. How the real SDK behaves is the matter of tests/e2e, with the sandbox.

import { EventEmitter } from "node:events";

/** An answer of Twilio's with an HTTP status, as the SDK rejects with it. */
export const refused = (status) => Object.assign(new Error(`Twilio said ${status}`), { status });

class Client extends EventEmitter {
  connectionState = "connecting";
  isShutDown = false;
  /** Those that it was given after its first. */
  tokens = [];
  /** Of what it is in: by SID, each an object, or an error to reject with. */
  conversations = {};
  users = {};

  constructor(token, options) {
    super();
    this.token = token;
    this.options = options;
  }

  /** As when the SDK's first connection stands. */
  start() {
    this.move("connected");
    this.emit("initialized");
  }

  /** @param {{terminal?: boolean}} [error] */
  fail(error = { terminal: false }) {
    this.emit("initFailed", { error });
  }

  move(state) {
    this.connectionState = state;
    this.emit("connectionStateChanged", state);
  }

  async shutdown() {
    this.isShutDown = true;
  }

  async updateToken(token) {
    this.tokens.push(token);
  }

  async getConversationBySid(sid) {
    const found = this.conversations[sid] ?? refused(404);
    if (found instanceof Error) throw found;
    return found;
  }

  async getUser(identity) {
    const user = this.users[identity] ?? refused(404);
    if (user instanceof Error) throw user;
    return user;
  }
}

/** What `load` gives, and the clients that were made by it, the newest last. */
export function makeSdk() {
  const clients = [];
  class Counted extends Client {
    constructor(...values) {
      super(...values);
      clients.push(this);
    }
  }
  return { clients, load: async () => ({ Client: Counted }) };
}

/** Pages of messages from the newest back. */
const pageOf = (messages, end, size) => ({
  items: messages.slice(Math.max(0, end - size), end),
  hasPrevPage: end > size,
  prevPage: async () => pageOf(messages, end - size, size),
});

export class TwilioConversation extends EventEmitter {
  state = { current: "active" };
  status = "joined";
  attributes = {};
  lastReadMessageIndex = null;
  /** What the visitor did: [verb, …]. */
  calls = [];

  constructor(messages = [], participants = []) {
    super();
    this.messages = messages;
    this.participants = participants;
  }

  async getMessages(size) {
    this.calls.push(["getMessages"]);
    return pageOf(this.messages, this.messages.length, size);
  }

  async getParticipants() {
    return this.participants;
  }

  async getMessagesCount() {
    return this.messages.length;
  }

  async sendMessage(text, attributes) {
    this.calls.push(["sendMessage", text, attributes]);
  }

  async typing() {
    this.calls.push(["typing"]);
  }

  async advanceLastReadMessageIndex(index) {
    this.calls.push(["read", index]);
  }

  /** A message with files, put together step by step. */
  prepareMessage() {
    const message = { files: [] };
    const sent = () => this.upload(message);
    return {
      setAttributes(attributes) {
        message.attributes = attributes;
        return this;
      },
      setBody(text) {
        message.text = text;
        return this;
      },
      addMedia({ filename }) {
        message.files.push(filename);
        return this;
      },
      build: () => ({ send: sent }),
    };
  }

  /** What becomes of a message with files: a promise that can be cancelled. */
  upload(message) {
    this.calls.push(["upload", message]);
    return Object.assign(Promise.resolve(0), { cancel() {} });
  }
}
