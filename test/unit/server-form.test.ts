/** multipart/form-data as it comes in: cut anywhere, in any order, and what is refused of it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Failure } from "../../src/server/failure.ts";
import { formBoundary, formParts, partText } from "../../src/server/sregistry/form.ts";

const BOUNDARY = "----=_b0undary.7";

interface Part {
  readonly name: string;
  readonly content: Buffer;
}

function encode(parts: readonly Part[], boundary = BOUNDARY): Buffer {
  const pieces = parts.flatMap(({ name, content }) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="a; name=\\"no\\".sif"\r\n`,
    "Content-Type: text/plain\r\n\r\n",
    content,
    "\r\n",
  ]);
  return Buffer.concat([...pieces, `--${boundary}--\r\n`].map((piece) => Buffer.from(piece)));
}

async function* pieces(body: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const places = [0, ...[...cuts].map((cut) => cut % (body.length + 1)).sort((a, b) => a - b), body.length];
  for (const [index, start] of places.entries()) yield body.subarray(start, places[index + 1] ?? body.length);
}

async function decode(body: AsyncIterable<Uint8Array>, boundary = BOUNDARY): Promise<readonly Part[]> {
  const parts: Part[] = [];
  for await (const { name, content } of formParts(body, boundary)) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of content) chunks.push(chunk);
    parts.push({ name, content: Buffer.concat(chunks) });
  }
  return parts;
}

async function refusal(work: () => Promise<unknown>): Promise<readonly [number, string] | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof Failure) return [error.status, error.message];
    throw error;
  }
}

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
/** Contents full of what looks like the beginning of a boundary. */
const nasty = fc
  .array(fc.constantFrom("\r\n", "\r", "\n", "--", `\r\n--${BOUNDARY.slice(0, -1)}`, "x"), { maxLength: 20 })
  .map((words) => Buffer.from(words.join("")));
const partsOf = fc.array(
  fc.record({ name: fc.constantFrom("file1", "name", "tag", "collection"), content: fc.oneof(bytes, nasty) }),
  { maxLength: 5 },
);

describe("a form", () => {
  it("has the same parts however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(partsOf, fc.array(fc.nat(), { maxLength: 30 }), async (parts, cuts) => {
        expect(await decode(pieces(encode(parts), cuts))).toEqual(parts);
      }),
    );
  });

  it("comes byte by byte too", async () => {
    const parts = [
      { name: "name", content: Buffer.from("avocado") },
      { name: "file1", content: Buffer.from(`\r\n--${BOUNDARY.slice(0, 5)}\r\n--`) },
    ];
    const body = encode(parts);
    expect(await decode(pieces(body, [...body.keys()]))).toEqual(parts);
  });

  it("cut short anywhere is refused", async () => {
    const body = encode([
      { name: "name", content: Buffer.from("avocado") },
      { name: "file1", content: Buffer.from("SIF") },
    ]);
    const whole = body.length - "\r\n".length;
    for (let end = 0; end < whole; end += 1) {
      const words = await refusal(() => decode(pieces(body.subarray(0, end), [])));
      expect(words).toEqual([400, "the form cannot be read: it ends before its closing boundary"]);
    }
    expect(await decode(pieces(body.subarray(0, whole), []))).toHaveLength(2);
  });

  it("goes on behind a part that nobody read", async () => {
    const body = encode(["a", "b", "c"].map((name) => ({ name, content: Buffer.alloc(5000, name) })));
    const names: string[] = [];
    for await (const { name, content } of formParts(pieces(body, [1000, 6000]), BOUNDARY)) {
      names.push(name);
      if (name !== "b") continue;
      for await (const _ of content) break;
    }
    expect(names).toEqual(["a", "b", "c"]);
  });

  it("gives fields as text", async () => {
    const body = encode([{ name: "name", content: Buffer.from("näme") }]);
    const texts: string[] = [];
    for await (const part of formParts(pieces(body, [200]), BOUNDARY)) texts.push(await partText(part));
    expect(texts).toEqual(["näme"]);
  });

  it.each([
    ["a header without end", `--b\r\n${"x".repeat(9000)}`, "the header of a part is too long"],
    ["many headers", `--b\r\n${"x: y\r\n".repeat(3000)}`, "the header of a part is too long"],
    ["no name", "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--", "a part has no Content-Disposition: form-data"],
    ["a longer boundary", "--bx\r\n\r\n\r\n--b--", "a boundary is followed by something else than a part"],
    ["a long preamble", `${"x".repeat(9000)}\r\n--b--`, "there is something before or behind its parts"],
    ["a long epilogue", `--b--${"x".repeat(9000)}`, "there is something before or behind its parts"],
    [
      "a hundred parts",
      `--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n`.repeat(100),
      "it has more than 32 parts",
    ],
    [
      "a field like a file",
      `--b\r\nContent-Disposition: form-data; name=a\r\n\r\n${"x".repeat(70_000)}\r\n--b--`,
      'the field "a" is longer than 65536 bytes',
    ],
  ])("with %s is refused", async (_, body, words) => {
    const read = async (): Promise<void> => {
      for await (const part of formParts(pieces(Buffer.from(body), [100]), "b")) await partText(part);
    };
    const [status, message] = (await refusal(read)) ?? [];
    expect(status).toBe(400);
    expect(message).toContain(words);
  });

  it("names its boundary, plain or quoted", () => {
    expect(formBoundary("multipart/form-data; boundary=abc123")).toBe("abc123");
    expect(formBoundary('Multipart/Form-Data; charset=utf-8; Boundary="a b:c"')).toBe("a b:c");
  });

  it.each([
    [undefined, 415],
    ["application/json", 415],
    ["multipart/form-data", 400],
    ["multipart/form-data; boundary=", 400],
    [`multipart/form-data; boundary=${"x".repeat(71)}`, 400],
    ["multipart/form-data; boundary=ä", 400],
  ])("of type %j is refused: %i", async (type, status) => {
    expect((await refusal(async () => formBoundary(type)))?.[0]).toBe(status);
  });
});
