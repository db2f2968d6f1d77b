// What the panel offers when a chat is over: to rate it, and the conversation by mail. Both are forms of the server's, which
// are sent without leaving the page. And what the page has missed of it.

import { ApiError, markupOf } from "../api.js";
import { find, followDirection, part, Templates } from "../templates.js";

/**
 * @import {Past, Written} from "#types"
 * @import {WebChatElement} from "../web-chat-element.js"
 * @import {Transcript} from "./transcript.js"
 */

const PLACEHOLDER = "00000000-0000-0000-0000-000000000000";
const TIMEOUT_MS = 15_000;
// Of 50 messages each.
const PAGES_MOST = 20;

/**
 * Offers both where they are to be had: a rating if an agent wrote something.
 * @param {WebChatElement} host
 * @param {HTMLElement} view
 * @param {Past} past
 * @param {Transcript} transcript of that chat
 * @returns {Promise<void>} rejects with ApiError
 */
export async function offerAfterwards(host, view, { session, isWhole }, transcript) {
  if (find(host, 'template="transcript-mail"', HTMLTemplateElement)) offerMail(host, view, session);
  const missed = isWhole ? null : readAgain(addressOf(transcript.log, session), transcript);
  await missed?.catch(() => host.emit("error", { code: "load_failed" }));
  const place = find(view, "rating-place");
  if (place && transcript.timeline.entries.some(({ kind, own }) => kind === "message" && !own)) {
    await askForRating(host, place, session);
  }
}

/** @param {HTMLElement} place @param {string} session @returns {string} */
function addressOf({ dataset: { address = "" } }, session) {
  return address.replace(PLACEHOLDER, session);
}

/**
 * Puts in what was written while no page of this tab listened, and before what it had loaded. Agents whose names are known
 * keep them.
 * @param {string} address of the conversation on our server
 * @param {Transcript} transcript
 * @returns {Promise<void>} rejects when a page of it cannot be had
 */
async function readAgain(address, transcript) {
  const { timeline, templates } = transcript;
  /** @type {Written[]} */
  const written = [];
  try {
    let place = "";
    for (let page = 0; page === 0 || (place && page < PAGES_MOST); page += 1) {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const answer = await fetch(`${address}?${new URLSearchParams({ place })}`, { signal });
      const { code, messages, next } = await answer.json();
      if (!answer.ok) throw new ApiError(code);
      written.push(...messages);
      place = next;
    }
  } finally {
    const own = timeline.entries.find(({ own }) => own)?.author ?? "";
    const names = new Map(
      written.flatMap(({ index, author }) => {
        const known = timeline.byIndex(index)?.author;
        return known ? [[author, known]] : [];
      }),
    );
    const missed = written.filter(({ index }) => !timeline.byIndex(index));
    transcript.fill(
      missed.map(({ index, author, own: isOwn, client_id, at, text, files }) => ({
        kind: "message",
        index,
        clientId: client_id || null,
        author: isOwn ? own : (names.get(author) ?? ""),
        own: isOwn,
        at: at ? new Date(at) : timeline.latest,
        text: [text, ...files.map((name) => templates.text("attached", { name }))].filter(Boolean).join("\n"),
        status: "sent",
      })),
    );
  }
}

/**
 * Asks how the last chat was, if nobody has said so and this tab no longer shows it.
 * @param {HTMLElement} place
 * @param {WebChatElement} host
 * @returns {Promise<void>} rejects with ApiError
 */
export async function enhance(place, host) {
  if (!host.recall("past")) await askForRating(host, place, place.dataset.webchatUnrated ?? "");
}

/**
 * Shows the form, or the thanks for it; nothing where the visitor skipped it, or the server takes no rating any more.
 * @param {WebChatElement} host
 * @param {HTMLElement} place
 * @param {string} session
 * @returns {Promise<void>} rejects with ApiError
 */
async function askForRating(host, place, session) {
  if (host.recall("unrated") === session) return;
  const address = addressOf(place, session);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const found = ratingIn(await markupOf(fetch(address, { signal })));
  if (found) show(found);

  /** @param {HTMLElement} rating */
  function show(rating) {
    place.replaceChildren(rating);
    find(rating, "skip")?.addEventListener("click", (event) => {
      event.preventDefault();
      host.remember(session, "unrated");
      place.replaceChildren();
      (find(host, "ended-text") ?? part(host, "title")).focus();
    });
    const form = rating.querySelector("form");
    if (!form) return;
    for (const field of form.elements) followDirection(field);
    form.addEventListener("input", ({ target }) => followDirection(target));
    whenSent(host, form, part(form, "rating-failed"), address, async (answer) => {
      const rating = ratingIn(await answer.text());
      if (!rating) throw new Error(`No rating in an answer ${answer.status}`);
      show(rating);
      (find(rating, "rating-problem") ?? find(rating, "rated"))?.focus();
    });
  }
}

/** @param {string} markup @returns {HTMLElement | null} null where nothing is asked or said */
function ratingIn(markup) {
  const rating = find(new DOMParser().parseFromString(markup, "text/html"), "rating");
  return rating?.childElementCount ? document.adoptNode(rating) : null;
}

/** @param {WebChatElement} host @param {HTMLElement} view @param {string} session */
function offerMail(host, view, session) {
  const templates = new Templates(host);
  const form = /** @type {HTMLFormElement} */ (templates.element("transcript-mail"));
  const said = part(form, "mail-said");
  find(view, "ended")?.append(form); // a form that was begun may stand in its place
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
