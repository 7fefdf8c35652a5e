/** What differs between two library servers that keep their images in S3: Singularity Registry Server 2.1, and Sylabs. */
import { randomUUID } from "node:crypto";

export interface Answer {
  readonly status: number;
  /** A string is HTML, anything else JSON; absent, the body is empty. */
  readonly body?: unknown;
  readonly location?: URL;
}

export interface Asked {
  /** The parts of the path that the route's pattern names. */
  readonly at: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly arch: string;
  readonly contentType: string | undefined;
  /** The library's token was sent. */
  readonly known: boolean;
}

export interface Row {
  readonly id: string;
  /** `collection/container`. */
  readonly name: string;
  readonly hash: string;
  tags: readonly string[];
  arch: string;
  size: number;
  uploaded: boolean;
  uploadId?: string;
}

/** What a library knows; blobs are elsewhere. There is one user, `lab`, whose id is 1. */
export class Shelf {
  readonly rows: Row[] = [];
  /** Names of collections and of `collection/container`s, by id. */
  readonly places: string[] = ["", "lab"];
  #lastRow = 100;

  id(name: string): string | undefined {
    const at = this.places.indexOf(name, 2);
    return at < 0 ? undefined : String(at);
  }

  create(name: string): string {
    this.places.push(name);
    return String(this.places.length - 1);
  }

  add(name: string, hash: string, tags: readonly string[]): Row {
    this.#lastRow += 1;
    const row: Row = { id: String(this.#lastRow), name, hash, tags, arch: "amd64", size: 0, uploaded: false };
    this.rows.push(row);
    return row;
  }

  byId(id: unknown): Row | undefined {
    return this.rows.find((row) => row.id === id);
  }

  /** `[user/]collection/container[:tag|:sha256.hex]`. */
  find(reference: string, arch?: string): Row | undefined {
    const [path = "", selector = "latest"] = reference.split(":");
    const name = path.split("/").slice(-2).join("/");
    return this.rows.find(
      (row) =>
        row.name === name &&
        (row.hash === selector || row.tags.includes(selector)) &&
        (arch === undefined || row.arch === arch),
    );
  }

  tagsOf(name: string): Record<string, string> {
    const rows = this.rows.filter((row) => row.name === name);
    return Object.fromEntries(rows.flatMap(({ id, tags }) => tags.map((tag) => [tag, id])));
  }
}

export interface Dialect {
  readonly apiVersion: string;
  /** Of the answer that leads to the bytes. */
  readonly redirect: 302 | 303;
  readonly unknownToken: Answer;
  /** The single PUT has to carry `x-amz-content-sha256`. */
  readonly signsBody: boolean;
  parts(size: number, partSize: number): number;
  started(uploadId: string, totalParts: number, partSize: number): unknown;
  /** The end of an upload, in one piece or in `parts`. */
  completed(row: Row, parts: boolean): Answer;
  image(shelf: Shelf, asked: Asked): Answer;
  /** `METHOD path`, the path as a pattern. */
  readonly routes: Readonly<Record<string, (shelf: Shelf, asked: Asked) => Answer>>;
}

const EPOCH = { createdAt: "2026-11-21T02:34:06.903009Z", deletedAt: "0001-01-01T00:00:00Z" };
const NOTHING: Answer = { status: 404 };

/** No tags by architecture, a row for every push that asks for one, and no Content-Type where it reads no type. */
export const SRS: Dialect = {
  apiVersion: "2.0.0-alpha.1",
  redirect: 302,
  unknownToken: { status: 403 },
  signsBody: false,
  parts: (size, partSize) => Math.floor(size / partSize) + 1,
  started: (uploadID, totalParts, partSize) => ({ uploadID, totalParts, partSize }),
  completed: (_, parts) => (parts ? { status: 200, body: {} } : { status: 200 }),
  image(shelf, { at, known }) {
    const [, user, collection, container, hash] =
      /^([^/]+)\/([^/]+)\/([^/:]+):(sha256\.\w+)$/.exec(at["ref"] ?? "") ?? [];
    if (user === undefined) {
      const row = shelf.find(at["ref"] ?? "");
      return row === undefined ? NOTHING : { status: 200, body: { data: untold(row) } };
    }
    if (!known) return { status: 403 };
    if (shelf.id(`${collection}`) === undefined) return NOTHING;
    const row = shelf.add(`${collection}/${container}`, `${hash}`, [`DUMMY-${randomUUID()}`]);
    return { status: 200, body: { data: untold(row) } };
  },
  routes: {
    "GET /v1/containers/(?<user>[^/]+)/(?<collection>[^/]+)/(?<name>[^/]+)": (shelf, { at, known }) => {
      const { collection = "", name } = at;
      const id = shelf.id(collection);
      if (!known) return { status: 403 };
      if (id === undefined) return NOTHING;
      const tags = shelf.tagsOf(`${collection}/${name}`);
      const data = { ...EPOCH, id, name: collection, collection: id, archTags: { amd64: tags }, imageTags: tags };
      return { status: 200, body: { data } };
    },
    "GET /v1/tags/(?<id>\\d+)": (shelf, { at, known }) => {
      const collection = shelf.places[Number(at["id"])];
      const rows = shelf.rows.filter(({ name }) => name.startsWith(`${collection}/`));
      const data = Object.fromEntries(rows.flatMap(({ id, tags }) => tags.map((tag) => [tag, id])));
      return known ? { status: 200, body: { data } } : { status: 403 };
    },
    "POST /v1/tags/(?<id>\\d+)": (shelf, { body, contentType, known }) => {
      if (contentType !== undefined) return { status: 415, body: { detail: "Unsupported media type" } };
      const row = shelf.byId(body["ImageID"]);
      if (!known) return { status: 403 };
      if (row === undefined) return NOTHING;
      for (const other of shelf.rows) {
        if (other.name === row.name) other.tags = other.tags.filter((tag) => tag !== body["Tag"]);
      }
      row.tags = [String(body["Tag"])];
      return { status: 200 };
    },
  },
};

/** Containers and images are created, tags belong to an architecture, and the end of a push tells the quota. */
export const SYLABS: Dialect = {
  apiVersion: "2.0.0-alpha.2",
  redirect: 303,
  unknownToken: { status: 401, body: { error: { code: 401, message: "Unauthorized" } } },
  signsBody: true,
  parts: (size, partSize) => Math.ceil(size / partSize),
  started: (uploadID, totalParts, partSize) => ({ uploadID, totalParts, partSize, options: { s3compliant: "true" } }),
  completed: ({ name, size }) => ({
    status: 200,
    body: { data: { quota: { quotaTotal: 0, quotaUsage: size }, containerUrl: `/library/lab/${name}` } },
  }),
  image(shelf, { at, arch }) {
    const row = shelf.find(at["ref"] ?? "", arch);
    if (row === undefined) return { status: 404, body: { error: { code: 404, message: "Not Found" } } };
    return { status: 200, body: { data: record(row) } };
  },
  routes: {
    "GET /v1/containers/(?<user>[^/]+)/(?<collection>[^/]+)/(?<name>[^/]+)": (shelf, { at }) => {
      const { collection = "", name = "" } = at;
      const id = shelf.id(`${collection}/${name}`);
      if (id === undefined) return NOTHING;
      const imageTags = shelf.tagsOf(`${collection}/${name}`);
      return { status: 200, body: { data: { ...EPOCH, id, name, imageTags, archTags: { amd64: imageTags } } } };
    },
    "POST /v1/containers": (shelf, { body }) => {
      const name = String(body["name"]);
      const id = shelf.create(`${shelf.places[Number(body["collection"])]}/${name}`);
      return { status: 201, body: { data: { ...EPOCH, id, name, imageTags: {}, archTags: {} } } };
    },
    "POST /v1/images": (shelf, { body }) => {
      const row = shelf.add(`${shelf.places[Number(body["container"])]}`, String(body["hash"]), []);
      return { status: 201, body: { data: record(row) } };
    },
    "GET /v2/tags/(?<id>\\d+)": (shelf, { at }) => ({
      status: 200,
      body: { data: { amd64: shelf.tagsOf(`${shelf.places[Number(at["id"])]}`) } },
    }),
    "POST /v2/tags/(?<id>\\d+)": (shelf, { body }) => {
      const row = shelf.byId(body["ImageID"]);
      if (row === undefined) return NOTHING;
      for (const other of shelf.rows) {
        if (other.name === row.name) other.tags = other.tags.filter((tag) => tag !== body["Tag"]);
      }
      row.tags = [...row.tags, String(body["Tag"])];
      row.arch = String(body["Arch"]);
      return { status: 200, body: { data: { [row.arch]: shelf.tagsOf(row.name) } } };
    },
  },
};

/** Singularity Registry Server knows no sizes, and does not say whether the bytes are there. */
function untold(row: Row) {
  const { uploaded, ...told } = record(row);
  return { ...told, size: null };
}

function record({ id, name, hash, size, uploaded, arch, tags }: Row) {
  const [collectionName, containerName] = name.split("/");
  const place = { entity: "1", entityName: "lab", collection: "2", collectionName, containerName };
  return { ...EPOCH, ...place, id, hash, description: "", container: "3", size, uploaded, arch, tags };
}
