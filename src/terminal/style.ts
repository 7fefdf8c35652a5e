/** Colour, only where a terminal wants it. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  error(text: string): string;
  warning(text: string): string;
  good(text: string): string;
  name(text: string): string;
}

export const plainStyle: Style = {
  bold: (text) => text,
  dim: (text) => text,
  error: (text) => text,
  warning: (text) => text,
  good: (text) => text,
  name: (text) => text,
};

/** ANSI 16 colours: they follow the user's own palette, dark or light. Loaded only where there is colour. */
export async function colourStyle(): Promise<Style> {
  const { Chalk } = await import("chalk");
  const chalk = new Chalk({ level: 1 });
  return {
    bold: (text) => chalk.bold(text),
    dim: (text) => chalk.dim(text),
    error: (text) => chalk.red(text),
    warning: (text) => chalk.yellow(text),
    good: (text) => chalk.green(text),
    name: (text) => chalk.cyan(text),
  };
}

export interface ColourQuestion {
  readonly isTerminal: boolean;
  readonly wanted: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** NO_COLOR (any non-empty value, https://no-color.org), TERM=dumb and --no-color each turn it off. */
export function colourAllowed({ isTerminal, wanted, env }: ColourQuestion): boolean {
  return isTerminal && wanted && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}

/** By the locale's variables, in setlocale's order. Without any of them the terminal is the kernel's, or a batch job's. */
export function showsUnicode(env: ColourQuestion["env"]): boolean {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return /utf-?8/i.test(locale);
}

/** The marks that tables and bars are drawn with, for a terminal that shows no Unicode; as wide as before. */
export function asciiMarks(text: string): string {
  return text
    .replaceAll("…", "~")
    .replace(/[█▉▊▋▌]/g, "#")
    .replace(/[▍▎▏]/g, "-");
}
