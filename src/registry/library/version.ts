/** Versions of the library API, which say what an upload and a tag look like. */

export type ApiVersion = "1" | "2.0.0-alpha.1" | "2.0.0-alpha.2";

const NUMBER = "0|[1-9]\\d{0,15}";
const WORDS = "[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*";
const PRE_RELEASE = `(?:${NUMBER}|\\d*[A-Za-z-][0-9A-Za-z-]*)`;
const SEMVER = new RegExp(
  `^(${NUMBER})\\.(${NUMBER})\\.(${NUMBER})(?:-(${PRE_RELEASE}(?:\\.${PRE_RELEASE})*))?(?:\\+${WORDS})?$`,
);
/** Characters; a longer one is nobody's. */
const LONGEST = 128;

/**
 * The newest version of ours that the server's is at least: alpha.1 has uploads by URLs of their own, alpha.2 tags by
 * architecture. Anything that is no strict semver is the first (library.md, 3.4).
 */
export function parseVersion(text: string | undefined): ApiVersion {
  const match = text === undefined || text.length > LONGEST ? null : SEMVER.exec(text);
  if (match === null) return "1";
  const [major, minor, patch] = match.slice(1, 4).map(Number);
  if (major === undefined || major < 2) return "1";
  if (major > 2 || minor !== 0 || patch !== 0 || match[4] === undefined) return "2.0.0-alpha.2";
  return preRelease(match[4]);
}

/** Of 2.0.0: `alpha`, `alpha.1`, `alpha.2`, `beta`, ... in the order of semver, section 11. */
function preRelease(text: string): ApiVersion {
  const [word = "", number] = text.split(".");
  if (/^\d+$/.test(word)) return "1";
  if (word !== "alpha") return word > "alpha" ? "2.0.0-alpha.2" : "1";
  const count = /^\d+$/.test(number ?? "") ? Number(number) : number === undefined ? 0 : Number.POSITIVE_INFINITY;
  return count >= 2 ? "2.0.0-alpha.2" : count >= 1 ? "2.0.0-alpha.1" : "1";
}
