/** Requests as Singularity Registry Server's Python client sends them. */
import { randomUUID } from "node:crypto";
import { hmacSignature, hmacTimestamp } from "../../src/hmac.ts";
import { openUsers } from "../../src/server/users.ts";
import type { Answer, TestServer } from "./registry-server.ts";

export interface Signer {
  readonly name: string;
  readonly token: string;
}

/** `collection/name:tag` */
export type ImageUri = `${string}/${string}:${string}`;

export async function addUser({ root }: TestServer, name: string): Promise<Signer> {
  return { name, token: (await openUsers(root).add(name)).token.reveal() };
}

export function signed(
  { name: user, token }: Signer,
  action: string,
  image: ImageUri,
  time = new Date(),
): Record<string, string> {
  const { collection, name, tag } = partsOf(image);
  const timestamp = hmacTimestamp(time);
  const signature = hmacSignature(token, { action, collection, name, tag }, timestamp);
  const credential = `${action}/${Buffer.from(user).toString("base64")}/${timestamp}`;
  return { authorization: `SREGISTRY-HMAC-SHA256 Credential=${credential},Signature=${signature}` };
}

export function bearer({ token }: Signer): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

export function partsOf(image: ImageUri): { collection: string; name: string; tag: string } {
  const [, collection = "", name = "", tag = ""] = /^(.*)\/([^/]*):(.*)$/.exec(image) ?? [];
  return { collection, name, tag };
}

export type Field = readonly [name: string, content: Uint8Array | string];

export interface FormBody {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

export function formOf(fields: readonly Field[]): FormBody {
  const boundary = randomUUID();
  const parts = fields.flatMap(([name, content]) => {
    const file = name === "file1" ? '; filename="avocado:delicious.sif"\r\nContent-Type: text/plain' : "";
    return [`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`, content, "\r\n"];
  });
  return {
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([...parts, `--${boundary}--\r\n`].map((part) => Buffer.from(part))),
  };
}

/** The first request of a push. */
export function announce({ ask }: TestServer, signer: Signer, image: ImageUri): Promise<Answer> {
  return ask("POST", "/api/upload/chunked_upload", {
    headers: { "content-type": "application/json", ...signed(signer, "push", image) },
    body: JSON.stringify(partsOf(image)),
  });
}

/** Both requests; the answer to the second. */
export async function hmacPush(
  server: TestServer,
  signer: Signer,
  image: ImageUri,
  content: Uint8Array | string,
  order: readonly string[] = ["SREGISTRY_EVENT", "name", "collection", "tag", "file1"],
): Promise<Answer> {
  const first = await announce(server, signer, image);
  if (first.status !== 200) return first;
  const { cid } = JSON.parse(first.body.toString());
  const { name, tag } = partsOf(image);
  const headers = signed(signer, "upload", image);
  const fields: Record<string, Uint8Array | string> = {
    SREGISTRY_EVENT: headers["authorization"] ?? "",
    name,
    collection: String(cid),
    tag,
    file1: content,
  };
  const form = formOf(order.map((field) => [field, fields[field] ?? ""]));
  return await server.ask("POST", "/upload", { headers: { ...form.headers, ...headers }, body: form.body });
}
