/** What is known of registries' refusals, said to whoever meets one. */
import { isCode, SregistryError } from "../../errors.ts";
import { MEDIA_TYPES } from "../../image/document.ts";

interface Known {
  readonly host: RegExp;
  readonly words: RegExp;
  readonly hint: string;
}

/** First match wins. Sources: the threads in the comments. */
const KNOWN: readonly Known[] = [
  // oras-project/oras#738; Red Hat's own example lists a layer type that nobody sends.
  {
    host: /quay/,
    words: /MANIFEST_INVALID|manifest schema|media ?type/i,
    hint: `the administrator must allow SIF: ALLOWED_OCI_ARTIFACT_TYPES: {${MEDIA_TYPES.sifConfig}: [${MEDIA_TYPES.sifLayer}]}`,
  },
  // fluxcd/flux2#3724
  {
    host: /gitlab/,
    words: /unknown media type/i,
    hint: "this GitLab takes only media types that it knows; SIF is not among them",
  },
  // aws/containers-roadmap#853
  {
    host: /amazonaws\.com$|ecr\.aws$/,
    words: /NAME_UNKNOWN|does not exist/i,
    hint: "ECR repositories must be made first: aws ecr create-repository",
  },
  { host: /./, words: /project .*not found/i, hint: "the project must be made in the registry's web interface first" },
  {
    host: /./,
    words: /unsupported media type|unknown media type|MANIFEST_INVALID/i,
    hint: "this registry may not take SIF artifacts; --plain-manifest sends the plainest form",
  },
];

/** The same error with a hint, where one is known; anything else as it is. */
export function refusalHint(host: string, error: unknown): unknown {
  if (!isCode(error, "REFUSED", "NOT_FOUND", "FORBIDDEN", "UNSUPPORTED")) return error;
  const known = KNOWN.find((one) => one.host.test(host) && one.words.test(error.message));
  if (known === undefined) return error;
  const { code, message, status } = error;
  return new SregistryError(code, message, {
    hint: known.hint,
    cause: error,
    ...(status === undefined ? {} : { status }),
  });
}

export function deletionHint(host: string): string {
  if (/^ghcr\.io/.test(host)) return "GHCR deletes on its web page or by its own API only";
  if (/docker\.io$/.test(host)) return "Docker Hub deletes on its web page or by its own API only";
  return "deletion may be turned off at this registry: REGISTRY_STORAGE_DELETE_ENABLED=true turns it on at distribution";
}
