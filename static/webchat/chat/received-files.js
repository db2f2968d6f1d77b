// Files in messages: images as thumbnails, everything as something to open. Imported with the first file.

import { part } from "../templates.js";

/**
 * @import {Attachment} from "#types"
 * @import {Templates} from "../templates.js"
 */

// Never SVG, whatever an agent sends.
const IMAGES = new Set(["image/jpeg", "image/png", "image/gif", "image/webp"]);

/**
 * @param {Templates} templates
 * @param {Attachment} file
 * @param {Element} log its addresses work for minutes only, so each is asked for when it comes into sight
 */
export function drawFile(templates, file, log) {
  const item = templates.element(IMAGES.has(file.type) ? "image" : "file", { name: file.name });
  const problem = part(item, "file-failed");
  const open = part(item, "open-file");
  open.addEventListener("click", async () => {
    // At once: Safari takes a window that opens after an answer for a pop-up.
    const tab = window.open();
    const url = await file.url().catch(() => null);
    problem.hidden = !!(tab && url);
    if (!tab) return;
    tab.opener = null;
    if (url) tab.location.replace(url);
    else tab.close();
  });
  const image = item.querySelector("img");
  if (!image) return item;
  image.alt = file.name;
  const show = async () => {
    const url = await file.url().catch(() => null);
    if (url) image.src = url;
    else image.classList.add("webchat-unseen");
  };
  // In its own ratio, which nobody knows before. What is being read stays where it is.
  image.addEventListener("load", () => {
    const isAbove = item.getBoundingClientRect().bottom < log.getBoundingClientRect().top;
    const before = log.scrollHeight;
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    image.classList.add("webchat-seen");
    if (isAbove) log.scrollTop += log.scrollHeight - before;
    else if (isAtEnd) log.scrollTop = log.scrollHeight;
  });
  image.addEventListener("error", () => image.classList.add("webchat-unseen"));
  const watcher = new IntersectionObserver(
    ([{ isIntersecting }]) => {
      if (!isIntersecting) return;
      watcher.disconnect();
      show();
    },
    { root: log, rootMargin: "100%" },
  );
  watcher.observe(image);
  return item;
}
