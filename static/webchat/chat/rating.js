// The rating of a chat that is over: the server's form in the panel, which is sent without leaving the page.

import { markupOf } from "../api.js";
import { part, Templates } from "../templates.js";

/** @import {WebChatElement} from "../web-chat-element.js" */

const PLACEHOLDER = "00000000-0000-0000-0000-000000000000";
const RATING_TIMEOUT_MS = 15_000;

/**
 * Shows the form, or the thanks for it; nothing where the visitor skipped it, or the server takes no rating any more.
 * @param {WebChatElement} host
 * @param {HTMLElement} place
 * @param {string} session
 * @returns {Promise<void>} rejects with ApiError
 */
export async function askForRating(host, place, session) {
  if (host.recall("unrated") === session) return;
  const address = (place.dataset.address ?? "").replace(PLACEHOLDER, session);
  const signal = AbortSignal.timeout(RATING_TIMEOUT_MS);
  const found = ratingIn(await markupOf(fetch(address, { signal })));
  if (found) show(found);

  /** @param {HTMLElement} rating */
  function show(rating) {
    place.replaceChildren(rating);
    rating.querySelector("[data-webchat-skip]")?.addEventListener("click", (event) => {
      event.preventDefault();
      host.remember(session, "unrated");
      place.replaceChildren();
      part(host, "ended-text").focus();
    });
    rating.querySelector("form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      send(/** @type {HTMLFormElement} */ (event.target));
    });
  }

  /** @param {HTMLFormElement} form */
  async function send(form) {
    const button = /** @type {HTMLButtonElement} */ (form.querySelector("[type=submit]"));
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    const templates = new Templates(host);
    try {
      const body = new URLSearchParams(/** @type {any} */ (new FormData(form)));
      const signal = AbortSignal.timeout(RATING_TIMEOUT_MS);
      const answer = await fetch(address, { method: "POST", body, signal });
      const rating = ratingIn(await answer.text());
      if (!rating) throw new Error(`No rating in an answer ${answer.status}`);
      show(rating);
      const said = rating.querySelector("[data-webchat-rating-problem], [data-webchat-rated]");
      if (said instanceof HTMLElement) said.focus();
    } catch (error) {
      button.removeAttribute("aria-disabled");
      const code = error instanceof TypeError ? "network" : error instanceof DOMException ? "timeout" : "unexpected";
      part(form, "rating-failed").textContent = templates.problem({ code });
    }
  }
}

/** @param {string} markup @returns {HTMLElement | null} null where nothing is asked or said */
function ratingIn(markup) {
  const rating = new DOMParser().parseFromString(markup, "text/html").querySelector("[data-webchat-rating]");
  return rating instanceof HTMLElement && rating.childElementCount ? document.adoptNode(rating) : null;
}
