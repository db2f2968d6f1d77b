// Sound and notifications, for visitors who asked for them in this tab. Imported when they do.

import { within } from "../api.js";
import { part } from "../templates.js";

/**
 * @import {Templates} from "../templates.js"
 * @import {WebChatElement} from "../web-chat-element.js"
 */

// Two notes, a quarter of a second each: hertz and seconds.
const CHIME = [
  [659, 0],
  [880, 0.14],
];
const NOTE_S = 0.25;
const PAUSE_MS = 1000;
const AWAKE_MS = 1000;
const ON = "on";

/** Phones' browsers know notifications of service workers alone, and one that was denied can only be asked for by hand. */
function canNotify() {
  if (!("Notification" in window) || Notification.permission === "denied") return false;
  if (Notification.permission === "granted") return true;
  try {
    new Notification(""); // shown to nobody, as nobody was asked
    return true;
  } catch {
    return false;
  }
}

export class Alerts {
  /** @type {AudioContext | undefined} */
  #audio;
  #chimedAt = -PAUSE_MS;

  /**
   * @param {WebChatElement} host
   * @param {HTMLElement} options
   * @param {Templates} templates
   * @param {string} title of a notification
   */
  constructor(host, options, templates, title) {
    this.host = host;
    this.templates = templates;
    this.title = title;
    this.problem = part(options, "notify-problem");
    this.sound = this.#switch(part(options, "sound", HTMLInputElement), "sound", () => this.#chime());
    // Safari lets only a context sound that was made or resumed in a gesture: after a reload, the first one will do.
    for (const type of ["pointerdown", "pointerup", "keydown"]) {
      document.addEventListener(type, () => this.sound.checked && this.#wakeAudio(), { once: true, capture: true });
    }
    this.notify = this.#switch(part(options, "notify", HTMLInputElement), "notify", () => this.#askPermission());
    part(options, "notify-row").hidden = !canNotify();
  }

  /** A new message, by its author's name. The notification says no more: others may look at the screen. */
  call(/** @type {string} */ name) {
    if (this.sound.checked && !(this.host.isOpen && document.hasFocus())) this.#chime();
    if (this.notify.checked && document.visibilityState === "hidden") this.#show(name);
  }

  /** @param {HTMLInputElement} input @param {string} name in the tab's memory @param {() => void} switchedOn */
  #switch(input, name, switchedOn) {
    const early = input.checked;
    input.checked ||= this.host.recall(name) === ON;
    input.addEventListener("change", () => {
      this.problem.textContent = "";
      this.host.remember(input.checked ? ON : null, name);
      if (input.checked) switchedOn();
    });
    // Switched while this module was on its way.
    if (early) input.dispatchEvent(new Event("change"));
    return input;
  }

  /** @returns {AudioContext} */
  #wakeAudio() {
    this.#audio ??= new AudioContext();
    this.#audio.resume().catch(() => {});
    return this.#audio;
  }

  async #chime() {
    // A page that nobody has touched since it was loaded may not make a sound.
    if (!navigator.userActivation?.hasBeenActive || performance.now() - this.#chimedAt < PAUSE_MS) return;
    this.#chimedAt = performance.now();
    const audio = this.#wakeAudio();
    // A context that sleeps would keep the notes, and play all of them at once when it wakes.
    if (audio.state !== "running") await within(AWAKE_MS, audio.resume()).catch(() => {});
    if (audio.state !== "running") return;
    for (const [pitch, start] of CHIME) {
      const at = audio.currentTime + start;
      const note = new OscillatorNode(audio, { frequency: pitch });
      const volume = new GainNode(audio, { gain: 0.15 });
      volume.gain.setTargetAtTime(0, at, NOTE_S / 4);
      note.connect(volume).connect(audio.destination);
      note.start(at);
      note.stop(at + NOTE_S);
    }
  }

  async #askPermission() {
    if ((await Notification.requestPermission()) !== "granted") this.#switchOff("notify-denied");
  }

  #show(/** @type {string} */ name) {
    try {
      const body = this.templates.text("new-from", { name });
      const notification = new Notification(this.title, { body, tag: `webchat:${this.host.slug}` });
      notification.addEventListener("click", () => {
        window.focus();
        this.host.open();
        notification.close();
      });
    } catch {
      // Phones know only those of service workers.
      this.#switchOff("notify-unable");
    }
  }

  /** @param {string} why the template */
  #switchOff(why) {
    this.notify.checked = false;
    this.host.remember(null, "notify");
    this.problem.textContent = this.templates.text(why);
  }
}
