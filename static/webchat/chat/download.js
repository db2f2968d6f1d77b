// The conversation as a text file, made in the browser: nothing of it leaves the visitor's machine.

import { languageOf, part } from "../templates.js";

/**
 * @import {WebChatElement} from "../web-chat-element.js"
 * @import {Transcript} from "./transcript.js"
 */

/**
 * @param {WebChatElement} host
 * @param {Transcript} transcript
 */
function textOf(host, transcript) {
  const { templates } = transcript;
  const when = new Intl.DateTimeFormat(languageOf(transcript.log), { dateStyle: "medium", timeStyle: "short" });
  const isFromStart = !transcript.timeline.entries.find(({ index }) => index !== null)?.index; // Twilio's first is 0
  const lines = transcript.timeline.entries.map((entry) => {
    const { kind, event = "", author, own, at, files = [], status } = entry;
    const name = transcript.label(author, own);
    if (kind === "event") return `[${when.format(at)}] ${templates.text(event, { name })}`;
    const parts = [
      transcript.wordsOf(entry),
      ...files.map((file) => templates.text("attached", { name: file.name })),
    ].filter(Boolean);
    if (status === "failed") parts.push(templates.text("failed"));
    return `[${when.format(at)}] ${name}: ${parts.join("\n")}`;
  });
  return [
    part(host, "title").textContent,
    "",
    ...(isFromStart ? [] : [templates.text("incomplete")]),
    ...lines,
    "",
  ].join("\n");
}

/**
 * Puts it into the visitor's downloads, under the day it began.
 * @param {WebChatElement} host
 * @param {Transcript} transcript
 */
export function save(host, transcript) {
  const [first] = transcript.timeline.entries;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([textOf(host, transcript)], { type: "text/plain" }));
  link.download = `${host.slug}-${(first?.at ?? new Date()).toISOString().slice(0, 10)}.txt`;
  link.click();
  // Not at once: the browser has only begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
