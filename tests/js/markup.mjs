// Has the site render the page that tests/js/dom.mjs reads.

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = execFileSync(`${root}.venv/bin/python`, ["-m", "tests.js.markup"], {
  cwd: root,
  stdio: ["ignore", "pipe", "ignore"],
});
mkdirSync(`${root}.cache`, { recursive: true });
writeFileSync(`${root}.cache/markup.html`, page);
