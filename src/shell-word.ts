/** A path or a name in a command that somebody is told to type. */

/** As it has to be typed in a shell: quoted only where it has to be. */
export function shellWord(text: string): string {
  return /^[\w./:@=+,~-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
