/** Singularity Registry Server's own protocols: HMAC push, shub manifest and download, and the listings of `/api`. */
import { type Exchange, replyJson } from "../exchange.ts";
import type { Route } from "../router.ts";
import { labelRoutes } from "./labels.ts";
import { listRoutes } from "./lists.ts";
import { baseOf } from "./paging.ts";
import { pushRoutes } from "./push.ts";
import { getRoutes } from "./routes.ts";
import { shubRoutes } from "./shub.ts";

export const sregistryRoutes: readonly Route[] = [
  ...getRoutes("/api/registry/identity", tellIdentity, { open: true }),
  ...listRoutes,
  ...labelRoutes,
  ...pushRoutes,
  // Last: a container's name spans slashes.
  ...shubRoutes,
];

function tellIdentity(exchange: Exchange): void {
  replyJson(exchange, { name: "sregistry", id: "sregistry", url: baseOf(exchange) });
}
