/** CPU architectures under their Go names, as SIF headers code them and as Node and uname name the host's. */
import { arch, endianness } from "node:os";

/** SIF format, global header: two digits. `00` is unknown. */
const BY_SIF_CODE: ReadonlyMap<string, string> = new Map([
  ["01", "386"],
  ["02", "amd64"],
  ["03", "arm"],
  ["04", "arm64"],
  ["05", "ppc64"],
  ["06", "ppc64le"],
  ["07", "mips"],
  ["08", "mipsle"],
  ["09", "mips64"],
  ["10", "mips64le"],
  ["11", "s390x"],
  ["12", "riscv64"],
  ["13", "loong64"],
]);

/** Undefined for the code of "unknown" and for codes that this list does not have. */
export function sifArchitecture(code: string): string | undefined {
  return BY_SIF_CODE.get(code);
}

/** Node's names, those of `uname -m`, and Debian's, where they are not Go's. */
const BY_OTHER_NAME: ReadonlyMap<string, string> = new Map([
  ["x64", "amd64"],
  ["x86_64", "amd64"],
  ["x86-64", "amd64"],
  ["ia32", "386"],
  ["i386", "386"],
  ["i486", "386"],
  ["i586", "386"],
  ["i686", "386"],
  ["aarch64", "arm64"],
  ["armv5tel", "arm"],
  ["armv6l", "arm"],
  ["armv7l", "arm"],
  // A 32-bit program on a 64-bit kernel.
  ["armv8l", "arm"],
  ["armel", "arm"],
  ["armhf", "arm"],
  ["ppc64el", "ppc64le"],
  ["mipsel", "mipsle"],
  ["mips64el", "mips64le"],
  ["loongarch64", "loong64"],
]);

/** `process.arch` or `uname -m` -> Go's name; names that are the same pass through, as do words that are none. */
export function goArchitecture(name: string): string {
  return BY_OTHER_NAME.get(name) ?? name;
}

/** Go's name of this machine's. Node says ppc64 for POWER of either byte order, and POWER9 runs Linux with the little one. */
export function hostArchitecture(name: string = arch(), order: "BE" | "LE" = endianness()): string {
  return name === "ppc64" && order === "LE" ? "ppc64le" : goArchitecture(name);
}

/** What a user types, a variant included: `aarch64` -> `arm64`, `armhf/v7` -> `arm/v7`. */
export function askedArchitecture(word: string): string {
  const [name = "", ...variant] = word.split("/");
  return [goArchitecture(name), ...variant].join("/");
}
