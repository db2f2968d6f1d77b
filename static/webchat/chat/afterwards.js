// What the panel offers when a chat is over: to rate it, and the conversation by mail. Both are forms of the server's, which
// are sent without leaving the page.

import { markupOf } from "../api.js";
import { part, Templates } from "../templates.js";

/**
 * @import {Past} from "#types"
 * @import {WebChatElement} from "../web-chat-element.js"
 */

const PLACEHOLDER = "00000000-0000-0000-0000-000000000000";
const TIMEOUT_MS = 15_000;

/**
 * Offers both where they are to be had: a rating if an agent wrote something.
 * @param {WebChatElement} host
 * @param {HTMLElement} view
 * @param {Past} past
 * @returns {Promise<void>} rejects with ApiError
 */
export async function offerAfterwards(host, view, { session, entries }) {
  if (host.querySelector('[data-webchat-template="transcript-mail"]')) offerMail(host, view, session);
  const place = view.querySelector("[data-webchat-rating-place]");
  if (place instanceof HTMLElement && entries.some(({ kind, own }) => kind === "message" && !own)) {
    await askForRating(host, place, session);
  }
}

/**
 * Shows the form, or the thanks for it; nothing where the visitor skipped it, or the server takes no rating any more.
 * @param {WebChatElement} host
 * @param {HTMLElement} place
 * @param {string} [session]
 * @returns {Promise<void>} rejects with ApiError
 */
export async function askForRating(host, place, session = place.dataset.webchatUnrated ?? "") {
  if (host.recall("unrated") === session) return;
  const address = (place.dataset.address ?? "").replace(PLACEHOLDER, session);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const found = ratingIn(await markupOf(fetch(address, { signal })));
  if (found) show(found);

  /** @param {HTMLElement} rating */
  function show(rating) {
    place.replaceChildren(rating);
    rating.querySelector("[data-webchat-skip]")?.addEventListener("click", (event) => {
      event.preventDefault();
      host.remember(session, "unrated");
      place.replaceChildren();
      const ended = host.querySelector("[data-webchat-ended-text]");
      (ended instanceof HTMLElement ? ended : part(host, "title")).focus();
    });
    const form = rating.querySelector("form");
    if (form)
      whenSent(host, form, part(form, "rating-failed"), address, async (answer) => {
        const rating = ratingIn(await answer.text());
        if (!rating) throw new Error(`No rating in an answer ${answer.status}`);
        show(rating);
        const said = rating.querySelector("[data-webchat-rating-problem], [data-webchat-rated]");
        if (said instanceof HTMLElement) said.focus();
      });
  }
}

/** @param {string} markup @returns {HTMLElement | null} null where nothing is asked or said */
function ratingIn(markup) {
  const rating = new DOMParser().parseFromString(markup, "text/html").querySelector("[data-webchat-rating]");
  return rating instanceof HTMLElement && rating.childElementCount ? document.adoptNode(rating) : null;
}

/** @param {WebChatElement} host @param {HTMLElement} view @param {string} session */
function offerMail(host, view, session) {
  const templates = new Templates(host);
  const form = /** @type {HTMLFormElement} */ (templates.element("transcript-mail"));
  const said = part(form, "mail-said");
  part(view, "ended").append(form);
  whenSent(host, form, said, form.action.replace(PLACEHOLDER, session), async (answer) => {
    if (!answer.ok) throw await answer.json();
    said.textContent = templates.text("transcript-mailed");
    part(form, "mail").hidden = true;
  });
}

/**
 * Sends the form in the place of the browser, once at a time.
 * @param {WebChatElement} host
 * @param {HTMLFormElement} form
 * @param {HTMLElement} said where the visitor is told why it failed
 * @param {string} address
 * @param {(answer: Response) => Promise<void>} answered
 */
function whenSent(host, form, said, address, answered) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = /** @type {HTMLButtonElement} */ (form.querySelector("[type=submit]"));
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      const body = new URLSearchParams(/** @type {any} */ (new FormData(form)));
      await answered(await fetch(address, { method: "POST", body, signal: AbortSignal.timeout(TIMEOUT_MS) }));
    } catch (error) {
      button.removeAttribute("aria-disabled");
      const code = error instanceof TypeError ? "network" : error instanceof DOMException ? "timeout" : "";
      said.textContent = new Templates(host).problem(code ? { code } : error);
    }
  });
}
