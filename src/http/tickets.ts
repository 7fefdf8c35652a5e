/** What to put into Authorization: chosen from the challenges and credentials of one origin, and remembered per origin. */
import type { Log } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { badLogin, noToken, untrustedRealm } from "./auth-errors.ts";
import type { Challenge } from "./challenge.ts";
import type { Credential, CredentialSource } from "./credential.ts";
import { Memo } from "./memo.ts";
import { realmTrust } from "./realm.ts";
import { mergeScopes } from "./scope.ts";
import { basicAuthorization, fetchToken } from "./token.ts";
import type { Auth, HttpRequest, Transport } from "./transport.ts";
import { plain } from "./words.ts";

export interface AuthOptions {
  readonly credentials: CredentialSource;
  /** Carries token requests: retries them and checks their status, follows nothing and adds nothing. */
  readonly tokens: Transport;
  /** Realms the user vouches for: URL, `host` or `host:port`. */
  readonly trustedRealms: readonly string[];
  /** Never settles for an anonymous token: a login must prove its credential. */
  readonly mustProve?: boolean;
  readonly log: Log;
  /** Unix time in milliseconds; for tests of token lifetimes. */
  readonly now?: () => number;
}

export type RegistryRequest = HttpRequest & { readonly auth: Extract<Auth, { readonly kind: "registry" }> };

export interface Ticket {
  /** `static`: the credential itself, Basic or a fixed Bearer token. `token`: what a token server gave. */
  readonly kind: "static" | "token";
  /** The header's value. */
  readonly value: string;
  /** Undefined for an anonymous token. */
  readonly credential: Credential | undefined;
  /** The realm that was asked anonymously because it may not have the credential. */
  readonly untrusted?: URL;
  /** Unix time in milliseconds after which a new one is fetched before it is used. */
  readonly freshUntil: number;
}

/** A token is renewed when this part of its life is over, so that it does not end in mid transfer. */
const FRESH = 0.8;

export class TicketDesk {
  readonly #options: AuthOptions;
  readonly #now: () => number;
  readonly #credentials = new Memo<Credential | undefined>();
  readonly #tokens = new Memo<Ticket>();
  /** Origins that took a static ticket. */
  readonly #static = new Set<string>();
  /** Bearer challenges: of a token's key as it came, and of an origin (for other scopes of it). */
  readonly #challenges = new Map<string, Challenge>();

  constructor(options: AuthOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** What can be sent at once, as far as the origin is known (or the caller eager). */
  async known(request: RegistryRequest): Promise<Ticket | undefined> {
    const { origin } = request.url;
    const challenge =
      this.#challenges.get(keyOf(request)) ??
      (request.auth.scopes.length > 0 ? this.#challenges.get(origin) : undefined);
    if (challenge !== undefined) return this.#token(request, challenge);
    if (request.auth.eager !== true && !this.#static.has(origin)) return undefined;
    return staticTicket(await this.credential(request));
  }

  accepted(request: RegistryRequest, ticket: Ticket | undefined): void {
    if (ticket?.kind === "static") this.#static.add(request.url.origin);
  }

  /**
   * What to try after a 401 to `tried`; undefined when nothing is left. `renewed`: `tried` was made in answer to a 401 of
   * this very request, so another token would be no better.
   */
  async answer(
    request: RegistryRequest,
    challenges: readonly Challenge[],
    tried: Ticket | undefined,
    renewed: boolean,
  ): Promise<Ticket | undefined> {
    const credential = await this.credential(request);
    const own = staticTicket(credential);
    const basicOffered = challenges.length === 0 || challenges.some(({ scheme }) => scheme === "basic");
    if (own !== undefined && tried === undefined && (credential?.kind === "bearer" || basicOffered)) return own;
    const challenge = challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters.has("realm"));
    if (challenge === undefined || credential?.kind === "bearer" || (tried?.kind === "token" && renewed))
      return undefined;
    const key = keyOf(request);
    await this.#tokens.forget(key, (ticket) => ticket === tried);
    this.#challenges.set(key, challenge).set(request.url.origin, unscoped(challenge));
    return this.#token(request, challenge);
  }

  /** As CredentialSource has it. */
  get login(): string | undefined {
    return this.#options.credentials.login;
  }

  /** Asked for lazily, once per origin and repository. */
  credential({ url, auth, signal }: RegistryRequest): Promise<Credential | undefined> {
    return this.#credentials.get(`${url.origin} ${auth.repository ?? ""}`, signal, async () => {
      const query = { host: url.host, secure: url.protocol === "https:", signal };
      const found = await this.#options.credentials.find(
        auth.repository === undefined ? query : { ...query, repository: auth.repository },
      );
      this.#options.log.verbose(
        `${url.host}: ${found === undefined ? "no login known, going on anonymously" : `login from ${found.from}`}`,
      );
      return found;
    });
  }

  async #token(request: RegistryRequest, challenge: Challenge): Promise<Ticket> {
    const key = keyOf(request);
    const get = () => this.#tokens.get(key, request.signal, () => this.#fetch(request, challenge));
    const ticket = await get();
    if (this.#now() < ticket.freshUntil) return ticket;
    await this.#tokens.forget(key, (known) => known === ticket);
    return get();
  }

  async #fetch(request: RegistryRequest, challenge: Challenge): Promise<Ticket> {
    const { url, auth, signal } = request;
    const realm = parseRealm(challenge, url);
    const found = await this.credential(request);
    const trust = realmTrust(url, realm, this.#options.trustedRealms);
    const untrusted = trust !== "credentials" && found !== undefined;
    if (trust === "refused" || (untrusted && this.#options.mustProve === true)) throw untrustedRealm(url, realm);
    if (untrusted)
      this.#options.log.verbose(
        `${url.host} wants its login sent to ${realm.host}, which is not trusted: asking anonymously`,
      );
    const credential = untrusted ? undefined : found;
    const asked = this.#now();
    const answer = await fetchToken(this.#options.tokens, {
      realm,
      service: challenge.parameters.get("service"),
      scopes: mergeScopes(challenge.parameters.get("scope"), auth.scopes),
      credential,
      signal,
    }).catch((error: unknown) => {
      throw signal.aborted ? error : noToken(url, realm, error);
    });
    if ("refused" in answer)
      throw untrusted
        ? untrustedRealm(url, realm, answer.refused)
        : badLogin(url, realm, credential, answer.refused, this.login);
    return {
      kind: "token",
      value: `Bearer ${answer.secret.reveal()}`,
      credential,
      freshUntil: asked + answer.lifetime * FRESH,
      ...(untrusted ? { untrusted: realm } : {}),
    };
  }
}

function parseRealm(challenge: Challenge, registry: URL): URL {
  const realm = challenge.parameters.get("realm") ?? "";
  if (URL.canParse(realm)) return new URL(realm);
  throw new SregistryError(
    "REPLY_INVALID",
    `${registry.host} names a token server that is no URL: ${JSON.stringify(plain(realm))}`,
  );
}

/** The credential itself as a header; an identity token is only good for a token server. */
function staticTicket(credential: Credential | undefined): Ticket | undefined {
  if (credential === undefined || credential.kind === "identity") return undefined;
  const value = credential.kind === "bearer" ? `Bearer ${credential.token.reveal()}` : basicAuthorization(credential);
  return { kind: "static", value, credential, freshUntil: Number.POSITIVE_INFINITY };
}

function keyOf({ url, auth }: RegistryRequest): string {
  return [url.origin, auth.repository ?? "", ...[...auth.scopes].sort()].join(" ");
}

/** For another repository of the same origin: everything but the scope of this one. */
function unscoped(challenge: Challenge): Challenge {
  const parameters = new Map(challenge.parameters);
  parameters.delete("scope");
  return { scheme: challenge.scheme, parameters };
}
