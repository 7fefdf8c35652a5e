/** Presigned URLs of S3 (Signature Version 4 in the query), and the four calls of a multipart upload made with them. */
import { createHash, createHmac } from "node:crypto";

export interface Bucket {
  /** `http://127.0.0.1:9000/bucket`. */
  readonly url: URL;
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface Presign {
  readonly query?: Readonly<Record<string, string>>;
  /** Signed with the request, so that it has to be sent, and the body has to have it. */
  readonly sha256?: string;
}

const REGION = "us-east-1";
const HOLDS_SECONDS = 300;

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/** RFC 3986: `encodeURIComponent` leaves five characters that S3 wants encoded. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** A URL that is good for one method on one object for five minutes. */
export function presign(bucket: Bucket, method: string, key: string, { query = {}, sha256: body }: Presign = {}): URL {
  const now = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = `${now.slice(0, 8)}/${REGION}/s3/aws4_request`;
  const headers = { host: bucket.url.host, ...(body === undefined ? {} : { "x-amz-content-sha256": body }) };
  const signedHeaders = Object.keys(headers).join(";");
  const url = new URL(`${bucket.url.href}${key === "" ? "" : "/"}${key.split("/").map(encode).join("/")}`);
  const search = Object.entries({
    ...query,
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": `${bucket.accessKey}/${scope}`,
    "X-Amz-Date": now,
    "X-Amz-Expires": String(HOLDS_SECONDS),
    "X-Amz-SignedHeaders": signedHeaders,
  })
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join("&");
  const canonical = [
    method,
    url.pathname,
    search,
    ...Object.entries(headers).map(([name, value]) => `${name}:${value}`),
    "",
    signedHeaders,
    body ?? "UNSIGNED-PAYLOAD",
  ].join("\n");
  const key4 = [now.slice(0, 8), REGION, "s3", "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${bucket.secretKey}`);
  const text = ["AWS4-HMAC-SHA256", now, scope, sha256(canonical)].join("\n");
  url.search = `${search}&X-Amz-Signature=${hmac(key4, text).toString("hex")}`;
  return url;
}

export interface Part {
  readonly partNumber: number;
  readonly etag: string;
}

export async function createBucket(bucket: Bucket): Promise<void> {
  await call(bucket, "PUT", "");
}

export async function createMultipartUpload(bucket: Bucket, key: string): Promise<string> {
  const answer = await call(bucket, "POST", key, { uploads: "" });
  const id = /<UploadId>([^<]+)<\/UploadId>/.exec(answer)?.[1];
  if (id === undefined) throw new Error(`S3 gave no upload id: ${answer}`);
  return id;
}

/** Where a part is PUT; its bytes have to have the SHA-256. */
export function uploadPart(bucket: Bucket, key: string, uploadId: string, partNumber: number, sha256: string): URL {
  return presign(bucket, "PUT", key, { query: { partNumber: String(partNumber), uploadId }, sha256 });
}

/** @throws when S3 refuses, also where it does so in the body of a 200. */
export async function completeMultipartUpload(
  bucket: Bucket,
  key: string,
  uploadId: string,
  parts: readonly Part[],
): Promise<void> {
  const xml = parts.map(
    ({ partNumber, etag }) => `<Part><PartNumber>${partNumber}</PartNumber><ETag>${etag}</ETag></Part>`,
  );
  const body = `<CompleteMultipartUpload>${xml.join("")}</CompleteMultipartUpload>`;
  const answer = await call(bucket, "POST", key, { uploadId }, body);
  if (answer.includes("<Error>")) throw new Error(`S3 did not complete the upload: ${answer}`);
}

export async function abortMultipartUpload(bucket: Bucket, key: string, uploadId: string): Promise<void> {
  await call(bucket, "DELETE", key, { uploadId });
}

export async function readObject(bucket: Bucket, key: string): Promise<Buffer> {
  const response = await fetch(presign(bucket, "GET", key));
  if (!response.ok) throw new Error(`S3 answered ${response.status} to GET ${key}: ${await response.text()}`);
  return Buffer.from(await response.arrayBuffer());
}

export async function writeObject(bucket: Bucket, key: string, bytes: Buffer): Promise<void> {
  await call(bucket, "PUT", key, {}, bytes);
}

async function call(
  bucket: Bucket,
  method: string,
  key: string,
  query: Readonly<Record<string, string>> = {},
  body: string | Buffer | undefined = undefined,
): Promise<string> {
  const url = presign(bucket, method, key, { query });
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body: new Uint8Array(Buffer.from(body)) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`S3 answered ${response.status} to ${method} ${key}: ${text}`);
  return text;
}
