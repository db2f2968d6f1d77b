import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const STYLES = ["../../static/webchat/css/", "../../webchat/sandbox/desk/"].map((at) => new URL(at, import.meta.url));

test("a box that scrolls holds what is hidden in it, which else lies below it in Safari", () => {
  const files = STYLES.flatMap((at) => readdirSync(at).map((name) => new URL(name, at)));
  const styles = files.filter(({ pathname }) => pathname.endsWith(".css"));
  const rules = styles.flatMap((file) => readFileSync(file, "utf8").match(/[^{};]+\{[^{}]*/g));
  const scrolling = rules.filter((rule) => rule.includes("overflow-y: auto"));
  assert.ok(scrolling.length >= 8, `only ${scrolling.length}`);
  for (const rule of scrolling) assert.match(rule, /position: relative/);
});
