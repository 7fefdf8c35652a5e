/** What clients ask first: where the services are, which API it is, whether their token is good, who they are. */
import { VERSION } from "../../version.ts";
import { unauthorized } from "../access.ts";
import { baseUrl, type Exchange, reply, replyJson } from "../exchange.ts";
import { givenToken } from "../guard.ts";
import type { Route } from "../router.ts";

/** Uploads by URLs of their own, and tags by architecture. */
export const API_VERSION = "2.0.0-alpha.2";

export const discoveryRoutes: readonly Route[] = [
  { method: "GET", path: "/assets/config/config.prod.json", open: true, handle: services },
  { method: "GET", path: "/version", open: true, handle: version },
  { method: "GET", path: "/v1/token-status", open: true, handle: tokenStatus },
  { method: "GET", path: "/v1/rbac/users/current", open: true, handle: currentUser },
];

function services(exchange: Exchange): void {
  const uri = baseUrl(exchange);
  replyJson(exchange, { libraryAPI: { uri, registryUri: uri }, tokenAPI: { uri } });
}

function version(exchange: Exchange): void {
  replyJson(exchange, { data: { version: VERSION, apiVersion: API_VERSION } });
}

/** Singularity and Singularity Registry Server know 200 and 404 for it, and nothing else. */
function tokenStatus(exchange: Exchange): void {
  const { user, admin } = exchange.identity;
  reply(exchange, admin || user !== undefined ? 200 : 404);
}

/** `secret` is what a client logs in with at the registry for OCI-SIFs: the token that it has. */
function currentUser(exchange: Exchange): void {
  const { user, admin } = exchange.identity;
  if (user === undefined && !admin) throw unauthorized("a token is needed");
  const secret = givenToken(exchange.request.headers.authorization) ?? "";
  const username = user ?? "admin";
  replyJson(exchange, { oidc_user_meta: { secret }, email: "", realname: username, username });
}
