/** Where an endpoint takes signed images only: there has to be a signature, and it has to be of these very bytes. */
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import type { ImageReader } from "../image/reader.ts";
import { readSif } from "../image/sif.ts";
import { verifySignedObjects } from "../image/verify.ts";
import { fileReader } from "../transfer/file-source.ts";

const TIP = "push it unsigned with -U, or sign it first: singularity sign";

/**
 * What the signatures cover is checked; whose they are is not, which takes the signer's key.
 * @throws SregistryError INTEGRITY for an image that is not signed, or was changed after it was.
 */
export async function requireSignature(file: string, call: Call): Promise<void> {
  await using reader = await fileReader(file);
  await requireSigned(reader, file, call);
}

/** As `requireSignature`, of an image wherever it is. `name` is for messages. */
export async function requireSigned(reader: ImageReader, name: string, { log, signal }: Call): Promise<void> {
  const { signed, intact, signatures, uncovered } = await verifySignedObjects(reader, await readSif(reader), signal);
  if (!signed)
    throw new SregistryError("INTEGRITY", `${name} is not signed, and this library wants it to be`, { hint: TIP });
  if (!intact) {
    const differs = signatures.flatMap(({ problems }) => problems);
    const [problem = `object ${uncovered.join(", ")} is not signed`] = differs;
    throw new SregistryError("INTEGRITY", `${name} was changed after it was signed: ${problem}`, { hint: TIP });
  }
  const keys = signatures.map(({ fingerprint }) => fingerprint ?? "a key that is not named").join(", ");
  log.verbose(`signed by ${keys}: the bytes are those that were signed; whose key it is was not verified`);
}
