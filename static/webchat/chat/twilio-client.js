// Keeps a client of Twilio's SDK connected: the first connection, the token, the state of the line.

import { ApiError, backOff, sleep, within } from "../api.js";

/**
 * @import {Credentials, Modules, Status} from "#types"
 * @import {Client} from "@twilio/conversations"
 */

export const CALL_LIMIT = 20_000;
const CONNECT_LIMIT = 40_000;
const LINGER = 3000;
// A lifetime shorter than Twilio's warning makes the warning come back at once after each renewal.
const RENEWAL_PAUSE = 20_000;

export class TwilioClient {
  /** Whether the conversation was found through the current client: nothing is "connected" before. */
  isJoined = false;
  isOver = false;
  /** @type {Client | undefined} */
  current;
  /** @type {Promise<void> | undefined} */
  #renewing;
  #renewedAt = -RENEWAL_PAUSE;
  #denials = 0;
  #wasConnected = false;
  #attempt = 0;
  #unlisten = new AbortController();
  /** @type {Promise<never> | undefined} rejects when the current client is given up */
  #lost;
  #lose = () => {};

  /**
   * @param {Credentials} credentials
   * @param {object} on
   * @param {() => Promise<Modules["sdk"]>} on.loadSdk
   * @param {() => Promise<Credentials>} on.renew rejects with an ApiError that `isGone` when the chat has ended
   * @param {(status: Status) => void} on.status
   * @param {() => void} on.gone there is no token for it any more
   * @param {() => Promise<void>} on.broken only a new start helps
   */
  constructor(credentials, on) {
    this.credentials = credentials;
    this.on = on;
    const { signal } = this.#unlisten;
    for (const type of ["online", "offline"]) window.addEventListener(type, () => this.report(), { signal });
  }

  /**
   * @param {(client: Client) => void} ready takes each new client, which does not know yet what it is in
   * @returns {Promise<Client | null>} null when another attempt took over
   */
  async connect(ready) {
    const attempt = ++this.#attempt;
    const { Client } = await within(CALL_LIMIT, this.on.loadSdk());
    for (let tries = 1, renewed = false; attempt === this.#attempt && !this.isOver; tries += 1) {
      this.#drop();
      const { token, sdk_options: options, region } = this.credentials;
      const client = new Client(token, {
        ...options,
        ...(region && region !== "us1" ? { region } : {}),
        // Else the SDK keeps the pre-engagement data in the tab, and shows a stale state after a reload.
        Sync: { ...options.Sync, enableSessionStorage: false },
      });
      this.current = client;
      this.#lost = new Promise((_, reject) => {
        this.#lose = () => reject(new ApiError("network"));
      });
      this.#lost.catch(() => {});
      try {
        await within(CONNECT_LIMIT, this.#initialized(client, ready));
        return client;
      } catch (error) {
        // A client whose first connection failed, for whatever reason, is never ready: it takes a new one.
        const { terminal } = /** @type {{terminal?: boolean}} */ (error);
        if (terminal && renewed) throw error;
        if (terminal) this.credentials = await this.on.renew();
        else await sleep(backOff(tries));
        renewed ||= !!terminal;
      }
    }
    return null;
  }

  /**
   * Waits for the answer to a call. A line that says it is open and does not answer is dead: then another is made, and
   * nothing waits for the dead one any more.
   * @template T
   * @param {Promise<T>} call
   * @param {number} [limit] milliseconds
   * @returns {Promise<T>} rejects with ApiError("timeout") or ApiError("network")
   */
  async answer(call, limit = CALL_LIMIT) {
    try {
      return await within(limit, Promise.race(this.#lost ? [call, this.#lost] : [call]));
    } catch (error) {
      const isSilent = error instanceof ApiError && error.code === "timeout";
      if (isSilent && this.isJoined && this.current?.connectionState === "connected") {
        this.#drop();
        this.on.broken();
      }
      throw error;
    }
  }

  close() {
    this.isOver = true;
    this.#unlisten.abort();
    // At once, the SDK would still ask for something and leave its refusal unhandled.
    setTimeout(() => this.#drop(), LINGER);
  }

  report() {
    if (this.isOver) return;
    const state = /** @type {string | undefined} */ (this.current?.connectionState);
    if (state === "connected" && this.isJoined) {
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

  #drop() {
    const client = this.current;
    this.current = undefined;
    this.isJoined = false;
    this.#lose();
    client?.shutdown().catch(() => {});
  }

  /** @param {Client} client @param {(client: Client) => void} ready @returns {Promise<void>} */
  #initialized(client, ready) {
    return new Promise((resolve, reject) => {
      client.on("initFailed", ({ error }) => reject(error ?? {}));
      client.on("initialized", () => {
        this.#denials = 0;
        client.on("tokenAboutToExpire", () => this.#refresh());
        client.on("tokenExpired", () => this.#refresh({ now: true }));
        ready(client);
        resolve();
      });
      client.on("connectionStateChanged", (state) => {
        if (state === "connected") this.#denials = 0;
        if (state === "denied" && this.isJoined && ++this.#denials === 1) this.#refresh({ now: true });
        this.report();
      });
    });
  }

  #refresh({ now = false } = {}) {
    if (this.isOver || this.#renewing || (!now && performance.now() - this.#renewedAt < RENEWAL_PAUSE)) return;
    this.#renewing = this.#renewToken().finally(() => {
      this.#renewing = undefined;
    });
  }

  async #renewToken() {
    this.#renewedAt = performance.now();
    const client = this.current;
    try {
      this.credentials = await this.on.renew();
      // While it is closing, the SDK would keep the token, connect never, and take the same token for old news.
      while (client?.connectionState === "disconnecting") await sleep(200);
      await within(CALL_LIMIT, client?.updateToken(this.credentials.token) ?? Promise.reject());
    } catch (error) {
      if (error instanceof ApiError && error.isGone) this.on.gone();
      else if (!this.isOver) await this.on.broken();
    }
  }
}
