// The conversation as a text file, made in the browser: nothing of it leaves the visitor's machine.

import { languageOf } from "../templates.js";

/**
 * @import {Templates} from "../templates.js"
 * @import {Transcript} from "./transcript.js"
 */

/**
 * @param {Transcript} transcript
 * @param {Templates} templates
 * @param {string} title
 * @param {boolean} isWhole whether the earliest message is in the transcript
 */
export function textOf(transcript, templates, title, isWhole) {
  const when = new Intl.DateTimeFormat(languageOf(transcript.log), { dateStyle: "medium", timeStyle: "short" });
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
  return [title, "", ...(isWhole ? [] : [templates.text("incomplete")]), ...lines, ""].join("\n");
}

/** @param {string} text @param {string} name of the file, without its extension */
export function save(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = `${name}.txt`;
  link.click();
  // Not at once: the browser has only begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
