// Minifies the chat's own scripts and styles, file by file, into build/minified/<SHA-256 of the source>.js and .css.
//
// collectstatic puts them in the place of the sources (config/storage.py): so a machine that serves the site needs no
// Node, and a source that was changed since is never served in its old form.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, extname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const sources = join(root, "static/webchat");
const target = join(root, "build/minified");
// Twilio's: the one is minified already, the other stays as its checksum knows it.
const left = ["sdk", "flex-ui"];
const { browserslist } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const oldest = browserslist.works.map((browser) => browser.replace(" ", ""));
const types = [".js", ".css"];
// With what it imports, for each file costs the visitor a request and compresses worse alone; but for what several of them
// share. Its own source alone names it; collectstatic would miss a change of the others by their own names.
const wholes = ["web-chat.js", "panel.js", join("chat", "chat.js")];
const shared = /\/(api|templates)\.js$/;

/**
 * Imports of the files that wholes share, once for a whole: esbuild repeats them for each of its files.
 * @param {string} entry
 */
async function sharedOnce(entry) {
  const wanted = { entryPoints: [entry], bundle: true, format: "esm", external: ["*/api.js", "*/templates.js"] };
  const { metafile } = await build({ ...wanted, absWorkingDir: root, outdir: target, write: false, metafile: true });
  const lines = Object.keys(metafile.inputs).map((file) => readFileSync(join(root, file), "utf8"));
  const imports = [...lines.join("\n").matchAll(/^import \{ (.*) \} from "(.*)";$/gm)];
  const namesOf = (from) => new Set(imports.filter((one) => one[2] === from).flatMap(([, names]) => names.split(", ")));
  return {
    name: "shared-once",
    setup(one) {
      one.onResolve({ filter: shared }, ({ path, kind, namespace }) => {
        if (kind === "entry-point") return null;
        return namespace === "once" ? { path, external: true } : { path, namespace: "once" };
      });
      one.onLoad({ filter: shared, namespace: "once" }, ({ path }) => ({
        contents: `export { ${[...namesOf(path)]} } from "${path}";`,
      }));
    },
  };
}

mkdirSync(target, { recursive: true });
const written = new Set();
for (const name of readdirSync(sources, { recursive: true })) {
  const type = extname(name);
  if (!types.includes(type) || left.includes(name.split(sep)[0])) continue;
  const source = readFileSync(join(sources, name));
  const { outputFiles } = await build({
    entryPoints: [join(sources, name)],
    write: false,
    bundle: wholes.includes(name),
    plugins: wholes.indexOf(name) > 0 ? [await sharedOnce(join(sources, name))] : [],
    format: type === ".js" ? "esm" : undefined,
    minify: true,
    // What older browsers do not know is written out for them: nested rules, (width <= …).
    target: type === ".css" ? oldest : "esnext",
    charset: "utf8",
    // The same bytes, and thus the same hashed name, wherever this runs.
    tsconfigRaw: {},
  });
  const file = createHash("sha256").update(source).digest("hex") + type;
  // Renamed: whoever collects meanwhile reads a whole file.
  const part = `${target}.${process.pid}`;
  writeFileSync(part, outputFiles[0].contents);
  renameSync(part, join(target, file));
  written.add(file);
}
for (const file of readdirSync(target)) if (!written.has(file)) rmSync(join(target, file));
