/** A Debian package, which is an ar archive of two tar archives. No tool of Debian's is needed. */
import { createHash } from "node:crypto";
import { version } from "../bundle.js";
import { tarXz } from "./archive.js";
import { NODE } from "./node.js";
import { plain } from "./tree.js";

/** @typedef {import("./tree.js").Entry} Entry */
/** @typedef {import("./archive.js").Making} Making */

/** What Debian calls them. */
export const DEBIAN_ARCHITECTURE = /** @type {const} */ ({ x64: "amd64", arm64: "arm64" });

const { DEBFULLNAME: fullName = "sregistry developers", DEBEMAIL: email = "developers@sregistry.invalid" } =
  process.env;
const MAINTAINER = `${fullName} <${email}>`;

/**
 * @param {readonly Entry[]} entries
 * @param {import("./node.js").Architecture} architecture
 * @param {Making} making
 */
export async function debianPackage(entries, architecture, making) {
  const sums = entries.map(({ path, data }) => `${createHash("md5").update(data).digest("hex")}  ${path}\n`);
  const kibibytes = entries.reduce((sum, { data }) => sum + Math.ceil(data.length / 1024), 0);
  const control = await tarXz(
    [plain("control", controlFile(architecture, kibibytes)), plain("md5sums", sums.sort().join(""))],
    making,
    "./",
  );
  const seconds = Math.floor(making.date.getTime() / 1000);
  return ar(seconds, [
    ["debian-binary", Buffer.from("2.0\n")],
    ["control.tar.xz", control],
    ["data.tar.xz", await tarXz(entries, making, "./")],
  ]);
}

/** @param {import("./node.js").Architecture} architecture @param {number} kibibytes */
function controlFile(architecture, kibibytes) {
  return `Package: sregistry
Version: ${version}
Section: science
Priority: optional
Architecture: ${DEBIAN_ARCHITECTURE[architecture]}
Maintainer: ${MAINTAINER}
Installed-Size: ${kibibytes}
Depends: libc6 (>= 2.28), libstdc++6 (>= 5.2), libgcc-s1 | libgcc1
Suggests: bash-completion
Description: client for Singularity and Apptainer images, with an embedded registry
 Pulls, pushes, lists, inspects, tags, copies and deletes images at library,
 shub and OCI endpoints. Every byte is verified, and what was interrupted is
 resumed. It has a registry of its own, and needs neither Singularity, root
 nor a daemon. Node is in the program.
`;
}

/** The form that Debian's tools read; what changed is in the other file. @param {Date} date */
export function changelogFile(date) {
  const day = date.toUTCString().replace("GMT", "+0000");
  return `sregistry (${version}) stable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- ${MAINTAINER}  ${day}\n`;
}

/**
 * The licence of everything in the package, as Debian's policy wants to read it.
 *
 * @param {Date} date
 */
export function copyrightFile(date) {
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: sregistry
Comment: The program holds Node ${NODE.version} and the packages of THIRD-PARTY-LICENSES.gz,
 whose licences are in that file and in LICENSE-NODE.gz beside this one.

Files: *
Copyright: ${date.getUTCFullYear()}, the sregistry developers
License: Apache-2.0
 On Debian systems the full text of the Apache License 2.0 is in
 /usr/share/common-licenses/Apache-2.0.
`;
}

/** @param {number} seconds @param {readonly (readonly [name: string, data: Buffer])[]} members */
function ar(seconds, members) {
  const parts = members.flatMap(([name, data]) => {
    const fields = [name.padEnd(16), String(seconds).padEnd(12), "0".padEnd(6), "0".padEnd(6), "100644".padEnd(8)];
    const header = `${fields.join("")}${String(data.length).padEnd(10)}\`\n`;
    return [Buffer.from(header), data, Buffer.from(data.length % 2 === 0 ? "" : "\n")];
  });
  return Buffer.concat([Buffer.from("!<arch>\n"), ...parts]);
}
