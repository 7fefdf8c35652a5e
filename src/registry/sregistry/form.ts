/** The form of a signed upload: multipart/form-data whose length is known, which the server's nginx module wants. */
import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { SregistryError } from "../../errors.ts";
import { abortError } from "../../http/network-error.ts";
import type { Body } from "../../http/transport.ts";
import type { Source } from "../../transfer/source.ts";

export interface FormBody {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body & { readonly size: number };
}

export interface FormOptions {
  /** Told bytes of the file that are on their way. */
  readonly told: (offset: number) => void;
  readonly signal: AbortSignal;
}

/** Values are names of the server's grammar and numbers: nothing in them needs quoting. */
export function uploadForm(
  fields: Readonly<Record<string, string>>,
  source: Source,
  { told, signal }: FormOptions,
): FormBody {
  const boundary = `sregistry-${randomUUID()}`;
  const head = Buffer.from(
    [
      ...Object.entries(fields).map(
        ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
      ),
      // The name of a file is passed over, and without one nginx takes the part for a field.
      `--${boundary}\r\nContent-Disposition: form-data; name="file1"; filename="image.sif"\r\nContent-Type: application/octet-stream\r\n\r\n`,
    ].join(""),
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  async function* parts(): AsyncGenerator<Uint8Array> {
    yield head;
    let at = 0;
    for await (const chunk of readWhole(source, signal)) {
      at += chunk.length;
      told(at);
      yield chunk;
    }
    // A form without its end stores nothing.
    await source.unchanged();
    yield tail;
  }
  return {
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    body: { size: head.length + source.size + tail.length, open: () => Readable.from(parts()) },
  };
}

/** @throws SregistryError DISK, INTEGRITY when the source has fewer bytes than it said, INTERRUPTED when `signal` says so. */
export async function* readWhole(source: Source, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
  const body = source.open(0);
  let at = 0;
  try {
    for await (const chunk of body) {
      if (signal.aborted) throw abortError(signal);
      const bytes: Buffer = chunk;
      at += bytes.length;
      yield bytes;
    }
  } catch (error) {
    if (error instanceof SregistryError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SregistryError("DISK", `what was to be sent cannot be read: ${reason}`, { cause: error });
  } finally {
    body.destroy();
  }
  if (at === source.size) return;
  await source.unchanged();
  throw new SregistryError("INTEGRITY", `the source has ${at} bytes, though it should have ${source.size}`);
}
