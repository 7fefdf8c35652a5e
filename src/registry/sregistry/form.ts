/** The form of a signed upload: multipart/form-data whose length is known, which the server's nginx module wants. */
import { randomUUID } from "node:crypto";
import type { Body } from "../../http/transport.ts";
import { generated } from "../../transfer/generated.ts";
import { readSource } from "../../transfer/read-source.ts";
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
  async function* parts(stop: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    yield head;
    let at = 0;
    for await (const chunk of readSource(source, 0, source.size, AbortSignal.any([signal, stop]))) {
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
    body: { size: head.length + source.size + tail.length, open: () => generated(parts) },
  };
}
