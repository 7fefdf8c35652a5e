import { chmod, mkdir, symlink } from "node:fs/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseDockerConfig } from "../../src/credentials/docker-config.ts";
import { matchingKeys, placeOfKey, placesFor, storedKey } from "../../src/credentials/host-keys.ts";
import { jsonErrorPosition } from "../../src/credentials/json-position.ts";
import { isCode } from "../../src/errors.ts";
import { Secret } from "../../src/secret.ts";
import { basic, failure, LoginHome } from "../support/login-home.ts";

let home: LoginHome;

beforeEach(async () => {
  home = await LoginHome.create();
});

afterEach(() => home[Symbol.asyncDispose]());

const SINGULARITY = ".singularity/docker-config.json";

describe("the order of sources", () => {
  it("takes the next one when one is taken away", async () => {
    const host = "reg.example.org";
    Object.assign(home.env, {
      SREGISTRY_USERNAME: "own",
      SREGISTRY_PASSWORD: "env",
      APPTAINER_DOCKER_USERNAME: "apptainer",
      APPTAINER_DOCKER_PASSWORD: "env",
      SINGULARITY_DOCKER_USERNAME: "singularity",
      SINGULARITY_DOCKER_PASSWORD: "env",
      DOCKER_USERNAME: "docker",
      DOCKER_PASSWORD: "env",
      DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [host]: basic("docker", "variable") } }),
      XDG_RUNTIME_DIR: home.at("run"),
    });
    const files = [
      "named.json",
      SINGULARITY,
      ".apptainer/docker-config.json",
      ".docker/config.json",
      "run/containers/auth.json",
      ".config/containers/auth.json",
    ];
    for (const file of files) await home.write(file, { auths: { [host]: basic("in", file) } });
    await home.write(".dockercfg", { [host]: basic("in", ".dockercfg") });
    await home.write(".netrc", `machine ${host} login in password .netrc\n`);
    const order: string[] = [];
    const options = { authfile: home.at("named.json"), explicit: { username: "typed", password: new Secret("in") } };
    order.push(await home.find(host, {}, home.credentials(options)));
    const take = async (): Promise<void> => {
      order.push(await home.find(host, {}, home.credentials({ authfile: home.at("named.json") })));
    };
    for (const name of ["SREGISTRY", "APPTAINER_DOCKER", "SINGULARITY_DOCKER", "DOCKER"]) {
      await take();
      delete home.env[`${name}_PASSWORD`];
      delete home.env[`${name}_USERNAME`];
    }
    for (const file of [...files.slice(0, 3), "DOCKER_AUTH_CONFIG", ...files.slice(3), ".dockercfg", ".netrc", "end"]) {
      await take();
      if (file === "DOCKER_AUTH_CONFIG") delete home.env[file];
      else await home.write(file, "");
    }
    const key = `(auths "${host}")`;
    expect(order).toEqual([
      "basic typed:in <the command line>",
      "basic own:env <SREGISTRY_USERNAME and SREGISTRY_PASSWORD>",
      "basic apptainer:env <APPTAINER_DOCKER_USERNAME and APPTAINER_DOCKER_PASSWORD>",
      "basic singularity:env <SINGULARITY_DOCKER_USERNAME and SINGULARITY_DOCKER_PASSWORD>",
      "basic docker:env <DOCKER_USERNAME and DOCKER_PASSWORD>",
      `basic in:named.json <~/named.json ${key}>`,
      `basic in:${SINGULARITY} <~/${SINGULARITY} ${key}>`,
      `basic in:.apptainer/docker-config.json <~/.apptainer/docker-config.json ${key}>`,
      `basic docker:variable <DOCKER_AUTH_CONFIG ${key}>`,
      `basic in:.docker/config.json <~/.docker/config.json ${key}>`,
      `basic in:run/containers/auth.json <~/run/containers/auth.json ${key}>`,
      `basic in:.config/containers/auth.json <~/.config/containers/auth.json ${key}>`,
      `basic in:.dockercfg <~/.dockercfg ${key}>`,
      `basic in:.netrc <~/.netrc (machine ${host})>`,
      "anonymous",
    ]);
    expect(home.warnings).toEqual([]);
  });

  it.each([
    "SREGISTRY_AUTHFILE",
    "APPTAINER_AUTHFILE",
    "APPTAINER_AUTH_FILE",
    "SINGULARITY_AUTHFILE",
    "REGISTRY_AUTH_FILE",
  ])("reads the file that %s names", async (variable) => {
    home.env[variable] = await home.write("x.json", { auths: { h: basic("a", "b") } });
    expect(await home.find("h")).toBe('basic a:b <~/x.json (auths "h")>');
  });

  it.each([
    ["SINGULARITY_CONFIGDIR", "docker-config.json"],
    ["APPTAINER_CONFIGDIR", "docker-config.json"],
    ["DOCKER_CONFIG", "config.json"],
    ["XDG_CONFIG_HOME", "containers/auth.json"],
  ])("looks in %s instead of the home directory", async (variable, file) => {
    home.env[variable] = home.at("else");
    await home.write(`else/${file}`, { auths: { h: basic("a", "b") } });
    expect(await home.find("h")).toBe(`basic a:b <~/else/${file} (auths "h")>`);
  });

  it("takes user and password from one pair only", async () => {
    Object.assign(home.env, { SREGISTRY_USERNAME: "only", DOCKER_PASSWORD: "only" });
    expect(await home.find("h")).toBe("anonymous");
    expect(home.warnings).toEqual(["DOCKER_PASSWORD is not used: DOCKER_USERNAME is not set"]);
  });

  it("says once that a named file is not there", async () => {
    const credentials = home.credentials({ authfile: home.at("typo.json") });
    await home.find("a", {}, credentials);
    await home.find("b", {}, credentials);
    expect(home.warnings).toEqual([`${home.at("typo.json")}, named as the file for logins, does not exist`]);
  });

  it("refuses secrets with line breaks, naming where but not what", async () => {
    Object.assign(home.env, { SREGISTRY_USERNAME: "me", SREGISTRY_PASSWORD: "hunter2\r\nX-Evil: 1" });
    const error = await failure(home.find("h"));
    expect([error.code, error.message]).toEqual([
      "CONFIG_INVALID",
      "SREGISTRY_PASSWORD holds a line break or another control character",
    ]);
  });

  it("takes no helper from a variable", async () => {
    home.env["DOCKER_AUTH_CONFIG"] = JSON.stringify({ credsStore: "evil", auths: { h: basic("a", "b") } });
    expect(await home.find("h")).toBe('basic a:b <DOCKER_AUTH_CONFIG (auths "h")>');
  });
});

describe("an entry of auths", () => {
  const base64 = (text: string): string => Buffer.from(text, "latin1").toString("base64");
  const FROM = `<~/${SINGULARITY} (auths "h")>`;

  it.each([
    [{ auth: base64("user:pass") }, `basic user:pass ${FROM}`],
    [{ auth: "dXNlcjpwYXNzdw==" }, `basic user:passw ${FROM}`],
    [{ auth: "dXNlcjpwYXNzdw" }, `basic user:passw ${FROM}`],
    [{ auth: base64("user:a:b:c") }, `basic user:a:b:c ${FROM}`],
    [{ auth: base64("user:pass\0\0") }, `basic user:pass ${FROM}`],
    [{ auth: Buffer.from("zoë:€").toString("base64") }, `basic zoë:€ ${FROM}`],
    [{ auth: "dXNlcjpw\r\nYXNz\n" }, `basic user:pass ${FROM}`],
    [{ username: "user", password: "p:w" }, `basic user:p:w ${FROM}`],
    [{ auth: base64("user:right"), username: "x", password: "wrong" }, `basic user:right ${FROM}`],
    [{ auth: "", username: "user", password: "pass" }, `basic user:pass ${FROM}`],
    [{ auth: base64("user:"), identitytoken: "idt" }, `identity user:idt ${FROM}`],
    [{ identitytoken: "idt" }, `identity :idt ${FROM}`],
    [{ registrytoken: "regt", identitytoken: "idt" }, `bearer regt ${FROM}`],
    [{ auth: null, email: "x@y" }, "anonymous"],
    [{}, "anonymous"],
    [null, "anonymous"],
  ])("%j", async (entry, expected) => {
    await home.write(SINGULARITY, { auths: { h: entry } });
    expect(await home.find("h")).toBe(expected);
  });

  it.each([
    [{ auth: "not base64!" }, "auth is not base64"],
    [{ auth: base64("no colon") }, "auth is not USER:PASSWORD inside its base64"],
    [{ auth: base64("user:\xff\xfe") }, "auth is not UTF-8 inside its base64"],
    [{ auth: 5 }, "auth: expected a string, got number"],
    [{ identitytoken: "a\nb" }, "identitytoken holds a line break or another control character"],
  ])("%j is an error that names file, key and member", async (entry, words) => {
    const file = await home.write(SINGULARITY, { auths: { h: entry } });
    const error = await failure(home.find("h"));
    expect([error.code, error.message]).toEqual(["CONFIG_INVALID", `${file}: auths["h"].${words}`]);
    expect(await home.find("other")).toBe("anonymous");
  });

  it("names what is broken in a decoded pair", async () => {
    const file = await home.write(SINGULARITY, { auths: { h: { auth: base64("us\ner:secret-word") } } });
    const error = await failure(home.find("h"));
    expect(error.message).toBe(
      `the user name in ${file}: auths["h"].auth holds a line break or another control character`,
    );
  });
});

describe("keys", () => {
  it.each([
    ["h", "h"],
    ["H.Example.org", "h.example.org"],
    ["https://h/v1/", "h"],
    ["http://h:5000/v2/", "h:5000"],
    ["h:5000", "h:5000"],
    ["h/v2/", "h"],
    ["h/a/b", "h/a/b"],
    ["h/a/", "h/a"],
    ["https://h/a", "h"],
    ["docker.io", "index.docker.io"],
    ["https://index.docker.io/v1/", "index.docker.io"],
    ["registry-1.docker.io", "index.docker.io"],
    ["docker.io/library/x", "index.docker.io/library/x"],
  ])("%s stands for %s", (key, place) => {
    expect(placeOfKey(key)).toBe(place);
  });

  it("walks up a repository's path as podman does", () => {
    expect(placesFor({ host: "h:5", repository: "a/b/c" })).toEqual(["h:5/a/b/c", "h:5/a/b", "h:5/a", "h:5"]);
    expect(placesFor({ host: "docker.io", secure: true })).toEqual(["index.docker.io", "index.docker.io:443"]);
  });

  it("prefers docker's own spelling, then the plain one", () => {
    const keys = ["http://h", "h", "https://h/v1/", "h:5000", "hh"];
    expect(matchingKeys(keys, { host: "h" })).toEqual(["h", "http://h", "https://h/v1/"]);
    const hub = ["docker.io", "index.docker.io", storedKey("docker.io")];
    expect(matchingKeys(hub, { host: "registry-1.docker.io" })).toEqual([
      "https://index.docker.io/v1/",
      "index.docker.io",
      "docker.io",
    ]);
  });

  it("finds by path, host and port", async () => {
    await home.write(SINGULARITY, {
      auths: {
        "h/team/tool": basic("u", "tool"),
        "h/team": basic("u", "team"),
        "https://h/v1/": basic("u", "host"),
        "h:5000": basic("u", "port"),
        "p:443": basic("u", "tls"),
        "q:80": basic("u", "http"),
        "docker.io": basic("u", "hub"),
      },
    });
    const passwords = await Promise.all(
      [
        home.find("h", { repository: "team/tool" }),
        home.find("h", { repository: "team/other" }),
        home.find("h", { repository: "teams/tool" }),
        home.find("h"),
        home.find("H:5000"),
        home.find("h:5001"),
        home.find("p"),
        home.find("p", { secure: false }),
        home.find("q", { secure: false }),
        home.find("registry-1.docker.io", { repository: "library/alpine" }),
        home.find("auth.docker.io"),
      ].map(async (found) => /u:(\w+)/.exec(await found)?.[1] ?? "anonymous"),
    );
    expect(passwords).toEqual([
      "tool",
      "team",
      "host",
      "host",
      "port",
      "anonymous",
      "tls",
      "anonymous",
      "http",
      "hub",
      "anonymous",
    ]);
  });

  it("is not fooled by names of Object's own", async () => {
    await home.write(SINGULARITY, '{"auths":{"__proto__":{"auth":"YTpi"}}}');
    expect(await home.find("constructor")).toBe("anonymous");
    expect(await home.find("tostring")).toBe("anonymous");
  });
});

describe("a file", () => {
  it("that is broken is named with the place, and nothing else is tried", async () => {
    const file = await home.write(SINGULARITY, '{\n\t"auths": {\n\t\t"h": {"auth": hunter2}\n\t}\n}');
    await home.write(".docker/config.json", { auths: { h: basic("docker", "file") } });
    const error = await failure(home.find("h"));
    expect([error.code, error.message]).toEqual(["CONFIG_INVALID", `${file} is not JSON: line 3, column 17`]);
    expect(error.cause).toBeUndefined();
  });

  it.each([
    ["[]", ": expected an object, got a list"],
    ['{"auths":[]}', ": auths: expected an object, got a list"],
    ['{"auths":{"h":"x"}}', ": auths.h: expected an object, got string"],
    ['{"credHelpers":{"h":1}}', ": credHelpers.h: expected a string, got number"],
    ['{"credsStore":{}}', ": credsStore: expected a string, got object"],
    [`{"auths":{}}${" ".repeat(1024 * 1024)}`, " is longer than 1 MiB, so it is no configuration of ours"],
  ])("%.30s is refused", async (text, words) => {
    const file = await home.write(SINGULARITY, text);
    const error = await failure(home.find("h"));
    expect([error.code, error.message]).toEqual(["CONFIG_INVALID", `${file}${words}`]);
  });

  it.each(["", " \n", "{}", '{"auths":null,"credHelpers":null,"credsStore":""}', '\ufeff{"auths":{}}'])(
    "%j has no logins",
    async (text) => {
      await home.write(SINGULARITY, text);
      expect(await home.find("h")).toBe("anonymous");
    },
  );

  it("may be a symbolic link; a directory in its place is an error", async () => {
    await home.write("real.json", { auths: { h: basic("a", "b") } });
    await mkdir(home.at(".singularity"));
    await symlink("../real.json", home.at(SINGULARITY));
    expect(await home.find("h")).toBe(`basic a:b <~/${SINGULARITY} (auths "h")>`);
    await mkdir(home.at(".docker/config.json"), { recursive: true });
    const error = await failure(home.find("other"));
    expect(error.message).toBe(`${home.at(".docker/config.json")} cannot be read: it is a directory`);
  });

  it("never makes the parser throw anything else", () => {
    const pieces = fc.constantFrom(
      "{",
      "}",
      '"auths"',
      ":",
      ",",
      '"h"',
      '"auth"',
      '"YTpi"',
      "null",
      "[",
      "]",
      "1",
      '"credsStore"',
      "x",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.array(pieces).map((parts) => parts.join("")),
        ),
        (text) => {
          try {
            parseDockerConfig(text, "f");
          } catch (error) {
            if (!isCode(error, "CONFIG_INVALID")) throw error;
          }
        },
      ),
    );
  });
});

describe("jsonErrorPosition", () => {
  it.each([
    ["", "line 1, column 1"],
    ["{", "line 1, column 2"],
    ['{"a":1,}', "line 1, column 8"],
    ['{"a" 1}', "line 1, column 6"],
    ["[1 2]", "line 1, column 4"],
    ["[1]]", "line 1, column 4"],
    ['{\n"a": "x\n"}', "line 2, column 8"],
    ['"\\x"', "line 1, column 2"],
    ["[1}", "line 1, column 3"],
    ['{"a": tru}', "line 1, column 7"],
    [" [ ] ", undefined],
  ])("%j breaks at %s", (text, position) => {
    expect(jsonErrorPosition(text)).toBe(position);
  });

  it("finds a place exactly when the text is not JSON", () => {
    const damaged = fc
      .tuple(
        fc.json(),
        fc.nat(),
        fc.constantFrom("", '"', ",", "}", "]", "\\", "\n", "0", "-", "e", "\u0001"),
        fc.nat(2),
      )
      .map(
        ([text, at, patch, cut]) =>
          text.slice(0, at % (text.length + 1)) + patch + text.slice((at % (text.length + 1)) + cut),
      );
    fc.assert(
      fc.property(fc.oneof(fc.json(), damaged, fc.string()), (text) => {
        let broken = false;
        try {
          JSON.parse(text);
        } catch {
          broken = true;
        }
        expect(jsonErrorPosition(text) !== undefined).toBe(broken);
      }),
      { numRuns: 500 },
    );
  });

  it("minds no depth", () => {
    expect(jsonErrorPosition("[".repeat(500_000))).toBe("line 1, column 500001");
  });
});

describe(".netrc", () => {
  it("is for https, by host without port", async () => {
    await home.write(".netrc", "machine reg.example.org login me password secret\ndefault login any password any\n");
    const expected = "basic me:secret <~/.netrc (machine reg.example.org)>";
    expect(await home.find("reg.example.org")).toBe(expected);
    expect(await home.find("Reg.Example.org:5000")).toBe(expected);
    expect(await home.find("reg.example.org", { secure: false })).toBe("anonymous");
    expect(await home.find("other.example.org")).toBe("anonymous");
  });

  it("is found where NETRC says", async () => {
    home.env["NETRC"] = await home.write("net", "machine h login me password secret");
    expect(await home.find("h")).toBe("basic me:secret <~/net (machine h)>");
  });

  it.each([0o640, 0o604, 0o644])(
    "is not used with mode %o, which is said when it would have mattered",
    async (mode) => {
      const file = await home.write(".netrc", "machine h login me password secret");
      await chmod(file, mode);
      expect([await home.find("other"), home.warnings]).toEqual(["anonymous", []]);
      expect(await home.find("h")).toBe("anonymous");
      expect(home.warnings).toEqual([
        `${file} has a login for h, which is not used because others can read the file: chmod 600 ${file}`,
      ]);
    },
  );
});
