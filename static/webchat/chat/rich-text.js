// What is written in a message: addresses as links, and of Markdown what agents use. Drawn by nodes of our own alone, in
// a time that grows with the length of the text and no faster, whatever is written.

/** @import {Templates} from "../templates.js" */

/**
 * A stretch of text, a link, or what stands in an emphasis.
 * @typedef {{kind?: undefined, text: string, href?: string} | {kind: "strong" | "em" | "code", pieces: Piece[]}} Piece
 */

/**
 * @typedef {{kind: "text", pieces: Piece[]} | {kind: "code", text: string}
 *   | {kind: "ul" | "ol", start: number, items: Piece[][]}} Block
 */

// No address has these as they are: spaces, quotation marks, the full stops, commas and brackets of other scripts, an
// ellipsis, and format characters but for the joiners, with which some languages spell.
const WEB =
  /\b(?:https?:\/\/|www\.)(?:[^\s<>"`„“”‟‛«»‹›❛-❠⟦-⟯…،؛؟۔।׃።፣　-〄〈-〠〰！-／：-＠［-･\p{Cf}]|[\u200c\u200d])+/u;
// Each repetition has a limit: a long run of letters costs no more than its length.
const MAIL = /\b[a-z0-9][a-z0-9._%+-]{0,63}@(?:[a-z0-9][a-z0-9-]{0,62}\.){1,8}[a-z]{2,24}\b/u;
// With the code of its country: any other number may be that of an order. Brackets after the code alone: what stands in
// later ones is no part of it.
const PHONE =
  /\+[1-9]\d{0,14}(?:[ \u00a0\u202f]?\(\d{1,5}\)[ \u00a0\u202f]?\d{1,13})?(?:[ \u00a0\u202f./-]{1,2}\d{1,13}){0,7}(?!\d)/u;
// What stands beside a number and is none of it, after a space: hours, a time, a date or a price.
const SPACE = "[ \\u00a0\\u202f]";
const HOUR = "(?:[01]?\\d|2[0-4])(?:[:.]\\d\\d)?";
const PRICE = `\\d{1,7}(?:[.,]\\d\\d)?${SPACE}?(?:\\p{Sc}|EUR|USD|GBP|CHF)|\\d{1,4},\\d\\d`;
const DATE = "\\d{4}-\\d\\d-\\d\\d|\\d{1,2}([./])\\d{1,2}\\1(?:(?:19|20)?\\d\\d)?";
const BESIDE = new RegExp(
  `${SPACE}(?:${HOUR}${SPACE}?[-–—/]${SPACE}?${HOUR}|\\d{1,2}(?::\\d\\d|\\p{L}\\d{0,2})|${DATE}|${PRICE})(?![-./:]?\\d)`,
  "u",
);
const BESIDE_LONGEST = 20;
const LINKS = new RegExp(`(?<web>${WEB.source})|(?<mail>${MAIL.source})|(?<phone>${PHONE.source})`, "giu");

const NAMED = /\[(?<label>[^[\]\n]{1,300})\]\((?<target>(?:[^\s()]|\([^\s()]*\))+)\)/u;
const MARKDOWN = new RegExp(
  `\\\\(?<plain>[\\\\*_\`[\\]])|\`(?<code>[^\`\\n]+)\`|${NAMED.source}|(?<mark>\\*+|_+)|${LINKS.source}`,
  "giu",
);
const ITEM = /^ {0,8}(?:[-*•]|(\d{1,9})[.)])[ \t]+(?=\S)/;
const FENCE = /^ {0,3}```/;

const OPENED_BY = new Map([
  [")", "("],
  ["]", "["],
  ["}", "{"],
]);

/**
 * @param {string} text
 * @returns {{text: string, href?: string}[]} the whole text in pieces; web addresses, e-mail addresses and phone numbers
 *   are links
 */
export function linkify(text) {
  /** @type {{text: string, href?: string}[]} */
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(LINKS)) {
    const found = linkOf(match, text);
    if (!found) continue;
    if (match.index > end) pieces.push({ text: text.slice(end, match.index) });
    pieces.push(found);
    end = match.index + found.text.length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end) });
  return pieces;
}

/** @param {RegExpMatchArray} match of LINKS @param {string} text @returns {{text: string, href: string} | null} */
function linkOf({ groups: { web, mail, phone } = {}, index = 0 }, text) {
  if (mail) return { text: mail, href: `mailto:${mail}` };
  if (phone) {
    const end = index + phone.length;
    const isWithin = /[\p{L}\p{N}]/u.test(text[index - 1] ?? "");
    return isWithin ? null : telephone(phone, text.slice(end, end + BESIDE_LONGEST));
  }
  const link = trimmed(web);
  const href = webAddress(link);
  return href === null ? null : { text: link, href };
}

/**
 * Without the zero that only callers within the country dial. No number ends with one digit by itself, or is that short.
 * @param {string} found
 * @param {string} after it in the text
 */
function telephone(found, after) {
  const beside = BESIDE.exec(found + after);
  const before = beside && found.slice(0, beside.index);
  const text = (before && dialled(before).length > 7 ? before : found).replace(/[^\d)]+\d$/, "");
  const number = dialled(text);
  return number.length > 7 && number.length < 17 ? { text, href: `tel:${number}` } : null;
}

const dialled = (/** @type {string} */ text) => text.replace("(0)", "").replace(/[^+\d]/g, "");

/** Punctuation after an address belongs to the sentence; a closing bracket only if it closes none of the address. */
function trimmed(/** @type {string} */ link) {
  const count = (/** @type {string} */ sign) => link.split(sign).length - 1;
  const unopened = new Map([...OPENED_BY].map(([close, open]) => [close, count(close) - count(open)]));
  let end = link.length;
  for (; end > 0; end -= 1) {
    const last = link[end - 1];
    const left = unopened.get(last);
    if (left !== undefined) {
      if (left <= 0) break;
      unopened.set(last, left - 1);
    } else if (!".,;:!?'’‘‚*_~|—–\u200c\u200d".includes(last)) break;
  }
  return link.slice(0, end);
}

function webAddress(/** @type {string} */ link) {
  try {
    const url = new URL(/^www\./i.test(link) ? `https://${link}` : link);
    return url.hostname.includes(".") || url.hostname === "localhost" ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * Where a link goes that has a name of its own. Null where the name would hide it: an address in it is that of somewhere
 * else, and what is not seen could turn it around.
 * @param {string} label
 * @param {string} target
 */
function namedAddress(label, target) {
  if (/\p{Cf}|:\/\/|@|\p{L}\.\p{L}{2}|^\s*$/u.test(label.replace(/[\u200c\u200d]/g, ""))) return null;
  if (/^https?:\/\//i.test(target)) return webAddress(target);
  const [, scheme, rest] = /^(mailto|tel):(.+)$/i.exec(target) ?? [];
  if (!scheme) return null;
  const [whole] = linkify(rest);
  return whole.text === rest && whole.href?.startsWith(scheme.toLowerCase()) ? whole.href : null;
}

// What may stand around an emphasis: 2*3*4 and snake_case have none.
const BORDER = /[\s\p{P}\p{S}\p{Cs}]/u;
const isBorder = (/** @type {string | undefined} */ sign) => sign === undefined || BORDER.test(sign);
const isSpace = (/** @type {string | undefined} */ sign) => sign === undefined || /\s/.test(sign);

/** @param {string} text @returns {Piece[]} */
function inline(text) {
  /** What is open: each emphasis in the one before, none deeper than its kinds. */
  const open = [{ mark: "", kind: "", pieces: /** @type {Piece[]} */ ([]) }];
  const add = (/** @type {Piece} */ piece) => {
    const { pieces } = open[open.length - 1];
    const last = pieces[pieces.length - 1];
    if (last && !last.kind && !last.href && !piece.kind && !piece.href) last.text += piece.text;
    else if (piece.kind || piece.text) pieces.push(piece);
  };
  // What was opened and is not closed is text.
  const giveUp = (/** @type {number} */ from) => {
    for (const { mark, pieces } of open.splice(from)) for (const piece of [{ text: mark }, ...pieces]) add(piece);
  };
  const emphasise = (/** @type {string} */ mark, /** @type {number} */ start) => {
    const [before, after] = [text[start - 1], text[start + mark.length]];
    // Within a word, too: some languages have no spaces.
    const isWide = mark.startsWith("**");
    const level = open.findIndex((one) => one.mark === mark);
    if (level > 0 && !isSpace(before) && (isWide || isBorder(after))) {
      giveUp(level + 1);
      const [{ kind, pieces }] = open.splice(level);
      if (kind === "both") add({ kind: "strong", pieces: [{ kind: "em", pieces }] });
      else add({ kind: /** @type {"strong" | "em"} */ (kind), pieces });
    } else if (mark.length < 4 && !isSpace(after) && (isWide || isBorder(before))) {
      const kind = ["em", "strong", "both"][mark.length - 1];
      const same = open.findIndex((one) => one.kind === kind);
      if (same > 0) giveUp(same);
      open.push({ mark, kind, pieces: [] });
    } else add({ text: mark });
  };
  const tokens = new RegExp(MARKDOWN);
  let end = 0;
  for (let match = tokens.exec(text); match; match = tokens.exec(text)) {
    const { plain, code, label, target, mark } = match.groups ?? {};
    const link = label || plain || code || mark ? null : linkOf(match, text);
    const href = label ? namedAddress(label, target) : link?.href;
    if (!(plain || code || mark || href)) {
      if (label) tokens.lastIndex = match.index + 1; // there may be an address in it
      continue;
    }
    add({ text: text.slice(end, match.index) });
    end = match.index + (link?.text ?? match[0]).length;
    tokens.lastIndex = end;
    if (mark) emphasise(mark, match.index);
    else if (code) add({ kind: "code", pieces: [{ text: code }] });
    else add({ text: plain ?? label ?? link?.text, href: href ?? undefined });
  }
  add({ text: text.slice(end) });
  giveUp(1);
  return open[0].pieces;
}

/**
 * @param {string} text
 * @param {boolean} isMarkdown
 * @returns {Block[]}
 */
export function blocksOf(text, isMarkdown) {
  if (!isMarkdown) return text ? [{ kind: "text", pieces: linkify(text) }] : [];
  /** @type {Block[]} */
  const blocks = [];
  /** @type {string[]} */
  let lines = [];
  const endText = () => {
    const words = lines.join("\n").replace(/^\n+|\n+$/g, "");
    if (words.trim()) blocks.push({ kind: "text", pieces: inline(words) });
    lines = [];
  };
  const all = text.split("\n");
  const fences = all.map((_, at) => at).filter((at) => FENCE.test(all[at]));
  let fence = 0;
  for (let at = 0; at < all.length; at += 1) {
    const line = all[at];
    if (at === fences[fence] && fence + 1 < fences.length) {
      endText();
      at = fences[fence + 1];
      blocks.push({ kind: "code", text: all.slice(fences[fence] + 1, at).join("\n") });
      fence += 2;
      continue;
    }
    const [sign, number] = ITEM.exec(line) ?? [];
    if (!sign) {
      lines.push(line);
      continue;
    }
    endText();
    const kind = number ? "ol" : "ul";
    const item = inline(line.slice(sign.length));
    const last = blocks[blocks.length - 1];
    if (last?.kind === kind && ITEM.test(all[at - 1])) last.items.push(item);
    else blocks.push({ kind, start: Number(number ?? 1), items: [item] });
  }
  endText();
  return blocks;
}

const EMOJI = "\\p{Extended_Pictographic}(?:\\ufe0f|\\p{Emoji_Modifier})?";
const FEW_EMOJI = new RegExp(
  `^\\s*(?:(?![©®™])(?:${EMOJI}(?:\\u200d${EMOJI}){0,5}|\\p{Regional_Indicator}{2})\\s*){1,3}$`,
  "u",
);

/** Whether a message is nothing but up to three emoji. @param {string} text */
export function isFewEmoji(text) {
  return text.length < 60 && FEW_EMOJI.test(text);
}

/**
 * @param {Templates} templates
 * @param {string} text
 * @param {boolean} isMarkdown
 * @returns {(Node | string)[]}
 */
export function draw(templates, text, isMarkdown) {
  const element = (/** @type {string} */ name, /** @type {(Node | string)[]} */ content) => {
    const made = document.createElement(name);
    made.append(...content);
    return made;
  };
  const link = (/** @type {string} */ words, /** @type {string} */ href) => {
    const made = templates.element(/^https?:/.test(href) ? "link" : "contact", { text: words });
    made.setAttribute("href", href);
    return made;
  };
  /** @type {(pieces: Piece[]) => (Node | string)[]} */
  const drawn = (pieces) =>
    pieces.map((piece) => {
      if (piece.kind) return element(piece.kind, drawn(piece.pieces));
      return piece.href ? link(piece.text, piece.href) : piece.text;
    });
  return blocksOf(text, isMarkdown).flatMap((block) => {
    if (block.kind === "text") return drawn(block.pieces);
    if (block.kind === "code") return element("pre", [element("code", [block.text])]);
    const list = element(
      block.kind,
      block.items.map((item) => element("li", drawn(item))),
    );
    if (block.start !== 1) list.setAttribute("start", String(block.start));
    return list;
  });
}
