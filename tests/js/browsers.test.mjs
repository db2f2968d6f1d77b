// The browsers that package.json and docs/browsers.md promise have what our code uses; docs/browsers.md says what is
// lost in those that work, and lack something.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";
import { featuresOfScripts, featuresOfStyle, since } from "./features.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (/** @type {string} */ path) => readFileSync(join(root, path), "utf8");
const { browserslist } = JSON.parse(read("package.json"));
const docs = read("docs/browsers.md");
const NOT_OURS = /^(sdk|flex-ui)\//;

const sources = readdirSync(join(root, "static/webchat"), { recursive: true })
  .filter((name) => !NOT_OURS.test(name))
  .map((name) => `static/webchat/${name}`);
const scripts = sources.filter((name) => name.endsWith(".js"));
const styles = sources.filter((name) => name.endsWith(".css"));
const target = browserslist.works.map((/** @type {string} */ browser) => browser.replace(" ", ""));
// esbuild writes \p{…} out for every version, since each brings new scripts of the world; the syntax itself is from 2020.
const supported = { "regexp-unicode-property-escapes": true };

async function featuresUsed() {
  const features = featuresOfScripts(join(root, "tsconfig.json"));
  for (const name of styles) {
    // As it is served: newer syntax is written out for older browsers.
    const { code } = await transform(read(name), { loader: "css", minify: true, target });
    featuresOfStyle(code, name, features);
  }
  return features;
}

/** @param {string} feature @param {string[]} browsers such as ["chrome 103"] */
function isLacking(feature, browsers) {
  return browsers.some((browser) => {
    const [name, version] = browser.split(" ");
    return since(feature, name) > Number(version);
  });
}

/** The names in the first column of the table below a heading. */
function rowsBelow(/** @type {string} */ heading) {
  const section = docs.split(`## ${heading}\n`)[1].split("\n## ")[0];
  const cells = section.match(/^\| `[^|]*\|/gm) ?? [];
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
}

const covers = (/** @type {string} */ row, /** @type {string} */ feature) =>
  feature === row || feature.startsWith(`${row}.`);

test("every feature that an older browser lacks is in the page about browsers, and no other", async () => {
  const features = await featuresUsed();
  const lacking = (/** @type {string[]} */ browsers) =>
    [...features.keys()].filter((name) => isLacking(name, browsers));
  const nicer = lacking(browserslist["as-meant"]);
  const needed = lacking(browserslist.works).filter((name) => !nicer.includes(name));
  for (const [heading, names] of [
    ["Missed in older browsers", needed],
    ["Nowhere missed", nicer],
  ]) {
    const rows = rowsBelow(heading);
    const unsaid = names.filter((name) => !rows.some((row) => covers(row, name)));
    assert.deepEqual(
      unsaid.map((name) => `${name} in ${features.get(name)}`),
      [],
      `"${heading}" lacks them`,
    );
    assert.deepEqual(
      rows.filter((row) => !names.some((name) => covers(row, name))),
      [],
      `"${heading}" has too many`,
    );
  }
});

for (const name of scripts) {
  test(`${name} has no syntax that the oldest browsers lack`, async () => {
    const [written, lowered] = await Promise.all(
      ["esnext", target].map((it) => transform(read(name), { loader: "js", target: it, supported, tsconfigRaw: {} })),
    );
    assert.equal(lowered.code, written.code);
  });
}

test("README and docs name the versions of package.json", () => {
  const version = (/** @type {string} */ kind, /** @type {string} */ browser) =>
    browserslist[kind].find((it) => it.startsWith(browser)).split(" ")[1];
  for (const [kind, heading] of [
    ["works", "Works"],
    ["as-meant", "Looks and behaves as meant"],
  ]) {
    const [chrome, firefox, safari] = ["chrome", "firefox", "safari"].map((browser) => version(kind, browser));
    assert.ok(docs.includes(`| ${heading} | ${chrome} | ${firefox} | ${safari} |`), `docs/browsers.md: ${heading}`);
    assert.ok(
      read("README.md").includes(`Chrome ${chrome}, Firefox ${firefox} and Safari ${safari}`),
      `README: ${heading}`,
    );
  }
});
