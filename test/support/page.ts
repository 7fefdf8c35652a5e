/** What a page of docs/ holds that can be run: its tables, its scripts, and the files that it says to save. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

export interface Page {
  readonly text: string;
  /** Blocks of ```sh, in order. */
  readonly scripts: readonly string[];
  /** Blocks of ```js and ```ts, in order. */
  readonly programs: readonly Program[];
  /** The block behind a line that ends with the file's name and a colon. @throws when there is none. */
  file(name: string): string;
}

export interface Program {
  readonly language: "js" | "ts";
  readonly content: string;
  /** The heading above it. */
  readonly heading: string;
  /** What it prints: the ```text block right behind it. */
  readonly prints: string;
}

const BLOCK = /^```(\w*)\n([\s\S]*?)^```$/gm;

export function readPage(name: string): Page {
  const text = readFileSync(resolve(import.meta.dirname, "../../docs", name), "utf8");
  const blocks = [...text.matchAll(BLOCK)].map((match) => ({
    language: match[1] ?? "",
    content: match[2] ?? "",
    before: text.slice(0, match.index).trimEnd().split("\n").at(-1) ?? "",
    heading: [...text.slice(0, match.index).matchAll(/^#+ (.*)$/gm)].at(-1)?.[1] ?? "",
  }));
  const programs = blocks.flatMap(({ language, content, heading }, index): readonly Program[] => {
    if (language !== "js" && language !== "ts") return [];
    const next = blocks[index + 1];
    return [{ language, content, heading, prints: next?.language === "text" ? next.content : "" }];
  });
  return {
    text,
    scripts: blocks.filter(({ language }) => language === "sh").map(({ content }) => content),
    programs,
    file(wanted) {
      const found = blocks.find(({ before }) => before.endsWith(`\`${wanted}\`:`));
      if (found === undefined) throw new Error(`docs/${name} has no file ${wanted}`);
      return found.content;
    },
  };
}

/** The rows of the tables under a heading whose first cell is code: the cells as they are written. */
export function rowsUnder({ text }: Page, heading: string): readonly (readonly string[])[] {
  const [, section = ""] = text.split(new RegExp(`^#+ ${heading}\n`, "m"));
  const [body = ""] = section.split(/^#/m);
  return body
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** `` `code` `` without its marks. */
export function codeOf(cell: string | undefined): string {
  const code = /^`([^`]+)`/.exec(cell ?? "")?.[1];
  if (code === undefined) throw new Error(`no code: ${cell}`);
  return code;
}
