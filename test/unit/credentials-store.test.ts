import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, lstat, mkdir, readdir, readlink, stat, symlink } from "node:fs/promises";
import { getuid } from "node:process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../src/secret.ts";
import { bundleScript } from "../support/bundle.ts";
import { basic, failure, LoginHome } from "../support/login-home.ts";

let home: LoginHome;
const signal = new AbortController().signal;
const SINGULARITY = ".singularity/docker-config.json";
const APPTAINER = ".apptainer/docker-config.json";
const LOGIN = { username: "me", password: new Secret("pass:word") };

beforeEach(async () => {
  home = await LoginHome.create();
});

afterEach(() => home[Symbol.asyncDispose]());

const modeOf = async (name: string): Promise<number> => (await stat(home.at(name))).mode & 0o777;

describe("saveLogin", () => {
  it("makes a private file in a private directory, byte for byte as Singularity's", async () => {
    const path = home.at(SINGULARITY);
    expect(await home.credentials().saveLogin("127.0.0.1:18501", LOGIN, signal)).toEqual({ path });
    expect(await home.read(SINGULARITY)).toBe(
      '{\n\t"auths": {\n\t\t"127.0.0.1:18501": {\n\t\t\t"auth": "bWU6cGFzczp3b3Jk"\n\t\t}\n\t}\n}',
    );
    expect([await modeOf(SINGULARITY), await modeOf(".singularity")]).toEqual([0o600, 0o700]);
    expect(await readdir(home.at(".singularity"))).toEqual(["docker-config.json"]);
  });

  it("is found by the same object that looked before", async () => {
    const credentials = home.credentials();
    expect(await home.find("ghcr.io", {}, credentials)).toBe("anonymous");
    await credentials.saveLogin("ghcr.io", LOGIN, signal);
    expect(await home.find("ghcr.io", {}, credentials)).toBe(`basic me:pass:word <~/${SINGULARITY} (auths "ghcr.io")>`);
    await credentials.removeLogin("ghcr.io", signal);
    expect(await home.find("ghcr.io", {}, credentials)).toBe("anonymous");
  });

  it("keeps everything else in the file", async () => {
    await home.write(
      SINGULARITY,
      '{"HttpHeaders":{"X-Lab":"1"},"auths":{"h":{"auth":"b2xkOm9sZA==","identitytoken":"old"},"k":{"auth":"azpr","note":[1,null]}},"psFormat":"{{.ID}}","x":{"y":[true]}}',
    );
    await home.credentials().saveLogin("h", LOGIN, signal);
    expect(await home.read(SINGULARITY)).toBe(
      `{
	"HttpHeaders": {
		"X-Lab": "1"
	},
	"auths": {
		"h": {
			"auth": "bWU6cGFzczp3b3Jk"
		},
		"k": {
			"auth": "azpr",
			"note": [
				1,
				null
			]
		}
	},
	"psFormat": "{{.ID}}",
	"x": {
		"y": [
			true
		]
	}
}`,
    );
  });

  it.each(["docker.io", "index.docker.io", "registry-1.docker.io"])("knows Docker Hub as %s", async (host) => {
    await home.credentials().saveLogin(host, LOGIN, signal);
    expect(JSON.parse(await home.read(SINGULARITY))).toEqual({
      auths: { "https://index.docker.io/v1/": { auth: "bWU6cGFzczp3b3Jk" } },
    });
  });

  it("chooses Apptainer's file where only Apptainer lives, or the variable or flag says so", async () => {
    const saved = async (options: { authfile?: string } = {}): Promise<string> =>
      (await home.credentials(options).saveLogin("h", LOGIN, signal)).path.replace(home.path, "~");
    await mkdir(home.at(".apptainer"), { mode: 0o700 });
    const paths = [await saved()];
    await mkdir(home.at(".singularity"), { mode: 0o700 });
    paths.push(await saved());
    home.env["APPTAINER_CONFIGDIR"] = home.at("conf/a");
    paths.push(await saved());
    home.env["SINGULARITY_CONFIGDIR"] = home.at("conf/s");
    paths.push(await saved());
    home.env["REGISTRY_AUTH_FILE"] = home.at("new/auth.json");
    paths.push(await saved());
    paths.push(await saved({ authfile: home.at("flag.json") }));
    expect(paths).toEqual([
      `~/${APPTAINER}`,
      `~/${SINGULARITY}`,
      "~/conf/a/docker-config.json",
      "~/conf/s/docker-config.json",
      "~/new/auth.json",
      "~/flag.json",
    ]);
  });

  it("writes through a symbolic link", async () => {
    await home.write("dotfiles/logins.json", "{}");
    await mkdir(home.at(".singularity"), { mode: 0o700 });
    await symlink("../dotfiles/logins.json", home.at(SINGULARITY));
    await home.credentials().saveLogin("h", LOGIN, signal);
    expect(await readlink(home.at(SINGULARITY))).toBe("../dotfiles/logins.json");
    expect(await home.read("dotfiles/logins.json")).toBe(
      '{\n\t"auths": {\n\t\t"h": {\n\t\t\t"auth": "bWU6cGFzczp3b3Jk"\n\t\t}\n\t}\n}',
    );
    expect([await readdir(home.at(".singularity")), await readdir(home.at("dotfiles"))]).toEqual([
      ["docker-config.json"],
      ["logins.json"],
    ]);
  });

  it.each([
    [0o600, 0o600],
    [0o640, 0o640],
    [0o644, 0o600],
    [0o400, 0o400],
  ])("makes a file of mode %o one of mode %o", async (before, after) => {
    await chmod(await home.write(SINGULARITY, "{}"), before);
    await home.credentials().saveLogin("h", LOGIN, signal);
    expect(await modeOf(SINGULARITY)).toBe(after);
  });

  it("leaves a broken file alone", async () => {
    const path = await home.write(SINGULARITY, '{"auths": {');
    const error = await failure(home.credentials().saveLogin("h", LOGIN, signal));
    expect([error.code, error.message]).toEqual(["CONFIG_INVALID", `${path} is not JSON: line 1, column 12`]);
    expect(await home.read(SINGULARITY)).toBe('{"auths": {');
    expect(await readdir(home.at(".singularity"))).toEqual(["docker-config.json"]);
  });

  it.each([
    [{ username: "", password: "p" }, "the user name is empty"],
    [{ username: "me", password: "" }, "the password is empty"],
    [{ username: "m:e", password: "p" }, 'user name "m:e" holds a colon'],
    [{ username: "me\n", password: "p" }, "the user name holds a line break or another control character"],
    [{ username: "me", password: "secret\r" }, "the password holds a line break or another control character"],
    [{ username: "me", password: "sec\0ret" }, "the password holds a line break or another control character"],
  ])("refuses %j before anything is written", async ({ username, password }, message) => {
    const error = await failure(
      home.credentials().saveLogin("h", { username, password: new Secret(password) }, signal),
    );
    expect([error.code, error.message]).toEqual(["USAGE", message]);
    expect(await readdir(home.path)).toEqual([]);
  });

  it("refuses a directory or file that others can change", async () => {
    await mkdir(home.at(".singularity"));
    await chmod(home.at(".singularity"), 0o770);
    const directory = await failure(home.credentials().saveLogin("h", LOGIN, signal));
    expect([directory.code, directory.message, directory.hint]).toEqual([
      "CONFIG_INVALID",
      `${home.at(".singularity")} can be changed by other users: no login is kept there`,
      `chmod go-w ${home.at(".singularity")}`,
    ]);
    await chmod(home.at(".singularity"), 0o755);
    await chmod(await home.write(SINGULARITY, "{}"), 0o620);
    const file = await failure(home.credentials().saveLogin("h", LOGIN, signal));
    expect(file.message).toBe(`${home.at(SINGULARITY)} can be changed by other users: no login is kept there`);
    expect(await home.read(SINGULARITY)).toBe("{}");
  });

  it.runIf(getuid?.() === 0)("refuses another user's directory", async () => {
    await mkdir(home.at(".singularity"), { mode: 0o700 });
    await chown(home.at(".singularity"), 1234, 1234);
    const error = await failure(home.credentials().saveLogin("h", LOGIN, signal));
    expect([error.code, error.message]).toEqual([
      "CONFIG_INVALID",
      `${home.at(".singularity")} belongs to another user (uid 1234): no login is kept there`,
    ]);
  });

  it("says so when the directory cannot be made", async () => {
    await home.write(".singularity", "a file");
    const error = await failure(home.credentials().saveLogin("h", LOGIN, signal));
    expect([error.code, error.message]).toEqual([
      "DISK",
      `${home.at(".singularity")} cannot be written: a file is in its place`,
    ]);
  });

  it("loses nothing among 50 writers in 10 processes", async () => {
    const script = `
      import { createCredentials } from "./src/credentials/chain.ts";
      import { silentLog } from "./src/call.ts";
      import { Secret } from "./src/secret.ts";
      const [home, first] = process.argv.slice(2);
      const signal = new AbortController().signal;
      await Promise.all([0, 1, 2, 3, 4].map((n) =>
        createCredentials({ env: {}, home, log: silentLog })
          .saveLogin("host" + (Number(first) + n), { username: "u", password: new Secret("p" + (Number(first) + n)) }, signal)));
    `;
    await bundleScript(script, home.at("writer.mjs"));
    const writers = Array.from({ length: 10 }, async (_, index) => {
      const child = spawn(process.execPath, [home.at("writer.mjs"), home.path, String(index * 5)], {
        stdio: "inherit",
      });
      return (await once(child, "close"))[0];
    });
    expect(await Promise.all(writers)).toEqual(Array.from({ length: 10 }, () => 0));
    const { auths } = JSON.parse(await home.read(SINGULARITY));
    expect(auths).toEqual(Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`host${n}`, basic("u", `p${n}`)])));
    expect(await readdir(home.at(".singularity"))).toEqual(["docker-config.json"]);
  });
});

describe("removeLogin", () => {
  it("leaves what Singularity's logout leaves", async () => {
    const credentials = home.credentials();
    await credentials.saveLogin("h", LOGIN, signal);
    expect(await credentials.removeLogin("h", signal)).toEqual({ path: home.at(SINGULARITY) });
    expect(await home.read(SINGULARITY)).toBe('{\n\t"auths": {}\n}');
  });

  it("removes every spelling of the host, and of no other", async () => {
    await home.write(SINGULARITY, {
      auths: { "https://h/v1/": basic("a", "b"), h: basic("a", "b"), "h:5000": {}, "h/team": {}, hh: {} },
    });
    await home.credentials().removeLogin("h", signal);
    expect(Object.keys(JSON.parse(await home.read(SINGULARITY)).auths)).toEqual(["h:5000", "h/team", "hh"]);
    await home.write(SINGULARITY, {
      auths: { "docker.io": {}, "https://index.docker.io/v1/": {}, "index.docker.io": {} },
    });
    await home.credentials().removeLogin("docker.io", signal);
    expect(await home.read(SINGULARITY)).toBe('{\n\t"auths": {}\n}');
  });

  it("removes it from Singularity's and Apptainer's file, and says where else one is", async () => {
    const content = { auths: { h: basic("a", "b") } };
    const paths = [await home.write(SINGULARITY, content), await home.write(APPTAINER, content)];
    const docker = await home.write(".docker/config.json", content);
    const credentials = home.credentials();
    expect(await credentials.removeLogin("h", signal)).toEqual({ path: paths.join(" and ") });
    expect(home.warnings).toEqual([`${docker} still has a login for h: docker logout h`]);
    expect(await home.read(".docker/config.json")).toBe(JSON.stringify(content));
    const error = await failure(credentials.removeLogin("h", signal));
    expect([error.code, error.message, error.hint]).toEqual([
      "NOT_FOUND",
      `there is no login for h in ${paths.join(" or ")}; ${docker} has one, which is left alone`,
      "docker logout h",
    ]);
  });

  it("touches the named file only", async () => {
    await home.write(SINGULARITY, { auths: { h: basic("a", "b") } });
    const authfile = await home.write("auth.json", { auths: { h: basic("a", "b") } });
    const credentials = home.credentials({ authfile });
    expect(await credentials.removeLogin("h", signal)).toEqual({ path: authfile });
    expect(home.warnings).toEqual([`${home.at(SINGULARITY)} still has a login for h: sregistry logout h`]);
    expect(Object.keys(JSON.parse(await home.read(SINGULARITY)).auths)).toEqual(["h"]);
  });

  it("finds nothing and makes nothing in an empty home", async () => {
    const error = await failure(home.credentials().removeLogin("h", signal));
    expect([error.code, error.message, error.hint]).toEqual([
      "NOT_FOUND",
      `there is no login for h in ${home.at(SINGULARITY)} or ${home.at(APPTAINER)}`,
      "sregistry login h",
    ]);
    expect(await readdir(home.path)).toEqual([]);
  });

  it("does not rewrite a file without the login", async () => {
    const path = await home.write(SINGULARITY, '{"auths": {"k": {}} }');
    const before = await lstat(path);
    expect((await failure(home.credentials().removeLogin("h", signal))).code).toBe("NOT_FOUND");
    expect([await home.read(SINGULARITY), (await lstat(path)).ino]).toEqual(['{"auths": {"k": {}} }', before.ino]);
  });

  it("is not stopped by another program's broken file", async () => {
    await home.write(SINGULARITY, { auths: { h: basic("a", "b") } });
    const docker = await home.write(".docker/config.json", "oops");
    await home.credentials().removeLogin("h", signal);
    expect(home.warnings).toEqual([`${docker} is not JSON: line 1, column 1`]);
  });
});
