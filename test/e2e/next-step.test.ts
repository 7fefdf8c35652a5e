/** What the program says to a user who went astray: where they are, and the command that leads on. Named after what they saw. */
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FIXTURES, PROGRAM, type Run, type Served, User } from "../support/program.ts";

const TINY = join(FIXTURES, "tiny.sif");

/** Two servers of one machine: one that wants logins, one that everybody may read. */
let owner: User;
let closed: Served;
let open: Served;
let tokens: Readonly<Record<"vanessa" | "bob", string>>;
let user: User;

beforeAll(async () => {
  owner = await User.create();
  const add = async (name: string): Promise<string> => (await ok(owner.run(["serve", "user", "add", name]))).trim();
  tokens = { vanessa: await add("vanessa"), bob: await add("bob") };
  closed = await owner.serve();
  open = await owner.serve(["--public-read"]);
});
afterAll(async () => {
  await closed.stop();
  await open.stop();
  await owner[Symbol.asyncDispose]();
});
beforeEach(async () => {
  user = await User.create();
});
afterEach(async () => {
  await user[Symbol.asyncDispose]();
});

async function ok(running: Promise<Run>): Promise<string> {
  const { status, stdout, stderr } = await running;
  expect(status, stderr).toBe(0);
  return stdout;
}

async function atHome(who: User, name: keyof typeof tokens, server = open): Promise<void> {
  await ok(who.run(["remote", "add", "--insecure", "--no-login", "lab", server.host]));
  await ok(who.run(["remote", "login", "lab", "--token-stdin"], { input: tokens[name] }));
  await ok(who.run(["remote", "use", "lab"]));
}

/** The last line but for its end. */
const hintOf = ({ stderr }: Run): string => stderr.trimEnd().split("\n").at(-1) ?? "";

interface Site extends AsyncDisposable {
  readonly host: string;
}

/** Answers every request alike. */
async function site(status: number, body: string, type?: string): Promise<Site> {
  const server: Server = createServer((_request, response) => {
    response.writeHead(status, type === undefined ? {} : { "content-type": type }).end(body);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  return {
    host: `127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

describe("a private collection is made by the name that pushes to it have", () => {
  it("as USER/COLLECTION, and a push there leaves nothing that others see", async () => {
    await atHome(user, "vanessa");
    const made = await user.run(["collection", "create", "vanessa/hidden", "--private"]);
    expect(made).toEqual({ status: 0, stdout: "hidden\n", stderr: "the registry calls it hidden\n" });
    await ok(user.run(["push", "-U", TINY, "vanessa/hidden/x:1"]));
    await using other = await User.create();
    await atHome(other, "bob");
    expect(await ok(other.run(["list"]))).not.toContain("hidden");
    expect(await other.run(["pull", "-o", "x.sif", "vanessa/hidden/x:1"])).toMatchObject({ stdout: "" });
    expect(await ok(user.run(["list", "hidden"]))).toBe("hidden/x:1\n");
  });

  it.each(["a/b/c", "/hidden", "hidden/"])("not as %s, with exit 2", async (name) => {
    await atHome(user, "vanessa");
    expect(await user.run(["collection", "create", name, "--private"])).toEqual({
      status: 2,
      stdout: "",
      stderr:
        `error: "${name}" is no name of a collection\n` +
        "hint: sregistry collection create NAME, or USER/NAME; without slashes before or behind\n",
    });
  });
});

describe("a login that a library wants is named by the remote that takes it", () => {
  const words = () => [
    ["--library", closed.url, "list"],
    ["--registry", closed.url, "list"],
    ["--registry", closed.url, "labels"],
    ["--registry", closed.url, "search", "anything"],
    ["--library", closed.url, "pull", "-o", "x.sif", "lab/tool:1"],
    ["--library", closed.url, "push", "-U", TINY, "library://vanessa/lab/tool:1"],
    ["pull", "-o", "x.sif", `library://${closed.host}/vanessa/lab/tool:1`],
  ];

  it("which has to be made where there is none", async () => {
    for (const verb of words()) {
      const run = await user.run(verb);
      expect({ verb, status: run.status, hint: hintOf(run) }).toEqual({
        verb,
        status: 4,
        hint: `hint: sregistry remote add --insecure NAME ${closed.host}, which asks for the token`,
      });
    }
  });

  it("which is in use, and logged out", async () => {
    await atHome(user, "vanessa", closed);
    await ok(user.run(["remote", "logout", "lab"]));
    for (const verb of [["list"], ["labels"], ["search", "anything"], ["collection", "create", "drawer"], ...words()]) {
      const run = await user.run(verb);
      expect({ verb, status: run.status, hint: hintOf(run) }).toEqual({
        verb,
        status: 4,
        hint: "hint: sregistry remote login lab",
      });
    }
  });
});

describe("a web server that says 200 to everything is no registry of any kind", () => {
  const NGINX = "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body>Hello</body></html>";

  it.each([
    [200, NGINX, "text/html", "it answered with a web page (Welcome to nginx!)"],
    [200, "", undefined, "it answered with an empty body"],
    [200, "42", "application/json", 'it answered with "42"'],
    [404, NGINX, "text/html", "it names no library service and has no /version"],
  ])("%i %j of %s", async (status, body, type, words) => {
    await using page = await site(status, body, type);
    const said = {
      status: 8,
      stdout: "",
      stderr: expect.stringContaining(
        `error: http://${page.host}/ is no library: ${words}\nhint: is that its address? curl -i http://${page.host}/\n`,
      ),
    };
    expect(await user.run(["pull", "-o", "x.sif", `library://${page.host}/a/b/c:1`])).toEqual(said);
    await ok(user.run(["remote", "add", "--insecure", "--no-login", "page", page.host]));
    await ok(user.run(["remote", "use", "page"]));
    expect(await user.run(["list"])).toEqual(said);
    // Not a table without rows, and exit 0.
    expect(await user.run(["remote", "status"])).toEqual(said);
    expect(await user.run(["remote", "status", "--json"])).toMatchObject({ status: 8, stdout: "" });
    const named = await user.run(["--registry", `http://localhost:${page.host.split(":")[1]}`, "list"]);
    expect(named).toMatchObject({ status: 8, stdout: "" });
    expect(named.stderr).toContain("answers neither as a library nor as an OCI registry");
  });
});

describe("a remote", () => {
  it("that was in use and is removed leaves a default, which is told", async () => {
    await atHome(user, "vanessa");
    expect(await user.run(["remote", "remove", "lab"])).toEqual({
      status: 0,
      stdout: "",
      stderr:
        'Remote "lab" removed.\n' +
        "It was the active remote. The default registry is now: the embedded store (nothing else is set)\n" +
        "Another one: sregistry remote use NAME\n",
    });
    await ok(user.run(["remote", "add", "here", `oras://${open.host}/lab`]));
    await ok(user.run(["remote", "use", "here"]));
    expect((await user.run(["remote", "remove", "here"])).stderr).toContain("now: the embedded store (nothing");
    await atHome(user, "vanessa");
    const env = { SREGISTRY_REGISTRY: open.url };
    expect((await user.run(["remote", "remove", "lab"], { env })).stderr).toContain(
      `now: ${open.url} (--registry or SREGISTRY_REGISTRY)\n`,
    );
    await atHome(user, "vanessa");
    const named = await user.run(["remote", "remove", "lab"], { env: { SREGISTRY_REGISTRY: "lab" } });
    expect(named).toMatchObject({ status: 0, stdout: "" });
    expect(named.stderr).toContain('--registry "lab" names no registry');
  });

  it("that is an OCI registry is logged in to by its name, and not said to be missing", async () => {
    await ok(user.run(["remote", "add", "here", `oras://${closed.host}/lab`]));
    expect(await user.run(["remote", "status", "here"])).toEqual({
      status: 2,
      stdout: "",
      stderr:
        `error: here is an OCI registry, oras://${closed.host}/lab, and remote status is for libraries\n` +
        "hint: sregistry list --registry here\n",
    });
    expect(hintOf(await user.run(["remote", "login", "here"]))).toBe("hint: sregistry login here");
    const login = ["login", "here", "--username", "vanessa", "--password-stdin"];
    await ok(user.run(login, { input: tokens.vanessa }));
    await ok(user.run(["list", "--registry", "here"]));
    const { stderr } = await user.run(["logout", "here"]);
    expect(stderr).toContain(`Removed the login for ${closed.host} from `);
  });

  it("that is not in use is removed without a word about the default", async () => {
    await atHome(user, "vanessa");
    await ok(user.run(["remote", "add", "--insecure", "--no-login", "other", "127.0.0.1"]));
    expect((await user.run(["remote", "remove", "other"])).stderr).toBe('Remote "other" removed.\n');
  });

  it("that Active: names and that is not there is told with file and line, and the way out works", async () => {
    await atHome(user, "vanessa");
    const file = user.path(".singularity", "remote.yaml");
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace("Active: lab", "Active: nosuch"));
    for (const words of [["list"], ["remote", "status"], ["pull", "lab/tool:1"]]) {
      expect(await user.run(words)).toMatchObject({
        status: 2,
        stdout: "",
        stderr: expect.stringMatching(
          /error: \S+\.singularity\/remote\.yaml, line 1: "Active: nosuch" names no remote\nhint: sregistry remote use lab\n$/,
        ),
      });
    }
    expect(await ok(user.run(["remote", "list"]))).toContain("(unknown: the active remote nosuch is not there)");
    await ok(user.run(["remote", "use", "lab"]));
    expect(await readFile(file, "utf8")).toBe(text);
  });

  it("added with a wrong token is there, and the message says how to log in to it", async () => {
    const run = await user.run(["remote", "add", "--insecure", "lab2", open.host, "--token-stdin"], { input: "wrong" });
    expect(run).toEqual({
      status: 4,
      stdout: "",
      stderr:
        'Remote "lab2" added.\n' +
        "error: while verifying token: error response from server: Invalid Token; the token was not stored, and the remote lab2 was added\n" +
        "hint: sregistry remote login lab2\n",
    });
    await ok(user.run(["remote", "login", "lab2", "--token-stdin"], { input: tokens.bob }));
  });

  it("whose server cannot be reached is not said to keep its keyserver to itself", async () => {
    await using page = await site(200, "{}", "application/json");
    await ok(user.run(["remote", "add", "--insecure", "--no-login", "lab", page.host]));
    await ok(user.run(["remote", "use", "lab"]));
    expect(await ok(user.run(["remote", "list"]))).toContain("(unknown: the active remote does not say)");
    const away = await user.run(["--offline", "remote", "list", "--json"]);
    expect(JSON.parse(away.stdout)).toMatchObject({
      keyservers: [],
      keyserversUnknown: `${page.host} was not asked (--offline)`,
    });
  });
});

it("labels of an image that is not there are no empty answer", async () => {
  await atHome(user, "vanessa");
  await ok(user.run(["push", "-U", TINY, "dinosaur/labelled:1"]));
  for (const name of ["dinosaur/nope", "dinosaur/labelled:2", "/nope", "nowhere"]) {
    const run = await user.run(["labels", name]);
    expect({ name, status: run.status, stdout: run.stdout }).toEqual({ name, status: 3, stdout: "" });
    expect(run.stderr).toContain(`has nothing that matches ${name}\n`);
  }
  // There, and without what was asked for.
  expect(await ok(user.run(["labels", "dinosaur/labelled", "--key", "no-such-key"]))).toBe("");
});

it("a login with another user's name says whose the token is", async () => {
  const words = ["login", open.host, "--username", "vanessa", "--password-stdin"];
  const foreign = await user.run(words, { input: tokens.bob });
  expect(foreign).toMatchObject({ status: 0, stdout: "" });
  expect(foreign.stderr).toMatch(
    new RegExp(
      `^warning: ${open.host} takes this token as bob's, whatever the user name: you are bob there, not vanessa\n`,
    ),
  );
  expect((await user.run(words, { input: tokens.vanessa })).stderr).toMatch(/^Login succeeded; stored in \S+\n$/);
});

it("a directory that was removed under a job is no internal error", async () => {
  const lost = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$@"';
  await using somebody = await User.create("bash", "-c", lost, process.execPath, PROGRAM);
  const { status, stderr } = await somebody.run(["list"]);
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr: "error: the current directory is not there any more\nhint: cd, and again\n",
  });
});

it("a token file that cannot be read comes with the command that shows why", async () => {
  await ok(user.run(["remote", "add", "--no-login", "--insecure", "away", "127.0.0.1:9"]));
  for (const verb of [["serve"], ["remote", "login", "away"]]) {
    const run = await user.run([...verb, "--token-file", "no such file"]);
    expect(run).toMatchObject({ status: 2, stdout: "" });
    expect(run.stderr).toMatch(/^error: --token-file .*no such file cannot be read\nhint: ls -l '.*no such file'\n$/);
  }
});
