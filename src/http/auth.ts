/**
 * Decorator: answers a 401 with what the CredentialSource has for the request's own origin. The request goes out first, with
 * nothing or with what this origin has already accepted; there is no ping. A body recipe is opened again for each attempt.
 */
import { unauthorized } from "./auth-errors.ts";
import { discard } from "./body.ts";
import { parseChallenges } from "./challenge.ts";
import { type AuthOptions, type RegistryRequest, type Ticket, TicketDesk } from "./tickets.ts";
import type { HttpRequest, HttpResponse, Transport } from "./transport.ts";

export function auth(inner: Transport, options: AuthOptions): Transport {
  const desk = new TicketDesk(options);
  return {
    async send(request) {
      if (request.auth.kind !== "registry") return inner.send(request);
      return authorized(inner, desk, { ...request, auth: request.auth });
    },
    close: () => inner.close(),
  };
}

/** As it comes, with another kind of answer, with a renewed token: a fourth attempt could bring nothing else. */
const ATTEMPTS = 3;

async function authorized(inner: Transport, desk: TicketDesk, request: RegistryRequest): Promise<HttpResponse> {
  let ticket = await desk.known(request);
  for (let attempt = 1; ; attempt += 1) {
    const response = await inner.send(bearing(request, ticket));
    if (response.status !== 401) {
      desk.accepted(request, ticket);
      return response;
    }
    const challenges = parseChallenges(response.headers.get("www-authenticate") ?? "");
    const next = attempt === ATTEMPTS ? undefined : await desk.answer(request, challenges, ticket, attempt > 1);
    if (next === undefined) {
      if (request.accept.includes(401)) return response;
      throw await unauthorized(request, response, challenges, ticket, await desk.credential(request), desk.login);
    }
    await discard(response);
    ticket = next;
  }
}

/** An inner decorator lets a 401 through even when the caller does not accept it: it is handled here. */
function bearing(request: HttpRequest, ticket: Ticket | undefined): HttpRequest {
  const plain: HttpRequest = { ...request, accept: [...request.accept, 401], auth: { kind: "none" } };
  return ticket === undefined ? plain : { ...plain, headers: { ...request.headers, authorization: ticket.value } };
}
