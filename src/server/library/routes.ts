/** The library API: Sylabs' library and its like, as singularity and apptainer speak it for library://. */
import type { Route } from "../router.ts";
import { containerRoutes } from "./containers.ts";
import { discoveryRoutes } from "./discovery.ts";
import { imageRoutes } from "./image-routes.ts";
import { searchRoutes } from "./search.ts";
import { uploadRoutes } from "./uploads.ts";

export const libraryRoutes: readonly Route[] = [
  ...discoveryRoutes,
  ...containerRoutes,
  ...uploadRoutes,
  ...imageRoutes,
  ...searchRoutes,
].flatMap((route) => {
  const errors = { ...route, errors: "library" as const };
  // Clients write paths with and without a slash at the end; a name that spans slashes takes it anyway.
  return route.path.endsWith("{name}") ? [errors] : [errors, { ...errors, path: `${route.path}/` }];
});
