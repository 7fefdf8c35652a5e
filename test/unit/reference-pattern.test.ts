import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { parseHost } from "../../src/reference/host.ts";
import { isRepoPath, isTag } from "../../src/reference/name.ts";
import { matches, parsePattern } from "../../src/reference/pattern.ts";

const tag = (name: string) => ({ kind: "tag", tag: name });

describe("parsePattern", () => {
  test.each([
    [undefined, {}],
    ["", {}],
    ["dinosaur", { path: "dinosaur" }],
    ["dinosaur/", { path: "dinosaur" }],
    ["/avocado", { container: "avocado" }],
    ["/avocado:ripe", { container: "avocado", selector: tag("ripe") }],
    ["dinosaur/avocado", { path: "dinosaur/avocado" }],
    ["dinosaur/avocado:delicious", { path: "dinosaur/avocado", selector: tag("delicious") }],
    ["oras://ghcr.io", { scheme: "oras", host: "ghcr.io" }],
    ["oras://registry:5000", { scheme: "oras", host: "registry:5000" }],
    ["oras://127.0.0.1:5000/", { scheme: "oras", host: "127.0.0.1:5000" }],
    ["oras://h.io/repo/path:1", { scheme: "oras", host: "h.io", path: "repo/path", selector: tag("1") }],
    ["oras://h.io//tool", { scheme: "oras", host: "h.io", container: "tool" }],
    ["docker://docker.io", { scheme: "docker", host: "docker.io" }],
    ["docker://alpine:3", { scheme: "docker", host: "docker.io", path: "library/alpine", selector: tag("3") }],
    ["local://", { scheme: "local" }],
    ["local://a/b:1", { scheme: "local", path: "a/b", selector: tag("1") }],
    ["local:///b", { scheme: "local", container: "b" }],
    ["library://", { scheme: "library" }],
    ["library://e/c/i", { scheme: "library", path: "e/c/i" }],
    ["library:///i", { scheme: "library", container: "i" }],
    ["library:///e/c", { scheme: "library", path: "e/c" }],
    ["library://127.0.0.1:8088", { scheme: "library", host: "127.0.0.1:8088" }],
    ["library://127.0.0.1:8088/c", { scheme: "library", host: "127.0.0.1:8088", path: "c" }],
    ["library://h/e/c/i:1", { scheme: "library", host: "h", path: "e/c/i", selector: tag("1") }],
    ["shub://containers.page", { scheme: "shub", host: "containers.page" }],
    ["shub://h/c/n", { scheme: "shub", host: "h", path: "c/n" }],
    ["shub://c/n", { scheme: "shub", path: "c/n" }],
  ])("%j", (text, expected) => {
    expect(parsePattern(text)).toEqual(expected);
  });

  test.each([
    [
      "/a/b",
      'pattern "/a/b" has more than a container\'s name after its first slash',
      "write a/b for that repository, or /b",
    ],
    ["Dino", 'path component "Dino" has upper-case letters: registries know lower case only', "write dino"],
    [
      "ghcr.io/a",
      '"ghcr.io" is written like a host, but the reference has no scheme',
      "write oras://ghcr.io/a (or library://, shub://, docker://)",
    ],
    [
      "oras://",
      '"oras://" does not name both a host and a path',
      "write oras://HOST[:PORT]/path:tag, as in oras://ghcr.io/org/tool:1.0",
    ],
    [":1", "the reference names no image: its path is empty", "write it as collection/name:tag"],
  ])("refuses %s", (text, message, hint) => {
    expect(() => parsePattern(text)).toThrow(expect.objectContaining({ code: "REFERENCE_INVALID", message, hint }));
  });

  test("whatever is typed is a pattern or a SregistryError", () => {
    const near = fc.array(
      fc.constantFrom("library", "oras", "shub", "local", "://", "/", ":", "@", ".", "[", "a", "1"),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          near.map((parts) => parts.join("")),
        ),
        (text) => {
          try {
            parsePattern(text);
          } catch (error) {
            if (!(error instanceof SregistryError)) throw error;
          }
        },
      ),
    );
  });
});

describe("matches", () => {
  const paths = ["dinosaur", "dinosaur/avocado", "dinosaur/avocado/pit", "dinosaurs/avocado", "avocado", "a/navocado"];
  test.each([
    [undefined, paths],
    ["oras://h.io", paths],
    ["dinosaur", ["dinosaur", "dinosaur/avocado", "dinosaur/avocado/pit"]],
    ["/avocado", ["dinosaur/avocado", "dinosaurs/avocado", "avocado"]],
    ["dinosaur/avocado", ["dinosaur/avocado", "dinosaur/avocado/pit"]],
    ["dinosaur/avocado:1", ["dinosaur/avocado"]],
    ["local://a/navocado", ["a/navocado"]],
  ])("%j", (text, expected) => {
    const pattern = parsePattern(text);
    expect(paths.filter((path) => matches(pattern, path))).toEqual(expected);
  });
});

describe("single names", () => {
  test.each([
    ["GHCR.io", "ghcr.io"],
    ["LocalHost:5000", "localhost:5000"],
    ["[2001:DB8::1]:443", "[2001:db8::1]:443"],
    ["[::1]", "[::1]"],
    ["10.0.0.1:1", "10.0.0.1:1"],
  ])("host %s", (text, host) => {
    expect(parseHost(text)).toBe(host);
  });

  test.each([
    "",
    ":80",
    "a_b",
    "-a",
    "a.",
    "h:",
    "h:080",
    "h:1:2",
    "[::1",
    "::1",
    "[1.2.3.4]",
    "1.2.3.256",
    "a/b",
    "h:٣",
  ])("%j is no host", (text) => {
    expect(() => parseHost(text)).toThrow(SregistryError);
  });

  test("paths per grammar", () => {
    const texts = ["a", "a/b.c-d_e", "a__b", "a--b", "A", "-a", "a.b..c", "", "a/", "a b", "_a"];
    const accepted = (scheme?: "library" | "shub" | "oras") => texts.filter((text) => isRepoPath(text, scheme));
    expect(accepted()).toEqual(["a", "a/b.c-d_e", "a__b", "a--b"]);
    expect(accepted("oras")).toEqual(["a", "a/b.c-d_e", "a__b", "a--b"]);
    expect(accepted("library")).toEqual(["a", "a/b.c-d_e"]);
    expect(accepted("shub")).toEqual(["a", "a/b.c-d_e", "a__b", "a--b", "A", "a.b..c", "_a"]);
  });

  test("tags", () => {
    const texts = ["1", "_x", "V1.0-rc_2", "a".repeat(128), "a".repeat(129), "", ".a", "-a", "a b", "a\n", "é"];
    expect(texts.filter((text) => isTag(text))).toEqual(["1", "_x", "V1.0-rc_2", "a".repeat(128)]);
  });
});
