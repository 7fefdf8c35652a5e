import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type NetrcEntry, parseNetrc } from "../../src/credentials/netrc.ts";
import { isCode } from "../../src/errors.ts";

const entry = (machine: string | undefined, login?: string, password?: string): NetrcEntry => ({
  machine,
  login,
  password,
});

describe("parseNetrc", () => {
  it.each([
    ["", []],
    ["machine h login u password p", [entry("h", "u", "p")]],
    ["machine h\n\tpassword p\n\taccount a\n\tlogin u\n", [entry("h", "u", "p")]],
    ["machine a login u password p machine b login v password q", [entry("a", "u", "p"), entry("b", "v", "q")]],
    ["machine a login u\ndefault login x password y", [entry("a", "u"), entry(undefined, "x", "y")]],
    ['machine a login "u v" password "p\\"q\\\\r\\ns\\tt\\x"', [entry("a", "u v", 'p"q\\r\ns\ttx')]],
    ['machine a password ""', [entry("a", undefined, "")]],
    ['machine a password p"q"', [entry("a", undefined, 'p"q"')]],
    ["machine a login machine password password", [entry("a", "machine", "password")]],
    ["# machine no login n\nmachine a login u # the rest\n password p", [entry("a", "u", "p")]],
    ["#\nmachine a password #p", [entry("a", undefined, "#p")]],
    [
      "machine a login u\nmacdef init\nmachine no login n\npassword n\n\nmachine b login v",
      [entry("a", "u"), entry("b", "v")],
    ],
    ["macdef last\ncd /\n", []],
    ["machine a login u\r\nmacdef m\r\nmachine no\r\n\r\nmachine b\r\n", [entry("a", "u"), entry("b")]],
    ["login nobody password nothing machine a", [entry("a")]],
    ["machine a port 443 login u protocol https password p", [entry("a", "u", "p")]],
  ] as const)("%j", (text, entries) => {
    expect(parseNetrc(text, "f")).toEqual(entries);
  });

  it.each([
    ['machine a\nlogin "u', "f, line 2: a quote that is not closed"],
    ["machine a\n\npassword", "f, line 3: password without its value"],
    ["machine", "f, line 1: machine without its value"],
  ])("%j is an error", (text, message) => {
    expect(() => parseNetrc(text, "f")).toThrow(message);
  });

  it("reads back whatever can be quoted", () => {
    const quoted = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.string(), fc.string())), (rows) => {
        const text = rows
          .map(([m, l, p]) => `machine ${quoted(m)} login ${quoted(l)}\n password ${quoted(p)}`)
          .join("\n");
        expect(parseNetrc(text, "f")).toEqual(rows.map(([m, l, p]) => entry(m, l, p)));
      }),
    );
  });

  it("throws nothing but errors of ours, and ends", () => {
    const words = fc.constantFrom(
      "machine",
      "login",
      "password",
      "macdef",
      "default",
      "account",
      "#",
      '"',
      "\\",
      " ",
      "\n",
      "\n\n",
      "x",
    );
    fc.assert(
      fc.property(
        fc.array(words).map((parts) => parts.join("")),
        (text) => {
          try {
            parseNetrc(text, "f");
          } catch (error) {
            if (!isCode(error, "CONFIG_INVALID")) throw error;
          }
        },
      ),
    );
  });
});
