// When somebody is back, by the visitor's own clock. Imported where a time is shown.

import { languageOf } from "./templates.js";

/** @param {HTMLElement} place around a <time> of the business's clock, and a line for the visitor's where it differs */
export function showOwnTime(place) {
  const time = place.querySelector("time[data-webchat-zone]");
  const line = place.querySelector("[data-webchat-own-time]");
  const words = line?.querySelector("[data-webchat-own-words]");
  if (!(time instanceof HTMLTimeElement) || !(line instanceof HTMLElement) || !words) return;
  const at = new Date(time.dateTime);
  /** @type {Intl.DateTimeFormatOptions} */
  const parts = { weekday: "long", month: "long", day: "numeric", hour: "numeric", minute: "2-digit" };
  const told = (/** @type {Intl.DateTimeFormatOptions} */ more) =>
    new Intl.DateTimeFormat(languageOf(place), { ...parts, ...more }).format(at);
  if (told({}) === told({ timeZone: time.dataset.webchatZone })) return;
  words.textContent = told({ timeZoneName: "short" });
  line.hidden = false;
}
