/** Which image a transfer is of: its label is a file's name, and several images may have one of the same. */
import type { Call } from "../call.ts";
import { formatReference } from "../reference/format.ts";
import type { Reference } from "../reference/reference.ts";

export function aboutImage(call: Call, reference: Reference): Call {
  const { progress } = call;
  const image = formatReference(reference);
  return { ...call, progress: { ...progress, start: (label, total) => progress.start(label, total, image) } };
}
