/**
 * Whether a registry's token server may be told its credentials (oras-go CVE-2026-48978, go-containerregistry #2193,
 * devcontainers/cli #1276: passwords went to any realm that a 401 named).
 */
import { bareHost, family, sameOrigin, scopeOf } from "./address.ts";

/** `credentials`: may have them. `anonymous`: may be asked for an anonymous token. `refused`: is not spoken to at all. */
export type RealmTrust = "credentials" | "anonymous" | "refused";

/** Registries whose token server is elsewhere by design: Docker Hub. */
const PAIRS: ReadonlyMap<string, string> = new Map(
  ["registry-1.docker.io", "index.docker.io", "docker.io"].map((registry) => [
    `https://${registry}`,
    "https://auth.docker.io",
  ]),
);

/** `trusted`: realms the user vouches for, as URL, `host` or `host:port`. */
export function realmTrust(registry: URL, realm: URL, trusted: readonly string[]): RealmTrust {
  if (!/^https?:$/.test(realm.protocol) || realm.username !== "" || realm.password !== "") return "refused";
  if (sameOrigin(registry, realm)) return "credentials";
  const downgrade = registry.protocol === "https:" && realm.protocol === "http:";
  if (downgrade) return "refused";
  if (trusted.some((name) => vouches(name, realm))) return "credentials";
  if (!mayBeAsked(registry, realm)) return "refused";
  if (PAIRS.get(registry.origin) === realm.origin) return "credentials";
  const secure = registry.protocol === "https:" && realm.protocol === "https:";
  return secure && sameDomain(registry.hostname, realm.hostname) ? "credentials" : "anonymous";
}

function vouches(name: string, realm: URL): boolean {
  if (name.includes("://")) return URL.canParse(name) && sameOrigin(new URL(name), realm);
  return name.toLowerCase() === realm.host || (name.toLowerCase() === realm.hostname && realm.port === "");
}

/** Our own machine and private addresses are asked only when the registry itself is there. */
function mayBeAsked(registry: URL, realm: URL): boolean {
  const scope = scopeOf(realm.hostname);
  return scope === "public" || scope === "name" || realm.hostname === registry.hostname;
}

function sameDomain(a: string, b: string): boolean {
  const domain = registrableDomain(a);
  return domain !== undefined && domain === registrableDomain(b);
}

/** Second-level labels under country domains that are open to everybody's registrations: co.uk, com.au, ac.jp, ... */
const GENERIC = /^(?:ac|co|com|edu|gob|gov|go|gouv|ltd|me|mil|ne|net|nom|or|org|sch)$/;

/** Domains under which strangers get names of their own; the label before them is part of the registrable domain. */
const SHARED = [
  "amazonaws.com",
  "aws.dev",
  "awsapprunner.com",
  "azure-api.net",
  "azurecontainerapps.io",
  "azurecr.io",
  "azurefd.net",
  "azurewebsites.net",
  "cloudapp.net",
  "cloudfront.net",
  "cloudfunctions.net",
  "digitaloceanspaces.com",
  "dyndns.org",
  "eu.org",
  "firebaseapp.com",
  "fly.dev",
  "github.dev",
  "github.io",
  "githubpreview.dev",
  "gitlab.io",
  "herokuapp.com",
  "jfrog.io",
  "netlify.app",
  "ngrok-free.app",
  "ngrok.app",
  "ngrok.io",
  "nip.io",
  "onrender.com",
  "ondigitalocean.app",
  "pages.dev",
  "pkg.dev",
  "railway.app",
  "run.app",
  "sslip.io",
  "trafficmanager.net",
  "vercel.app",
  "web.app",
  "windows.net",
  "workers.dev",
];

/**
 * The domain that one owner registered, without a copy of the Public Suffix List: where this is unsure it is too long
 * rather than too short, and a realm it leaves out can be vouched for with --trust-realm. Undefined for an IP address or
 * a name of one label.
 */
export function registrableDomain(hostname: string): string | undefined {
  const host = bareHost(hostname);
  const labels = host.split(".");
  if (family(host) !== undefined || labels.length < 2 || labels.includes("")) return undefined;
  const shared = SHARED.find((suffix) => host === suffix || host.endsWith(`.${suffix}`));
  // Cloud providers nest regions and services below the shared name, so only equal names share an owner there.
  if (shared !== undefined) return host;
  const country = labels.at(-1)?.length === 2 && GENERIC.test(labels.at(-2) ?? "");
  const count = country ? 3 : 2;
  return labels.length < count ? undefined : labels.slice(-count).join(".");
}
