// Bundles Twilio's Conversations SDK for the browser into static/webchat/sdk/conversations.js.
//
// The packages' declared entries are transpiled for old browsers and pull in core-js: 115 kB brotli. Each package also
// ships its un-transpiled ES2017 modules under dist/, which come to about 60 kB and pass the whole capability run
// (tests/e2e/test_sdk_capabilities.py). dist/ is not a documented entry, so the versions are pinned in
// package-lock.json and a missing path fails the build.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const target = join(root, "static/webchat/sdk/conversations.js");

const untranspiled = [
  "@twilio/conversations",
  "@twilio/declarative-type-validator",
  "@twilio/deprecation-decorator",
  "@twilio/mcs-client",
  "@twilio/notifications",
  "@twilio/operation-retrier",
  "@twilio/replay-event-emitter",
  "twilio-sync",
  "twilsock",
];

const alias = Object.fromEntries(
  untranspiled.map((name) => {
    const entry = join(root, "node_modules", name, "dist/index.js");
    if (!existsSync(entry)) throw new Error(`${name} no longer ships dist/index.js: choose another recipe`);
    return [name, entry];
  }),
);

const withoutPolyfills = {
  name: "without-polyfills",
  setup(build) {
    build.onResolve({ filter: /^core-js\// }, ({ path }) => ({ path, namespace: "empty" }));
    build.onLoad({ filter: /.*/, namespace: "empty" }, () => ({ contents: "" }));
  },
};

const { outputFiles, warnings } = await build({
  stdin: { contents: 'export { Client } from "@twilio/conversations";', resolveDir: root },
  alias,
  plugins: [withoutPolyfills],
  bundle: true,
  minify: true,
  write: false,
  format: "esm",
  platform: "browser",
  target: "es2020",
  legalComments: "none",
  define: { global: "globalThis" },
});
if (warnings.length) throw new Error(`esbuild warned: ${warnings.map((warning) => warning.text).join("; ")}`);

const { version } = JSON.parse(readFileSync(join(root, "node_modules/@twilio/conversations/package.json"), "utf8"));
mkdirSync(dirname(target), { recursive: true });
writeFileSync(
  target,
  `/* @twilio/conversations ${version}, MIT licence, Copyright Twilio Inc. */\n${outputFiles[0].text}`,
);
console.log(`${target}: ${outputFiles[0].contents.length} bytes`);
