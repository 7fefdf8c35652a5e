/** What the oldest systems in use have (RHEL 8 and its like): an executable that needs more does not start there. */

/** Newest version of each library's symbols there. @type {Readonly<Record<string, string>>} */
const NEWEST = { GLIBC: "2.28", GLIBCXX: "3.4.25", CXXABI: "1.3.11", GCC: "7.0.0" };

/** libatomic, which Node may come to need, is not installed there. */
const LIBRARIES = /^(ld-linux-.*|lib(c|m|dl|pthread|rt|gcc_s|stdc\+\+))\.so\.\d+$/;

/**
 * @param {{ libraries: readonly string[], versions: readonly string[] }} needs
 * @returns {readonly string[]} what is needed beyond them
 */
export function beyondLimits({ libraries, versions }) {
  const newer = versions.filter((version) => {
    const [, name = "", number = ""] = /^(\w+?)_([\d.]+)$/.exec(version) ?? [];
    const newest = NEWEST[name];
    return newest === undefined || compare(number, newest) > 0;
  });
  return [...libraries.filter((library) => !LIBRARIES.test(library)), ...newer];
}

/** @param {string} a @param {string} b numbers with points between them */
function compare(a, b) {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)];
  const at = left.findIndex((number, index) => number !== (right[index] ?? 0));
  return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}
