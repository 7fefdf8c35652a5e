/** Tags and repositories: in pages, as the consumer goes on, in constant memory. */
import type { Call } from "../../call.ts";
import { type Decoder, field, list, object, optional, string } from "../../decode.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { discard, readJson } from "../../http/body.ts";
import { nextPage } from "../../http/link.ts";
import type { Auth } from "../../http/transport.ts";
import { isRepoPath, isTag } from "../../reference/name.ts";
import type { RepoPath, Tag } from "../../reference/reference.ts";
import { type OciApi, repositoryAuth } from "./api.ts";

/** Items asked for at once: ECR refuses more (google/go-containerregistry#1091). */
const PAGE = 1000;
/** A list that goes on longer than this is one without end (oras-project/oras-go#1215). */
const MOST_PAGES = 10_000;

/** Tags of the referrers tag schema (distribution-spec, "Referrers Tag Schema") and of cosign: not names of images. */
const FALLBACK_TAG = /^sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})(?:\..*)?$/;

/** @throws SregistryError NOT_FOUND for a repository that is not there. */
export async function* tagsOf(api: OciApi, path: RepoPath, call: Call): AsyncGenerator<Tag> {
  const start = api.url(`/v2/${path}/tags/list?n=${PAGE}`);
  for await (const name of pages(api, start, repositoryAuth(path, "pull"), names("tags"), call)) {
    if (FALLBACK_TAG.test(name)) continue;
    if (isTag(name)) yield name;
    else call.log.verbose(`${api.host} lists the tag ${JSON.stringify(name.slice(0, 200))}, which is none`);
  }
}

/** @throws SregistryError UNSUPPORTED where the registry has no catalogue (Hub, GHCR, GitLab.com, Quay.io). */
export async function* repositoriesOf(api: OciApi, call: Call): AsyncGenerator<RepoPath> {
  const auth: Auth = { kind: "registry", scopes: ["registry:catalog:*"] };
  try {
    for await (const name of pages(api, api.url(`/v2/_catalog?n=${PAGE}`), auth, names("repositories"), call)) {
      if (isRepoPath(name)) yield name;
      else call.log.verbose(`${api.host} lists ${JSON.stringify(name.slice(0, 300))}, which is no repository name`);
    }
  } catch (error) {
    if (!isCode(error, "NOT_FOUND", "UNSUPPORTED", "FORBIDDEN", "UNAUTHORIZED")) throw error;
    if (isCode(error, "UNAUTHORIZED", "FORBIDDEN") && !(await letsIn(api, call))) throw error;
    throw new SregistryError("UNSUPPORTED", `${api.host} does not list its repositories`, {
      hint: `name one: sregistry list oras://${api.host}/PATH`,
      cause: error,
    });
  }
}

/** Whether the login is good for anything: then a 401 to the catalogue (Docker Hub) means that it is offered to nobody. */
async function letsIn(api: OciApi, call: Call): Promise<boolean> {
  try {
    const auth: Auth = { kind: "registry", scopes: [] };
    await discard(await api.send({ method: "GET", url: api.url("/v2/"), accept: [200], auth }, call));
    return true;
  } catch (error) {
    if (isCode(error, "UNAUTHORIZED", "FORBIDDEN")) return false;
    throw error;
  }
}

function names(member: "tags" | "repositories"): Decoder<readonly string[]> {
  return (value, where) => field(object(value, where), member, optional(list(string)), where) ?? [];
}

interface Page<T> {
  readonly items: readonly T[];
  readonly next: URL | undefined;
}

async function* pages<T>(
  api: OciApi,
  start: URL,
  auth: Auth,
  decoder: Decoder<readonly T[]>,
  call: Call,
): AsyncGenerator<T> {
  const seen = new Set<string>();
  for (let url: URL | undefined = start; url !== undefined; ) {
    if (seen.has(url.href) || seen.size >= MOST_PAGES) {
      throw new SregistryError(
        "REPLY_INVALID",
        `the list of ${api.host} never ends: page ${seen.size + 1} is one it gave before`,
      );
    }
    seen.add(url.href);
    const page: Page<T> = await api.fetch({ method: "GET", url, accept: [200], auth }, call, async (response) => ({
      items: await readJson(response, decoder),
      next: nextPage(response),
    }));
    yield* page.items;
    url = page.next;
  }
}
