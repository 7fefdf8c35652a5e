/** The program against real registries, with real clients reading what it wrote and writing what it reads. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingPeers, type PeerRegistry, peer, startRegistry } from "../support/peers.ts";
import { FIXTURES, type Served, User } from "../support/program.ts";

const TINY = join(FIXTURES, "tiny.sif");
const CLIENTS = ["crane", "regctl", "skopeo", "oras-peer"] as const;
const SIF_LAYER = "application/vnd.sylabs.sif.layer.v1.sif";

async function sha256(path: string): Promise<string> {
  return `sha256:${createHash("sha256")
    .update(await readFile(path))
    .digest("hex")}`;
}

/** A SIF with a tail of random bytes: big enough for chunked uploads, and still a SIF. */
async function bigImage(path: string, bytes: number): Promise<void> {
  await writeFile(path, Buffer.concat([await readFile(TINY), randomBytes(bytes)]));
}

interface Place extends AsyncDisposable {
  readonly host: string;
}

async function embedded(user: User): Promise<Place> {
  const served: Served = await user.serve();
  return {
    host: served.host,
    async [Symbol.asyncDispose]() {
      await served.stop();
    },
  };
}

const REGISTRIES = [
  {
    title: "registry:2 (docker-registry)",
    peers: ["docker-registry"] as const,
    start: () => startRegistry("docker-registry"),
  },
  { title: "distribution v3", peers: ["registry"] as const, start: () => startRegistry("registry") },
  { title: "the embedded registry", peers: [] as const, start: embedded },
];

for (const { title, peers, start } of REGISTRIES) {
  describe.skipIf(missingPeers(...peers, ...CLIENTS).length > 0)(title, () => {
    let user: User;
    let registry: Place | PeerRegistry;
    let base: string;

    beforeAll(async () => {
      user = await User.create();
      registry = await start(user);
      base = `${registry.host}/lab/tiny`;
    });
    afterAll(async () => {
      await registry[Symbol.asyncDispose]();
      await user[Symbol.asyncDispose]();
    });

    it("pushes, lists, inspects, pulls and deletes", async () => {
      const pushed = await user.run(["push", TINY, `oras://${base}`, "--tag", "1.0", "--tag", "latest"]);
      expect({ status: pushed.status, stderr: pushed.stderr }).toMatchObject({ status: 0 });
      expect(pushed.stdout).toMatch(new RegExp(`^oras://${base}@sha256:[0-9a-f]{64}\n$`));
      const listed = await user.run(["list", `oras://${base}`]);
      // registry:2 gives tags in no order.
      expect(listed.stdout.trim().split("\n").sort()).toEqual([`oras://${base}:1.0`, `oras://${base}:latest`]);
      const catalogue = await user.run(["list", `oras://${registry.host}`]);
      expect(catalogue.stdout).toContain(`oras://${base}:1.0\n`);
      const labels = await user.run(["labels", `oras://${base}:1.0`, "--key", "maintainer"]);
      expect(labels).toMatchObject({ status: 0, stdout: `maintainer\tvanessasaur\toras://${base}:1.0\n` });
      const pulled = await user.run(["pull", "-o", "back.sif", `oras://${base}:1.0`]);
      expect(pulled).toMatchObject({ status: 0, stdout: `${user.path("back.sif")}\n` });
      expect(await sha256(user.path("back.sif"))).toBe(await sha256(TINY));
      const tagged = await user.run(["tag", `oras://${base}:1.0`, "stable"]);
      expect(tagged).toMatchObject({ status: 0, stdout: `oras://${base}:stable\n` });
      const deleted = await user.run(["delete", `oras://${base}:1.0`, "--force"]);
      expect(deleted.status).toBe(0);
      const gone = await user.run(["pull", "-o", "gone.sif", `oras://${base}:1.0`]);
      expect(gone.status).toBe(3);
    });

    it("is read by crane, regctl, skopeo and oras-go", async () => {
      const pushed = await user.run(["push", TINY, `oras://${base}:read`]);
      const digest = pushed.stdout.trim().split("@")[1];
      expect(await peer("crane", "digest", "--insecure", `${base}:read`)).toBe(digest);
      const manifest = JSON.parse(await peer("crane", "manifest", "--insecure", `${base}:read`));
      expect(manifest.layers).toMatchObject([
        {
          mediaType: SIF_LAYER,
          digest: await sha256(TINY),
          annotations: { "org.opencontainers.image.title": "tiny.sif" },
        },
      ]);
      const directory = user.path("regctl");
      await mkdir(directory);
      await peer(
        "regctl",
        "artifact",
        "get",
        "--host",
        `reg=${registry.host},tls=disabled`,
        "--output",
        directory,
        `${base}:read`,
      );
      expect(await sha256(join(directory, "tiny.sif"))).toBe(await sha256(TINY));
      const layout = user.path("skopeo");
      await peer("skopeo", "copy", "--src-tls-verify=false", `docker://${base}:read`, `oci:${layout}:read`);
      expect(await sha256(join(layout, "blobs", "sha256", (await sha256(TINY)).slice(7)))).toBe(await sha256(TINY));
      expect(await peer("oras-peer", "pull", `${base}:read`, user.path("oras"))).toBe(digest);
      expect(await sha256(user.path("oras", "tiny.sif"))).toBe(await sha256(TINY));
    });

    it("reads what regctl and oras-go wrote", async () => {
      await peer("oras-peer", "push", TINY, `${base}:oras`);
      await peer(
        ...(["regctl", "artifact", "put", "--host", `reg=${registry.host},tls=disabled`] as const),
        ...[
          "--config-type",
          "application/vnd.sylabs.sif.config.v1+json",
          "--file",
          TINY,
          "--file-media-type",
          SIF_LAYER,
        ],
        `${base}:regctl`,
      );
      for (const tag of ["oras", "regctl"]) {
        const pulled = await user.run(["pull", "-o", `${tag}.sif`, `oras://${base}:${tag}`]);
        expect({ tag, status: pulled.status, stderr: pulled.stderr }).toMatchObject({ status: 0 });
        expect(await sha256(user.path(`${tag}.sif`))).toBe(await sha256(TINY));
        const labels = await user.run(["labels", `oras://${base}:${tag}`, "--key", "maintainer"]);
        expect(labels.stdout).toBe(`maintainer\tvanessasaur\toras://${base}:${tag}\n`);
      }
    });

    it("writes exactly Singularity's manifest with --plain-manifest", async () => {
      await user.run(["push", "--plain-manifest", TINY, `oras://${base}:plain`]);
      const size = (await readFile(TINY)).length;
      expect(await peer("crane", "manifest", "--insecure", `${base}:plain`)).toBe(
        `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.sylabs.sif.config.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[{"mediaType":"${SIF_LAYER}","size":${size},"digest":"${await sha256(TINY)}","annotations":{"org.opencontainers.image.title":"tiny.sif"}}]}`,
      );
    });

    it("sends an image of several chunks, and sends it only once", async () => {
      const big = user.path("big.sif");
      await bigImage(big, 150 * 1024 * 1024);
      const first = await user.run(["push", "--json", big, `oras://${base}:big`]);
      expect({ status: first.status, stderr: first.stderr }).toMatchObject({ status: 0 });
      expect(JSON.parse(first.stdout)).toMatchObject({ transfer: "uploaded", digest: await sha256(big) });
      const pulled = await user.run(["pull", "-o", "big-back.sif", `oras://${base}:big`]);
      expect(pulled.status).toBe(0);
      expect(await sha256(user.path("big-back.sif"))).toBe(await sha256(big));
      const again = await user.run(["pull", "--json", "-o", "big-back.sif", `oras://${base}:big`]);
      expect(JSON.parse(again.stdout)).toMatchObject({ images: [{ outcome: "present", transferred: 0 }] });
    });
  });
}
