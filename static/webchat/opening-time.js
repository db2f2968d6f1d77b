// When somebody is back, by the visitor's own clock. Imported where a time is shown.

import { find, languageOf } from "./templates.js";

/** @param {HTMLElement} line for the visitor's time where it differs, beside a <time> of the business's clock */
export function enhance(line) {
  const place = /** @type {HTMLElement} */ (line.parentElement);
  const time = find(place, "zone", HTMLTimeElement);
  const words = find(line, "own-words");
  if (!time || !words) return;
  const at = new Date(time.dateTime);
  /** @type {Intl.DateTimeFormatOptions} */
  const parts = { weekday: "long", month: "long", day: "numeric", hour: "numeric", minute: "2-digit" };
  const told = (/** @type {Intl.DateTimeFormatOptions} */ more) =>
    new Intl.DateTimeFormat(languageOf(place), { ...parts, ...more }).format(at);
  if (told({}) === told({ timeZone: time.dataset.webchatZone })) return;
  words.textContent = told({ timeZoneName: "short" });
  line.hidden = false;
}
