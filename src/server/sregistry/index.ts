/** Singularity Registry Server's own protocols: HMAC push, shub manifest and download, and the listings of `/api`. */
import { VERSION } from "../../version.ts";
import { baseUrl, type Exchange, replyJson } from "../exchange.ts";
import { API_VERSION } from "../library/discovery.ts";
import type { Route } from "../router.ts";
import { labelRoutes } from "./labels.ts";
import { listRoutes } from "./lists.ts";
import { pushRoutes } from "./push.ts";
import { getRoutes } from "./routes.ts";
import { shubRoutes } from "./shub.ts";

export const sregistryRoutes: readonly Route[] = [
  ...getRoutes("/api/registry/identity", tellIdentity, { open: true }),
  ...getRoutes("/v1", tellVersion, { open: true }),
  ...listRoutes,
  ...labelRoutes,
  ...pushRoutes,
  // Last: a container's name spans slashes.
  ...shubRoutes,
];

function tellIdentity(exchange: Exchange): void {
  replyJson(exchange, { name: "sregistry", id: "sregistry", url: baseUrl(exchange) });
}

/** Who asks is told besides, where they are a user. */
function tellVersion(exchange: Exchange): void {
  replyJson(exchange, { version: VERSION, apiVersion: API_VERSION, user: exchange.identity.user ?? null });
}
