/** The built program behind a proxy: a login node's only way out. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FIXTURES, User } from "../support/program.ts";
import { startSite } from "../support/site.ts";

it("speaks https through a proxy, in both directions", async () => {
  await using user = await User.create();
  const token = (await user.run(["serve", "user", "add", "vanessa"])).stdout.trim();
  const served = await user.serve(["--allow-host", "registry.example.org"]);
  await using site = await startSite({ "registry.example.org": served.url });
  const options = { env: { ...site.env, SREGISTRY_USERNAME: "vanessa", SREGISTRY_PASSWORD: token } };
  const image = join(FIXTURES, "tiny.sif");
  const reference = "oras://registry.example.org/lab/tool:1";
  expect(await user.run(["-q", "push", image, reference], options)).toMatchObject({ status: 0, stderr: "" });
  expect(await user.run(["-q", "pull", "-o", "x.sif", reference], options)).toMatchObject({ status: 0, stderr: "" });
  expect(await readFile(user.path("x.sif"))).toEqual(await readFile(image));
  expect(site.requests).toContain("GET https://registry.example.org/v2/lab/tool/manifests/1");
  const elsewhere = await user.run(["pull", "oras://elsewhere.example.org/lab/tool:1"], options);
  expect(elsewhere).toMatchObject({ status: 4, stdout: "" });
  expect(elsewhere.stderr).toContain("opens no tunnel to elsewhere.example.org:443: status 403");
  await served.stop();
});
