/** An image for a person: what it is in one line, then its objects, signatures and metadata. */
import type { Inspection } from "../client/inspect.ts";
import type { SifSignature } from "../image/signature.ts";
import { type Look, namedValues, wrapped } from "../terminal/page.ts";
import { safeText } from "../terminal/safe-text.ts";
import { alignedTable, type Cell, type Column } from "../terminal/table.ts";
import { formatDate, formatSize } from "../units.ts";
import { metadataText, partText } from "./metadata-text.ts";
import type { MetadataPart } from "./shared.ts";

/** What is read most first; the definition, which may be long, last. */
const PARTS: readonly MetadataPart[] = ["labels", "environment", "runscript", "test", "deffile"];

const INDENT = "  ";

/** `now`: Unix milliseconds. */
export function inspectionText(inspection: Inspection, now: number, look: Look): string {
  const { metadata } = inspection;
  const present = PARTS.filter((part) => partText(metadata, part).trim() !== "");
  const sections = [
    header(inspection, now, look) + namedValues(facts(inspection), INDENT, look),
    objectsText(inspection, look),
    signaturesText(inspection, look),
    attachedText(inspection, look),
    metadata.help === undefined ? "" : section("help", wrappedBlock(metadata.help, look), look),
    ...present.map((part) => metadataText(metadata, [part], "", look)),
  ];
  return sections.filter((text) => text !== "").join("\n");
}

/** `tool.sif: 40.0 KiB, amd64, signed by 5A1C… (not verified), created 3 days ago` */
function header(inspection: Inspection, now: number, { style, room }: Look): string {
  const { metadata, size, created } = inspection;
  const name = safeText(inspection.name);
  const words = [
    formatSize(size),
    metadata.architecture ?? "unknown architecture",
    signedWords(inspection),
    ...(metadata.encrypted ? ["encrypted"] : []),
    ...(created === undefined ? [] : [`created ${formatDate(created, now)}`]),
  ];
  const [first = "", ...rest] = wrapped(`${name}: ${words.map(safeText).join(", ")}`, room);
  const shown = first.startsWith(name) ? style.name(style.bold(name)) + first.slice(name.length) : first;
  return `${[shown, ...rest].join("\n")}\n`;
}

/** That there are signatures, and whose keys they name; they are not verified here. */
function signedWords({ metadata, signatures = [] }: Inspection): string {
  if (!metadata.signed) return "not signed";
  const keys = [...new Set(signatures.flatMap(({ fingerprint }) => (fingerprint === undefined ? [] : [fingerprint])))];
  const [only] = keys;
  if (only === undefined) return "signed (not verified)";
  return keys.length === 1
    ? `signed by key ${only.slice(-16).toUpperCase()} (not verified)`
    : `signed by ${keys.length} keys (not verified)`;
}

function facts({ size, digest, manifest, metadata, created }: Inspection): readonly (readonly [string, string])[] {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["digest", digest],
    ["manifest", manifest],
    ["format", metadata.format === "sif" ? "SIF" : "OCI-SIF"],
    ["size", `${size} bytes`],
    ["created", created],
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}

const OBJECT_COLUMNS: readonly Column[] = [
  { title: "ID", align: "right" },
  { title: "TYPE", cut: "end", least: 20 },
  { title: "GROUP", drop: 1 },
  { title: "LINK", drop: 2 },
  { title: "SIZE", align: "right" },
  { title: "NAME", cut: "middle", tone: "name" },
];

function objectsText({ objects = [] }: Inspection, look: Look): string {
  const rows = objects.map(({ id, type, group, link, size, name }) => [
    id,
    type,
    none(group),
    none(link),
    formatSize(size),
    name,
  ]);
  return tableText("objects", OBJECT_COLUMNS, rows, look);
}

const SIGNATURE_COLUMNS: readonly Column[] = [
  { title: "ID", align: "right" },
  { title: "FORMAT" },
  { title: "KEY", cut: "middle", least: 17, tone: "name" },
  { title: "SIGNS" },
  { title: "HASH", drop: 1 },
];

function signaturesText({ signatures = [] }: Inspection, look: Look): string {
  const rows = signatures.map(({ id, format, fingerprint, signs, hash }) => [
    String(id),
    format.toUpperCase(),
    fingerprint?.toUpperCase() ?? "not named",
    signedThing(signs),
    hash,
  ]);
  return tableText("signatures (not verified)", SIGNATURE_COLUMNS, rows, look);
}

function signedThing(signs: SifSignature["signs"]): string {
  return signs === undefined ? "nothing" : `${signs.kind} ${signs.id}`;
}

function attachedText({ referrers }: Inspection, look: Look): string {
  const columns: readonly Column[] = [
    { title: "TYPE", cut: "middle" },
    { title: "SIZE", align: "right" },
    { title: "DIGEST", cut: "middle", tone: "dim" },
  ];
  return tableText(
    "attached",
    columns,
    referrers.map(({ digest, type, size }) => [type, formatSize(size), digest]),
    look,
  );
}

function tableText(title: string, columns: readonly Column[], rows: readonly (readonly Cell[])[], look: Look): string {
  if (rows.length === 0) return "";
  const { style, room } = look;
  const table = alignedTable(columns, rows, { room: room - INDENT.length, style });
  return section(title, table.replace(/^(?=.)/gm, INDENT), look);
}

function section(title: string, body: string, { style }: Look): string {
  return `${style.bold(`${title}:`)}\n${body}`;
}

function wrappedBlock(text: string, look: Look): string {
  const lines = text.trim().split("\n");
  const width = look.room - INDENT.length;
  const wrappedLines = lines.flatMap((line) => wrapped(safeText(line.replaceAll("\t", "  ")), width));
  return wrappedLines.map((line) => `${INDENT}${line}`.trimEnd().concat("\n")).join("");
}

function none(text: string): string {
  return text === "NONE" ? "" : text;
}
