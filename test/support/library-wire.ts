/** The library protocol as singularity's client speaks it, step by step and without any help of ours. */
import { createHash } from "node:crypto";
import type { Answer, TestServer } from "./registry-server.ts";

export interface WirePush {
  /** `entity/collection/container` */
  readonly path: string;
  readonly content: Uint8Array;
  readonly tags?: readonly string[];
  readonly architecture?: string;
  readonly description?: string;
  readonly token?: string;
}

export function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

export function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

export function md5(content: Uint8Array): string {
  return createHash("md5").update(content).digest("hex");
}

// biome-ignore lint/suspicious/noExplicitAny: whatever the server says, for the test to look at
export type Json = any;

/** The answer as JSON; a body of no bytes is undefined. */
export function json({ body }: Answer): Json {
  return body.length === 0 ? undefined : JSON.parse(body.toString());
}

/** JSON without a Content-Type, as Go's client sends it. */
export async function call(server: TestServer, method: string, path: string, body?: object, token?: string) {
  const ask = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await server.ask(method, path, { ...ask, headers: bearer(token) });
  return { status: answer.status, json: json(answer) };
}

/** A URL of the server's own, as a path. */
export function pathOf(url: string): string {
  return new URL(url).pathname;
}

/** Looks a record up and makes it when there is none; throws what the server says against it. */
async function findOrMake(server: TestServer, kind: string, path: string, body: object, token?: string): Promise<Json> {
  const found = await call(server, "GET", `/v1/${kind}/${path}`, undefined, token);
  if (found.status === 200) return found.json.data;
  if (found.status !== 404) throw new Error(`${kind} ${path}: ${found.status} ${found.json?.error.message}`);
  const made = await call(server, "POST", `/v1/${kind}`, body, token);
  if (made.status !== 200) throw new Error(`${kind} ${path}: ${made.status} ${made.json?.error.message}`);
  return made.json.data;
}

export interface Announced {
  readonly container: Json;
  readonly image: Json;
}

/** All that comes before the bytes. */
export async function announce(server: TestServer, push: WirePush): Promise<Announced> {
  const { path, content, architecture = "amd64", description = "", token } = push;
  const [entityName = "", collectionName = "", name = ""] = path.split("/");
  const rest = { deleted: false, createdBy: "", createdAt: "0001-01-01T00:00:00Z", id: "", size: 0, customData: "" };
  const entity = await findOrMake(
    server,
    "entities",
    entityName,
    { ...rest, name: entityName, description: "No description" },
    token,
  );
  const collection = await findOrMake(
    server,
    "collections",
    `${entityName}/${collectionName}`,
    { ...rest, name: collectionName, entity: entity.id, private: false },
    token,
  );
  const container = await findOrMake(
    server,
    "containers",
    path,
    { ...rest, name, collection: collection.id, images: null, imageTags: null, archTags: null },
    token,
  );
  const hash = `sha256.${sha256(content)}`;
  const image = await findOrMake(
    server,
    "images",
    `${path}:${hash}?arch=${architecture}`,
    { ...rest, hash, description, container: container.id, uploaded: false },
    token,
  );
  return { container, image };
}

/** A whole push by single upload. */
export async function wirePush(server: TestServer, push: WirePush): Promise<Announced & { readonly completed: Json }> {
  const { content, tags = ["latest"], architecture = "amd64", token } = push;
  const { container, image } = await announce(server, push);
  let completed: Json;
  if (image.uploaded !== true) {
    const sums = { filesize: content.length, md5sum: md5(content), sha256sum: sha256(content) };
    const asked = await call(server, "POST", `/v2/imagefile/${image.id}`, sums, token);
    if (asked.status !== 200) throw new Error(`imagefile: ${asked.status} ${asked.json?.error.message}`);
    const put = await server.ask("PUT", pathOf(asked.json.data.uploadURL), { body: content });
    if (put.status !== 200) throw new Error(`upload: ${put.status} ${put.body}`);
    completed = await call(server, "PUT", `/v2/imagefile/${image.id}/_complete`, {}, token);
    if (completed.status !== 200) throw new Error(`_complete: ${completed.status} ${completed.json?.error.message}`);
  }
  for (const tag of tags) {
    const body = { Arch: architecture, Tag: tag, ImageID: image.id };
    const set = await call(server, "POST", `/v2/tags/${container.id}`, body, token);
    if (set.status !== 200) throw new Error(`tag ${tag}: ${set.status} ${set.json?.error.message}`);
  }
  return { container, image, completed: completed?.json.data };
}
