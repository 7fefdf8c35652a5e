/** The authority of a reference: `name`, `name:port`, an IPv4 address, or an IPv6 address in brackets. */
import { isIPv4, isIPv6 } from "node:net";
import { invalid, quote } from "./invalid.ts";
import type { Host } from "./reference.ts";

/** RFC 1035, 2.3.4. */
const LONGEST_NAME = 253;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const PORT = /^[1-9][0-9]{0,4}$/;
const EXAMPLE = "write it as ghcr.io, 127.0.0.1:5000 or [::1]:5000";

/** @throws SregistryError REFERENCE_INVALID naming the part of `text` that is no host or port. */
export function parseHost(text: string): Host {
  const lower = text.toLowerCase();
  const { name, port } = splitPort(lower);
  if (port !== undefined && !(PORT.test(port) && Number(port) <= 65_535)) {
    throw invalid(`port ${quote(port)} of host ${quote(text)} is not a number from 1 to 65535`, EXAMPLE);
  }
  if (name.startsWith("[")) {
    if (!name.endsWith("]") || !isIPv6(name.slice(1, -1)) || name.includes("%")) {
      throw invalid(`host ${quote(text)} is not an IPv6 address in brackets`, EXAMPLE);
    }
  } else if (!isName(name)) {
    const hint = /[^\u0000-\u007f]/.test(name) ? "write an international name in its xn-- form" : EXAMPLE;
    throw invalid(`host ${quote(text)} is not a host name or an address`, hint);
  }
  return lower as Host;
}

function splitPort(text: string): { name: string; port: string | undefined } {
  const colon = text.indexOf(":", text.startsWith("[") ? Math.max(0, text.indexOf("]")) : 0);
  return colon < 0 ? { name: text, port: undefined } : { name: text.slice(0, colon), port: text.slice(colon + 1) };
}

/**
 * A last label of digits (or 0x...) makes URL parsers read the whole as an IPv4 number, so `127.1` would silently
 * become another host's name; only the dotted quad is taken.
 */
function isName(name: string): boolean {
  if (name.length > LONGEST_NAME) return false;
  const labels = name.split(".");
  if (!labels.every((label) => LABEL.test(label))) return false;
  return /^(?:[0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "") ? isIPv4(name) : true;
}

/** Docker's rule for the first component of a name: a host only when nothing else could be written so. */
export function looksLikeHost(component: string): boolean {
  return component.toLowerCase() === "localhost" || /[.:[]/.test(component);
}
