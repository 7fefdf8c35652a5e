/** The built program at libraries and at Singularity Registry Server's protocols: the embedded server, users of its own. */
import { createHash } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FIXTURES, finished, type Run, type Served, User } from "../support/program.ts";

const TINY = join(FIXTURES, "tiny.sif");
const SIGNED = join(FIXTURES, "tiny_signed.sif");
const ARM = join(FIXTURES, "tiny_arm64.sif");
const hexOf = async (path: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

/** The server's machine, with two users; and the one that the program is used on. */
let owner: User;
let served: Served;
let user: User;
let tokens: Readonly<Record<"vanessa" | "paul", string>>;

beforeAll(async () => {
  owner = await User.create();
  const add = async (name: string): Promise<string> => (await owner.run(["serve", "user", "add", name])).stdout.trim();
  tokens = { vanessa: await add("vanessa"), paul: await add("paul") };
  served = await owner.serve(["--public-read"]);
});
afterAll(async () => {
  await served.stop();
  await owner[Symbol.asyncDispose]();
});
beforeEach(async () => {
  user = await User.create();
});
afterEach(async () => {
  await user[Symbol.asyncDispose]();
});

/** Logged in to the server as the remote `DinosaurCloud`, which is in use. */
async function atHome(who: User = user, name: "vanessa" | "paul" = "vanessa"): Promise<void> {
  await ok(who.run(["remote", "add", "--insecure", "--no-login", "DinosaurCloud", served.host]));
  await ok(who.run(["remote", "login", "DinosaurCloud", "--token-stdin"], { input: `${tokens[name]}\n` }));
  await ok(who.run(["remote", "use", "DinosaurCloud"]));
}

async function ok(running: Promise<Run>): Promise<string> {
  const { status, stdout, stderr } = await running;
  expect(status, stderr).toBe(0);
  return stdout;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Servers on free ports of loopback, ended with the block. */
async function listening(...servers: readonly Server[]): Promise<AsyncDisposable> {
  for (const server of servers) await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}

describe("remotes", () => {
  it("are added, listed, logged in to, used and removed, as the manual shows it", async () => {
    const added = await user.run(["remote", "add", "--insecure", "--no-login", "DinosaurCloud", "127.0.0.1"]);
    expect(added).toEqual({ status: 0, stdout: "", stderr: 'Remote "DinosaurCloud" added.\n' });
    const listed = await ok(user.run(["--offline", "remote", "list"]));
    expect(listed).toBe(
      [
        "",
        "Cloud Services Endpoints",
        "========================",
        "",
        "NAME           URI              ACTIVE  GLOBAL  EXCLUSIVE  INSECURE",
        "DinosaurCloud  127.0.0.1        NO      NO      NO         YES",
        "SylabsCloud    cloud.sylabs.io  YES     YES     NO         NO",
        "",
        "Keyservers",
        "==========",
        "",
        "(unknown: cloud.sylabs.io was not asked (--offline))",
        "",
      ].join("\n"),
    );
    expect(await user.run(["remote", "remove", "DinosaurCloud"])).toEqual({
      status: 0,
      stdout: "",
      stderr: 'Remote "DinosaurCloud" removed.\n',
    });
    expect(await user.run(["remote", "remove", "SylabsCloud"])).toMatchObject({ status: 4, stdout: "" });
  });

  it("are logged in to as they are added, where a token is given", async () => {
    const words = ["remote", "add", "--insecure", "lab", served.host];
    const asked = await user.run([...words, "--token-stdin"], { input: tokens.paul });
    const file = user.path(".singularity", "remote.yaml");
    expect(asked).toEqual({
      status: 0,
      stdout: "",
      stderr: `Remote "lab" added.\nAccess Token Verified!\nToken stored in ${file}\n`,
    });
    await ok(user.run(["remote", "remove", "lab"]));
    const silent = await user.run(words);
    expect(silent).toEqual({
      status: 0,
      stdout: "",
      stderr:
        'Remote "lab" added.\n' +
        "Nobody is there to paste a token; log in with: sregistry remote login lab --token-stdin\n",
    });
  });

  it("keep a token that the server has verified, in the file that Singularity reads", async () => {
    await ok(user.run(["remote", "add", "--insecure", "--no-login", "DinosaurCloud", served.host]));
    const file = user.path(".singularity", "remote.yaml");
    const before = await readFile(file, "utf8");
    const wrong = await user.run(["remote", "login", "DinosaurCloud", "--token-stdin"], { input: "0".repeat(40) });
    expect(wrong).toEqual({
      status: 4,
      stdout: "",
      stderr:
        "error: while verifying token: error response from server: Invalid Token\n" +
        "hint: generate a new one on the server's token page; nothing was stored\n",
    });
    expect(await readFile(file, "utf8")).toBe(before);
    const right = await user.run(["login", "DinosaurCloud", "--token-stdin"], { input: `${tokens.vanessa}\n` });
    expect(right).toEqual({ status: 0, stdout: "", stderr: `Access Token Verified!\nToken stored in ${file}\n` });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, "utf8")).toContain(`Token: ${tokens.vanessa}\n`);
    expect(await ok(user.run(["remote", "status", "DinosaurCloud"]))).toMatch(
      /^SERVICE +STATUS +VERSION +URI\nLibrary +OK +\S+ +http:\S+\nToken +OK +\S+ +http:\S+\n\nLogged in as: vanessa\n\nValid authentication token set \(logged in\)\.\n$/,
    );
    await ok(user.run(["remote", "use", "DinosaurCloud"]));
    expect(await ok(user.run(["remote", "get-login-password"]))).toBe(`${tokens.vanessa}\n`);
  });

  it("take a token from a file, and never from the command line", async () => {
    await ok(user.run(["remote", "add", "--insecure", "--no-login", "lab", served.host]));
    await writeFile(user.path("token"), `${tokens.paul}\n`);
    await ok(user.run(["login", "lab", "--token-file", "token"]));
    expect(await user.run(["logout", "lab"])).toEqual({ status: 0, stdout: "", stderr: "Logout succeeded\n" });
    expect(await readFile(user.path(".singularity", "remote.yaml"), "utf8")).not.toContain(tokens.paul);
    const asked = await user.run(["login", "lab"]);
    expect(asked).toMatchObject({ status: 2, stdout: "" });
    // Nobody could paste one.
    expect(asked.stderr).not.toContain("paste it here");
    expect(asked.stderr).toContain("use --token-stdin");
  });

  it("of OCI registries are kept in our own file, which can be the default", async () => {
    await ok(user.run(["remote", "add", "here", `oras://${served.host}/lab`]));
    await ok(user.run(["remote", "use", "here"]));
    expect(await ok(user.run(["remote", "list"]))).toContain(`here  oras://${served.host}/lab  YES\n`);
    expect(await readFile(user.path(".config", "sregistry", "config.yaml"), "utf8")).toBe(
      `remotes:\n    here: oras://${served.host}/lab\nregistry: here\n`,
    );
    await ok(user.run(["remote", "remove", "here"]));
    expect(await ok(user.run(["-v", "list"]))).toBe("");
  });

  it("send their token to no server of another owner, whatever the remote says", async () => {
    const got: string[] = [];
    const stranger = createServer((request, response) => {
      got.push(`${request.url} ${request.headers.authorization ?? ""}`);
      response.end("{}");
    });
    const front = createServer((request, response) => {
      const uri = `http://localhost.:${portOf(stranger)}`;
      const found = request.url === "/assets/config/config.prod.json";
      response.writeHead(found ? 200 : 404, { "content-type": "application/json" });
      response.end(found ? JSON.stringify({ libraryAPI: { uri }, tokenAPI: { uri } }) : "");
    });
    await using _both = await listening(stranger, front);
    await ok(user.run(["remote", "add", "--insecure", "--no-login", "lab", `127.0.0.1:${portOf(front)}`]));
    const file = user.path(".singularity", "remote.yaml");
    await writeFile(file, `${await readFile(file, "utf8")}        Token: ${tokens.vanessa}\n`);
    await ok(user.run(["remote", "use", "lab"]));
    const runs = [
      await user.run(["remote", "status"]),
      await user.run(["remote", "get-login-password"]),
      await user.run(["login", "lab", "--token-stdin"], { input: tokens.vanessa }),
      await user.run(["list", "any/thing"]),
    ];
    expect(got.join("\n")).not.toContain(tokens.vanessa);
    expect(
      runs.slice(0, 3).map(({ status, stderr }) => [status, stderr.includes("--trust-realm localhost.:")]),
    ).toEqual([
      [8, true],
      [8, true],
      [8, true],
    ]);
  });

  it("end at once when they are stopped while a server does not answer", async () => {
    const silent = createServer(() => undefined);
    await using _one = await listening(silent);
    const started = user.start(["list", `library://127.0.0.1:${portOf(silent)}/a/b/c`]);
    const run = finished(started);
    await new Promise((done) => silent.once("request", done));
    started.kill("SIGTERM");
    expect(await run).toMatchObject({ status: 143, stdout: "" });
  });

  it("leaves a broken remote.yaml alone, and names the line", async () => {
    await atHome();
    const file = user.path(".singularity", "remote.yaml");
    await writeFile(file, "Active: x\nRemotes: [\n");
    const run = await user.run(["remote", "add", "--no-login", "other", "example.org"]);
    expect(run).toMatchObject({ status: 2, stdout: "" });
    expect(run.stderr).toContain(`${file}, line `);
    expect(await readFile(file, "utf8")).toBe("Active: x\nRemotes: [\n");
  });
});

describe("a library", () => {
  it("does the main job under names of two and of three components", async () => {
    await atHome();
    const pushed = await user.run(["-q", "push", "-U", TINY, "--name", "dinosaur/avocado", "--tag", "delicious"]);
    const hex = await hexOf(TINY);
    expect(pushed).toEqual({ status: 0, stdout: `library://dinosaur/avocado:sha256.${hex}\n`, stderr: "" });
    expect(await ok(user.run(["list", "dinosaur"]))).toBe("dinosaur/avocado:delicious\n");
    const pulled = await user.run(["-q", "pull", "dinosaur/avocado:delicious"]);
    const file = user.path("dinosaur-avocado-delicious.sif");
    expect(pulled).toEqual({ status: 0, stdout: `${file}\n`, stderr: "" });
    expect(await hexOf(file)).toBe(hex);
    // Anonymously, as `singularity pull --library` does it, and with Singularity's name for the file.
    const stranger = ["-q", "pull", "--library", served.url, "library://vanessa/dinosaur/avocado:delicious"];
    expect(await ok(user.run(stranger))).toBe(`${user.path("avocado_delicious.sif")}\n`);
    expect(await ok(user.run(["-q", "pull", "-o", "pin.sif", `library://dinosaur/avocado:sha256.${hex}`]))).toContain(
      "pin.sif",
    );
    expect(await ok(user.run(["tag", "dinosaur/avocado:delicious", "ripe"]))).toBe("library://dinosaur/avocado:ripe\n");
    expect(await ok(user.run(["search", "avoca"]))).toContain("dinosaur/avocado");
    expect(await ok(user.run(["delete", "dinosaur/avocado:ripe", "--force"]))).toContain("dinosaur/avocado:ripe");
    expect(await user.run(["pull", "dinosaur/avocado:ripe"])).toMatchObject({ status: 3, stdout: "" });
  });

  it("says the quota of what was pushed, several tags of one upload, and no page that there is not", async () => {
    await atHome();
    const run = await user.run(["push", SIGNED, "library://vanessa/lab/signed:1,2"]);
    expect(run).toMatchObject({ status: 0, stdout: `library://vanessa/lab/signed:sha256.${await hexOf(SIGNED)}\n` });
    expect(run.stderr).toContain("Library storage: using 41.6 KiB out of unlimited quota\n");
    // The embedded server has no page for people.
    expect(run.stderr).not.toContain("Container URL");
    expect(await ok(user.run(["list", "lab/signed"]))).toBe("lab/signed:1\nlab/signed:2\n");
    const again = await user.run(["push", SIGNED, "library://vanessa/lab/signed:3"]);
    expect(again.stderr).toContain("the registry holds this image already; only names were set\n");
  });

  it("wants a signature, and one of these very bytes", async () => {
    await atHome();
    const unsigned = await user.run(["push", TINY, "lab/unsigned:1"]);
    expect(unsigned).toEqual({
      status: 6,
      stdout: "",
      stderr: `error: ${TINY} is not signed, and this library wants it to be\nhint: push it unsigned with -U, or sign it first: singularity sign\n`,
    });
    const bytes = await readFile(SIGNED);
    bytes.writeUInt8(bytes.readUInt8(39_000) ^ 1, 39_000);
    await writeFile(user.path("changed.sif"), bytes);
    const changed = await user.run(["push", "changed.sif", "lab/unsigned:1"]);
    expect(changed).toMatchObject({ status: 6, stdout: "" });
    expect(changed.stderr).toMatch(
      /changed\.sif was changed after it was signed: the content of object \d+ is not what was signed/,
    );
  });

  it("holds an image for each architecture under one tag", async () => {
    await atHome();
    await ok(user.run(["push", "-U", TINY, "lab/multi:1"]));
    await ok(user.run(["push", "-U", ARM, "lab/multi:1"]));
    await ok(user.run(["-q", "pull", "--arch", "arm64", "-o", "arm.sif", "lab/multi:1"]));
    await ok(user.run(["-q", "pull", "--arch", "amd64", "-o", "amd.sif", "lab/multi:1"]));
    expect([await hexOf(user.path("arm.sif")), await hexOf(user.path("amd.sif"))]).toEqual([
      await hexOf(ARM),
      await hexOf(TINY),
    ]);
  });

  it("refuses a frozen tag with exit 5 and its own words", async () => {
    await atHome();
    await ok(user.run(["push", "-U", TINY, "lab/frozen:1"]));
    await ok(owner.run(["serve", "freeze", "lab/frozen:1"]));
    const refused = await user.run(["push", SIGNED, "lab/frozen:1"]);
    expect(refused).toMatchObject({ status: 5, stdout: "" });
    expect(refused.stderr).toContain("This tag exists, and is frozen.");
    await ok(user.run(["-q", "pull", "-o", "x.sif", "lab/frozen:1"]));
    expect(await hexOf(user.path("x.sif"))).toBe(await hexOf(TINY));
  });

  it("lists a collection that was made and is empty still, for those who may see it", async () => {
    await atHome();
    await ok(user.run(["collection", "create", "unfilled"]));
    await ok(user.run(["collection", "create", "unfilled-secret", "--private"]));
    expect(await ok(user.run(["list", "unfilled"]))).toBe("unfilled/\n");
    expect(JSON.parse(await ok(user.run(["list", "unfilled", "--json"])))).toEqual({
      schemaVersion: 1,
      containers: [],
      emptyCollections: ["unfilled"],
    });
    expect(await ok(user.run(["list"]))).toContain("unfilled-secret/\n");
    await using other = await User.create();
    await atHome(other, "paul");
    expect(await ok(other.run(["list"]))).not.toContain("unfilled-secret");
    await ok(user.run(["push", "-U", TINY, "unfilled/tool:1"]));
    expect(await ok(user.run(["list", "unfilled", "-l"]))).not.toContain("unfilled/\n");
    expect(await ok(user.run(["list", "unfilled"]))).toBe("unfilled/tool:1\n");
  });

  it("keeps a private collection from everybody else, by every protocol", async () => {
    await atHome();
    expect(await ok(user.run(["collection", "create", "Secret_Lab", "--private"]))).toBe("secret-lab\n");
    expect(await user.run(["collection", "create", "secret-lab"])).toMatchObject({ status: 5, stdout: "" });
    await ok(user.run(["push", "-U", TINY, "secret-lab/tool:1"]));
    expect(await ok(user.run(["-q", "pull", "-o", "x.sif", "secret-lab/tool:1"]))).toBe(`${user.path("x.sif")}\n`);
    await using other = await User.create();
    await atHome(other, "paul");
    expect(await ok(other.run(["list"]))).not.toContain("secret-lab");
    expect(await ok(other.run(["labels"]))).not.toContain("secret-lab");
    for (const name of [
      "secret-lab/tool:1",
      `library://${served.host}/any/secret-lab/tool:1`,
      `oras://${served.host}/secret-lab/tool:1`,
      `shub://${served.host}/secret-lab/tool:1`,
    ]) {
      const run = await other.run(["pull", "-o", "x.sif", name]);
      expect({ name, status: run.status, stdout: run.stdout }).toMatchObject({ name, stdout: "" });
      expect([3, 4]).toContain(run.status);
    }
    expect(await other.run(["push", "-U", SIGNED, "secret-lab/tool:1"])).toMatchObject({ status: 4, stdout: "" });
  });

  it("shares what was pushed with every other protocol", async () => {
    await atHome();
    await ok(user.run(["push", "-U", TINY, "lab/shared:1"]));
    for (const name of [
      `oras://${served.host}/lab/shared:1`,
      `shub://${served.host}/lab/shared:1`,
      `library://${served.host}/vanessa/lab/shared:1`,
    ]) {
      await ok(user.run(["-q", "pull", "-F", "-o", "x.sif", name]));
      expect({ name, hex: await hexOf(user.path("x.sif")) }).toEqual({ name, hex: await hexOf(TINY) });
    }
    expect(await ok(user.run(["-q", "labels", "--key", "maintainer", "lab/shared:1"]))).toBe(
      "maintainer\tvanessasaur\tlab/shared:1\n",
    );
    expect(await ok(user.run(["list", "lab/shared:1", "-r"]))).toContain("runscript:");
    expect(await ok(user.run(["inspect", "lab/shared:1", "--json"]))).toContain(await hexOf(TINY));
    expect(await ok(user.run(["inspect", `shub://${served.host}/lab/shared:1`]))).toContain(
      "FS (Squashfs/*System/amd64)",
    );
  });

  it("never shows the token, however loud", async () => {
    await atHome();
    const runs = [
      await user.run(["--debug", "push", "-U", TINY, "lab/loud:1"]),
      await user.run(["--debug", "pull", "-F", "-o", "x.sif", "lab/loud:1"]),
      await user.run(["--debug", "--protocol", "hmac", "delete", "-f", "lab/loud:1"]),
      await user.run(["--debug", "remote", "status"]),
    ];
    for (const { stdout, stderr } of runs) expect(`${stdout}${stderr}`).not.toContain(tokens.vanessa);
    expect(runs.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
  });
});

describe("the old client's protocol", () => {
  const env = () => ({
    SREGISTRY_CLIENT: "registry",
    SREGISTRY_REGISTRY_BASE: `${served.url}/api`,
    SREGISTRY_REGISTRY_USERNAME: "vanessa",
    SREGISTRY_REGISTRY_TOKEN: tokens.vanessa,
  });

  it("pushes, pulls and deletes by its variables alone, and keeps none of them", async () => {
    const pushed = await user.run(["push", "-U", TINY, "--name", "meowmeow/avocado", "--tag", "nomnomnom"], {
      env: env(),
    });
    expect(pushed).toMatchObject({ status: 0 });
    expect(await ok(user.run(["list", "meowmeow"], { env: env() }))).toBe("meowmeow/avocado:nomnomnom\n");
    await ok(user.run(["-q", "pull", "-o", "x.sif", "meowmeow/avocado:nomnomnom"], { env: env() }));
    expect(await hexOf(user.path("x.sif"))).toBe(await hexOf(TINY));
    const again = await user.run(["push", "-U", TINY, "meowmeow/avocado:nomnomnom"], { env: env() });
    expect(again.stderr).toContain("the registry holds this image already");
    await ok(user.run(["delete", "-f", "meowmeow/avocado:nomnomnom"], { env: env() }));
    expect(await user.run(["pull", "meowmeow/avocado:nomnomnom"], { env: env() })).toMatchObject({ status: 3 });
    await expect(stat(user.path(".sregistry"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("reads ~/.sregistry", async () => {
    const registry = { base: served.url, username: "vanessa", token: tokens.vanessa };
    await writeFile(user.path(".sregistry"), JSON.stringify({ registry }));
    await ok(user.run(["--protocol", "hmac", "push", TINY, "old/file:1"]));
    expect(await ok(user.run(["list", "old"]))).toBe("old/file:1\n");
  });

  it("is spoken where ~/.sregistry says which backend is active, without any variable", async () => {
    const registry = { base: served.url, username: "vanessa", token: tokens.vanessa };
    const write = (more: object) => writeFile(user.path(".sregistry"), JSON.stringify({ registry, ...more }));
    await write({});
    // The library protocol wants a signature, the old one does not.
    expect(await user.run(["push", TINY, "old/active:1"])).toMatchObject({ status: 6 });
    await write({ SREGISTRY_CLIENT: "registry" });
    await ok(user.run(["push", TINY, "old/active:1"]));
    expect(await user.run(["--protocol", "library", "push", TINY, "old/active:2"])).toMatchObject({ status: 6 });
  });

  it.each([
    ["local://lab/tool:1", "the local store"],
    ["oras://HOST/lab/tool:1", "registry HOST"],
  ])("is refused by name at what is no such server, and not passed over in silence (%s)", async (reference, name) => {
    const run = await user.run(["--protocol", "hmac", "push", TINY, reference.replace("HOST", served.host)]);
    expect(run).toEqual({
      status: 8,
      stdout: "",
      stderr:
        `error: ${name.replace("HOST", served.host)} is no Singularity Registry Server: it cannot be spoken to with --protocol hmac\n` +
        "hint: leave --protocol out, or name such a server with --registry\n",
    });
  });

  it("says who was refused, and why", async () => {
    const wrong = { ...env(), SREGISTRY_REGISTRY_TOKEN: "0".repeat(40) };
    const run = await user.run(["push", TINY, "meowmeow/other:1"], { env: wrong });
    expect(run).toMatchObject({ status: 4, stdout: "" });
  });
});

describe("a server that is open to everybody", () => {
  it("needs no login for anything", async () => {
    await using server = await User.create();
    const open = await server.serve();
    const at = ["--registry", open.url];
    await ok(user.run([...at, "push", "-U", TINY, "--name", "dinosaur/avocado", "--tag", "delicious"]));
    expect(await ok(user.run([...at, "list"]))).toBe("dinosaur/avocado:delicious\n");
    expect(await ok(user.run([...at, "collection", "create", "tools"]))).toBe("tools\n");
    // Nobody could be let in to it.
    const refused = await user.run([...at, "collection", "create", "hidden", "--private"]);
    expect(refused).toMatchObject({ status: 4, stdout: "" });
    expect(refused.stderr).toContain("a private collection needs an owner: sregistry serve user add NAME makes one");
    expect(await ok(user.run([...at, "search", "avo"]))).toMatch(/^dinosaur\/avocado:delicious\tdelicious\tamd64\t/);
    await ok(user.run([...at, "tag", "dinosaur/avocado:delicious", "ripe"]));
    expect(await ok(user.run([...at, "delete", "-f", "dinosaur/avocado:delicious"]))).toContain("delicious");
    expect(await ok(user.run([...at, "list"]))).toBe("dinosaur/avocado:ripe\ntools/\n");
    await open.stop();
  });
});

describe("a default registry by its address", () => {
  it("is asked what it speaks, once", async () => {
    await atHome();
    await ok(user.run(["push", "-U", TINY, "lab/asked:1"]));
    await using other = await User.create();
    const first = await other.run(["-v", "--registry", served.url, "list", "lab/asked"]);
    expect(first).toMatchObject({ status: 0, stdout: "lab/asked:1\n" });
    expect(first.stderr).toContain(`${served.host} speaks library, sregistry\n`);
    const second = await other.run(["-v", "--registry", served.url, "list", "lab/asked"]);
    expect(second).toMatchObject({ status: 0, stdout: "lab/asked:1\n" });
    expect(second.stderr).not.toContain("speaks");
  });

  it("conflicts with a host in the name, in Singularity's words", async () => {
    const run = await user.run(["pull", "--library", served.url, `library://${served.host}/a/b/c:1`]);
    expect(run).toMatchObject({ status: 2, stdout: "" });
    expect(run.stderr).toContain("do not use --library with a library URI containing host name");
  });
});
