/** Who asks, where a request may be signed instead of carrying a token. */
import type { Identity } from "../access.ts";
import type { Exchange } from "../exchange.ts";
import { Failure } from "../failure.ts";
import type { User } from "../users.ts";
import { isSignedWith, isTimely, parseSigned, type SignedHeader, type Subject } from "./hmac.ts";

export type Action = "push" | "upload" | "pull" | "delete";

interface Claim {
  readonly header: SignedHeader;
  readonly user: User;
}

/**
 * The identity that the guard found, or the user who signed for `action` on one of `subjects`: one image, by the name in the
 * request and by the one it has in the store. `now`: when the request came, as an upload may take hours.
 * @throws Failure 403, where Singularity Registry Server answers 500, or 200 with the number 400.
 */
export async function signer(
  exchange: Exchange,
  action: Action,
  subjects: readonly [Subject, ...Subject[]],
  now = new Date(),
): Promise<Identity> {
  const { hmac } = exchange.identity;
  if (hmac === undefined) return exchange.identity;
  const claim = await claimIn(hmac, exchange, action, now);
  // The same words for an unknown user: nobody is to find out who there is.
  if (claim === undefined || !subjects.some((subject) => isSignedWith(claim.user.token, claim.header, subject))) {
    const { collection, name, tag } = subjects[0];
    const uri = `${collection}/${name}:${tag}`;
    throw denied(`the signature is not right for ${uri}, as it is called here: check name, user and token`);
  }
  return { user: claim.user.name, admin: false };
}

/** What can be said of a signature before it is known what is signed. @throws Failure 403. */
export async function checkClaim(exchange: Exchange, action: Action, now: Date): Promise<void> {
  const { hmac } = exchange.identity;
  if (hmac === undefined || (await claimIn(hmac, exchange, action, now)) !== undefined) return;
  throw denied("the signature is not right: check user and token");
}

/** Undefined for an unknown user. */
async function claimIn(
  authorization: string,
  { access }: Exchange,
  action: Action,
  now: Date,
): Promise<Claim | undefined> {
  const header = parseSigned(authorization);
  if (header === undefined) {
    throw denied("the Authorization header is no signature: Credential=...,Signature=... is expected");
  }
  if (header.kind !== action) throw denied(`the request is signed for ${header.kind}, and this is ${action}`);
  if (!isTimely(header, now)) {
    throw denied(`the signature is of ${header.timestamp}, and here it is ${now.toISOString()}: set the clock`);
  }
  const user = await access.users.byName(header.user);
  return user === undefined ? undefined : { header, user };
}

function denied(message: string): Failure {
  return new Failure(403, "DENIED", message);
}
