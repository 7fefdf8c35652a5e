/** Parts of Markdown pages that are made from definitions: each stands between `<!-- name -->` and `<!-- /name -->`. */

/** @param {string} page @param {string} name @param {string} text ends with a line break */
export function between(page, name, text) {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [page.indexOf(open), page.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`a page has no place for its ${name}`);
  return `${page.slice(0, from + open.length)}\n${text}${page.slice(to)}`;
}

/** @param {readonly (readonly unknown[])[]} rows the first is the head */
export function table([head = [], ...rows]) {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |\n`).join("");
}
