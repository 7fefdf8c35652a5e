/** What Commander finds wrong with a command line, in words for somebody whose job has just failed. */
import { SregistryError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { GLOBAL_OPTIONS } from "./globals.ts";
import { type Told, wayOut, wrongChoice } from "./hints.ts";
import type { VerbEntry } from "./index.ts";
import { insteadOf } from "./old-verbs.ts";
import type { AnyVerb, OptionSpec } from "./verb.ts";

/** What other programs call a verb. */
const SYNONYMS: Readonly<Record<string, string>> = {
  ls: "list",
  rmi: "delete",
  remove: "delete",
  cp: "copy",
  sync: "copy",
  mirror: "copy",
  download: "pull",
  fetch: "pull",
  upload: "push",
  info: "inspect",
  show: "inspect",
  find: "search",
  remotes: "remote",
};

export interface Complaint {
  /** `commander.unknownOption` and the like. */
  readonly code: string;
  readonly message: string;
}

/** `entry`: the verb that the command line came to, undefined where it came to none. */
export async function usageError(
  complaint: Complaint,
  entry: VerbEntry | undefined,
  verbs: readonly VerbEntry[],
): Promise<SregistryError> {
  const verb = await entry?.load();
  const { message, hint } = told(complaint, entry?.name, verb, verbs);
  return new SregistryError("USAGE", message, { hint, cause: complaint });
}

function told(
  { code, message }: Complaint,
  name: string | undefined,
  verb: AnyVerb | undefined,
  verbs: readonly VerbEntry[],
): Told {
  const quoted = /'([^']*)'/.exec(message)?.[1] ?? "";
  const help = name === undefined ? "sregistry help" : `sregistry help ${name}`;
  const suggested = (near: string | undefined): string => (near === undefined ? help : `did you mean ${near}?`);
  switch (code) {
    case "commander.unknownCommand": {
      const near = SYNONYMS[quoted] ?? nearest(quoted, [...verbs.map((one) => one.name), "help"]);
      return { message: `there is no verb ${JSON.stringify(quoted)}`, hint: insteadOf(quoted) ?? suggested(near) };
    }
    case "commander.unknownOption": {
      const flag = quoted.replace(/=.*/s, "");
      const known = [...GLOBAL_OPTIONS, ...(verb?.options ?? [])].flatMap(flagNames);
      const subject = name === undefined ? "there is no flag" : `sregistry ${name} has no flag`;
      return { message: `${subject} ${flag}`, hint: suggested(nearest(flag, [...known, "--help", "--version"])) };
    }
    case "commander.optionMissingArgument":
      return { message: `${/--[a-z-]+/.exec(quoted)?.[0] ?? quoted} needs a value: ${quoted}`, hint: help };
    case "commander.missingArgument":
      if (name === undefined || verb === undefined) break;
      return { message: `${usage(name, verb)}: <${quoted}> is missing`, hint: wayOut(name, verb, []) };
    case "commander.excessArguments": {
      if (name === undefined || verb === undefined) break;
      const [most = "", given = ""] = message.match(/\d+/g) ?? [];
      const takes = most === "0" ? "no word" : `${most} word${most === "1" ? "" : "s"}`;
      const are = given === "1" ? "is" : "are";
      return { message: `${usage(name, verb)} takes ${takes}, and ${given} ${are} given`, hint: help };
    }
    case "commander.invalidArgument": {
      const [, flags = "", value = "", choices = ""] = CHOICES.exec(message) ?? [];
      if (choices === "") break;
      const flag = /--[a-z-]+/.exec(flags)?.[0] ?? flags;
      return wrongChoice(flag, value, choices.split(", "));
    }
  }
  return { message: message.replace(/^error: /, "").split("\n")[0] ?? message, hint: help };
}

const CHOICES = /^error: option '([^']*)' argument '(.*)' is invalid\. Allowed choices are (.*)\.$/s;

function usage(name: string, verb: AnyVerb): string {
  return ["sregistry", name, ...verb.arguments.map((word) => word.name)].join(" ");
}

function flagNames({ flags, hidden }: OptionSpec): readonly string[] {
  return hidden === true ? [] : (flags.match(/(?<![\w-])--?[a-zA-Z][\w-]*/g) ?? []);
}
