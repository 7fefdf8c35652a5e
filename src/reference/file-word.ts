/** Words that name a file where an image in a registry belongs, or the other way round. */

/** True of a path (`./x`, `../x`, `/x`, `~/x`) and of a name that ends like an image's file: no image without scheme is called so. */
export function isFileWord(word: string): boolean {
  return !word.includes("://") && (isPath(word) || /\.(?:sif|simg|img)$/.test(word));
}

/** `/avocado` is one too, and a pattern besides. */
export function isPath(word: string): boolean {
  return /^(?:\.{0,2}\/|~|\.{1,2}$)/.test(word);
}
