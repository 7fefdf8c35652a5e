/**
 * A push in two requests: `POST /api/upload/chunked_upload` gives the collection's number, `POST /upload` a form with the file.
 * Nothing is chunked. What Singularity Registry Server 2.1 answers with 500 is a 403 here.
 */
import { Readable } from "node:stream";
import { field, object, optional, parseJson, string } from "../../decode.ts";
import { isCode } from "../../errors.ts";
import { parseTag } from "../../reference/name.ts";
import type { Tag } from "../../reference/reference.ts";
import { uriOf, versionOf } from "../../reference/sregistry.ts";
import type { Repository } from "../../registry/local/repository.ts";
import type { Upload } from "../../registry/local/upload.ts";
import { maySee } from "../access.ts";
import { collectionOf, containerOf } from "../collections.ts";
import { type Exchange, readBody, replyJson } from "../exchange.ts";
import { Failure, meaning } from "../failure.ts";
import { numericId } from "../ids.ts";
import { imagePath } from "../image-path.ts";
import type { Route } from "../router.ts";
import { placeUpload, storeImage } from "../store-image.ts";
import { contentDigest } from "./catalogue.ts";
import { formBoundary, formParts, partText } from "./form.ts";
import { bothWays } from "./routes.ts";
import { checkClaim, signer } from "./signer.ts";

export const pushRoutes: readonly Route[] = [
  ...bothWays({ method: "POST", path: "/api/upload/chunked_upload", handle: announce, hmac: true }),
  ...bothWays({ method: "POST", path: "/upload", handle: upload, hmac: true }),
];

const LARGEST_ANNOUNCEMENT = 64 * 1024;
/** Holds files that come before the words that say whose they are; the Python client sends them in the other order. */
const INCOMING = "incoming";

async function announce(exchange: Exchange): Promise<void> {
  const { store, access } = exchange;
  const { collection, name, tag } = await meaning(
    { REPLY_INVALID: [400, "UNSUPPORTED"] },
    readBody(exchange, LARGEST_ANNOUNCEMENT).then(decodeAnnouncement),
  );
  const path = await imagePath(store, `${collection}/${name}`);
  const stored = collectionOf(path);
  parseTag(tag);
  const identity = await signer(exchange, "push", [{ collection: stored, name, tag }]);
  await access.requireChange(path, identity);
  // It has to be there for its number to mean something in the second request; where repositories are, it is.
  await access.collections.create(stored, identity.user, false);
  replyJson(exchange, { cid: numericId(stored) });
}

function decodeAnnouncement(bytes: Uint8Array): { collection: string; name: string; tag: string } {
  const json = object(parseJson(new TextDecoder().decode(bytes), "the body"), "the body");
  return {
    collection: field(json, "collection", string, ""),
    name: field(json, "name", string, ""),
    tag: field(json, "tag", optional(string), "") ?? "latest",
  };
}

/** Where a file goes. */
interface Target {
  readonly repository: Repository;
  readonly tag: Tag;
  /** The answer to a push to a frozen tag: with status 200, as the clients expect it. */
  readonly frozen: string | undefined;
}

async function upload(exchange: Exchange): Promise<void> {
  const { request, store, identity } = exchange;
  const begun = new Date();
  const boundary = formBoundary(request.headers["content-type"]);
  await checkClaim(exchange, "upload", begun);
  await store.prepare();
  const fields = new Map<string, string>();
  let target: Target | undefined;
  let file: Upload | undefined;
  try {
    for await (const part of formParts(request.iterator({ destroyOnReturn: false }), boundary)) {
      if (part.name !== "file1") {
        fields.set(part.name, await partText(part));
        continue;
      }
      if (file !== undefined) throw wrongForm("there is more than one file1");
      // Refused before the bytes come, if what is said of them came first; who signed is somebody by then only.
      const said = ["collection", "name", "tag"].filter((name) => fields.has(name));
      if (identity.hmac !== undefined && !["collection", "name"].every((name) => said.includes(name))) {
        throw wrongOrder();
      }
      if (identity.hmac !== undefined || said.length === 3) target = await targetOf(exchange, fields, begun);
      if (target?.frozen !== undefined) continue;
      file = await (target?.repository ?? store.repository(INCOMING)).createUpload("sha256", true);
      await file.append(Readable.from(part.content));
    }
    target ??= await targetOf(exchange, fields, begun);
    replyJson(exchange, { message: target.frozen ?? (await keep(exchange, target, file)) });
  } finally {
    await file?.abort();
  }
}

/** @throws Failure 403, 404: who sends it may not, or the collection is not known. */
async function targetOf(exchange: Exchange, fields: ReadonlyMap<string, string>, begun: Date): Promise<Target> {
  const { store, access } = exchange;
  const name = fields.get("name") ?? "";
  const tag = fields.get("tag") ?? "latest";
  const number = fields.get("collection") ?? "";
  const everybodys = await access.collections.list({ user: undefined, admin: true });
  const found = everybodys.find((one) => String(numericId(one.name)) === number);
  if (found === undefined || name === "") throw noTarget();
  const collection = found.name;
  const path = await imagePath(store, `${collection}/${name}`);
  // A client that sends no tag signs Python's word for nothing.
  const subject = { collection, name, tag: fields.get("tag") ?? "None" };
  const identity = await signer(exchange, "upload", [subject], begun).catch((error: unknown) => {
    throw found.private ? noTarget() : error;
  });
  // The number follows from the name: whoever may not see the collection must not learn by it that there is one.
  if (!maySee(found, identity)) throw noTarget();
  await access.requireWrite(path, identity);
  const repository = store.repository(path);
  return { repository, tag: parseTag(tag), frozen: await frozenWords(repository, parseTag(tag)) };
}

async function frozenWords(repository: Repository, tag: Tag): Promise<string | undefined> {
  const entry = (await repository.index())?.tags.get(tag);
  return entry?.frozen === true ? await existsWords(repository, tag) : undefined;
}

async function existsWords(repository: Repository, tag: Tag): Promise<string> {
  const { path } = repository;
  const entry = (await repository.index())?.tags.get(tag);
  const version = entry === undefined ? "" : `@${versionOf(await contentDigest(repository, entry))}`;
  return `${uriOf({ collection: collectionOf(path), name: containerOf(path), tag })}${version} already exists.`;
}

/** @returns the message of success, or why not. */
async function keep({ store }: Exchange, { repository, tag }: Target, file: Upload | undefined): Promise<string> {
  if (file === undefined) throw wrongForm("it has no file1");
  const digest = await placeUpload(store, repository, file);
  try {
    const title = `${containerOf(repository.path)}_${tag}.sif`;
    await storeImage(repository, { digest, title, tags: [tag] });
    return "Upload Complete";
  } catch (error) {
    // Frozen while the file came in.
    if (isCode(error, "CONFLICT")) return await existsWords(repository, tag);
    throw error;
  }
}

function noTarget(): Failure {
  return wrongForm("it needs a name and the number of a collection, which POST /api/upload/chunked_upload gives");
}

function wrongOrder(): Failure {
  const words = "file1 comes before collection and name, without which nobody knows whether the signature is right";
  return new Failure(403, "DENIED", words);
}

function wrongForm(words: string): Failure {
  return new Failure(400, "BLOB_UPLOAD_INVALID", `the form cannot be used: ${words}`);
}
