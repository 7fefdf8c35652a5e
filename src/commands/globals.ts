/** The flags that every verb understands, before or after the verb's name. */
import type { Protocol } from "../client/services.ts";
import { SregistryError } from "../errors.ts";
import type { ProgressMode } from "../terminal/progress.ts";
import type { Flags, OptionSpec } from "./verb.ts";

export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--registry <name>",
    description: "default registry: a remote, local, oras://HOST or a URL",
    completes: "registry",
  },
  {
    flags: "--library <url>",
    description: "the library that library:// and names without scheme stand for in this run",
    env: ["APPTAINER_LIBRARY", "SINGULARITY_LIBRARY"],
  },
  {
    flags: "--protocol <name>",
    description: "how a Singularity Registry Server is spoken to",
    choices: ["auto", "library", "hmac"],
  },
  { flags: "-c, --config <file>", description: "another remote.yaml than Singularity's" },
  { flags: "--store <dir>", description: "directory of the embedded registry" },
  { flags: "-q, --quiet", description: "only the answer, warnings and errors" },
  { flags: "-v, --verbose", description: "say what is asked of whom, and which file a login came from" },
  { flags: "--debug", description: "every request, and stack traces; secrets are redacted" },
  { flags: "--json", description: "answer as one JSON document, errors too" },
  {
    flags: "--format <template>",
    description: "answer in this form, each row of a list on a line: '{{.name}} {{.digest}}', '{{json .}}'",
  },
  {
    flags: "--progress <mode>",
    description: "how transfers show on stderr",
    choices: ["auto", "bar", "plain", "json", "none"],
  },
  { flags: "--no-color", description: "no colour (also NO_COLOR)" },
  { flags: "--no-input", description: "never ask; refuse what would need an answer" },
  { flags: "--offline", description: "never open a connection" },
  { flags: "--plain-http", description: "http instead of https for the host that is named" },
  { flags: "--no-https", description: "the same, as Singularity calls it", hidden: true },
  { flags: "--insecure-tls", description: "do not verify the certificate of the host that is named" },
  { flags: "--ca-file <file>", description: "more certificate authorities to trust (PEM)" },
  {
    flags: "--trust-realm <host>",
    description: "a token server of another domain that may get the login; may be given several times",
    repeatable: true,
  },
  { flags: "--parallel <n>", description: "connections for one image; default: as many as help" },
  { flags: "--timeout <time>", description: "give up after this long altogether: 90s, 10m, 2h" },
  {
    flags: "--authfile <file>",
    description: "credentials in docker's config.json form",
    env: ["APPTAINER_AUTH_FILE", "SINGULARITY_AUTHFILE", "REGISTRY_AUTH_FILE"],
  },
];

export interface GlobalFlags {
  readonly registry: string | undefined;
  readonly library: string | undefined;
  readonly libraryTyped: boolean;
  readonly protocol: Protocol | undefined;
  readonly config: string | undefined;
  readonly store: string | undefined;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly debug: boolean;
  readonly json: boolean;
  readonly format: string | undefined;
  /** The answer is a document: as JSON, or what --format makes of it. */
  readonly structured: boolean;
  readonly progress: ProgressMode;
  readonly colour: boolean;
  readonly input: boolean;
  readonly offline: boolean;
  readonly plainHttp: boolean;
  readonly insecureTls: boolean;
  readonly caFile: string | undefined;
  readonly trustRealm: readonly string[];
  readonly parallel: number | undefined;
  /** Milliseconds. */
  readonly timeout: number | undefined;
  readonly authfile: string | undefined;
}

export function globalFlags(flags: Flags): GlobalFlags {
  const form = answerForm(flags);
  return {
    registry: flags.text("registry"),
    library: flags.text("library"),
    libraryTyped: flags.typed("library"),
    protocol: protocol(flags.text("protocol")),
    config: flags.text("config"),
    store: flags.text("store"),
    quiet: flags.on("quiet"),
    verbose: flags.on("verbose"),
    debug: flags.on("debug"),
    ...form,
    structured: form.json || form.format !== undefined,
    progress: progressMode(flags.text("progress")),
    colour: !flags.on("no-color"),
    input: !flags.on("no-input"),
    offline: flags.on("offline"),
    plainHttp: flags.on("plain-http") || flags.on("no-https"),
    insecureTls: flags.on("insecure-tls"),
    caFile: flags.text("ca-file"),
    trustRealm: flags.texts("trust-realm"),
    parallel: connections(flags.text("parallel")),
    timeout: flags.duration("timeout"),
    authfile: flags.text("authfile"),
  };
}

/** What is typed counts before what a variable says. @throws SregistryError USAGE for both. */
function answerForm(flags: Flags): Pick<GlobalFlags, "json" | "format"> {
  const [json, format] = [flags.on("json"), flags.text("format")];
  if (!json || format === undefined) return { json, format };
  if (flags.typed("json") !== flags.typed("format")) {
    return flags.typed("json") ? { json, format: undefined } : { json: false, format };
  }
  throw new SregistryError("USAGE", "--json and --format are two forms of one answer", {
    hint: "leave one of them out; --format '{{json .}}' is one JSON text a row",
  });
}

/** @throws SregistryError USAGE. */
function connections(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new SregistryError(
    "USAGE",
    `--parallel ${JSON.stringify(text)} is no number of connections: expected 1 to 9999`,
    {
      hint: "--parallel 4",
    },
  );
}

function protocol(text: string | undefined): Protocol | undefined {
  return text === "auto" || text === "library" || text === "hmac" ? text : undefined;
}

function progressMode(text: string | undefined): ProgressMode {
  switch (text) {
    case "bar":
    case "plain":
    case "json":
    case "none":
      return text;
    default:
      return "auto";
  }
}
