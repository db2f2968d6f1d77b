import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const STYLES = new URL("../../static/webchat/css/", import.meta.url);

test("a box that scrolls holds what is hidden in it, which else lies below it in Safari", () => {
  const names = readdirSync(STYLES).filter((name) => name.endsWith(".css"));
  const rules = names.flatMap((name) => readFileSync(new URL(name, STYLES), "utf8").match(/[^{};]+\{[^{}]*/g));
  const scrolling = rules.filter((rule) => rule.includes("overflow-y: auto"));
  assert.ok(scrolling.length >= 5, `only ${scrolling.length}`);
  for (const rule of scrolling) assert.match(rule, /position: relative/);
});
