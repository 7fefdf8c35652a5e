/** The parts that packages are made with, on small inputs. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { tarXz } from "../../scripts/package/archive.js";
import { debianPackage } from "../../scripts/package/deb.js";
import { needs, withoutSymbols } from "../../scripts/package/elf.js";
import { beyondLimits } from "../../scripts/package/limits.js";
import { plain } from "../../scripts/package/tree.js";

const MAKING = { date: new Date(1_700_000_000_000), level: 0 };
const TWO = [plain("b/two", "2\n"), plain("a/one", "1\n")];

describe("an executable", () => {
  const node = readFileSync(process.execPath);

  it("tells which libraries it needs", () => {
    expect(needs(node).libraries).toContain("libc.so.6");
    expect(needs(node).versions.filter((version) => version.startsWith("GLIBC_2."))).not.toEqual([]);
  });

  it("needs the same without its symbols", () => {
    const stripped = withoutSymbols(node);
    expect(needs(stripped)).toEqual(needs(node));
    expect(stripped.length).toBeLessThanOrEqual(node.length);
  });

  it("is refused where it needs a newer C library, or libatomic, or something unheard of", () => {
    const libraries = ["libc.so.6", "libstdc++.so.6", "ld-linux-aarch64.so.1", "libatomic.so.1"];
    const versions = [
      "GLIBC_2.28",
      "GLIBC_2.29",
      "GLIBC_2.3.4",
      "GLIBC_2.4",
      "GLIBCXX_3.4.26",
      "CXXABI_1.3",
      "ODD_1.0",
    ];
    expect(beyondLimits({ libraries, versions })).toEqual([
      "libatomic.so.1",
      "GLIBC_2.29",
      "GLIBCXX_3.4.26",
      "ODD_1.0",
    ]);
    expect(() => needs(Buffer.from("#!/bin/sh\n".repeat(10)))).toThrow("not a 64-bit ELF file");
  });
});

describe("an archive", () => {
  it("is the same for the same files in any order", async () => {
    expect(await tarXz(TWO, MAKING, "p/")).toEqual(await tarXz(TWO.toReversed(), MAKING, "p/"));
  });

  it("is another one for another date", async () => {
    const later = { ...MAKING, date: new Date(1_700_000_001_000) };
    expect(await tarXz(TWO, later, "p/")).not.toEqual(await tarXz(TWO, MAKING, "p/"));
  });

  it("fails with xz", async () => {
    await expect(tarXz(TWO, { ...MAKING, level: 0.5 }, "p/")).rejects.toThrow("xz ended with 1");
  });
});

describe("a Debian package", () => {
  it("is an ar archive of three members at even places", async () => {
    const text = (await debianPackage(TWO, "arm64", MAKING)).toString("latin1");
    const names = [];
    for (let at = 8; at < text.length; ) {
      const size = Number(text.slice(at + 48, at + 58));
      names.push(text.slice(at, at + 16).trim());
      expect(text.slice(at + 58, at + 60)).toBe("`\n");
      at += 60 + size + (size % 2);
    }
    expect(text.slice(0, 8)).toBe("!<arch>\n");
    expect(names).toEqual(["debian-binary", "control.tar.xz", "data.tar.xz"]);
  });
});
