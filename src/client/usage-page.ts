/** `list --usage --html`: one file with a treemap, which asks no network and no other file for anything. */
import { createHash } from "node:crypto";
import { formatSize } from "../units.ts";
import { squarify } from "./squarify.ts";
import type { Usage, UsageCollection, UsageContainer, UsageCounts, UsageImage } from "./usage.ts";
import { SCRIPT } from "./usage-page-script.ts";
import { STYLE } from "./usage-page-style.ts";

/** Rows for who runs no script; with one the page shows a level at a time. */
const MOST_ROWS = 2000;

/** `made`: when, for the reader. The page is HTML, whatever the names in it are. */
export function usagePage(usage: Usage, made: Date): string {
  const { total, registry, collections } = usage;
  const script = `const squarify = ${squarify.toString()};\n${SCRIPT}`;
  const policy = `default-src 'none'; style-src '${hashOf(STYLE)}'; script-src '${hashOf(script)}'; base-uri 'none'; form-action 'none'`;
  const data = { n: registry, ...counts(total), c: collections.map(collectionData) };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Usage of ${escaped(registry)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Usage of <bdi>${escaped(registry)}</bdi></h1>
<p class="made">As of ${made.toISOString().slice(0, 16).replace("T", " ")} UTC. An image counts once, whatever its tags.</p>
<ul class="facts">
${facts(usage)
  .map(([value, name]) => `<li><b>${value}</b><span>${name}</span></li>`)
  .join("\n")}
</ul>
<main>
<nav class="crumbs" id="crumbs" aria-label="Where you are"></nav>
<div id="map" role="group" aria-label="Treemap: arrow keys move, Enter opens, Escape goes up"></div>
<p class="keys">Click a box to open it. Arrow keys move, Enter opens, Escape goes up.</p>
<h2 id="heading">All collections and containers, the largest first</h2>
<div class="scroll"><table id="table" aria-labelledby="heading">
<thead><tr><th scope="col">Name</th><th scope="col" class="number">Size</th><th scope="col" class="number">Share</th><th scope="col" class="number">Tags</th></tr></thead>
<tbody>
${staticRows(usage)}
</tbody>
</table></div>
</main>
<div id="tip" role="tooltip" hidden></div>
<script type="application/json" id="data">${scriptSafe(JSON.stringify(data))}</script>
<script>${script}</script>
</body>
</html>
`;
}

function facts({ total }: Usage): readonly (readonly [string, string])[] {
  const number = (value: number): string => value.toLocaleString("en");
  return [
    [formatSize(total.size), "in all"],
    ...(total.tagged > total.size ? [[formatSize(total.tagged), "if each tag had its own copy"] as const] : []),
    [number(total.collections), total.collections === 1 ? "collection" : "collections"],
    [number(total.containers), total.containers === 1 ? "container" : "containers"],
    [number(total.images), total.images === 1 ? "image" : "images"],
    [number(total.tags), total.tags === 1 ? "tag" : "tags"],
    ...(total.unknown > 0 ? [[number(total.unknown), "without a known size"] as const] : []),
  ];
}

function counts({ size, tags }: UsageCounts): { readonly s: number; readonly t: number } {
  return { s: size, t: tags };
}

function collectionData(collection: UsageCollection) {
  const { name, containers } = collection;
  return { n: collectionName(name), ...counts(collection), c: containers.map((one) => containerData(one, name)) };
}

function collectionName(name: string): string {
  return name === "" ? "(no collection)" : name;
}

/** Below its collection a container goes by its own name. */
function containerData(container: UsageContainer, collection: string) {
  const { name, contents } = container;
  const own = collection === "" ? name : name.slice(collection.length + 1);
  return { n: own, ...counts(container), c: contents.map(imageData) };
}

function imageData({ tags, size, digest, created }: UsageImage) {
  return {
    n: tags.join(", "),
    s: size ?? 0,
    t: tags.length,
    ...(size === null ? { u: 1 } : {}),
    ...(digest === null ? {} : { d: digest }),
    ...(created === null ? {} : { a: created }),
  };
}

function staticRows({ collections, total }: Usage): string {
  const rows = collections.flatMap((collection) => [
    staticRow(collectionName(collection.name), collection, total.size, ""),
    ...collection.containers.map((one) => staticRow(one.name, one, total.size, ' class="sub"')),
  ]);
  const more = rows.length - MOST_ROWS;
  const cut = more > 0 ? [`<tr><td colspan="4">${more} more</td></tr>`] : [];
  return [...rows.slice(0, MOST_ROWS), ...cut].join("\n");
}

function staticRow(name: string, { size, tags }: UsageCounts, total: number, look: string): string {
  const share = total > 0 ? ((100 * size) / total).toFixed(1) : "0.0";
  const cells = [formatSize(size), `${share} %`, String(tags)].map((text) => `<td class="number">${text}</td>`);
  return `<tr${look}><th scope="row"><bdi>${escaped(name)}</bdi></th>${cells.join("")}</tr>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/** JSON within a script element: nothing in it can end the element or begin a comment. */
function scriptSafe(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A source of the page's Content-Security-Policy: this text and no other. */
function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
