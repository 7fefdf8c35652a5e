/** Who asks, where a request may be signed instead of carrying a token. */
import type { Identity } from "../access.ts";
import type { Exchange } from "../exchange.ts";
import { Failure } from "../failure.ts";
import { isSignedWith, isTimely, parseSigned, type Subject } from "./hmac.ts";

export type Action = "push" | "upload" | "pull" | "delete";

/**
 * The identity that the guard found, or the user who signed for `action` on one of `subjects`: one image, by the name in the
 * request and by the one it has in the store. `now`: when the request came, as an upload may take hours.
 * @throws Failure 403, where Singularity Registry Server answers 500, or 200 with the number 400.
 */
export async function signer(
  { identity, access }: Exchange,
  action: Action,
  subjects: readonly Subject[],
  now = new Date(),
): Promise<Identity> {
  if (identity.hmac === undefined) return identity;
  const header = parseSigned(identity.hmac);
  if (header === undefined)
    throw denied("the Authorization header is no signature: Credential=...,Signature=... is expected");
  if (header.kind !== action) throw denied(`the request is signed for ${header.kind}, and this is ${action}`);
  if (!isTimely(header, now)) {
    throw denied(`the signature is of ${header.timestamp}, and here it is ${now.toISOString()}: set the clock`);
  }
  const user = await access.users.byName(header.user);
  // The same words for an unknown user: nobody is to find out who there is.
  if (user === undefined || !subjects.some((subject) => isSignedWith(user.token, header, subject))) {
    const [{ collection, name, tag } = { collection: "", name: "", tag: "" }] = subjects;
    const uri = `${collection}/${name}:${tag}`;
    throw denied(`the signature is not right for ${uri}, as it is called here: check name, user and token`);
  }
  return { user: user.name, admin: false };
}

function denied(message: string): Failure {
  return new Failure(403, "DENIED", message);
}
