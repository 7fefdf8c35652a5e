/** What the endpoint has under a reference, for the machine that was asked for. */
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { askedArchitecture } from "../image/architecture.ts";
import { formatReference } from "../reference/format.ts";
import type { PlacedReference } from "../reference/reference.ts";
import type { ImageInfo, Registry } from "../registry/registry.ts";
import type { Services } from "./services.ts";

export interface Resolved {
  readonly registry: Registry;
  readonly image: ImageInfo;
}

/** @throws SregistryError NOT_FOUND where there is no image for the architecture that was asked for. */
export async function resolveImage(
  services: Pick<Services, "open">,
  reference: PlacedReference,
  architecture: string | undefined,
  call: Call,
): Promise<Resolved> {
  const registry = await services.open(reference);
  call.log.verbose(`pulling ${formatReference(reference)} from ${registry.name}`);
  const asked = architectureOption(architecture);
  const image = await registry.resolve(reference, asked, call);
  requireArchitecture(image, asked.architecture, registry.name);
  return { registry, image };
}

export function architectureOption(architecture: string | undefined): { readonly architecture?: string } {
  return architecture === undefined ? {} : { architecture: askedArchitecture(architecture) };
}

/** Where a name stands for one image only, endpoints give that one whatever is asked for. */
function requireArchitecture(
  { reference, architecture }: ImageInfo,
  asked: string | undefined,
  endpoint: string,
): void {
  if (asked === undefined || architecture === undefined || asked.split("/")[0] === architecture) return;
  throw new SregistryError(
    "NOT_FOUND",
    `${formatReference(reference)} is an image for ${architecture}, as ${endpoint} says, and ${asked} was asked for`,
    // Singularity Registry Server 2.1 keeps no architectures, and says amd64 of every image.
    { hint: "to pull it as it is, leave --arch (SINGULARITY_PULL_ARCH, SINGULARITY_ARCH) away" },
  );
}
