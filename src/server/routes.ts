/** Every route of the server. */
import { libraryRoutes } from "./library/routes.ts";
import { blobRoutes } from "./oci/blobs.ts";
import { listRoutes } from "./oci/lists.ts";
import { manifestRoutes } from "./oci/manifests.ts";
import { uploadRoutes } from "./oci/uploads.ts";
import type { Route } from "./router.ts";
import { sregistryRoutes } from "./sregistry/index.ts";

export const ROUTES: readonly Route[] = [
  ...listRoutes,
  ...uploadRoutes,
  ...blobRoutes,
  ...manifestRoutes,
  ...libraryRoutes,
  ...sregistryRoutes,
];
