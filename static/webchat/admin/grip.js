/** A field is moved by its grip with a mouse, a finger or a pen; by keyboard, the buttons beside it do the same. */

import { group, rows, settle } from "./order.js";

const EDGE_PX = 90; // more than the row to save, which stands at the end
const SCROLL_PX = 12; // a frame

/**
 * What is dragged: its row, where the pointer is, and the rows as they stood before.
 * @type {{row: HTMLElement, y: number, before: HTMLElement[], scroller: Element} | undefined}
 */
let dragged;

/** @param {Element} row */
function middle(row) {
  const { top, height } = row.getBoundingClientRect();
  return top + height / 2;
}

/** @param {Element} start */
function scrollerOf(start) {
  let one = start.parentElement;
  while (one && !(one.scrollHeight > one.clientHeight && /auto|scroll/.test(getComputedStyle(one).overflowY)))
    one = one.parentElement;
  return one ?? document.scrollingElement ?? document.documentElement;
}

/** Once a frame: a pointer that stands still at the edge scrolls on. */
function follow() {
  if (!dragged) return;
  const { row, y, scroller } = dragged;
  const all = rows();
  const at = all.indexOf(row);
  // The others make room: a row that is moved in the page loses its pointer.
  if (at > 0 && y < middle(all[at - 1])) row.after(all[at - 1]);
  else if (at < all.length - 1 && y > middle(all[at + 1])) row.before(all[at + 1]);
  if (y < EDGE_PX) scroller.scrollTop -= SCROLL_PX;
  else if (y > innerHeight - EDGE_PX) scroller.scrollTop += SCROLL_PX;
  requestAnimationFrame(follow);
}

/** @param {boolean} isKept else all stands as before */
function drop(isKept) {
  if (!dragged) return;
  const { row, before } = dragged;
  dragged = undefined;
  row.classList.remove("is-dragged");
  const isMoved = rows().some((each, index) => each !== before[index]);
  if (!isMoved) return;
  if (isKept) {
    settle(row);
    // Numbers that a script sets are no change to whoever listens.
    row.dispatchEvent(new Event("change", { bubbles: true }));
  } else for (const [index, each] of before.entries()) if (index > 0) before[index - 1].after(each);
}

group?.addEventListener("pointerdown", (event) => {
  const grip = /** @type {Element} */ (event.target).closest(".webchat-row-grip");
  if (!grip || event.button !== 0 || !event.isPrimary || dragged) return;
  event.preventDefault();
  const row = /** @type {HTMLElement} */ (grip.closest(".inline-related"));
  grip.setPointerCapture(event.pointerId);
  row.classList.add("is-dragged");
  dragged = { row, y: event.clientY, before: rows(), scroller: scrollerOf(row) };
  requestAnimationFrame(follow);
});
group?.addEventListener("pointermove", (event) => {
  if (dragged && event.isPrimary) dragged.y = event.clientY;
});
group?.addEventListener("pointerup", () => drop(true));
group?.addEventListener("pointercancel", () => drop(false));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") drop(false);
});
