/** A limit of Singularity Registry Server's that the library, shub and HMAC protocols share. */
import { SregistryError } from "../errors.ts";

/**
 * For a 403 with django-ratelimit's page: 50 requests a day for each view and address, as the server is shipped. It looks like a
 * lack of rights. `name`: of the endpoint, for messages.
 */
export function dailyLimit(name: string): SregistryError {
  return new SregistryError(
    "RATE_LIMITED",
    `${name} lets this machine ask no more today (its daily limit is reached)`,
    { hint: "try again tomorrow, or ask the administrator for a higher limit" },
  );
}
