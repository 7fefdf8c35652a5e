/** What the server at an http(s) address speaks, asked once a day: stock servers allow a hundred requests a day. */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { type Log, silentLog } from "../call.ts";
import { field, type JsonObject, object, optional, parseJson, string } from "../decode.ts";
import { isCode, systemCode } from "../errors.ts";
import { discard, ERROR_LIMIT, readUpTo } from "../http/body.ts";
import { isHtml } from "../http/media-type.ts";
import type { HttpResponse, Transport } from "../http/transport.ts";
import { serverWords } from "../http/words.ts";
import { writeFileAtomic } from "../transfer/atomic.ts";
import { readSmallFile } from "../transfer/small-file.ts";
import { below, dailyLimit, discover, isDailyLimit, NOT_HERE, type Services } from "./discovery.ts";

export interface Spoken {
  /** Undefined: no library. */
  readonly library: URL | undefined;
  readonly services: Services;
  /** Singularity Registry Server's own API as well. */
  readonly sregistry: boolean;
  readonly oci: boolean;
  /** What it said to /version where that is no answer of a library: `a web page (Welcome to nginx)`. Not remembered. */
  readonly instead?: string;
}

export interface ProbeOptions {
  readonly signal: AbortSignal;
  readonly log?: Log;
  /** Remembers answers; may be lost. */
  readonly memo: string;
  /** Ask, whatever is remembered: after an address was put right. */
  readonly fresh?: boolean;
  /** `never`: for what is worth one try only. Default `safe`. */
  readonly retry?: "safe" | "never";
  /** Unix time in milliseconds; for tests. */
  readonly now?: () => number;
}

const DAY = 24 * 60 * 60 * 1000;
/** Servers; the oldest are forgotten. */
const REMEMBERED = 200;

/** @throws SregistryError NETWORK and others when the server cannot be asked: that is no answer, and not remembered. */
export async function whatSpeaks(transport: Transport, front: URL, options: ProbeOptions): Promise<Spoken> {
  const { log = silentLog, now = Date.now } = options;
  const known = options.fresh === true ? undefined : await recall(options.memo, front, now());
  if (known !== undefined) return known;
  const { spoken, sure } = await ask(transport, front, options);
  const words = [
    ...(spoken.library === undefined ? [] : ["library"]),
    ...(spoken.sregistry ? ["sregistry"] : []),
    ...(spoken.oci ? ["OCI"] : []),
  ];
  log.verbose(`${front.host} speaks ${words.length === 0 ? "nothing known here" : words.join(", ")}`);
  if (sure && words.length > 0) await remember(options.memo, front, spoken, now(), log);
  return spoken;
}

/** `sure`: nothing was left out because the server answers no more today. */
async function ask(
  transport: Transport,
  front: URL,
  options: ProbeOptions,
): Promise<{ readonly spoken: Spoken; readonly sure: boolean }> {
  const found = await unlessLimited(discover(transport, front, options));
  const services = found === "limited" ? {} : (found ?? {});
  // The address of the API itself will do as well (`--library https://library.example.org`).
  const version = services.library === undefined ? await answer(transport, below(front, "version"), options) : NOTHING;
  const library = services.library ?? (version.json ? front : undefined);
  if (library === undefined) {
    const oci = await speaksOci(transport, front, options);
    const limited = found === "limited" || version.limited === true;
    if (!oci && limited) throw dailyLimit(front);
    const { instead } = version;
    const said = oci || instead === undefined ? {} : { instead };
    return { spoken: { library, services, sregistry: false, oci, ...said }, sure: !limited };
  }
  const identity = await answer(transport, below(front, "api/registry/identity/"), options);
  const sure = found !== "limited" && identity.limited !== true;
  return { spoken: { library, services, sregistry: identity.json, oci: false }, sure };
}

async function unlessLimited<T>(asking: Promise<T>): Promise<T | "limited"> {
  try {
    return await asking;
  } catch (error) {
    if (isCode(error, "RATE_LIMITED") && error.status === 403) return "limited";
    throw error;
  }
}

interface Answer {
  /** A 200 with an object. */
  readonly json: boolean;
  readonly limited?: boolean;
  /** Of a 200 that is anything else. */
  readonly instead?: string;
}

const NOTHING: Answer = { json: false };

async function answer(transport: Transport, url: URL, options: ProbeOptions): Promise<Answer> {
  const response = await get(transport, url, options);
  if (response.status !== 200) {
    await discard(response);
    return { json: false, limited: isDailyLimit(response) };
  }
  const { bytes } = await readUpTo(response, ERROR_LIMIT);
  if (isObject(bytes, url)) return { json: true };
  const words = serverWords(bytes);
  if (isHtml(response)) return { json: false, instead: `a web page${words === "" ? "" : ` (${words})`}` };
  return { json: false, instead: words === "" ? "an empty body" : JSON.stringify(words) };
}

function isObject(bytes: Uint8Array, url: URL): boolean {
  try {
    object(parseJson(new TextDecoder().decode(bytes), url.href), url.href);
    return true;
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return false;
    throw error;
  }
}

/** distribution-spec, "Determining Support"; a 200 alone is what many a web server says to everything. */
async function speaksOci(transport: Transport, front: URL, options: ProbeOptions): Promise<boolean> {
  const response = await get(transport, new URL("/v2/", front), options);
  const { bytes } = await readUpTo(response, ERROR_LIMIT);
  const named = response.headers.get("docker-distribution-api-version")?.startsWith("registry/2") === true;
  const challenged = /^(?:bearer|basic)\b/i.test(response.headers.get("www-authenticate") ?? "");
  if (response.status === 200) return named || isObject(bytes, response.url);
  return response.status === 401 && (named || challenged);
}

function get(transport: Transport, url: URL, { signal, retry = "safe" }: ProbeOptions): Promise<HttpResponse> {
  const accept = [200, 403, ...NOT_HERE];
  return transport.send({ method: "GET", url, accept, auth: { kind: "none" }, retry, signal });
}

async function recall(memo: string, front: URL, now: number): Promise<Spoken | undefined> {
  const entry = (await readMemo(memo))[front.href];
  if (entry === undefined) return undefined;
  try {
    const json = object(entry, "memo");
    const age = now - Number(json["at"]);
    if (!(age >= 0 && age < DAY)) return undefined;
    const url = (from: JsonObject, name: string): URL | undefined => {
      const text = field(from, name, optional(string), "memo");
      return text === undefined || !URL.canParse(text) ? undefined : new URL(text);
    };
    const services = object(json["services"], "memo");
    const known = Object.fromEntries(
      ["library", "registry", "keyserver", "token", "builder"].flatMap((name) => {
        const found = url(services, name);
        return found === undefined ? [] : [[name, found] as const];
      }),
    );
    return {
      library: url(json, "library"),
      services: known,
      sregistry: json["sregistry"] === true,
      oci: json["oci"] === true,
    };
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return undefined;
    throw error;
  }
}

/** Empty for a file that is not there or that cannot be made sense of: it is only a memo. */
async function readMemo(memo: string): Promise<JsonObject> {
  try {
    const file = await readSmallFile(memo);
    return file === undefined ? {} : object(parseJson(file.text, memo), memo);
  } catch (error) {
    if (isCode(error, "REPLY_INVALID", "CONFIG_INVALID")) return {};
    throw error;
  }
}

/** Two writers at once may lose one answer, which costs a question. */
async function remember(memo: string, front: URL, spoken: Spoken, now: number, log: Log): Promise<void> {
  const before = Object.entries(await readMemo(memo)).filter(([href]) => href !== front.href);
  const all = [...before.slice(1 - REMEMBERED), [front.href, { ...spoken, at: now }]];
  try {
    await mkdir(dirname(memo), { recursive: true, mode: 0o700 });
    await writeFileAtomic(memo, `${JSON.stringify(Object.fromEntries(all), null, 1)}\n`);
  } catch (error) {
    if (systemCode(error) === undefined && !isCode(error, "DISK")) throw error;
    log.verbose(`${memo} cannot be written, so ${front.host} will be asked again`);
  }
}
