/**
 * Real registries and clients for the interop stage. A missing one skips its tests with a notice; with
 * SREGISTRY_INTEROP=require (in CI) it fails them.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { type Bucket, createBucket } from "./presign.ts";
import { finished, type Run } from "./program.ts";

const run = promisify(execFile);

export type PeerName =
  | "docker-registry"
  | "registry"
  | "crane"
  | "regctl"
  | "skopeo"
  | "oras-peer"
  | "scs-peer"
  | "minio"
  | "python-sregistry"
  | "chromium"
  | "script"
  | "bash"
  | "zsh"
  | "fish"
  | "man"
  | "mandoc"
  | "dbus-run-session"
  | "gnome-keyring-daemon"
  | "dpkg"
  | "modulecmd"
  | "lmod"
  | "slurmctld"
  | "slurmd"
  | "munged"
  | "srun"
  | "sbcast"
  | "actionlint"
  | "snakemake"
  | "nextflow"
  | "java"
  | "sqlite3";

const HOW: Readonly<Record<PeerName, string>> = {
  "docker-registry": "apt-get install docker-registry",
  registry: "go install github.com/distribution/distribution/v3/cmd/registry@latest",
  crane: "go install github.com/google/go-containerregistry/cmd/crane@latest",
  regctl: "go install github.com/regclient/regclient/cmd/regctl@latest",
  skopeo: "apt-get install skopeo",
  "oras-peer": "go build in test/interop/oras-peer",
  "scs-peer": "go build in test/interop/scs-peer",
  minio: "go install github.com/minio/minio@latest",
  chromium: "apt-get install chromium",
  script: "apt-get install bsdutils",
  bash: "apt-get install bash bash-completion",
  zsh: "apt-get install zsh",
  fish: "apt-get install fish",
  man: "apt-get install man-db",
  mandoc: "apt-get install mandoc",
  "dbus-run-session": "apt-get install dbus",
  "gnome-keyring-daemon": "apt-get install gnome-keyring",
  dpkg: "of Debian and its like",
  modulecmd: "apt-get install environment-modules",
  lmod: "apt-get download lmod; dpkg -x lmod_*.deb $SREGISTRY_PEERS/lmod",
  slurmctld: "apt-get install slurmctld",
  slurmd: "apt-get install slurmd",
  munged: "apt-get install munge",
  srun: "apt-get install slurm-client",
  sbcast: "apt-get install slurm-client",
  actionlint: "go install github.com/rhysd/actionlint/cmd/actionlint@latest",
  snakemake:
    "pip install -r test/interop/snakemake/requirements.txt in a virtual environment at $SREGISTRY_PEERS/snakemake",
  nextflow: "mvn -f test/interop/nextflow dependency:copy-dependencies -DoutputDirectory=$SREGISTRY_PEERS/nextflow",
  java: "apt-get install default-jre-headless",
  sqlite3: "apt-get install sqlite3",
  "python-sregistry":
    "pip install -r test/interop/python-client/requirements.txt in a virtual environment at $SREGISTRY_PEERS/pyclient",
};

/**
 * Where a program is in a directory of peers; the Python client has the name of ours, so it is never taken from PATH, and
 * Debian's Lmod conflicts with Environment Modules.
 */
const PLACES: Readonly<Partial<Record<PeerName, string>>> = {
  "python-sregistry": join("pyclient", "bin", "sregistry"),
  snakemake: join("snakemake", "bin", "snakemake"),
  nextflow: join("nextflow", "nextflow-24.10.0.jar"),
  lmod: join("lmod", "usr", "share", "lmod", "lmod", "libexec", "lmod"),
};

/** SREGISTRY_PEERS is a directory of programs that is looked at before PATH. */
function searchPath(): readonly string[] {
  return [process.env["SREGISTRY_PEERS"] ?? "", ...(process.env["PATH"] ?? "").split(delimiter)].filter(
    (dir) => dir !== "",
  );
}

export function findPeer(name: PeerName): string | undefined {
  return searchPath()
    .map((directory) => join(directory, PLACES[name] ?? name))
    .find((path) => existsSync(path));
}

/** The names that are missing here. @throws in CI, where none may be. */
export function missingPeers(...names: readonly PeerName[]): readonly PeerName[] {
  const missing = names.filter((name) => findPeer(name) === undefined);
  if (missing.length === 0) return missing;
  const notice = missing.map((name) => `${name} (${HOW[name]})`).join(", ");
  if (process.env["SREGISTRY_INTEROP"] === "require") throw new Error(`peers are missing: ${notice}`);
  console.warn(`interop tests are left out, peers are missing: ${notice}`);
  return missing;
}

/** Runs a peer to its end. @throws with what it wrote when it fails. */
export async function peer(name: PeerName, ...words: readonly string[]): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "sregistry-peer-"));
  try {
    const { stdout } = await run(programOf(name), words, {
      env: { PATH: process.env["PATH"], HOME: home },
      maxBuffer: 1 << 26,
    });
    return stdout.trim();
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

export interface OldClientAccess {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly username: string;
  readonly token: string;
}

/**
 * Runs sregistry-cli 0.2.39 of Python in a directory, where it also finds its secrets, database and storage: it takes the
 * home from the password database and ignores HOME. Its status is not to be trusted (a failed upload ends with 0).
 */
export async function oldClient(
  directory: string,
  { url, username, token }: OldClientAccess,
  ...words: readonly string[]
): Promise<Run> {
  const env = {
    PATH: process.env["PATH"],
    HOME: directory,
    SREGISTRY_CLIENT: "registry",
    SREGISTRY_CLIENT_SECRETS: join(directory, "old-secrets.json"),
    SREGISTRY_DATABASE: directory,
    SREGISTRY_STORAGE: join(directory, "old-storage"),
    // It makes a directory `.sregistry` there, which in a home has the name of its secrets.
    SREGISTRY_CREDENTIALS_CACHE: join(directory, "old-credentials"),
    SREGISTRY_REGISTRY_BASE: url,
    SREGISTRY_REGISTRY_USERNAME: username,
    SREGISTRY_REGISTRY_TOKEN: token,
    SREGISTRY_REGISTRY_NOHTTPS: "true",
    NO_PROXY: "*",
  };
  const child = spawn(programOf("python-sregistry"), words, { cwd: directory, env });
  return await finished(child);
}

function programOf(name: PeerName): string {
  const program = findPeer(name);
  if (program === undefined) throw new Error(`${name} is missing: ${HOW[name]}`);
  return program;
}

export interface PeerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
}

/** Starts Debian's registry:2 or distribution v3 on a free port of loopback, its storage in a temporary directory. */
export async function startRegistry(name: "docker-registry" | "registry"): Promise<PeerRegistry> {
  const program = programOf(name);
  const directory = await mkdtemp(join(tmpdir(), "sregistry-registry-"));
  const port = await freePort();
  const config = join(directory, "config.yml");
  await writeFile(
    config,
    [
      "version: 0.1",
      "log: {level: error, accesslog: {disabled: true}}",
      `storage: {filesystem: {rootdirectory: ${join(directory, "data")}}, delete: {enabled: true}}`,
      `http: {addr: "127.0.0.1:${port}", secret: interop}`,
      "",
    ].join("\n"),
  );
  const child = spawn(program, ["serve", config], { stdio: "ignore", env: { OTEL_TRACES_EXPORTER: "none" } });
  await answering(`http://127.0.0.1:${port}/v2/`, child);
  return { host: `127.0.0.1:${port}`, [Symbol.asyncDispose]: () => stopped(child, directory) };
}

export interface PeerBucket extends Bucket, AsyncDisposable {}

/** Starts MinIO with one empty bucket on a free port of loopback. */
export async function startMinio(): Promise<PeerBucket> {
  const directory = await mkdtemp(join(tmpdir(), "sregistry-minio-"));
  const port = await freePort();
  const [accessKey, secretKey] = ["interop-key", "interop-secret"];
  const child = spawn(
    programOf("minio"),
    ["server", "--quiet", "--address", `127.0.0.1:${port}`, join(directory, "data")],
    {
      stdio: "ignore",
      env: {
        HOME: directory,
        MINIO_ROOT_USER: accessKey,
        MINIO_ROOT_PASSWORD: secretKey,
        MINIO_BROWSER: "off",
        MINIO_UPDATE: "off",
      },
    },
  );
  await answering(`http://127.0.0.1:${port}/minio/health/ready`, child);
  const bucket = { url: new URL(`http://127.0.0.1:${port}/images`), accessKey, secretKey };
  await createBucket(bucket);
  return { ...bucket, [Symbol.asyncDispose]: () => stopped(child, directory) };
}

async function stopped(child: ChildProcess, directory: string): Promise<void> {
  const ended = new Promise((done) => child.once("close", done));
  child.kill("SIGTERM");
  await ended;
  await rm(directory, { recursive: true, force: true });
}

async function answering(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (child.exitCode !== null) throw new Error(`the peer ended with ${child.exitCode}`);
    const status = await fetch(url).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`nothing answers at ${url}`);
}

export function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null ? done(address.port) : failed(new Error("no port")),
      );
    });
  });
}
