/** Where the programs of this field keep logins, in the order in which we look. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../call.ts";
import { systemCode } from "../errors.ts";
import { type DockerConfig, type DockerConfigForm, parseDockerConfig, readDockerConfig } from "./docker-config.ts";
import type { Environment } from "./environment.ts";

/** What --authfile means in each program, in the order of precedence among programs. */
const AUTHFILE_VARIABLES = [
  "SREGISTRY_AUTHFILE",
  "APPTAINER_AUTHFILE",
  "APPTAINER_AUTH_FILE",
  "SINGULARITY_AUTHFILE",
  "REGISTRY_AUTH_FILE",
] as const;

const FILE = "docker-config.json";

export interface LoginFile {
  /** The file, or the variable that holds the text. */
  readonly name: string;
  /** How its owner's program forgets a login; undefined where only an editor does. */
  readonly logout: string | undefined;
  read(): Promise<DockerConfig | undefined>;
}

export interface LoginFiles {
  /** --authfile or the variables that mean the same. */
  readonly authfile: string | undefined;
  readonly singularity: string;
  readonly apptainer: string;
  /** All of them, first looked at first. */
  readonly all: readonly LoginFile[];
}

export interface LoginFileOptions {
  readonly env: Environment;
  readonly home: string;
  /** --authfile. */
  readonly authfile: string | undefined;
  readonly log: Log;
}

export function loginFiles({ env, home, authfile, log }: LoginFileOptions): LoginFiles {
  const named = authfile || AUTHFILE_VARIABLES.map((variable) => env[variable]).find((path) => path);
  const singularity = join(env["SINGULARITY_CONFIGDIR"] || join(home, ".singularity"), FILE);
  const apptainer = join(env["APPTAINER_CONFIGDIR"] || join(home, ".apptainer"), FILE);
  const all = [
    ...(named === undefined ? [] : [namedFile(named, log)]),
    onDisk(singularity, "sregistry logout"),
    onDisk(apptainer, "sregistry logout"),
    ...dockerFiles(env, home),
    ...podmanFiles(env, home),
    onDisk(join(home, ".dockercfg"), undefined, "legacy"),
  ];
  return { authfile: named, singularity, apptainer, all: all.filter(firstOfItsName) };
}

/** Where a login is written: Singularity's file, unless Apptainer is the only one of the two that is at home here. */
export async function loginTarget(files: LoginFiles, env: Environment): Promise<string> {
  if (files.authfile !== undefined) return files.authfile;
  if (env["SINGULARITY_CONFIGDIR"]) return files.singularity;
  if (env["APPTAINER_CONFIGDIR"]) return files.apptainer;
  const [singularity, apptainer] = await Promise.all([homeExists(files.singularity), homeExists(files.apptainer)]);
  return apptainer && !singularity ? files.apptainer : files.singularity;
}

function dockerFiles(env: Environment, home: string): readonly LoginFile[] {
  const text = env["DOCKER_AUTH_CONFIG"];
  const file = onDisk(join(env["DOCKER_CONFIG"] || join(home, ".docker"), "config.json"), "docker logout");
  if (!text) return [file];
  const variable: LoginFile = {
    name: "DOCKER_AUTH_CONFIG",
    logout: undefined,
    // Helpers are taken from files alone, as docker does: a variable does not choose programs to run.
    read: async () => ({
      ...parseDockerConfig(text, "DOCKER_AUTH_CONFIG"),
      credHelpers: new Map<string, string>(),
      credsStore: undefined,
    }),
  };
  return [variable, file];
}

function podmanFiles(env: Environment, home: string): readonly LoginFile[] {
  const runtime = env["XDG_RUNTIME_DIR"];
  const config = env["XDG_CONFIG_HOME"] || join(home, ".config");
  return [...(runtime ? [runtime] : []), config].map((folder) =>
    onDisk(join(folder, "containers", "auth.json"), "podman logout"),
  );
}

/** A name with a mistake in it is worth a word; for Singularity and Apptainer a missing file is an empty one. */
function namedFile(path: string, log: Log): LoginFile {
  const file = onDisk(path, `sregistry logout --authfile ${path}`);
  let warned = false;
  return {
    ...file,
    async read() {
      const config = await file.read();
      if (config === undefined && !warned) log.warn(`${path}, named as the file for logins, does not exist`);
      warned = true;
      return config;
    },
  };
}

/** Read once in a process: a pipe can only be read once, and a login does not change in the middle of a transfer. */
function onDisk(path: string, logout: string | undefined, form: DockerConfigForm = "config"): LoginFile {
  let content: Promise<DockerConfig | undefined> | undefined;
  return {
    name: path,
    logout,
    read() {
      content ??= readDockerConfig(path, form);
      return content;
    },
  };
}

function firstOfItsName(file: LoginFile, index: number, all: readonly LoginFile[]): boolean {
  return all.findIndex(({ name }) => name === file.name) === index;
}

async function homeExists(file: string): Promise<boolean> {
  try {
    return (await stat(join(file, ".."))).isDirectory();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return false;
    throw error;
  }
}
