// Which features of the web platform our browser code uses, by their names in MDN's browser-compat-data.
//
// Not seen: members of option objects (`{ signal }` of addEventListener), and names that are texts (events).

import { createRequire } from "node:module";
import ts from "typescript";

const mdn = createRequire(import.meta.url)("@mdn/browser-compat-data");

/** @param {string} name such as "api.AbortSignal.timeout_static" */
const compatibility = (name) => name.split(".").reduce((node, part) => node?.[part], mdn)?.__compat;
const first = (/** @type {string[]} */ names) => names.find(compatibility);

/**
 * The first version in which a browser has the feature, at least in part, without a flag; Infinity if there is none.
 * @param {string} name @param {string} browser "chrome", "firefox" or "safari"
 */
export function since(name, browser) {
  const statements = [compatibility(name).support[browser]].flat();
  const versions = statements
    .filter((it) => !it.flags && !it.prefix && !it.alternative_name)
    // A partial implementation ends in MDN's data where the whole one begins.
    .filter((it) => !it.version_removed || statements.some((next) => next.version_added === it.version_removed))
    .map((it) => Number.parseFloat(String(it.version_added).replace("≤", "")));
  return Math.min(...versions.filter(Number.isFinite), Infinity);
}

/** Collects names with the first place of each; a name that MDN does not know is an error. */
class Features extends Map {
  /** @param {string | undefined} name @param {string} label @param {string} place */
  note(name, label, place) {
    if (!name || !compatibility(name)) throw new Error(`${place}: MDN's name for ${label} is not known`);
    if (!this.has(name)) this.set(name, place);
  }
}

// --- Scripts --------------------------------------------------------------------------------------------------------

// TypeScript declares mixins where MDN lists the interfaces that include them.
const INCLUDERS = [
  "EventTarget",
  "Element",
  "HTMLElement",
  "Node",
  "Window",
  "Document",
  "Navigator",
  "Response",
  "Request",
];
const ALSO_KNOWN_AS = {
  CallableFunction: "Function",
  Console: "console",
  HTMLHyperlinkElementUtils: "HTMLAnchorElement",
  LinkStyle: "HTMLLinkElement",
  ReadonlyArray: "Array",
  RegExpExecArray: "RegExp",
  RegExpMatchArray: "RegExp",
  Uint8Array: "TypedArray",
  Uint32Array: "TypedArray",
};

/** @param {string} owner an interface of TypeScript's libraries @param {string} member @param {boolean} isStatic */
function memberName(owner, member, isStatic) {
  const builtin = owner.replace(/Constructor$/, "");
  const known = ALSO_KNOWN_AS[builtin] ?? builtin;
  const event = member.replace(/^on/, "");
  return first([
    `api.${known}.${member}${isStatic ? "_static" : ""}`,
    `api.${known}.${event}_event`,
    `javascript.builtins.${known}.${member}`,
    `javascript.builtins.Intl.${known}.${member}`,
    ...INCLUDERS.flatMap((includer) => [`api.${includer}.${member}`, `api.${includer}.${event}_event`]),
    `javascript.builtins.${known}`,
    ...(member.startsWith("__") ? [`api.${known}`] : []),
  ]);
}

/** @param {string} name of a variable that is there without an import */
function globalName(name) {
  return first([
    `api.${name}`,
    `api.Window.${name}`,
    `api.HTML${name}Element.${name}`, // Option, Image and Audio are constructors of elements
    `javascript.builtins.${name}`,
    `javascript.builtins.Intl.${name}`,
  ]);
}

/** @param {import("typescript").Declaration} declaration in one of TypeScript's libraries @param {string} name */
function nameOf(declaration, name) {
  const { parent } = declaration;
  if (ts.isInterfaceDeclaration(parent) && /^CSSStyle(Declaration|Properties)$/.test(parent.name.text))
    return first([
      `css.properties.${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
      `api.CSSStyleDeclaration.${name}`,
    ]);
  if (ts.isInterfaceDeclaration(parent))
    return memberName(parent.name.text, name, parent.name.text.endsWith("Constructor"));
  // declare var AbortSignal: { timeout(milliseconds: number): AbortSignal; … }
  if (ts.isTypeLiteralNode(parent) && ts.isVariableDeclaration(parent.parent)) {
    return memberName(parent.parent.name.getText(), name, true);
  }
  return globalName(name);
}

/** @param {string} config path of a tsconfig.json: what the type checker knows of each name tells whose member it is */
export function featuresOfScripts(config) {
  const { fileNames, options } = ts.getParsedCommandLineOfConfigFile(
    config,
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: assertNone },
  );
  const program = ts.createProgram(fileNames, options);
  const checker = program.getTypeChecker();
  const features = new Features();
  for (const file of program.getSourceFiles().filter((source) => !source.isDeclarationFile)) {
    const visit = (/** @type {import("typescript").Node} */ node) => {
      if (ts.isIdentifier(node)) {
        const symbol = checker.getSymbolAtLocation(node);
        const declaration = symbol?.declarations?.find((it) => program.isSourceFileDefaultLibrary(it.getSourceFile()));
        const line = file.getLineAndCharacterOfPosition(node.getStart()).line + 1;
        if (declaration && symbol.name !== "prototype")
          features.note(nameOf(declaration, symbol.name), symbol.name, `${file.fileName}:${line}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return features;
}

function assertNone(/** @type {import("typescript").Diagnostic} */ diagnostic) {
  throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"));
}

// --- Styles ---------------------------------------------------------------------------------------------------------

const UNITS = {
  dvh: "css.types.length.viewport_percentage_units_dynamic",
  svh: "css.types.length.viewport_percentage_units_small",
  lvh: "css.types.length.viewport_percentage_units_large",
  cqi: "css.types.length.container_query_length_units",
};
/** @type {Map<string, string>} the name of a function to MDN's */
const functions = new Map();
(function index(node, path) {
  for (const [name, child] of Object.entries(node)) {
    if (name === "__compat") continue;
    if (child.__compat && !functions.has(name)) functions.set(name, `${path}.${name}`);
    index(child, `${path}.${name}`);
  }
})(mdn.css.types, "css.types");

/**
 * @param {string} style CSS without comments, such as esbuild writes
 * @param {string} place
 * @param {Features} [features] to which these are added
 */
export function featuresOfStyle(style, place, features = new Features()) {
  const texts = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g;
  const parts = style.replace(texts, '""').matchAll(/([^{};]*)([{};])/g);
  for (const [, text, end] of parts) {
    const [, atRule, prelude] = /^\s*@([\w-]+)(.*)$/s.exec(text) ?? [];
    const [, property, value] = /^\s*([\w-]+)\s*:(.*)$/s.exec(text) ?? [];
    if (atRule) noteAtRule(atRule, prelude);
    else if (end === "{") noteSelector(text);
    else if (property) noteDeclaration(property, value);
  }
  return features;

  function noteAtRule(/** @type {string} */ name, /** @type {string} */ prelude) {
    features.note(first([`css.at-rules.${name}`]), `@${name}`, place);
    if (name !== "media") return;
    for (const [, feature] of prelude.matchAll(/\(\s*(?!not\b)(?:min-|max-)?([a-z-]+)/g)) {
      features.note(first([`css.at-rules.media.${feature}`]), feature, place);
    }
    if (/[<>]/.test(prelude)) features.note("css.at-rules.media.range_syntax", "range", place);
  }

  function noteSelector(/** @type {string} */ selector) {
    if (/^\s*(from|to|[\d.]+%)/.test(selector)) return; // of @keyframes
    for (const [, name] of selector.matchAll(/::?(-?[a-z][\w-]*)/g)) {
      // As old as the browser that it is for.
      if (name !== "-webkit-details-marker") features.note(first([`css.selectors.${name}`]), `:${name}`, place);
    }
    if (selector.includes("&")) features.note("css.selectors.nesting", "&", place);
  }

  function noteDeclaration(/** @type {string} */ property, /** @type {string} */ value) {
    const name = property.startsWith("--") ? "css.properties.custom-property" : `css.properties.${property}`;
    // esbuild writes the prefixed name beside the plain one, for older browsers.
    if (property.startsWith("-webkit-") && !first([name]) && first([name.replace("-webkit-", "")])) return;
    // The descriptors of @property.
    features.note(first([name, `css.at-rules.property.${property}`]), property, place);
    for (const [, word] of value.matchAll(/(?<![\w#.-])([a-z][\w-]*)(?![\w(-])/g)) {
      if (first([`${name}.${word}`])) features.note(`${name}.${word}`, word, place);
    }
    for (const [, called] of value.matchAll(/([a-z][\w-]*)\(/g)) {
      features.note(first([`${name}.${called}`]) ?? functions.get(called), `${called}()`, place);
    }
    for (const [, unit] of value.matchAll(/\d([a-z]+)/g)) if (UNITS[unit]) features.note(UNITS[unit], unit, place);
    if (property === "content" && value.includes("/"))
      features.note("css.properties.content.alt_text", "alternative text", place);
  }
}
