// A page of a signed-in user is read by nobody after them, neither by Back nor in another tab. Their menu closes as menus do.

import { reload, watchVisitor } from "../webchat/whose-page.js";

watchVisitor(document.body.dataset, document.documentElement, reload);

const menu = document.querySelector("details.menu");
/** @param {boolean} back whether the keyboard goes on from there */
const close = (back) => {
  if (!menu?.hasAttribute("open")) return;
  menu.removeAttribute("open");
  if (back) menu.querySelector("summary")?.focus();
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented) close(true);
});
document.addEventListener("click", ({ target }) => target instanceof Node && !menu?.contains(target) && close(false));
