/** A name that is not there: the hint names what is. */
import { copyFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FIXTURES, type Run, type Served, User } from "../support/program.ts";

let user: User;
let served: Served;

beforeAll(async () => {
  user = await User.create();
  await copyFile(join(FIXTURES, "tiny.sif"), user.path("image.sif"));
  const names = ["lab/tool:1.0", "lab/tool:1.1", "lab/tool:latest", "lab/blast:2", "dinosaur/avocado:delicious"];
  for (const name of names) {
    const { status, stderr } = await user.run(["push", "image.sif", `local://${name}`]);
    expect(status, stderr).toBe(0);
  }
  served = await user.serve();
});
afterAll(async () => {
  await served.stop();
  await user[Symbol.asyncDispose]();
});

function failed(message: string, hint: string): Run {
  return { status: 3, stdout: "", stderr: `error: ${message}\nhint: ${hint}\n` };
}

describe.concurrent("in the embedded registry", () => {
  const gone = (name: string) => `local://${name} is not in the local store: it has no such tag or digest`;
  const nowhere = (name: string) => `local://${name} is not in the local store: there is no such repository`;
  const unmatched = (name: string) => `the local store has nothing that matches ${name}`;
  const zeros = "0".repeat(64);
  it.each([
    [
      "pull lab/tool:1.O",
      gone("lab/tool:1.O"),
      "did you mean lab/tool:1.0 or lab/tool:1.1? sregistry list lab/tool shows all",
    ],
    ["get lab/tool:lates", gone("lab/tool:lates"), "did you mean lab/tool:latest? sregistry list lab/tool shows all"],
    ["inspect lab/tool:nightly", gone("lab/tool:nightly"), "lab/tool has 1.0, 1.1, latest: sregistry list lab/tool"],
    ["tag lab/tool:2.0 new", gone("lab/tool:2.0"), "lab/tool has 1.0, 1.1, latest: sregistry list lab/tool"],
    [
      "delete -f lab/tool:latset",
      gone("lab/tool:latset"),
      "did you mean lab/tool:latest? sregistry list lab/tool shows all",
    ],
    [
      `pull lab/tool@sha256:${zeros}`,
      gone(`lab/tool@sha256:${zeros}`),
      "lab/tool has 1.0, 1.1, latest: sregistry list lab/tool",
    ],
    ["pull lab/tol:1.0", nowhere("lab/tol:1.0"), "did you mean lab/tool? sregistry list lab/tool shows what is there"],
    ["pull lab/zebra", nowhere("lab/zebra:latest"), "lab has blast, tool: sregistry list lab"],
    ["pull dinosaur", nowhere("dinosaur:latest"), "dinosaur is a collection: sregistry list dinosaur"],
    [
      "pull nowhere/at-all",
      nowhere("nowhere/at-all:latest"),
      "sregistry list local:// shows what is; at another registry it has a host: oras://HOST/nowhere/at-all:latest",
    ],
    [
      "pull --offline lab/tol",
      nowhere("lab/tol:latest"),
      "did you mean lab/tool? sregistry list lab/tool shows what is there",
    ],
    [
      "copy lab/tol:1 lab/new",
      `source: ${nowhere("lab/tol:1")}`,
      "did you mean lab/tool? sregistry list lab/tool shows what is there",
    ],
    [
      "copy --all lab/tol lab/new",
      "source: the local store has no repository lab/tol",
      "did you mean lab/tool? sregistry list lab/tool shows what is there",
    ],
    ["list dinosuar", unmatched("dinosuar"), "did you mean dinosaur? sregistry list dinosaur shows what is there"],
    [
      "list lab/tool:1.O",
      unmatched("lab/tool:1.O"),
      "did you mean lab/tool:1.0 or lab/tool:1.1? sregistry list lab/tool shows all",
    ],
    ["list /avocdo", unmatched("/avocdo"), "sregistry list shows what is there"],
  ])("%s", async (line, message, hint) => {
    expect(await user.run(line.split(" "))).toEqual(failed(message, hint));
  });

  it("list that found nothing is no answer to itself: the last image of a collection is deleted", async () => {
    await user.run(["push", "-q", "image.sif", "vanished/one:1"]);
    await user.run(["delete", "--force", "vanished/one:1"]);
    expect(await user.run(["list", "vanished"])).toEqual(
      failed(unmatched("vanished"), "sregistry list shows what is there"),
    );
  });

  it("is told with --json too", async () => {
    const run = await user.run(["pull", "--json", "lab/tool:1.O"]);
    expect(JSON.parse(run.stderr)).toEqual({
      error: {
        code: "NOT_FOUND",
        exit: 3,
        message: gone("lab/tool:1.O"),
        hint: "did you mean lab/tool:1.0 or lab/tool:1.1? sregistry list lab/tool shows all",
      },
    });
  });
});

describe.concurrent("a file", () => {
  it.each([
    ["push imgae.sif lab/new", "imgae.sif", true, "image.sif"],
    ["inspect ./imge.sif", "./imge.sif", false, "image.sif"],
  ])("%s", async (line, file, whole, near) => {
    const name = whole ? user.path(file) : file;
    expect(await user.run(line.split(" "))).toEqual(failed(`there is no file ${name}`, `did you mean ${near}?`));
  });

  it("is not said to be missing where it is a directory", async () => {
    expect(await user.run(["inspect", user.home])).toEqual({
      status: 2,
      stdout: "",
      stderr: `error: ${user.home} is a directory; an image is one file\n`,
    });
  });

  it("that nothing is like", async () => {
    expect(await user.run(["inspect", "./zebra.sif"])).toEqual({
      status: 3,
      stdout: "",
      stderr: "error: there is no file ./zebra.sif\n",
    });
  });
});

describe.concurrent("a remote", () => {
  const known = "known are: local, SylabsCloud";
  it.each([
    ["remote use sylbascloud", 3, "sylbascloud is not a remote", `did you mean SylabsCloud? ${known}`],
    ["remote use zebra", 3, "zebra is not a remote", known],
    ["remote status sylab", 3, "sylab is not a remote", "did you mean SylabsCloud? known are: SylabsCloud"],
    [
      "--registry sylbas list",
      2,
      '--registry "sylbas" names no registry',
      "did you mean SylabsCloud? expected a remote (local, SylabsCloud), oras://HOST[/PATH], http://HOST[:PORT] or https://HOST",
    ],
    [
      "login sylbas",
      3,
      "sylbas is not a remote, and not written like a host",
      "did you mean SylabsCloud? sregistry remote list; for a host of one word: sregistry login oras://sylbas",
    ],
  ])("%s", async (line, status, message, hint) => {
    expect(await user.run(line.split(" "))).toEqual({ ...failed(message, hint), status });
  });
});

describe.concurrent("at a server", () => {
  it("oras: a tag", async () => {
    const name = `oras://${served.host}/lab/tool`;
    const url = `${served.url}/v2/lab/tool/manifests/1.O`;
    expect(await user.run(["pull", `${name}:1.O`])).toEqual(
      failed(
        `${name}:1.O is not there, or not for you: Error response from ${served.host}: MANIFEST_UNKNOWN: lab/tool has no manifest 1.O (status 404, GET ${url})`,
        `did you mean ${name}:1.0 or ${name}:1.1? sregistry list ${name} shows all`,
      ),
    );
  });

  it("oras: a repository, which may be private as well", async () => {
    const at = `oras://${served.host}/lab`;
    const url = `${served.url}/v2/lab/tol/manifests/1.0`;
    expect(await user.run(["pull", `${at}/tol:1.0`])).toEqual(
      failed(
        `${at}/tol:1.0 is not there, or not for you: Error response from ${served.host}: NAME_UNKNOWN: there is no repository lab/tol (status 404, GET ${url})`,
        `did you mean ${at}/tool? sregistry list ${at}/tool shows what is there; if it is private: sregistry login ${served.host}`,
      ),
    );
  });

  it("oras: below the default registry's prefix, as it is typed there", async () => {
    const lab = `oras://${served.host}/lab`;
    const { stderr } = await user.run(["--registry", lab, "pull", "tol:1.0"]);
    expect(stderr.split("\n")[1]).toBe(
      `hint: did you mean tool? sregistry list --registry ${lab} tool shows what is there; if it is private: sregistry login ${served.host}`,
    );
  });

  it("library", async () => {
    const list = `sregistry list --library ${served.url}`;
    const library = (name: string) => user.run(["--library", served.url, "pull", name]);
    const gone = (name: string) => `library://${name} is not at library ${served.host} for amd64, or not yours to see`;
    expect(await library("lab/tool:lates")).toEqual(
      failed(gone("lab/tool:lates"), `did you mean lab/tool:latest? ${list} lab/tool shows all`),
    );
    expect(await library("lab/tol:1.0")).toEqual(
      failed(
        gone("lab/tol:1.0"),
        `did you mean lab/tool? ${list} lab/tool shows what is there; if it is private: sregistry remote status`,
      ),
    );
  });
});

describe.concurrent("what is asked for a hint", () => {
  /** Answers the manifest with 404, and what comes after it with `answer`. */
  async function pulledFrom(
    answer: (response: ServerResponse) => void,
  ): Promise<{ run: Run; asked: readonly string[] }> {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      if (asked.length === 1) response.writeHead(404).end();
      else answer(response);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const run = await user.run(["pull", `oras://127.0.0.1:${port}/lab/tol:1.0`]);
    server.closeAllConnections();
    server.close();
    return { run: { ...run, stderr: run.stderr.replaceAll(`127.0.0.1:${port}`, "HOST") }, asked };
  }

  const before = failed(
    "oras://HOST/lab/tol:1.0 is not there, or not for you: Error response from HOST: Not Found (status 404, GET http://HOST/v2/lab/tol/manifests/1.0)",
    "sregistry list oras://HOST/lab/tol, or sregistry login HOST",
  );
  const tags = "GET /v2/lab/tol/tags/list?n=1000";

  it("is not asked twice, and a server that fails changes nothing of the failure", async () => {
    const { run, asked } = await pulledFrom((response) => response.writeHead(503).end());
    expect(run).toEqual(before);
    expect(asked.slice(1)).toEqual([tags]);
  });

  it("is not waited for long", async () => {
    const { run, asked } = await pulledFrom(() => undefined);
    expect(run).toEqual(before);
    expect(asked.slice(1)).toEqual([tags]);
  });

  it("is nothing that is not for us", async () => {
    const { run, asked } = await pulledFrom((response) => response.writeHead(403).end());
    expect(run).toEqual(before);
    expect(asked.slice(1)).toEqual([tags]);
  });

  it("is a page of tags and one of repositories", async () => {
    const { run, asked } = await pulledFrom((response) => response.writeHead(404).end());
    expect(asked.slice(1)).toEqual([tags, "GET /v2/_catalog?n=1000"]);
    expect(run).toEqual(before);
  });

  it("is nothing with --offline", async () => {
    const name = "oras://127.0.0.1:1/lab/tol:1.0";
    expect(await user.run(["get", "--offline", name])).toEqual(
      failed(
        `${name} is not in the cache, and --offline opens no connection`,
        `once with a connection: sregistry pull --cache-only ${name}; a name is remembered, and a pin (@sha256:...) is sure`,
      ),
    );
  });
});
