/** remote.yaml as a file of Singularity's: what is read out of it, how two files become one, what an edit leaves behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { getuid } from "node:process";
import { inspect } from "node:util";
import { build } from "esbuild";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Log } from "../../src/call.ts";
import { createCredentials } from "../../src/credentials/chain.ts";
import { SregistryError } from "../../src/errors.ts";
import { type NewRemote, type RemoteEdits, remoteEdits } from "../../src/remote/edit.ts";
import { type RemoteFileOptions, remoteFiles } from "../../src/remote/files.ts";
import { loadRemotes, type Remotes } from "../../src/remote/remotes.ts";
import { parseRemoteFile, type RemoteEntry, remoteBase } from "../../src/remote/schema.ts";
import { Secret } from "../../src/secret.ts";
import { failureOf } from "../support/http.ts";

const signal = new AbortController().signal;

/** As SingularityCE 4.5 wrote it. */
const WRITTEN = `Active: two
Remotes:
    SylabsCloud:
        URI: cloud.sylabs.io
        System: true
        Exclusive: false
    two:
        URI: http://127.0.0.1:18077
        Token: eyJhbGciOiJFUzI1NiJ9.e30.c2ln
        System: false
        Exclusive: false
        Insecure: true
        Keyservers:
            - URI: https://keys.sylabs.io
              Skip: false
              External: false
              Insecure: false
Credentials:
    - URI: docker://127.0.0.1:18501
      Insecure: false
    - URI: http://127.0.0.1:18502
      Auth: Basic Ym9iOnB3
      Insecure: false
`;

/** As the manual of Singularity Registry Server shows it. */
const MANUAL = `Active: SylabsCloud
Remotes:
  DinosaurCloud:
    URI: 127.0.0.1
    Token: 8c5ea955d96570000c72f9609a3afcf60986abf1
    System: false
    Exclusive: false
    Insecure: true
  SylabsCloud:
    URI: cloud.sylabs.io
    System: true
    Exclusive: false
`;

/** As it is shipped in /etc/singularity. */
const SHIPPED = `Active: SylabsCloud
Remotes:
  SylabsCloud:
    URI: cloud.sylabs.io
    System: true
    Exclusive: false
`;

let home: string;
let file: string;
let system: string;
let lines: string[];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "sregistry-remote-"));
  file = join(home, ".singularity", "remote.yaml");
  system = join(home, "etc", "remote.yaml");
  lines = [];
});
afterEach(() => rm(home, { recursive: true, force: true }));

const note =
  (level: string) =>
  (text: string): void =>
    void lines.push(`${level}: ${text.replaceAll(home, "~")}`);
const log: Log = { info: note("info"), warn: note("warn"), verbose: note("verbose"), debug: note("debug") };

const options = (more: Partial<RemoteFileOptions> = {}): RemoteFileOptions => ({
  env: {},
  home,
  system: [system],
  log,
  ...more,
});
const load = (): Promise<Remotes> => loadRemotes(options());
const edits = (more: Partial<RemoteFileOptions> = {}): RemoteEdits => remoteEdits(options(more), signal);
const text = (): Promise<string> => readFile(file, "utf8");
const lab: NewRemote = { name: "lab", uri: "lab.example.org", insecure: false, makeActive: false };

async function write(path: string, content: string, mode = 0o600): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, content);
  await chmod(path, mode);
}

/** An entry in a word: `uri token flags`. */
function shown(entry: RemoteEntry | undefined): string {
  if (entry === undefined) return "none";
  const flags = (["system", "exclusive", "insecure"] as const).filter((flag) => entry[flag]);
  return [entry.uri, entry.token?.reveal() ?? "-", ...flags].join(" ");
}

const overview = ({ active, chosen, remotes }: Remotes) => ({
  active,
  chosen,
  remotes: Object.fromEntries([...remotes].map(([name, entry]) => [name, shown(entry)])),
});

async function problem(work: Promise<unknown>): Promise<string> {
  const { code, message } = await failureOf(work);
  return `${code} ${message.replaceAll(home, "~")}`;
}

describe("the place of remote.yaml", () => {
  it("is Singularity's, Apptainer's where that is the only one, or what a variable or --config says", async () => {
    const place = async (more: Partial<RemoteFileOptions> = {}): Promise<string> =>
      (await remoteFiles({ env: {}, home, ...more })).user.replace(home, "~");
    expect(await place()).toBe("~/.singularity/remote.yaml");
    await mkdir(join(home, ".apptainer"));
    expect(await place()).toBe("~/.apptainer/remote.yaml");
    await mkdir(join(home, ".singularity"));
    expect(await place()).toBe("~/.singularity/remote.yaml");
    expect(await place({ env: { APPTAINER_CONFIGDIR: "/a" } })).toBe("/a/remote.yaml");
    expect(await place({ env: { APPTAINER_CONFIGDIR: "/a", SINGULARITY_CONFIGDIR: "/s" } })).toBe("/s/remote.yaml");
    expect(await place({ env: { SINGULARITY_CONFIGDIR: "/s" }, file: "/f.yaml" })).toBe("/f.yaml");
  });

  it("is beside the docker-config.json that logins are written to", async () => {
    const agree = async (env: Record<string, string>): Promise<void> => {
      const credentials = createCredentials({ env, home, authfile: undefined, log });
      const login = { username: "me", password: new Secret("secret-of-a-test") };
      const { path } = await credentials.saveLogin("registry.example.org", login, signal);
      expect(dirname(path)).toBe(dirname((await remoteFiles({ env, home })).user));
    };
    await agree({});
    await rm(join(home, ".singularity"), { recursive: true });
    await mkdir(join(home, ".apptainer"));
    await agree({});
    await mkdir(join(home, ".singularity"));
    await agree({});
    await agree({ APPTAINER_CONFIGDIR: join(home, "a") });
    await agree({ APPTAINER_CONFIGDIR: join(home, "a"), SINGULARITY_CONFIGDIR: join(home, "s") });
  });
});

describe("parseRemoteFile", () => {
  it("reads what SingularityCE wrote", () => {
    const { active, remotes } = parseRemoteFile(WRITTEN, "f");
    expect(active).toBe("two");
    expect(Object.fromEntries([...remotes].map(([name, entry]) => [name, shown(entry)]))).toEqual({
      SylabsCloud: "cloud.sylabs.io - system",
      two: "http://127.0.0.1:18077 eyJhbGciOiJFUzI1NiJ9.e30.c2ln insecure",
    });
    expect(remotes.get("two")?.keyservers).toEqual([
      { uri: "https://keys.sylabs.io", skip: false, external: false, insecure: false },
    ]);
  });

  it.each(["", "# nothing yet\n", "Active:\n", 'Active: ""\nRemotes: {}\n', "Remotes:\n"])(
    "reads an empty file %j",
    (empty) => {
      expect(parseRemoteFile(empty, "f")).toEqual({ active: undefined, remotes: new Map() });
    },
  );

  it("reads a token, a name and an address of digits as the text that they are", () => {
    const digits = "0123456789012345678901234567890123456789";
    const { active, remotes } = parseRemoteFile(
      `Active: 007\nRemotes:\n  007: {URI: 1.10, Token: ${digits}}\n  1e3: {Token: 12e4}\n`,
      "f",
    );
    expect(active).toBe("007");
    expect([...remotes].map(([name, entry]) => `${name} ${shown(entry)}`)).toEqual([`007 1.10 ${digits}`, "1e3  12e4"]);
  });

  it("reads the words of YAML 1.1 for true and false, as Go does", () => {
    for (const [word, value] of [
      ["yes", true],
      ["On", true],
      ["y", true],
      ["no", false],
      ["OFF", false],
    ] as const) {
      const { remotes } = parseRemoteFile(`Remotes: {a: {URI: x, Insecure: ${word}}}`, "f");
      expect(remotes.get("a")?.insecure).toBe(value);
    }
  });

  it.each([
    ["- a\n", "f, line 1: the file is no map of names to values"],
    ["Remotes: [a]\n", "f, line 1: Remotes is no map of names to values"],
    ["Remotes:\n  a: x\n", "f, line 2: remote a is no map of names to values"],
    ["Remotes:\n  a:\n    URI: [x]\n", "f, line 3: URI of a is no line of text"],
    ['Remotes:\n  a:\n    Token: "x\\ny"\n', "f, line 3: Token of a is no line of text"],
    ["Remotes:\n  a:\n    System: maybe\n", "f, line 3: System of a is neither true nor false"],
    ["Remotes:\n  a:\n    Keyservers: x\n", "f, line 3: Keyservers of a is no list"],
    ["Active: {}\n", "f, line 1: Active is no line of text"],
  ])("names what is wrong with %j", (content, words) => {
    expect(() => parseRemoteFile(content, "f")).toThrow(words);
  });

  it("does not show a token in any of its errors", () => {
    for (const broken of [
      "Token: tok-secret\n  x: [",
      "Remotes: {a: {Token: [tok-secret]}}",
      "Remotes: {a: {System: tok-secret}}",
    ]) {
      expect(() => parseRemoteFile(broken, "f")).toThrow(SregistryError);
      expect(() => parseRemoteFile(broken, "f")).not.toThrow("tok-secret");
    }
  });

  it("passes over keys that Singularity does not know, and says so with -v", async () => {
    await write(
      file,
      "Active: a\nExtra: 1\nRemotes:\n  a:\n    URI: x\n    Realm: y\n    Keyservers:\n      - URI: k\n        Weight: 1\n",
    );
    expect((await load()).remotes.get("a")?.uri).toBe("x");
    expect(lines).toEqual([
      'verbose: ~/.singularity/remote.yaml, line 2: "Extra" is no key that Singularity knows',
      'verbose: ~/.singularity/remote.yaml, line 6: "Realm" is no key that Singularity knows',
      'verbose: ~/.singularity/remote.yaml, line 9: "Weight" is no key that Singularity knows',
    ]);
  });
});

describe("remoteBase", () => {
  const base = (uri: string, insecure: boolean): string => remoteBase("a", { uri, insecure }, "f").href;

  it("accepts every form that is found in files; Insecure alone decides the scheme", () => {
    expect(base("127.0.0.1", true)).toBe("http://127.0.0.1/");
    expect(base("127.0.0.1:8088", true)).toBe("http://127.0.0.1:8088/");
    expect(base("http://127.0.0.1:8088", true)).toBe("http://127.0.0.1:8088/");
    expect(base("http://127.0.0.1:8088", false)).toBe("https://127.0.0.1:8088/");
    expect(base("https://lab.example.org", true)).toBe("http://lab.example.org/");
    expect(base("lab.example.org/base/path", false)).toBe("https://lab.example.org/base/path");
    expect(base("[::1]:8088", true)).toBe("http://[::1]:8088/");
  });

  it.each(["", "https://", "a b", "me:pw@lab.example.org", "lab.example.org?x", "lab.example.org#x", "lab:port"])(
    "refuses %j",
    (uri) => {
      expect(() => base(uri, false)).toThrow(`f: the URI of remote a is no address: ${JSON.stringify(uri)}`);
    },
  );
});

describe("loadRemotes", () => {
  it("knows Sylabs' cloud where there is no file at all, as nobody's choice", async () => {
    expect(overview(await load())).toEqual({
      active: "SylabsCloud",
      chosen: false,
      remotes: { SylabsCloud: "cloud.sylabs.io - system" },
    });
  });

  it("puts the user's file over the administrator's: URI and Exclusive are the system's, the token is the user's", async () => {
    await write(
      system,
      "Active: site\nRemotes:\n  site: {URI: new.example.org, Insecure: true}\n  spare: {URI: s.example.org}\n",
    );
    await write(
      file,
      `Remotes:\n  site: {URI: old.example.org, Token: t-site, System: true}\n  zoo: {URI: zoo.example.org}\n`,
    );
    expect(overview(await load())).toEqual({
      active: "site",
      chosen: true,
      remotes: {
        site: "new.example.org t-site system",
        spare: "s.example.org - system",
        zoo: "zoo.example.org -",
      },
    });
  });

  it("makes an exclusive remote of the system the active one, which is not the user's choice", async () => {
    await write(
      system,
      "Active: other\nRemotes:\n  only: {URI: only.example.org, Exclusive: true}\n  other: {URI: o.example.org}\n",
    );
    await write(file, "Active: mine\nRemotes:\n  mine: {URI: mine.example.org, Token: t-mine}\n");
    expect(await load()).toMatchObject({ active: "only", chosen: false });
    // As Singularity leaves it behind when it writes the merged result.
    await write(file, "Active: only\nRemotes:\n  only: {URI: only.example.org, System: true, Exclusive: true}\n");
    expect(await load()).toMatchObject({ active: "only", chosen: false });
  });

  it("counts what the user made active or logged in to, and not a default that Singularity wrote down", async () => {
    const active = async (content: string): Promise<unknown> => {
      await write(file, content);
      const { active, chosen } = await load();
      return { active, chosen };
    };
    await write(system, `${SHIPPED}  spare:\n    URI: s.example.org\n    System: true\n`);
    const cloud = "  SylabsCloud: {URI: cloud.sylabs.io, System: true}\n";
    expect(await active(`Active: SylabsCloud\nRemotes:\n${cloud}`)).toEqual({ active: "SylabsCloud", chosen: false });
    expect(await active(`Active: SylabsCloud\nRemotes:\n${cloud.replace("}", ", Token: t-cloud}")}`)).toEqual({
      active: "SylabsCloud",
      chosen: true,
    });
    expect(await active("Active: spare\n")).toEqual({ active: "spare", chosen: true });
    expect(await active("Active: a\nRemotes: {a: {URI: a.example.org}}\n")).toEqual({ active: "a", chosen: true });
    expect(await active("Remotes: {a: {URI: a.example.org}}\n")).toEqual({ active: "SylabsCloud", chosen: false });
  });

  it("refuses a name that both files have, naming both", async () => {
    await write(system, SHIPPED);
    await write(file, "Remotes: {SylabsCloud: {URI: evil.example.org}}\n");
    expect(await problem(load())).toBe(
      "CONFIG_INVALID both ~/.singularity/remote.yaml and ~/etc/remote.yaml have a remote SylabsCloud",
    );
  });

  it("lets the user's own entry stand beside Apptainer's, as Apptainer does", async () => {
    const apptainers = join(home, "etc", "apptainer", "remote.yaml");
    await write(apptainers, SHIPPED);
    await write(file, "Remotes: {SylabsCloud: {URI: mine.example.org, Token: t-mine}}\n");
    const found = await loadRemotes(options({ system: [apptainers] }));
    expect(overview(found)).toMatchObject({ remotes: { SylabsCloud: "mine.example.org t-mine" } });
  });

  it("does not send the token of a remote.yaml from another machine to Sylabs' cloud", async () => {
    for (const flag of ["true", "false"]) {
      await write(file, `Remotes: {SylabsCloud: {URI: site.example.org, Token: t-site, System: ${flag}}}\n`);
      const entry = `site.example.org t-site${flag === "true" ? " system" : ""}`;
      expect(overview(await load())).toMatchObject({ remotes: { SylabsCloud: entry } });
    }
  });

  it("reads the first system file that exists", async () => {
    await write(system, "Active: b\nRemotes: {b: {URI: b.example.org}}\n");
    const found = await loadRemotes(options({ system: [join(home, "none"), system, join(home, "broken")] }));
    expect(overview(found)).toMatchObject({ active: "b", remotes: { b: "b.example.org - system" } });
  });

  it("does not read a file that another user could have written", async () => {
    await write(file, WRITTEN, 0o602);
    expect(await problem(load())).toBe(
      "CONFIG_INVALID ~/.singularity/remote.yaml can be changed by everybody: it is not read",
    );
    if (getuid?.() !== 0) return;
    await chmod(file, 0o600);
    await chown(file, 4242, 4242);
    expect(await problem(load())).toBe(
      "CONFIG_INVALID ~/.singularity/remote.yaml belongs to another user (uid 4242): it is not read",
    );
    expect(await problem(edits().add(lab))).toContain("belongs to another user");
  });

  it("is read by root with the HOME of whom it belongs to (sudo), and not written", async () => {
    if (getuid?.() !== 0) return;
    await write(file, WRITTEN);
    for (const path of [home, dirname(file), file]) await chown(path, 4242, 4242);
    expect((await load()).remotes.has("two")).toBe(true);
    expect(await problem(edits().add(lab))).toContain("belongs to another user (uid 4242): no remote is kept there");
  });
});

describe("remoteEdits", () => {
  it("writes a new file as Singularity does, private, in a private directory", async () => {
    await edits().add({ ...lab, uri: "127.0.0.1", insecure: true, makeActive: true });
    await edits().setToken("lab", new Secret("8c5ea955d96570000c72f9609a3afcf60986abf1"));
    expect(await text()).toBe(`Active: lab
Remotes:
    lab:
        URI: 127.0.0.1
        Token: 8c5ea955d96570000c72f9609a3afcf60986abf1
        System: false
        Exclusive: false
        Insecure: true
`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(file))).mode & 0o777).toBe(0o700);
    expect(await readdir(dirname(file))).toEqual(["remote.yaml"]);
  });

  it.each([
    ["lab.example.org", false, "lab.example.org"],
    ["https://lab.example.org/", false, "lab.example.org"],
    ["Lab.Example.org/base/", false, "lab.example.org/base"],
    ["127.0.0.1", true, "127.0.0.1"],
    ["127.0.0.1:8088", true, "http://127.0.0.1:8088"],
    ["http://127.0.0.1:8088", true, "http://127.0.0.1:8088"],
    ["http://127.0.0.1:80", true, "127.0.0.1"],
    ["lab.example.org:8443", false, "https://lab.example.org:8443"],
    ["lab.example.org:443", false, "lab.example.org"],
    ["[::1]", true, "http://[::1]"],
  ])(
    "a port without its scheme is one that Singularity cannot parse: %s (insecure: %s) is kept as %s",
    async (uri, insecure, kept) => {
      await edits().add({ ...lab, uri, insecure });
      const entry = (await load()).remotes.get("lab");
      expect(entry).toMatchObject({ uri: kept, insecure });
      expect(remoteBase("lab", entry ?? { uri: "", insecure }, "f").protocol).toBe(insecure ? "http:" : "https:");
    },
  );

  it.each([
    ["", false, "invalid URI: cannot have empty URI"],
    ["a b", false, 'invalid URI: "a b" is no address of a server'],
    ["me:pw@lab.example.org", false, 'invalid URI: "me:pw@lab.example.org" is no address of a server'],
    ["ftp://lab.example.org", false, 'invalid URI: "ftp://lab.example.org" is no address of a server'],
    ["lab.example.org\nToken: x", false, 'invalid URI: "lab.example.org\\nToken: x" is no address of a server'],
    [
      "http://lab.example.org",
      false,
      "invalid URI: http://lab.example.org is plain http, which a remote speaks only with --insecure",
    ],
    [
      "https://lab.example.org",
      true,
      "invalid URI: https://lab.example.org asks for https, and --insecure for plain http",
    ],
  ])("refuses the address %j (insecure: %s)", async (uri, insecure, words) => {
    expect(await problem(edits().add({ ...lab, uri, insecure }))).toBe(`USAGE ${words}`);
    expect(await readdir(home)).not.toContain("remote.yaml");
  });

  it("says in Singularity's words what cannot be done", async () => {
    await write(system, SHIPPED);
    await edits().add(lab);
    expect(await problem(edits().add(lab))).toBe("CONFLICT lab is already a remote");
    expect(await problem(edits().add({ ...lab, name: "SylabsCloud" }))).toBe(
      "CONFLICT SylabsCloud is already a remote",
    );
    expect(await problem(edits().add({ ...lab, name: "" }))).toBe("USAGE invalid name: cannot have empty name");
    expect(await problem(edits().add({ ...lab, name: "a b" }))).toBe('USAGE invalid name: "a b"');
    for (const work of [
      (one: RemoteEdits) => one.use("x"),
      (one: RemoteEdits) => one.remove("x"),
      (one: RemoteEdits) => one.setToken("x", new Secret("tttt")),
      (one: RemoteEdits) => one.removeToken("x"),
    ]) {
      expect(await problem(work(edits()))).toBe("NOT_FOUND x is not a remote");
    }
    expect(await problem(edits().remove("SylabsCloud"))).toBe("FORBIDDEN SylabsCloud is global and can't be removed");
    await write(system, "Remotes: {only: {URI: o.example.org, Exclusive: true}}\n");
    expect(await problem(edits().use("lab"))).toBe(
      "FORBIDDEN could not use lab: remote only has been set exclusive by the system administrator",
    );
    expect(await text()).toBe(
      "Remotes:\n    lab:\n        URI: lab.example.org\n        System: false\n        Exclusive: false\n",
    );
  });

  it("leaves a file of Singularity's byte for byte but for what changed", async () => {
    await write(system, SHIPPED);
    await write(file, WRITTEN);
    await edits().use("SylabsCloud");
    expect(await text()).toBe(WRITTEN.replace("Active: two", "Active: SylabsCloud"));
    await edits().use("two");
    expect(await text()).toBe(WRITTEN);
    await edits().setToken("two", new Secret("tok-2"));
    await edits().removeToken("two");
    expect(await text()).toBe(WRITTEN.replace(/ +Token: .*\n/, ""));
    await edits().add(lab);
    await edits().remove("lab");
    await edits().setToken("two", new Secret("eyJhbGciOiJFUzI1NiJ9.e30.c2ln"));
    expect(await text()).toBe(WRITTEN);
  });

  it("keeps the manual's file as it is laid out, comments and unknown keys too", async () => {
    await write(system, SHIPPED);
    await write(file, `# mine\n${MANUAL}  # mother's\n  other:\n    URI: o.example.org\n    Later: [1]\n`);
    await edits().use("DinosaurCloud");
    await edits().setToken("SylabsCloud", new Secret("tok-cloud"));
    expect(await text()).toBe(
      `# mine\n${MANUAL.replace("Active: SylabsCloud", "Active: DinosaurCloud").replace(
        "    URI: cloud.sylabs.io\n",
        "    URI: cloud.sylabs.io\n    Token: tok-cloud\n",
      )}  # mother's\n  other:\n    URI: o.example.org\n    Later: [ 1 ]\n`,
    );
  });

  it("takes an entry of the system's over when something of it is the user's", async () => {
    await write(
      system,
      "Active: site\nRemotes:\n  site: {URI: site.example.org, Keyservers: [{URI: k.example.org}]}\n",
    );
    await edits().setToken("site", new Secret("tok-site"));
    expect(await text()).toBe(
      "Remotes:\n    site:\n        URI: site.example.org\n        Token: tok-site\n        System: true\n        Exclusive: false\n",
    );
    expect(overview(await load())).toEqual({
      active: "site",
      chosen: true,
      remotes: { site: "site.example.org tok-site system" },
    });
    expect((await load()).remotes.get("site")?.keyservers).toHaveLength(1);
  });

  it("forgets the active remote with the remote", async () => {
    await edits().add({ ...lab, makeActive: true });
    await edits().remove("lab");
    expect(await text()).toBe('Active: ""\nRemotes: {}\n');
    expect(await load()).toMatchObject({ active: "SylabsCloud", chosen: false });
  });

  it("does not touch the disk for a logout of nobody", async () => {
    await edits().removeToken("SylabsCloud");
    expect(await readdir(dirname(file))).toEqual([]);
  });

  it("keeps no token in a directory or file that a group or everybody can change", async () => {
    const token = new Secret("8c5ea955d96570000c72f9609a3afcf60986abf1");
    await write(file, WRITTEN);
    const refused = async (): Promise<string> => (await problem(edits().setToken("two", token))) ?? "";
    for (const mode of [0o770, 0o702]) {
      await chmod(dirname(file), mode);
      expect(await refused()).toBe(
        "CONFIG_INVALID ~/.singularity can be changed by other users: no token is kept there",
      );
    }
    const { hint } = await failureOf(edits().setToken("two", token));
    expect(hint).toBe(`chmod go-w ${dirname(file)}`);
    // What writes no new secret goes on, a logout above all.
    await edits().use("two");
    await edits().removeToken("two");
    await chmod(dirname(file), 0o700);
    await chmod(file, 0o660);
    expect(await refused()).toContain("remote.yaml can be changed by other users: no token is kept there");
    await chmod(file, 0o600);
    await edits().setToken("two", token);
    expect((await load()).remotes.get("two")?.token?.reveal()).toBe(token.reveal());
  });

  it("makes a file that others can read private, and says so", async () => {
    await write(file, WRITTEN, 0o644);
    await edits().use("two");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await text()).toBe(WRITTEN);
    expect(lines).toEqual([
      "warn: the mode of ~/.singularity/remote.yaml was 644; it is 600 now, since it holds tokens",
    ]);
  });

  it("leaves a symbolic link a link", async () => {
    const real = join(home, "dotfiles.yaml");
    await write(real, MANUAL);
    await mkdir(dirname(file));
    await symlink(real, file);
    await edits().add(lab);
    expect(await readdir(dirname(file))).toEqual(["remote.yaml"]);
    expect(await readFile(real, "utf8")).toContain("lab.example.org");
    expect(await text()).toContain("lab.example.org");
  });

  it.each([
    ["broken YAML", "Active: x\nRemotes:\n  a: [\n", "line "],
    ["brackets without end", "[".repeat(50_000), "line 1: more than 16 levels"],
    ["a key given twice", "Active: x\nActive: y\n", "line 2: map keys must be unique"],
    ["another kind of file", "just words\n", "line 1: the file is no map of names to values"],
  ])("leaves a file with %s alone, and names the line", async (_what, content, words) => {
    await write(file, content);
    for (const work of [
      (one: RemoteEdits) => one.add(lab),
      (one: RemoteEdits) => one.use("a"),
      (one: RemoteEdits) => one.removeToken("a"),
    ]) {
      expect(await problem(work(edits()))).toContain(`CONFIG_INVALID ~/.singularity/remote.yaml, ${words}`);
    }
    expect(await text()).toBe(content);
  });

  it("does not read a file longer than any configuration", async () => {
    await write(file, `# ${"x".repeat(1024 * 1024)}\n`);
    expect(await problem(load())).toBe(
      "CONFIG_INVALID ~/.singularity/remote.yaml is longer than 1 MiB, so it is no configuration of ours",
    );
  });

  it("reads back whatever was added", async () => {
    const name = fc.stringMatching(/^\w[\w.+@-]{0,20}$/);
    const token = fc.stringMatching(/^[!-~]{1,60}$/);
    await fc.assert(
      fc.asyncProperty(
        name,
        fc.domain(),
        fc.option(fc.nat(65_535)),
        fc.boolean(),
        token,
        async (name, host, port, insecure, token) => {
          await rm(file, { force: true });
          const uri = port === null ? host : `${host}:${port}`;
          await edits().add({ name, uri, insecure, makeActive: true });
          await edits().setToken(name, new Secret(token));
          const { active, remotes } = await load();
          const entry = remotes.get(name);
          expect({ active, token: entry?.token?.reveal() }).toEqual({ active: name, token });
          const url = new URL(`${insecure ? "http" : "https"}://${uri}`);
          expect(entry === undefined ? "none" : remoteBase(name, entry, "f").href).toBe(url.href);
        },
      ),
      { numRuns: 40 },
    );
  });

  it.each(["a\u0085b", "a\u2028b", "a\nb"])("does not write the token %j, whose line break Go folds", async (token) => {
    await write(file, WRITTEN);
    expect(await problem(edits().setToken("two", new Secret(token)))).toMatch(/Token of two is no line of text$/);
    expect(await text()).toBe(WRITTEN);
  });

  it("loses nothing when many processes write at once", async () => {
    await write(file, WRITTEN);
    const program = join(home, "program.mjs");
    const contents = `
      import { remoteEdits } from "./src/remote/edit.ts";
      import { Secret } from "./src/secret.ts";
      const [home, ...names] = process.argv.slice(2);
      const edits = remoteEdits({ env: {}, home, system: [] }, new AbortController().signal);
      for (const name of names) {
        await edits.add({ name, uri: name + ".example.org", insecure: false, makeActive: false });
        await edits.setToken(name, new Secret("token-" + name));
      }`;
    const stdin = { contents, resolveDir: resolve(import.meta.dirname, "../..") };
    const banner = {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    };
    await build({ stdin, bundle: true, platform: "node", format: "esm", outfile: program, banner, logLevel: "error" });
    const groups = Array.from({ length: 10 }, (_, process) => [0, 1, 2, 3, 4].map((turn) => `r${process}-${turn}`));
    const children: ChildProcess[] = groups.map((names) =>
      spawn(process.execPath, [program, home, ...names], { stdio: ["ignore", "ignore", "inherit"] }),
    );
    const statuses = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0]));
    expect(statuses).toEqual(groups.map(() => 0));
    const { remotes } = await load();
    for (const name of groups.flat()) expect(shown(remotes.get(name))).toBe(`${name}.example.org token-${name}`);
    expect(remotes.size).toBe(52);
    expect(await readdir(dirname(file))).toEqual(["remote.yaml"]);
  });
});

it("never shows a token, however an entry is printed", () => {
  const { remotes } = parseRemoteFile(WRITTEN, "f");
  expect(JSON.stringify([...remotes])).not.toContain("eyJ");
  expect(inspect(remotes, { depth: 9 })).not.toContain("eyJ");
});
