import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { digestOf, parseDigest } from "../../src/reference/digest.ts";
import { formatReference, pinned, pullFileName, repositoryName } from "../../src/reference/format.ts";
import { parseReference } from "../../src/reference/parse.ts";

const HEX = "0123456789abcdef".repeat(4);
const SHA256 = `sha256:${HEX}`;
const SHA512 = `sha512:${HEX}${HEX}`;

function refusal(text: string): { code: string; message: string; hint: string | undefined } {
  try {
    parseReference(text);
  } catch (error) {
    if (error instanceof SregistryError) return { code: error.code, message: error.message, hint: error.hint };
    throw error;
  }
  throw new Error(`${text} was taken`);
}

const tag = (name: string) => ({ kind: "tag", tag: name });
const digest = (text: string) => ({ kind: "digest", digest: text });

describe("parseReference", () => {
  test.each([
    ["dinosaur/avocado:delicious", { path: "dinosaur/avocado", selector: tag("delicious") }],
    ["busybox", { path: "busybox", selector: tag("latest") }],
    ["a/b/c:V1.0", { path: "a/b/c", selector: tag("V1.0") }],
    [`a/b@${SHA256}`, { path: "a/b", selector: digest(SHA256) }],
    [`a/b:1@${SHA512}`, { path: "a/b", selector: digest(SHA512) }],
    [`a/b:sha256.${HEX}`, { path: "a/b", selector: digest(SHA256) }],
    ["docker:3.0", { path: "docker", selector: tag("3.0") }],
    ["library://alpine", { scheme: "library", path: "alpine", selector: tag("latest") }],
    ["library://e/c/i:1", { scheme: "library", path: "e/c/i", selector: tag("1") }],
    ["library:///c/i", { scheme: "library", path: "c/i", selector: tag("latest") }],
    ["library:///e/c/i", { scheme: "library", path: "e/c/i", selector: tag("latest") }],
    [
      "library://Cloud.Example.io:8443/e/c/i:1",
      { scheme: "library", host: "cloud.example.io:8443", path: "e/c/i", selector: tag("1") },
    ],
    ["library://e/c/i:a,b,a", { scheme: "library", path: "e/c/i", selector: tag("a"), tags: ["a", "b"] }],
    [`library://e/c/i:sha256.${HEX}`, { scheme: "library", path: "e/c/i", selector: digest(SHA256) }],
    [`library://e/c/i@${SHA256}`, { scheme: "library", path: "e/c/i", selector: digest(SHA256) }],
    [
      "library://e/c/i:sif.0a1b2c3d-0000-4000-8000-000000000000",
      { scheme: "library", path: "e/c/i", selector: tag("sif.0a1b2c3d-0000-4000-8000-000000000000") },
    ],
    ["shub://vsoch/Hello:1", { scheme: "shub", path: "vsoch/Hello", selector: tag("1") }],
    [
      "shub://containers.page/collection/container:tag",
      { scheme: "shub", host: "containers.page", path: "collection/container", selector: tag("tag") },
    ],
    [
      `shub://127.0.0.1:8088/c/n@${HEX.slice(0, 32)}`,
      { scheme: "shub", host: "127.0.0.1:8088", path: "c/n", selector: { kind: "version", hex: HEX.slice(0, 32) } },
    ],
    [
      `shub://c/n:1@${HEX.slice(0, 40)}`,
      { scheme: "shub", path: "c/n", selector: { kind: "version", hex: HEX.slice(0, 40) } },
    ],
    [`shub://c/n@sha256.${HEX}`, { scheme: "shub", path: "c/n", selector: digest(SHA256) }],
    ["ORAS://ghcr.io/org/tool:1.0", { scheme: "oras", host: "ghcr.io", path: "org/tool", selector: tag("1.0") }],
    ["oras://[::1]:5000/a__b/c--d", { scheme: "oras", host: "[::1]:5000", path: "a__b/c--d", selector: tag("latest") }],
    [
      `oras://127.0.0.1:5000/a/b:1@${SHA256}`,
      { scheme: "oras", host: "127.0.0.1:5000", path: "a/b", selector: digest(SHA256) },
    ],
    [
      `oras://localhost/a:sha256.${HEX}`,
      { scheme: "oras", host: "localhost", path: "a", selector: tag(`sha256.${HEX}`) },
    ],
    ["docker://alpine:3", { scheme: "docker", host: "docker.io", path: "library/alpine", selector: tag("3") }],
    ["docker://org/tool", { scheme: "docker", host: "docker.io", path: "org/tool", selector: tag("latest") }],
    [
      "docker://index.docker.io/alpine",
      { scheme: "docker", host: "docker.io", path: "library/alpine", selector: tag("latest") },
    ],
    ["docker://quay.io/x", { scheme: "docker", host: "quay.io", path: "x", selector: tag("latest") }],
    ["local://a/b:1", { scheme: "local", path: "a/b", selector: tag("1") }],
  ])("%s", (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });

  const grammar = 'is not letters, digits, "_", "." and "-", starting with a letter, a digit or "_"';
  const oci = 'is not lower-case letters and digits with ".", "_", "__" or "-" between them';
  const noDigest = "is not sha256:<64 hex digits> or sha512:<128 hex digits>";
  const schemes = "is not one of library, shub, oras, docker, local";
  const hostForm = "write it as ghcr.io, 127.0.0.1:5000 or [::1]:5000";
  const nameForm = "names are written like dinosaur/avocado";
  test.each([
    ["", "the reference is empty", "write it as collection/name:tag"],
    ["local://", "the reference names no image: its path is empty", "write it as collection/name:tag"],
    ["a b", `path component "a b" of "a b" ${oci}`, nameForm],
    ["a/b:a b", `tag "a b" ${grammar}`, "a tag that would do: a-b"],
    ["a/b:", "tag is empty after the colon", "write name:tag, or leave the colon out for latest"],
    [
      "a/b:1,2",
      `tag "1,2" ${grammar}`,
      "several tags are written so only at library://; elsewhere give --tag for each",
    ],
    [
      "x/y:../../z",
      `tag "../../z" ${grammar}`,
      "a host with a port is written behind a scheme: oras://HOST:PORT/path:tag",
    ],
    [`a:${"b".repeat(129)}`, `tag "${"b".repeat(80)}..." has 129 characters: 128 are allowed`, "shorten the tag"],
    ["a/b@", 'digest is empty after the "@"', "write name@sha256:HEX, or leave the @ out"],
    [
      "a/b@latest",
      `digest "latest" ${noDigest}`,
      "a tag is written behind a colon: name:tag; a digest is written in full",
    ],
    [
      `oras://h.io/a@sha256.${HEX}`,
      `digest "sha256.${HEX}" ${noDigest}`,
      "a content address is sha256. and 64 hex digits",
    ],
    [`a/b@${HEX}`, `digest "${HEX}" ${noDigest}`, `name the algorithm: ${SHA256}`],
    [
      `a/b@${SHA256.toUpperCase()}`,
      `digest "${SHA256.toUpperCase()}" ${noDigest}`,
      `digests are lower case: ${SHA256}`,
    ],
    ["library://a/b:sha256.abc", `digest "sha256.abc" ${noDigest}`, "a content address is sha256. and 64 hex digits"],
    [
      `library://a/b:sha256.${HEX},1`,
      `content address "sha256.${HEX}" stands among tags`,
      "write either path:sha256.HEX or path:tag,tag",
    ],
    [
      "shub://c/n@abc",
      'digest "abc" is not a commit (40 hex digits), a version (32 hex digits), sha256:<64 hex digits> or sha512:<128 hex digits>',
      "a tag is written behind a colon: name:tag; a digest is written in full",
    ],
    ["a/../b", 'path "a/../b" has the component ".."', "a path is names only: collection/name"],
    ["shub://./b", 'path "./b" has the component "."', "a path is names only: collection/name"],
    ["a//b", 'path "a//b" has an empty component', "write one slash between components, none at the ends"],
    ["/avocado", 'path "/avocado" has an empty component', "write one slash between components, none at the ends"],
    ["a/b___c", `path component "b___c" of "a/b___c" ${oci}`, nameForm],
    ["-a", `path component "-a" of "-a" ${oci}`, nameForm],
    ["a.", `path component "a." of "a." ${oci}`, nameForm],
    [
      "library://a/b__c",
      'path component "b__c" of "a/b__c" is not lower-case letters and digits with single ".", "_" or "-" between them',
      nameForm,
    ],
    [
      "Dino/Avocado:V1",
      'path component "Dino" has upper-case letters: registries know lower case only',
      "write dino/avocado",
    ],
    [
      "library://e/c/Image",
      'path component "Image" has upper-case letters: library:// endpoints know lower case only',
      "write e/c/image",
    ],
    ["a".repeat(256), `path "${"a".repeat(80)}..." has 256 characters: 255 are allowed`, "shorten the path"],
    [
      "a".repeat(4097),
      `reference "${"a".repeat(80)}..." has 4097 characters: 4096 are allowed`,
      "check what was pasted",
    ],
    ["a\nb", 'reference "a\\nb" has a control character', "remove line ends and other invisible characters"],
    ["a%0Db", 'reference "a%0Db" has an encoded line end or NUL', "remove %0a, %0d and %00"],
    [
      "busybox.sif",
      "name \"busybox.sif\" ends like a file's, not like an image's in a registry",
      "for a file give its path where the verb takes one; for an image leave the ending out",
    ],
    ...["../tool.sif", "./lab/tool", "/data/tool.sif", "~/tool", ".."].map((path) => [
      path,
      `"${path}" is the path of a file, and an image in a registry is named here`,
      "images are named like lab/tool:1.0; sregistry push sends a file, sregistry inspect shows one",
    ]),
    [
      "oras://me:hunter2@h.io/a",
      'the reference has "@" before a "/"',
      "a digest comes last; credentials are given to sregistry login",
    ],
    [
      "https://h.io/a",
      `scheme "https" ${schemes}`,
      "an https URL is no image name: give it as --registry URL, and the image as collection/name:tag",
    ],
    ["orsa://h.io/a", `scheme "orsa" ${schemes}`, "did you mean oras://h.io/a?"],
    ["Libary://a/b", `scheme "Libary" ${schemes}`, "did you mean library://a/b?"],
    ["hub://a/b", `scheme "hub" ${schemes}`, "write shub://collection/name:tag"],
    ["__proto__://a", `scheme "__proto__" ${schemes}`, "write one of them, or none for the default registry"],
    ["library:a/b", 'scheme "library" is not followed by "://"', "write library://a/b"],
    [
      "ghcr.io/a/b:1",
      '"ghcr.io" is written like a host, but the reference has no scheme',
      "write oras://ghcr.io/a/b:1 (or library://, shub://, docker://)",
    ],
    [
      "[::1]:5000/a",
      '"[::1]:5000" is written like a host, but the reference has no scheme',
      "write oras://[::1]:5000/a (or library://, shub://, docker://)",
    ],
    [
      "oras://org/tool:1",
      '"org" is not a host, and an oras:// reference names one',
      "write oras://docker.io/org/tool:1 for Docker Hub, or oras://org:443/tool:1 for a host of that name",
    ],
    [
      "oras://tool",
      '"oras://tool" does not name both a host and a path',
      "write oras://HOST[:PORT]/path:tag, as in oras://ghcr.io/org/tool:1.0",
    ],
    ["oras://h.io:0/a", 'port "0" of host "h.io:0" is not a number from 1 to 65535', hostForm],
    ["oras://h.io:65536/a", 'port "65536" of host "h.io:65536" is not a number from 1 to 65535', hostForm],
    ["oras://127.1/a", 'host "127.1" is not a host name or an address', hostForm],
    ["oras://0x7f.0x1/a", 'host "0x7f.0x1" is not a host name or an address', hostForm],
    ["oras://[::1%25eth0]/a", 'host "[::1%25eth0]" is not an IPv6 address in brackets', hostForm],
    ["oras://a..b/c", 'host "a..b" is not a host name or an address', hostForm],
    [
      "oras://münchen.de/a",
      'host "münchen.de" is not a host name or an address',
      "write an international name in its xn-- form",
    ],
    [
      "local://127.0.0.1:5000/a",
      'host "127.0.0.1:5000" is not expected here: local:// names no host',
      "write oras://127.0.0.1:5000/a for a registry there",
    ],
    [
      "library://127.0.0.1:8088/c/n",
      'host "127.0.0.1:8088" is not expected here: library:// takes the first component for a host only before three others',
      "write library://127.0.0.1:8088/ENTITY/COLLECTION/CONTAINER",
    ],
    [
      "library://h.io/a/b/c/d",
      'path "a/b/c/d" has 4 components: library:// paths have at most three',
      "write library://[HOST/]entity/collection/container:tag",
    ],
    [
      "shub://a",
      'shub:// path "a" has 1 component, not two or three',
      "write shub://[HOST[:PORT]/]collection/name:tag",
    ],
  ])("refuses %j", (text, message, hint) => {
    expect(refusal(text)).toEqual({ code: "REFERENCE_INVALID", message, hint });
  });

  test("repeats no password", () => {
    const { message, hint } = refusal("oras://me:hunter2@h.io/a");
    expect(`${message} ${hint}`).not.toContain("hunter2");
  });
});

const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const separator = fc.constantFrom(".", "_", "-");
const component = fc
  .tuple(word, fc.array(fc.tuple(separator, word), { maxLength: 2 }))
  .map(([first, more]) => first + more.flat().join(""));
const undotted = component.map((text) => text.replaceAll(".", "-")).filter((text) => text !== "localhost");
const tagText = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/);
const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const hostText = fc
  .oneof(
    fc.constantFrom("ghcr.io", "localhost", "[2001:db8::1]", "10.0.0.7"),
    word.map((text) => `r${text}.example`),
  )
  .chain((name) =>
    fc.oneof(
      fc.constant(name),
      fc.integer({ min: 1, max: 65_535 }).map((port) => `${name}:${port}`),
    ),
  );
const path = (part: fc.Arbitrary<string>, maxLength: number, minLength = 1) =>
  fc.array(part, { minLength, maxLength }).map((parts) => parts.join("/"));
const suffix = fc.oneof(
  fc.constant(""),
  tagText.map((text) => `:${text}`),
  hex(64).map((text) => `@sha256:${text}`),
  fc.tuple(tagText, hex(128)).map(([text, sum]) => `:${text}@sha512:${sum}`),
);
const shubSuffix = fc.oneof(
  suffix,
  hex(40).map((text) => `@${text}`),
  hex(32).map((text) => `:1@${text}`),
);
const isFileName = (text: string) => /\.(?:sif|simg|img)$/.test(text);
const referenceText = fc.oneof(
  fc
    .tuple(undotted, path(component, 3), suffix)
    .map(([first, rest, end]) => `${first}/${rest}${end}`)
    .filter((text) => !isFileName(text.split(/[:@]/)[0] ?? "")),
  fc.tuple(path(undotted, 3), suffix).map((parts) => `library://${parts.join("")}`),
  fc.tuple(hostText, path(component, 3, 3), suffix).map(([host, rest, end]) => `library://${host}/${rest}${end}`),
  fc.tuple(hostText, path(component, 2, 2), shubSuffix).map(([host, rest, end]) => `shub://${host}/${rest}${end}`),
  fc.tuple(path(component, 2, 2), shubSuffix).map((parts) => `shub://${parts.join("")}`),
  fc
    .tuple(fc.constantFrom("oras", "docker"), hostText, path(component, 4), suffix)
    .map(([scheme, host, rest, end]) => `${scheme}://${host}/${rest}${end}`),
  fc.tuple(path(undotted, 3), suffix).map((parts) => `docker://${parts.join("")}`),
  fc.tuple(path(component, 3), suffix).map((parts) => `local://${parts.join("")}`),
);

describe("formatReference", () => {
  test("is what parseReference reads", () => {
    fc.assert(
      fc.property(referenceText, (text) => {
        const reference = parseReference(text);
        expect(parseReference(formatReference(reference))).toEqual(reference);
      }),
    );
  });

  test.each([
    ["busybox", "busybox:latest", "busybox"],
    ["library:///c/i:a,b", "library://c/i:a,b", "library://c/i"],
    [`library://h.io/e/c/i@${SHA256}`, `library://h.io/e/c/i:sha256.${HEX}`, "library://h.io/e/c/i"],
    [`shub://h.io/c/n@${HEX.slice(0, 32)}`, `shub://h.io/c/n@${HEX.slice(0, 32)}`, "shub://h.io/c/n"],
    ["docker://alpine", "docker://docker.io/library/alpine:latest", "docker://docker.io/library/alpine"],
    ["local://a:1", "local://a:1", "local://a"],
  ])("%s", (text, formatted, repository) => {
    const reference = parseReference(text);
    expect([formatReference(reference), repositoryName(reference)]).toEqual([formatted, repository]);
  });

  test("a pin is by content, and reads back as such", () => {
    const content = digestOf("image");
    const pins = ["a/b:1", "library://e/c/i:1,2", "oras://h.io/p:1", "local://a"].map((text) =>
      pinned(parseReference(text), content),
    );
    expect(pins).toEqual([
      `a/b@${content}`,
      `library://e/c/i:sha256.${content.slice(7)}`,
      `oras://h.io/p@${content}`,
      `local://a@${content}`,
    ]);
    for (const pin of pins) expect(parseReference(pin).selector).toEqual(digest(content));
    expect(pinned(parseReference("library://e/c/i"), parseDigest(SHA512))).toBe(`library://e/c/i@${SHA512}`);
  });
});

describe("whatever is typed", () => {
  const near = fc
    .array(
      fc.constantFrom(
        "library",
        "oras",
        "docker",
        "shub",
        "local",
        "://",
        "/",
        ":",
        "@",
        "sha256:",
        ".",
        "..",
        "[",
        "]",
        "a",
        "B",
        "%00",
        HEX,
        "-",
        "_",
        "\n",
        "é",
      ),
      { maxLength: 14 },
    )
    .map((parts) => parts.join(""));

  test("is a reference or a REFERENCE_INVALID with a hint of one line", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), near), (text) => {
        try {
          const reference = parseReference(text);
          expect(parseReference(formatReference(reference))).toEqual(reference);
        } catch (error) {
          if (!(error instanceof SregistryError)) throw error;
          expect(error.code).toBe("REFERENCE_INVALID");
          expect(error.hint).toMatch(/^[^\n]+$/);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("long hostile texts are refused, not ground through", () => {
    for (const part of ["a-", "a.", "[", "]", ":", "a/", "A/", "_", "@", "%", "a:1"]) {
      const text = part.repeat(4096 / part.length - 8);
      for (const scheme of ["", "library://", "oras://", "shub://"]) {
        expect(refusal(scheme + text).code).toBe("REFERENCE_INVALID");
      }
    }
  });
});

describe("pullFileName", () => {
  test.each([
    ["banana/pudding:milkshake", "banana-pudding-milkshake.sif"],
    [`banana/pudding@${SHA256}`, "banana-pudding-sha256.0123456789ab.sif"],
    ["library://user/coll/busybox:1.0,2.0", "busybox_1.0.sif"],
    [`oras://h.io/r/bb@${SHA512}`, "bb_sha512.0123456789ab.sif"],
    [`shub://h.io/user/repo@${HEX.slice(0, 32)}`, "repo_0123456789ab.sif"],
    ["docker://alpine", "alpine_latest.sif"],
    ["shub://a/_x", "_x_latest.sif"],
    ["oras://h.io/con.x", "_con.x_latest.sif"],
  ])("%s -> %s", (text, name) => {
    expect(pullFileName(parseReference(text))).toBe(name);
  });

  test("is a safe base name of at most 200 bytes, for any reference", () => {
    const long = fc.tuple(path(fc.stringMatching(/^[a-z0-9]{1,250}$/), 1), tagText).map((parts) => parts.join(":"));
    fc.assert(
      fc.property(fc.oneof(referenceText, long), (text) => {
        const name = pullFileName(parseReference(text));
        expect(name).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]*\.sif$/);
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200);
      }),
    );
  });

  test("names that are cut stay apart", () => {
    const name = "x".repeat(250);
    const cut = pullFileName(parseReference(`${name}:1`));
    expect(cut).toHaveLength(200);
    expect(pullFileName(parseReference(`${name}:2`))).not.toBe(cut);
  });
});
