// The site's JSON API for one webchat. Knows no document: words for the visitor come from the server or the templates.

/** @import {Credentials, Receipt, Urls} from "#types" */

const PLACEHOLDER = "00000000-0000-0000-0000-000000000000";
/** How long the same request is repeated: while the server works on it, and while it has no turn for it. */
const PATIENCE = 45_000;
const BUSY_PATIENCE = 180_000;

/** What went wrong with one request: the server's code, or "network", "timeout" or "unexpected". */
export class ApiError extends Error {
  /**
   * @param {string} code
   * @param {{status?: number, detail?: string, fields?: Record<string, string[]>, retryAfter?: number | null}} [answer]
   */
  constructor(code, { status = 0, detail = "", fields = {}, retryAfter = null } = {}) {
    super(code);
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.fields = fields;
    this.retryAfter = retryAfter;
  }

  /**
   * The session is over or not this browser's: nothing that a repetition could change. Only our own server knows; a
   * proxy's 404 while the site is being deployed ends no chat.
   */
  get isGone() {
    return this.code !== "unexpected" && (this.status === 404 || this.status === 410);
  }
}

/** @param {number} ms @returns {Promise<void>} */
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @returns {Promise<T>} rejects with ApiError("timeout")
 */
export async function within(ms, promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new ApiError("timeout")), ms);
  });
  try {
    return await Promise.race([promise, /** @type {Promise<never>} */ (limit)]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Milliseconds to wait before attempt 1, 2, …: 1 s, doubling to 30 s, spread by a fifth so that the browsers which
 * lost the same server do not return together.
 * @param {number} attempt
 * @param {() => number} [random]
 */
export function backOff(attempt, random = Math.random) {
  return Math.min(30_000, 1000 * 2 ** (attempt - 1)) * (0.8 + 0.4 * random());
}

/**
 * Asks until it is answered, with growing pauses.
 * @template T
 * @param {() => Promise<T>} ask
 * @param {(error: unknown) => boolean} isWorthIt whether to ask again after this failure
 * @returns {Promise<T | undefined>} undefined when it was not worth it any more
 */
export async function persistently(ask, isWorthIt) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!isWorthIt(error)) return undefined;
    }
    await sleep(backOff(attempt));
  }
}

/**
 * @param {string | null} header seconds or an HTTP date
 * @param {number} [now]
 * @returns {number | null} seconds
 */
export function parseRetryAfter(header, now = Date.now()) {
  if (!header) return null;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}

/**
 * @param {number} status
 * @param {string} text the answer's body: JSON if it came from our API, anything if a proxy made it
 * @param {string | null} retryAfter the header
 */
export function errorOf(status, text, retryAfter) {
  const { code = "unexpected", detail = "", fields = {} } = parsed(text) ?? {};
  return new ApiError(code, { status, detail, fields, retryAfter: parseRetryAfter(retryAfter) });
}

export class Api {
  /**
   * @param {Urls} urls
   * @param {string} csrf
   * @param {() => Promise<string>} freshCsrf
   */
  constructor(urls, csrf, freshCsrf) {
    this.urls = urls;
    this.csrf = csrf;
    this.freshCsrf = freshCsrf;
  }

  /**
   * @param {URLSearchParams} answers
   * @param {string} key
   * @param {(busy: ApiError) => void} [waits] many start at once, and this start waits for its turn
   * @returns {Promise<Credentials>}
   */
  start(answers, key, waits) {
    return this.#submit(this.urls.sessions, answers, key, waits);
  }

  /**
   * Leaves a message.
   * @param {URLSearchParams} answers
   * @param {string} key
   * @returns {Promise<Receipt>}
   */
  leave(answers, key) {
    return this.#submit(this.urls.messages, answers, key);
  }

  /** @param {string} url @param {URLSearchParams} answers @param {string} key @param {(busy: ApiError) => void} [waits] */
  #submit(url, answers, key, waits) {
    const headers = { "Idempotency-Key": key };
    return patiently(() => this.#json(url, this.#post(headers, answers), 30_000), waits);
  }

  /** @returns {Promise<Credentials>} */
  current() {
    return patiently(() => this.#json(this.urls.current));
  }

  /** @param {string} id @returns {Promise<Credentials>} */
  renew(id) {
    return this.#postFresh(this.urls.token.replace(PLACEHOLDER, id));
  }

  /** @param {string} id @param {"visitor" | "agent"} by @returns {Promise<unknown>} */
  end(id, by) {
    return this.#postFresh(this.urls.end.replace(PLACEHOLDER, id), new URLSearchParams({ ended_by: by }));
  }

  /**
   * Signing in or out in another tab changes the CSRF token under us, hence one repetition with a fresh one.
   * @param {string} url
   * @param {URLSearchParams} [body]
   */
  async #postFresh(url, body) {
    try {
      return await this.#json(url, this.#post({}, body));
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 403) throw error;
      this.csrf = await this.freshCsrf();
      return this.#json(url, this.#post({}, body));
    }
  }

  /** @param {Record<string, string>} [headers] @param {URLSearchParams} [body] @returns {RequestInit} */
  #post(headers, body) {
    return { method: "POST", body, headers: { "X-CSRFToken": this.csrf, ...headers } };
  }

  /** @param {string} url @param {RequestInit} [init] @param {number} [limit] of the whole answer, in milliseconds @returns {Promise<any>} */
  async #json(url, init, limit = 15_000) {
    const headers = { Accept: "application/json", ...init?.headers };
    const { response, text } = await whole(fetch(url, { ...init, headers, signal: AbortSignal.timeout(limit) }));
    if (!response.ok) throw errorOf(response.status, text, response.headers.get("Retry-After"));
    return parsed(text) ?? Promise.reject(errorOf(response.status, text, null));
  }
}

/**
 * The panel's HTML.
 * @param {Promise<Response>} request
 * @returns {Promise<string>} rejects with ApiError
 */
export async function markupOf(request) {
  const { response, text } = await whole(request);
  if (!response.ok) throw errorOf(response.status, "", response.headers.get("Retry-After"));
  return text;
}

/** @param {Promise<Response>} request @returns {Promise<{response: Response, text: string}>} rejects with ApiError */
async function whole(request) {
  try {
    const response = await request;
    return { response, text: await response.text() };
  } catch (error) {
    throw new ApiError(error instanceof DOMException && error.name === "TimeoutError" ? "timeout" : "network");
  }
}

/**
 * While the server still works on an earlier submit, or has no turn for this one, waits as long as it says and asks again.
 * @template T
 * @param {() => Promise<T>} ask
 * @param {(busy: ApiError) => void} [waits]
 * @returns {Promise<T>}
 */
async function patiently(ask, waits) {
  const begun = Date.now();
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ApiError) || error.retryAfter === null) throw error;
      const busy = error.code === "busy";
      if (!busy && error.status !== 409) throw error;
      // Spread, so that those who were refused together do not return together.
      const pause = Math.max(0.5, error.retryAfter) * (busy ? 1 + Math.random() : 1) * 1000;
      if (Date.now() + pause > begun + (busy ? BUSY_PATIENCE : PATIENCE)) throw busy ? new ApiError("timeout") : error;
      if (busy) waits?.(error);
      await sleep(pause);
    }
  }
}

/** @param {string} text @returns {Record<string, any> | null} null unless it is a JSON object */
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}
