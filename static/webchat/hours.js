// The launcher outside of the opening hours, by the device's clock, for the page may come from a cache. The server decides
// again when the chat is opened.

/** @import {WebChatElement} from "./web-chat-element.js" */

const MINUTE = 60_000;

/**
 * @param {string} changes minutes: the first since the epoch, each other since the one before. Closed before the first,
 *   and open from the last one on, as the page knows no more.
 * @param {number} now in milliseconds
 * @returns {{isOpen: boolean, changesAt: number}} in milliseconds, infinite after the last change
 */
export function stateAt(changes, now) {
  let at = 0;
  let isOpen = false;
  for (const minutes of changes.split(" ")) {
    at += Number(minutes) * MINUTE;
    if (at > now) return { isOpen, changesAt: at };
    isOpen = !isOpen;
  }
  return { isOpen: true, changesAt: Number.POSITIVE_INFINITY };
}

/**
 * Changes the launcher's label, or shows and hides the launcher where it has no other. An open panel and a running chat
 * stay.
 * @param {WebChatElement} chat
 * @param {AbortSignal} signal it is no longer on the page
 */
export function follow(chat, signal) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const draw = () => {
    clearTimeout(timer);
    if (signal.aborted) return;
    const { isOpen, changesAt } = stateAt(chat.dataset.webchatHours ?? "", Date.now());
    /** @type {NodeListOf<HTMLElement>} */
    const labels = chat.querySelectorAll("[data-webchat-when]");
    for (const label of labels) label.hidden = (label.dataset.webchatWhen === "open") !== isOpen;
    chat.hidden = !isOpen && !labels.length && !chat.isOpen && !chat.recall();
    if (Number.isFinite(changesAt)) timer = setTimeout(draw, changesAt - Date.now());
  };
  document.addEventListener("visibilitychange", draw, { signal });
  draw();
}
