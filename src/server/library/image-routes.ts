/** Images: looked up, announced, downloaded, deleted; and tags. */
import { type Decoder, field, object, optional, string } from "../../decode.ts";
import { isCode } from "../../errors.ts";
import { isDigest } from "../../reference/digest.ts";
import { isTag } from "../../reference/name.ts";
import type { Tag } from "../../reference/reference.ts";
import { type Exchange, replyJson } from "../exchange.ts";
import { Failure } from "../failure.ts";
import type { Parameters, Route } from "../router.ts";
import { sendBlob } from "../send-blob.ts";
import { jsonBody } from "./body.ts";
import { containerOfId, imageOfId } from "./ids.ts";
import { entryOfTag, findImage, imagesOf, notFound, type StoredImage, withFacts } from "./images.ts";
import { components, imageName, readable } from "./names.ts";
import { imageRecord, newImageRecord, tagIds } from "./records.ts";
import { members, removeImage, setTag, tagTable } from "./tag-table.ts";

export const imageRoutes: readonly Route[] = [
  { method: "POST", path: "/v1/images", handle: makeImage },
  { method: "GET", path: "/v1/images/{name}", handle: getImage },
  { method: "DELETE", path: "/v1/images/{name}", handle: deleteImage },
  { method: "GET", path: "/v1/imagefile/{name}", handle: download },
  { method: "GET", path: "/v1/tags/{id}", handle: getTags },
  { method: "POST", path: "/v1/tags/{id}", handle: postTag },
  { method: "GET", path: "/v2/tags/{id}", handle: getTagsByArchitecture },
  { method: "POST", path: "/v2/tags/{id}", handle: postTag },
];

async function imageAt(
  exchange: Exchange,
  parameters: Parameters,
): Promise<{ readonly image: StoredImage; readonly entity: string | undefined }> {
  const name = await imageName(exchange, parameters["name"]);
  const repository = await readable(exchange, name.path, components(parameters["name"]).join("/"));
  return { image: await findImage(repository, name, architectureIn(exchange)), entity: name.entity };
}

function architectureIn({ query }: Exchange): string | undefined {
  return query.get("arch") || undefined;
}

async function getImage(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { image, entity } = await imageAt(exchange, parameters);
  replyJson(exchange, { data: await imageRecord(exchange, image, entity) });
}

async function download(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { image } = await imageAt(exchange, parameters);
  if (await sendBlob(exchange, image.repository, image.digest)) return;
  throw notFound(image.repository, image.digest);
}

/** Characters: an image's id carries it to the end of the push, in URLs. */
const LONGEST_DESCRIPTION = 2000;

const newImage: Decoder<{ readonly hash: string; readonly container: string; readonly description: string }> = (
  value,
  where,
) => {
  const json = object(value, where);
  return {
    hash: field(json, "hash", string, where),
    container: field(json, "container", string, where),
    description: field(json, "description", optional(string), where) ?? "",
  };
};

/** `uploaded` tells the client whether it has to send the bytes. */
async function makeImage(exchange: Exchange): Promise<void> {
  const { store, access, identity } = exchange;
  const { hash, container, description } = await jsonBody(exchange, newImage);
  const digest = hash.replace(/^sha256\./, "sha256:");
  if (!isDigest(digest)) {
    throw new Failure(
      400,
      "DIGEST_INVALID",
      `hash ${JSON.stringify(hash.slice(0, 160))} is not sha256.<64 hex digits>`,
    );
  }
  if (description.length > LONGEST_DESCRIPTION) {
    const words = `the description has ${description.length} characters, and ${LONGEST_DESCRIPTION} are taken`;
    throw new Failure(400, "SIZE_INVALID", words);
  }
  const path = containerOfId(container);
  await access.requireChange(path, identity);
  const repository = store.repository(path);
  const entry = (await imagesOf(repository)).find((image) => image.digest === digest);
  const image = entry === undefined ? undefined : await withFacts(repository, entry);
  const coming = { digest, description: description || undefined };
  const record =
    image === undefined ? newImageRecord(exchange, repository, coming) : imageRecord(exchange, image, undefined);
  replyJson(exchange, { data: await record });
}

/** A tag goes for the architecture that is named, and with its last name the image; a hash goes with all its tags. */
async function deleteImage(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { access, identity } = exchange;
  const name = await imageName(exchange, parameters["name"]);
  const repository = await readable(exchange, name.path, components(parameters["name"]).join("/"));
  await access.requireChange(name.path, identity);
  const architecture = architectureIn(exchange);
  const { selector } = name;
  const entry = "tag" in selector ? entryOfTag(await repository.index(), selector.tag) : undefined;
  const behind = entry === undefined ? [] : await members(repository, entry);
  if (architecture === undefined && behind.length > 1) {
    const there = behind.map((one) => one.architecture).join(", ");
    throw new Failure(400, "UNSUPPORTED", `there are images for ${there}: say which one with ?arch=`);
  }
  const image = await findImage(repository, name, architecture);
  const manifests = image.manifests.filter(
    (one) => entry === undefined || behind.some(({ manifest }) => manifest === one),
  );
  await removeImage(repository, manifests, entry?.tag === undefined ? image.tags : [entry.tag]);
  replyJson(exchange, { status: "ok" });
}

async function getTags(exchange: Exchange, parameters: Parameters): Promise<void> {
  replyJson(exchange, { data: (await tagsAt(exchange, parameters)).imageTags });
}

async function getTagsByArchitecture(exchange: Exchange, parameters: Parameters): Promise<void> {
  replyJson(exchange, { data: (await tagsAt(exchange, parameters)).archTags });
}

async function tagsAt(exchange: Exchange, parameters: Parameters): Promise<ReturnType<typeof tagIds>> {
  const path = containerOfId(parameters["id"] ?? "");
  const repository = await readable(exchange, path, path);
  return tagIds(repository, await tagTable(repository));
}

const newTag: Decoder<{ readonly tag: Tag; readonly id: string; readonly architecture: string | undefined }> = (
  value,
  where,
) => {
  const json = object(value, where);
  const tag = field(json, "Tag", string, where);
  if (!isTag(tag)) throw new Failure(400, "MANIFEST_INVALID", `${JSON.stringify(tag.slice(0, 160))} is no tag`);
  const architecture = field(json, "Arch", optional(string), where) || undefined;
  return { tag, id: field(json, "ImageID", string, where), architecture };
};

/** The image's own architecture goes before what the client says of it, by which nobody could pull it. */
async function postTag(exchange: Exchange, parameters: Parameters): Promise<void> {
  const { store, access, identity } = exchange;
  const path = containerOfId(parameters["id"] ?? "");
  const { tag, id, architecture } = await jsonBody(exchange, newTag);
  const key = imageOfId(id);
  if (key.path !== path) throw new Failure(404, "MANIFEST_UNKNOWN", "the image is of another container");
  await access.requireChange(path, identity);
  const repository = store.repository(path);
  const image = await findImage(repository, { selector: { digest: key.digest } }, undefined);
  await access.requireWrite(path, identity);
  try {
    await setTag(repository, tag, image, image.architecture ?? architecture ?? "");
  } catch (cause) {
    if (!isCode(cause, "CONFLICT")) throw cause;
    // As Singularity Registry Server 2.1 says it.
    throw new Failure(400, "DENIED", "This tag exists, and is frozen.", { cause });
  }
  replyJson(exchange, { data: (await tagsAt(exchange, parameters)).archTags });
}
