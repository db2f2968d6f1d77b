// The launcher outside of the opening hours, by the device's clock, for the page may come from a cache. The server decides
// again when the chat is opened.

/** @import {WebChatElement} from "./web-chat-element.js" */

const MINUTE = 60_000;

/**
 * @param {string} changes minutes: the first since the epoch, each other since the one before. Each opens or closes the
 *   chat, and the last one opens it: from there on the page knows no more.
 * @param {number} now in milliseconds
 */
export function isOpenAt(changes, now) {
  const gaps = changes.split(" ");
  let at = 0;
  const past = gaps.filter((minutes) => {
    at += Number(minutes) * MINUTE;
    return at <= now;
  });
  return (gaps.length - past.length) % 2 === 0;
}

/**
 * Changes what the launcher or the invitation says. A launcher without other words is shown and hidden instead; an open
 * panel and a running chat stay.
 * @param {WebChatElement} chat
 */
export function draw(chat) {
  const isOpen = isOpenAt(chat.dataset.webchatHours ?? "", Date.now());
  /** @type {NodeListOf<HTMLElement>} */
  const labels = chat.querySelectorAll("[data-webchat-when]");
  for (const label of labels) label.hidden = (label.dataset.webchatWhen === "open") !== isOpen;
  if (chat.mode === "launcher") chat.hidden = !isOpen && !labels.length && !chat.isOpen && !chat.recall();
}
