/**
 * The manifest and the download of shub://, by which Singularity Registry Server's own clients pull as well, and deletion. A
 * version is honoured, which that server (2.1) passes over.
 */
import { isCode } from "../../errors.ts";
import { type Digest, isDigest } from "../../reference/digest.ts";
import type { LocalReference, Selector } from "../../reference/reference.ts";
import { uriOf, versionOf } from "../../reference/sregistry.ts";
import { findImage, imageInfo } from "../../registry/local/images.ts";
import { deleteImage } from "../../registry/local/registry.ts";
import { baseUrl, type Exchange, reply, replyJson } from "../exchange.ts";
import { Failure, meaning } from "../failure.ts";
import { numericId } from "../ids.ts";
import { imageFacts } from "../library/facts.ts";
import { type Member, members, removeImage } from "../library/tag-table.ts";
import type { Parameters, Route } from "../router.ts";
import { sendBlob } from "../send-blob.ts";
import { describeRow, type Row } from "./catalogue.ts";
import { downloadSecret, isDownloadSecret } from "./download-key.ts";
import { commitOf, findRow, parseImageName, subjectsOf } from "./names.ts";
import { bothWays, getRoutes } from "./routes.ts";
import { signer } from "./signer.ts";

const CONTAINER = "/api/container/{name}";

export const shubRoutes: readonly Route[] = [
  ...getRoutes(CONTAINER, getManifest, { hmac: true }),
  ...bothWays({ method: "DELETE", path: CONTAINER, handle: deleteContainer, hmac: true }),
  // Without a login: clients send none there. The secret is the permission, and logs have no queries.
  ...getRoutes("/containers/{id}/download/{name}/{version}", download, { open: true }),
];

async function getManifest(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { store, access } = exchange;
  const name = await parseImageName(store, parameters["name"] ?? "");
  const identity = await signer(exchange, "pull", subjectsOf(name, name.tag ?? "latest"));
  const row = (await access.mayRead(name.path, identity))
    ? await findRow(store.repository(name.path), name)
    : undefined;
  if (row === undefined) {
    const anonymous = identity.user === undefined && !identity.admin;
    // The words at which clients send a signature: for what is not there as well, where it could be private.
    if (anonymous && (await access.collections.anyClosed(false))) {
      throw new Failure(403, "DENIED", "Authentication Required");
    }
    throw notFound();
  }
  replyJson(exchange, await manifestOf(exchange, row));
}

async function manifestOf(exchange: Exchange, row: Row): Promise<object> {
  const { store, query } = exchange;
  const { repository, entry } = row;
  const { path } = repository;
  const architecture = query.get("arch");
  const reference: LocalReference = { scheme: "local", path, selector: { kind: "digest", digest: entry.digest } };
  const found = findImage(repository, reference, architecture === null ? {} : { architecture });
  const { digest } = await meaning(
    // What is no single file cannot be pulled in this way.
    { UNSUPPORTED: [404, "UNSUPPORTED"], IMAGE_INVALID: [404, "UNSUPPORTED"] },
    found.then((image) => imageInfo(repository, reference, image)),
  );
  if (digest === undefined) throw notFound();
  // A tag of one image leads to it whatever is asked for.
  const known = architecture === null ? undefined : (await imageFacts(repository, digest)).architecture;
  if (known !== undefined && known !== architecture?.split("/")[0]) throw notFound();
  const version = versionOf(digest);
  const secret = await downloadSecret(store, path, digest);
  return {
    ...(await describeRow(row)),
    image: `${baseUrl(exchange)}/containers/${numericId(uriOf(row))}/download/${path}/${version}?secret=${secret}`,
    version,
    commit: commitOf(digest),
  };
}

async function download(exchange: Exchange, { name = "", version = "" }: Parameters): Promise<void> {
  const digest = version.replace(".", ":");
  const given = exchange.query.get("secret") ?? "";
  const { store } = exchange;
  if (!isDigest(digest) || !(await isDownloadSecret(store, name, digest, given))) throw notFound();
  if (!(await sendBlob(exchange, store.repository(name), digest))) throw notFound();
}

/** For the owner alone: Singularity Registry Server 2.1 lets every user delete everything, if it did not fail before. */
async function deleteContainer(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { store, access } = exchange;
  const name = await parseImageName(store, parameters["name"] ?? "");
  const { path, tag, version } = name;
  const repository = store.repository(path);
  const row = tag === undefined && version === undefined ? undefined : await findRow(repository, name);
  const identity = await signer(exchange, "delete", subjectsOf(name, row?.tag ?? tag ?? "latest"));
  if (await access.mayRead(path, identity)) await access.requireChange(path, identity);
  else throw new Failure(404, "NAME_UNKNOWN", "Container Not Found");
  if (row === undefined) throw new Failure(404, "NAME_UNKNOWN", "Container Not Found");
  const behind = version === undefined ? await members(repository, row.entry) : [];
  const chosen = behind.length > 1 ? chosenOf(exchange, row, behind) : undefined;
  try {
    if (chosen !== undefined) await removeImage(repository, chosen, [row.tag]);
    else await deleteImage(repository, { scheme: "local", path, selector: selectorOf(row, version) });
  } catch (cause) {
    if (!isCode(cause, "CONFLICT")) throw cause;
    throw new Failure(403, "DENIED", `${uriOf(row)} is frozen, delete not allowed.`, { cause });
  }
  reply(exchange, 204);
}

/** Of a tag of several architectures, the manifests of the one that is asked for. */
function chosenOf({ query }: Exchange, row: Row, behind: readonly Member[]): readonly Digest[] {
  const wanted = query.get("arch") || undefined;
  if (wanted === undefined) {
    const there = behind.map(({ architecture }) => architecture).join(", ");
    throw new Failure(409, "UNSUPPORTED", `${uriOf(row)} has images for ${there}: say which one with ?arch=`);
  }
  const chosen = behind.filter(({ architecture }) => architecture === wanted.split("/")[0]);
  if (chosen.length === 0) throw new Failure(404, "NAME_UNKNOWN", "Container Not Found");
  return chosen.map(({ manifest }) => manifest);
}

function selectorOf({ entry, tag }: Row, version: string | undefined): Selector {
  return version === undefined ? { kind: "tag", tag } : { kind: "digest", digest: entry.digest };
}

function notFound(): Failure {
  return new Failure(404, "NAME_UNKNOWN", "Not found.");
}
