/** The variables of the environment that are no flag's own: SREGISTRY_<FLAG> goes without saying. */
import { GLOBAL_OPTIONS } from "../globals.ts";
import { flagName } from "../verb.ts";
import type { Row } from "./layout.ts";

/** Other programs' names for flags. */
export const ALIASES: readonly Row[] = [
  ...GLOBAL_OPTIONS.flatMap((spec) => {
    const { env = [] } = spec;
    return env.length === 0 ? [] : [{ term: `--${flagName(spec)}`, says: env.join(", ") }];
  }),
];

export const VARIABLES: readonly Row[] = [
  { term: "SREGISTRY_USERNAME", says: "with SREGISTRY_PASSWORD: a login for the OCI host that is named" },
  { term: "SINGULARITY_DOCKER_USERNAME", says: "with ..._PASSWORD: the same; APPTAINER_DOCKER_*, DOCKER_* too" },
  { term: "DOCKER_AUTH_CONFIG", says: "logins as docker's config.json has them; APPTAINER_AUTHFILE: their file" },
  { term: "DOCKER_CONFIG, NETRC", says: "where docker's config.json and .netrc are" },
  { term: "SREGISTRY_DOWNLOAD_CONCURRENCY", says: "as --parallel; APPTAINER_, SINGULARITY_ too" },
  { term: "SREGISTRY_DOWNLOAD_PART_SIZE", says: "bytes of one range of a download; APPTAINER_, SINGULARITY_ too" },
  { term: "SREGISTRY_CACHEDIR", says: "the image cache; pulls to a file then go through it" },
  { term: "APPTAINER_CACHEDIR", says: "the same, in a folder sregistry of it; SINGULARITY_CACHEDIR too" },
  { term: "SREGISTRY_CACHE_LOOKASIDE", says: "read-only directories of images, with colons between them" },
  { term: "SINGULARITY_CONFIGDIR", says: "where remote.yaml is; APPTAINER_CONFIGDIR too" },
  { term: "SREGISTRY_CLIENT_SECRETS", says: "another file than the old client's ~/.sregistry" },
  { term: "SREGISTRY_REGISTRY_BASE", says: "and _USERNAME, _TOKEN, _NOHTTPS: as the old client knew them" },
  { term: "SREGISTRY_CLIENT", says: "with the value registry: --protocol hmac, as the old client chose it" },
  { term: "HTTPS_PROXY, HTTP_PROXY", says: "proxies; NO_PROXY names hosts without one" },
  { term: "SSL_CERT_FILE", says: "more certificate authorities; NODE_EXTRA_CA_CERTS too" },
  { term: "XDG_CONFIG_HOME", says: "where config.yaml is; XDG_DATA_HOME: the embedded registry" },
  { term: "XDG_CACHE_HOME", says: "the image cache; XDG_STATE_HOME: what interrupted pushes go on from" },
  { term: "LC_ALL, LC_CTYPE, LANG", says: "whether bars may be drawn with more than ASCII" },
  { term: "NO_COLOR, TERM=dumb", says: "no colour" },
  { term: "CI", says: "nobody is there to be asked" },
  { term: "GITHUB_ACTIONS, TF_BUILD", says: "what a CI log would take for a command is escaped" },
];
