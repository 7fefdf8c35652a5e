/** Collections by the library API's token: made by themselves, and asked whose they are. */
import type { Call } from "../../call.ts";
import { type Decoder, field, object, optional, string } from "../../decode.ts";
import { SregistryError } from "../../errors.ts";
import { discard, ERROR_LIMIT, readJson, readUpTo } from "../../http/body.ts";
import { isHtml } from "../../http/media-type.ts";
import { errorWords } from "../../http/status.ts";
import type { HttpResponse } from "../../http/transport.ts";
import { dailyLimit } from "../daily-limit.ts";
import type { CollectionInfo } from "../registry.ts";
import { jsonBody, refused, type SregistryApi } from "./api.ts";
import { storedCollection } from "./names.ts";

/** @throws SregistryError CONFLICT when there is one of this name, whoever owns it; UNAUTHORIZED without a good token. */
export async function createCollection(
  api: SregistryApi,
  given: string,
  { private: hidden }: { readonly private: boolean },
  call: Call,
): Promise<CollectionInfo> {
  const name = storedCollection(collectionIn(given));
  if (name !== given) call.log.verbose(`the server stores the collection ${given} as ${name}`);
  const entity = await ownEntity(api, call);
  const response = await api.sendAsUser(
    {
      method: "POST",
      path: "/v1/collections",
      ...jsonBody({ entity, name, private: hidden }),
      accept: [200, 201, 400, 403, 409, 412],
      retry: "never",
    },
    call,
  );
  if (response.status >= 400) throw await notMade(api, name, response);
  return readJson(response, createdDecoder(name, hidden));
}

/**
 * The collection that a push to `GIVEN/x` uses: of USER/COLLECTION the user means nothing here (containerAt).
 * @throws SregistryError USAGE for what no push could be to.
 */
function collectionIn(given: string): string {
  const words = given.split("/");
  const [last = ""] = words.slice(-1);
  if (words.length <= 2 && !words.includes("")) return last;
  throw new SregistryError("USAGE", `${JSON.stringify(given)} is no name of a collection`, {
    hint: "sregistry collection create NAME, or USER/NAME; without slashes before or behind",
  });
}

/** 412 is Hinkskalle's word for it; Singularity Registry Server 2.1 says 403, whoever owns the other one. */
async function notMade(api: SregistryApi, collection: string, response: HttpResponse): Promise<SregistryError> {
  const { name } = api;
  const { status } = response;
  const words = await errorWords(response);
  if (status === 409 || status === 412 || /exists/i.test(words)) {
    return new SregistryError("CONFLICT", `${name} has a collection ${JSON.stringify(collection)} already: ${words}`, {
      status,
      hint: "choose another name: it may be somebody else's",
    });
  }
  if (status === 403) return refused(api, words);
  return new SregistryError("REFUSED", `${name} does not make the collection ${JSON.stringify(collection)}: ${words}`, {
    status,
  });
}

const entityDecoder: Decoder<string> = (value, where) =>
  field(field(object(value, where), "data", object, where), "id", string, where);

/** The id of the token's user. 404 is all that a bad token gets. */
async function ownEntity(api: SregistryApi, call: Call): Promise<string> {
  const response = await api.sendAsUser({ method: "GET", path: "/v1/entities", accept: [200, 401, 403, 404] }, call);
  if (response.status === 200 && !isHtml(response)) return readJson(response, entityDecoder);
  const { bytes } = await readUpTo(response, ERROR_LIMIT);
  // Django calls an empty answer text/html too.
  if (response.status === 403 && isHtml(response) && bytes.length > 0) throw dailyLimit(api.name);
  throw new SregistryError(
    "UNAUTHORIZED",
    `${api.name} makes collections for its users only, and no login that it knows was sent`,
    {
      status: response.status,
      hint: api.login,
    },
  );
}

function createdDecoder(name: string, hidden: boolean): Decoder<CollectionInfo> {
  return (value, where) => {
    const data = field(object(value, where), "data", object, where);
    return {
      name: field(data, "name", optional(string), where) ?? name,
      private: typeof data["private"] === "boolean" ? data["private"] : hidden,
    };
  };
}

/** Undefined when the server does not say: no token, or no library API. */
export async function ownsCollection(api: SregistryApi, name: string, call: Call): Promise<boolean | undefined> {
  const path = `/v1/collections/x/${encodeURIComponent(name)}`;
  const response = await api.sendAsUser({ method: "GET", path, accept: [200, 401, 403, 404] }, call);
  const html = isHtml(response);
  await discard(response);
  if (html || response.status === 401 || response.status === 403) return undefined;
  return response.status === 200;
}
