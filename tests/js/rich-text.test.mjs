import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { freshElement, templatesOf } from "./dom.mjs";

const { blocksOf, draw, isFewEmoji, linkify } = await import("../../static/webchat/chat/rich-text.js");

// --- Links ------------------------------------------------------------------------------------------------------

const links = (text) => linkify(text).filter(({ href }) => href);

test("addresses become links, the sentence around them stays text", () => {
  assert.deepEqual(linkify("See https://example.com/a?b=1, and www.example.org."), [
    { text: "See " },
    { text: "https://example.com/a?b=1", href: "https://example.com/a?b=1" },
    { text: ", and " },
    { text: "www.example.org", href: "https://www.example.org/" },
    { text: "." },
  ]);
  assert.deepEqual(linkify("no link"), [{ text: "no link" }]);
  assert.deepEqual(linkify(""), []);
});

// The site finds addresses in staff's texts by the same rules: tests/website/test_links.py reads the same cases.
const cases = JSON.parse(readFileSync(new URL("../support/links.json", import.meta.url), "utf8"));

for (const [text, found] of Object.entries(cases)) {
  test(`an address ends before what belongs to the sentence, and no character is lost: ${text}`, () => {
    assert.deepEqual(
      links(text).map((piece) => piece.text),
      found,
    );
    assert.equal(
      linkify(text)
        .map((piece) => piece.text)
        .join(""),
      text,
    );
  });
}

for (const [text, found] of Object.entries({
  "Write to help@example.com.": { "help@example.com": "mailto:help@example.com" },
  "a.b+c@mail.example.co.uk, please": { "a.b+c@mail.example.co.uk": "mailto:a.b+c@mail.example.co.uk" },
  "user@localhost and @robin and a@b": {},
  "Call +41 44 668 18 00, or +1 (555) 010-9999.": {
    "+41 44 668 18 00": "tel:+41446681800",
    "+1 (555) 010-9999": "tel:+15550109999",
  },
  "+41 (0)44 668 18 00": { "+41 (0)44 668 18 00": "tel:+41446681800" },
  "+41 44 668 18 00 (24 hours a day)": { "+41 44 668 18 00": "tel:+41446681800" },
  "Ring +1 555 123 4567 2 times": { "+1 555 123 4567": "tel:+15551234567" },
  "+33 1 23 45 67 89, at 9": { "+33 1 23 45 67 89": "tel:+33123456789" },
  "Order 044 668 18 00, 2+12345678, +49 12, x+4412345678": {},
  // What stands beside a number.
  "+49 30 123456 10-12 Uhr": { "+49 30 123456": "tel:+4930123456" },
  "+49 30 123456 10.30 – 12.00 Uhr": { "+49 30 123456": "tel:+4930123456" },
  "+49 30 123456 9 - 17 Uhr, 10-12 15-18": { "+49 30 123456": "tel:+4930123456" },
  "+1 555 123 4567 24/7": { "+1 555 123 4567": "tel:+15551234567" },
  "+1 555 123 4567 10:00": { "+1 555 123 4567": "tel:+15551234567" },
  "+33 1 23 45 67 89 10h30": { "+33 1 23 45 67 89": "tel:+33123456789" },
  "+33 1 23 45 67 89 9h": { "+33 1 23 45 67 89": "tel:+33123456789" },
  "+49 30 123456 2024-11-30": { "+49 30 123456": "tel:+4930123456" },
  "+49 30 123456 30.11.2024": { "+49 30 123456": "tel:+4930123456" },
  "+49 30 123456 30.11. geschlossen": { "+49 30 123456": "tel:+4930123456" },
  "+1 555 123 4567 11/30/24": { "+1 555 123 4567": "tel:+15551234567" },
  "+49 30 123456 19,90": { "+49 30 123456": "tel:+4930123456" },
  "+49 30 123456 19.90 EUR": { "+49 30 123456": "tel:+4930123456" },
  "+49 30 123456 1200 €": { "+49 30 123456": "tel:+4930123456" },
  // What belongs to it, though it looks like that.
  "+49 30 123456-10": { "+49 30 123456-10": "tel:+493012345610" },
  "+45 12-14-16-18": { "+45 12-14-16-18": "tel:+4512141618" },
  "+45 12.14.16.18": { "+45 12.14.16.18": "tel:+4512141618" },
  "+49 20/12 34 56": { "+49 20/12 34 56": "tel:+4920123456" },
  "+41 44 668-18-00": { "+41 44 668-18-00": "tel:+41446681800" },
  // Dates, times and orders by themselves.
  "2024-11-30, 2024-11-30T10:00:00+01:00, 10:00 +0100 2024, UTC+02:00, +002024-11-30": {},
  "https://example.com/+41446681800?to=a@example.com": {
    "https://example.com/+41446681800?to=a@example.com": "https://example.com/+41446681800?to=a@example.com",
  },
})) {
  test(`e-mail addresses and phone numbers are links, other numbers are not: ${text}`, () => {
    assert.deepEqual(Object.fromEntries(links(text).map((piece) => [piece.text, piece.href])), found);
    const pieces = linkify(text);
    assert.equal(pieces.map((piece) => piece.text).join(""), text);
  });
}

// --- Markdown ---------------------------------------------------------------------------------------------------

const templates = templatesOf(freshElement());

/** As it is drawn. The links' hint for screen readers, and what says how they open, is left out. */
function html(text, isMarkdown = true) {
  const place = document.createElement("div");
  place.append(...draw(templates, text, isMarkdown));
  for (const hint of place.querySelectorAll(".webchat-hidden")) hint.remove();
  for (const link of place.querySelectorAll("a")) {
    const { href } = link.attributes;
    link.replaceWith(Object.assign(document.createElement("a"), { href: href.value, textContent: link.textContent }));
  }
  return place.innerHTML;
}

for (const [text, drawn] of Object.entries({
  "**bold**, *italic*, __bold__, _italic_, ***both***":
    "<strong>bold</strong>, <em>italic</em>, <strong>bold</strong>, <em>italic</em>, <strong><em>both</em></strong>",
  "Use `a *b* <c>`.": "Use <code>a *b* &lt;c&gt;</code>.",
  "**bold with *italic* in it**": "<strong>bold with <em>italic</em> in it</strong>",
  "太**字**です": "太<strong>字</strong>です",
  "2*3*4, 2 * 3 * 4, snake_case_name, *** note ***, 5 ** 2": "2*3*4, 2 * 3 * 4, snake_case_name, *** note ***, 5 ** 2",
  "*not closed, **nor this": "*not closed, **nor this",
  "**crossed *over** here*": "<strong>crossed *over</strong> here*",
  "\\*no\\* \\_no\\_": "*no* _no_",
  "**https://example.com/a_b_c**": '<strong><a href="https://example.com/a_b_c">https://example.com/a_b_c</a></strong>',
  "[our page](https://example.com/a_(b))": '<a href="https://example.com/a_(b)">our page</a>',
  "[write](mailto:a@example.com), [call](tel:+41446681800)":
    '<a href="mailto:a@example.com">write</a>, <a href="tel:+41446681800">call</a>',
  "Today:\n- one\n- **two**\n* three\n\nBye":
    "Today:<ul><li>one</li><li><strong>two</strong></li><li>three</li></ul>Bye",
  "3. three\n4) four": '<ol start="3"><li>three</li><li>four</li></ol>',
  "- dots\n1. numbers": "<ul><li>dots</li></ul><ol><li>numbers</li></ol>",
  "-5 degrees\n- \n1.5 metres": "-5 degrees\n- \n1.5 metres",
  "See\n```\nlet **a** = 1;\n- b\n```\nend": "See<pre><code>let **a** = 1;\n- b</code></pre>end",
  "```\nnot closed": "```\nnot closed",
  "one\n\ntwo": "one\n\ntwo",
})) {
  test(`agents' Markdown is drawn: ${JSON.stringify(text)}`, () => assert.equal(html(text), drawn));
}

for (const text of [
  "[click](javascript:alert(1))",
  "[click](data:text/html,x)",
  "[click](//evil.example)",
  "[click](tel:1;2)",
  "[ ](https:x)",
  "<b>bold</b> <img src=x onerror=alert(1)> &amp;",
  "![image](x.png)",
]) {
  test(`what could do more than be read stays text: ${text}`, () => {
    const place = document.createElement("div");
    place.append(...draw(templates, text, true));
    assert.equal(place.textContent, text);
    assert.equal(place.childElementCount, 0);
  });
}

for (const [text, found] of Object.entries({
  "[https://bank.example](https://evil.example/)": [],
  "[www.bank.example](https://evil.example/)": [],
  "[bank.example](https://evil.example/)": ["https://evil.example/"],
  "[me@bank.example](https://evil.example/)": ["mailto:me@bank.example", "https://evil.example/"],
  "[click](mailto:a@bank.example?subject=x)": ["mailto:a@bank.example"],
  "[\u202egpj.exe](https://evil.example/)": ["https://evil.example/"],
})) {
  test(`a link's name says nothing else than where it goes: ${JSON.stringify(text)}`, () => {
    const place = document.createElement("div");
    place.append(...draw(templates, text, true));
    const drawn = [...place.querySelectorAll("a")];
    assert.deepEqual(
      drawn.map((link) => link.getAttribute("href")),
      found,
    );
    for (const hint of place.querySelectorAll(".webchat-hidden")) hint.remove();
    assert.equal(place.textContent, text);
  });
}

test("each link reads in its own direction, and tells the other page nothing", () => {
  const place = document.createElement("div");
  place.append(...draw(templates, "https://example.com/ help@example.com +41446681800", true));
  for (const link of place.querySelectorAll("a")) {
    assert.equal(link.getAttribute("dir"), "auto");
    assert.match(link.getAttribute("rel"), /^noopener noreferrer/);
  }
});

test("what the visitor writes, and agents where staff want it so, stays as it was typed", () => {
  assert.equal(html("**bold**\n- item\n`code`", false), "**bold**\n- item\n`code`");
});

const HOSTILE = {
  stars: "*",
  "spaced stars": "* ",
  "open stars": "*a ",
  "open and shut": "*a **b _c __d ",
  crossed: "**a *b** c* ",
  "shut only": "a* b** c_ ",
  brackets: "[",
  "links not closed": "[a](",
  "nested links": "[a](x[b](y",
  backticks: "`",
  "spaced backticks": "` a",
  fences: "```\n",
  items: "- a\n",
  "items without words": "- ",
  letters: "a",
  "dotted letters": "a.",
  "letters before no @": "a.b-c_d+",
  at: "a@",
  "labels of a domain": "a@b.c-",
  digits: "+1",
  "separated digits": "+1 (2) ",
  schemes: "https://",
  "an address and signs": "https://example.com/!)",
  escapes: "\\*",
  emoji: "👍\u200d",
};

// A time that grew with the square of the length would be hours: this test would not end.
for (const [name, piece] of Object.entries(HOSTILE)) {
  test(`a long run of ${name} is drawn in no time, and loses nothing that can be read`, () => {
    const text = piece.repeat(Math.ceil(400_000 / piece.length));
    for (const isMarkdown of [true, false]) {
      const seen = (/** @type {any} */ piece) => (piece.kind ? piece.pieces.map(seen).join("") : piece.text);
      const words = blocksOf(text, isMarkdown)
        .map((block) => block.text ?? (block.pieces ?? block.items.flat()).map(seen).join(""))
        .join("");
      const letters = (/** @type {string} */ all) => all.replace(/[\s*_`\\-]/g, "");
      assert.equal(letters(words).length, letters(text).length);
      assert.equal(isFewEmoji(text), false);
    }
  });
}

test("no message makes a deep tree", () => {
  const place = document.createElement("div");
  place.append(
    ...draw(templates, `${"*a **b ***c _d __e ___f ".repeat(500)}${"f___ e__ d_ c*** b** a* ".repeat(500)}`, true),
  );
  let depth = 0;
  for (let level = [place]; level.length; level = level.flatMap((one) => [...one.children])) depth += 1;
  assert.ok(depth < 12, String(depth));
});

// --- Emoji --------------------------------------------------------------------------------------------------------

test("up to three emoji and nothing else are large", () => {
  for (const text of ["👍", " 👍🏽 🎉\n", "👩‍👩‍👧‍👦", "🇨🇭❤️", "👍👍👍"]) assert.ok(isFewEmoji(text), text);
  for (const text of ["", "👍 ok", "👍👍👍👍", "1", "#", "©", "™", "a", "*"]) assert.ok(!isFewEmoji(text), text);
});
