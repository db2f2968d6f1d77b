// Puts the real SDK into the page as `sdk`: connects, keeps what it announces, and lets a test wait for it.
import { Client } from "/conversations.js";

const CLIENT_EVENTS = {
  connectionError: ({ terminal, httpStatusCode, errorCode }) => ({ terminal, httpStatusCode, errorCode }),
  connectionStateChanged: (state) => state,
  conversationJoined: ({ sid }) => sid,
  conversationLeft: ({ sid }) => sid,
  conversationRemoved: ({ sid }) => sid,
  conversationUpdated: ({ conversation, updateReasons }) => ({
    reasons: updateReasons,
    state: conversation.state?.current,
  }),
  initFailed: () => true,
  initialized: () => true,
  messageAdded: message,
  messageRemoved: message,
  messageUpdated: ({ message: changed, updateReasons }) => ({ ...message(changed), reasons: updateReasons }),
  participantJoined: ({ identity }) => identity,
  participantLeft: ({ identity }) => identity,
  participantUpdated: ({ participant, updateReasons }) => ({
    identity: participant.identity,
    read: participant.lastReadMessageIndex,
    reasons: updateReasons,
  }),
  tokenAboutToExpire: () => true,
  tokenExpired: () => true,
  typingEnded: ({ identity }) => identity,
  typingStarted: ({ identity }) => identity,
  userUpdated: ({ user, updateReasons }) => ({ identity: user.identity, reasons: updateReasons }),
};

function message({ index, author, body, attributes, type }) {
  return { index, author, body, attributes, type };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

window.sdk = {
  violations: [],
  events: [],
  client: null,
  conversation: null,

  /** Connects, and waits until the SDK is initialized or has failed. */
  async connect(token, uri, options = {}) {
    this.events = [];
    this.client = new Client(token, { Twilsock: { uri }, ...options });
    for (const [name, summary] of Object.entries(CLIENT_EVENTS)) {
      this.client.on(name, (detail) => this.events.push({ name, at: performance.now(), detail: summary(detail) }));
    }
    return this.first(["initialized", "initFailed"]);
  },

  /** Connects and opens the conversation; gives its attributes. */
  async open(token, uri, sid, options) {
    if ((await this.connect(token, uri, options)) !== "initialized") throw new Error("SDK failed to initialize");
    this.conversation = await this.client.getConversationBySid(sid);
    await this.conversation.getMessages(1);
    return this.conversation.attributes;
  },

  /** Which of the events comes first. */
  async first(names, timeout = 10000) {
    for (const end = performance.now() + timeout; performance.now() < end; await pause(10)) {
      const found = this.events.find(({ name }) => names.includes(name));
      if (found) return found.name;
    }
    throw new Error(`none of ${names} in ${timeout} ms; seen: ${JSON.stringify(this.events)}`);
  },

  /** The detail of the first such event that has all of `expected`, counted from the `since`th event on. */
  async wait(wanted, expected = {}, since = 0, timeout = 10000) {
    const matches = (detail) =>
      typeof expected === "object"
        ? Object.entries(expected).every(([key, value]) => JSON.stringify(detail[key]) === JSON.stringify(value))
        : detail === expected;
    for (const end = performance.now() + timeout; performance.now() < end; await pause(10)) {
      const found = this.events.slice(since).find(({ name, detail }) => name === wanted && matches(detail));
      if (found) return found;
    }
    throw new Error(`no ${wanted} ${JSON.stringify(expected)} in ${timeout} ms; seen: ${JSON.stringify(this.events)}`);
  },

  /** The promise, but not for ever: some calls of the SDK never settle when they come at the wrong moment. */
  within(promise, ms = 20000) {
    const late = pause(ms).then(() => Promise.reject(new Error(`not settled in ${ms} ms`)));
    return Promise.race([promise, late]);
  },

  count(wanted) {
    return this.events.filter(({ name }) => name === wanted).length;
  },

  /** How a promise is refused. */
  async refusal(promise) {
    try {
      await promise;
    } catch (error) {
      return {
        name: error.constructor.name,
        type: error.name,
        status: error.status,
        code: error.body?.code,
        message: error.message,
      };
    }
    return null;
  },
};

document.addEventListener("securitypolicyviolation", (event) => {
  window.sdk.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
