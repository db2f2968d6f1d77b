// Asks who sits there when a page is shown again: out of the browser's memory, as by Back, or because its tab is chosen.

import { persistently } from "./api.js";

const PATIENCE = 10_000;

/**
 * Out of the browser's memory, the page stays hidden until the answer is there.
 * @param {DOMStringMap} data `visitorUrl` says where to ask, `user` what is said there as long as nothing changed
 * @param {HTMLElement} page what was made for that user
 * @param {() => void} changed somebody else sits there now, or nobody; the page may still be hidden
 * @param {AbortSignal} [signal] ends it
 */
export function watchVisitor({ visitorUrl, user }, page, changed, signal) {
  if (!visitorUrl) return;
  const isTheirs = async () => {
    const answer = await fetch(visitorUrl, { signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(`${answer.status} for ${visitorUrl}`);
    return (await answer.json()).user === user;
  };
  const check = async (/** @type {(error: unknown) => boolean} */ again) => {
    const theirs = await persistently(isTheirs, again);
    if (signal?.aborted || theirs === undefined) return;
    if (theirs) page.hidden = false;
    else changed();
  };
  const shownAgain = (/** @type {PageTransitionEvent} */ { persisted }) => {
    if (!persisted) return;
    page.hidden = true;
    check(() => !signal?.aborted);
  };
  window.addEventListener("pageshow", shownAgain, { signal });
  const chosen = () => document.visibilityState === "visible" && check(() => false);
  document.addEventListener("visibilitychange", chosen, { signal });
}

let isReloading = false;

/** Fetches the page anew, once, however many watch it. */
export function reload() {
  if (!isReloading) location.reload();
  isReloading = true;
}
