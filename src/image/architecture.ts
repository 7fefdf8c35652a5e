/** CPU architectures under their Go names, as SIF headers code them and as Node names the host's. */

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

const BY_NODE_NAME: ReadonlyMap<string, string> = new Map([
  ["x64", "amd64"],
  ["ia32", "386"],
  ["mipsel", "mipsle"],
]);

/** `process.arch` -> Go's name; names that are the same in both pass through. */
export function goArchitecture(nodeName: string): string {
  return BY_NODE_NAME.get(nodeName) ?? nodeName;
}
