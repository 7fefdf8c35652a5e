/** Which registry a name belongs to: every setting that there is, strongest first. */
import { describe, expect, it } from "vitest";
import {
  chooseDefault,
  chooseLibrary,
  type KnownNames,
  ociAt,
  parseRegistryName,
  type Settings,
  type WantedRegistry,
  webUrl,
} from "../../src/client/default-registry.ts";
import { SregistryError } from "../../src/errors.ts";

const NAMES: KnownNames = {
  remotes: new Set(["DinosaurCloud", "ghcr.io"]),
  own: new Map([
    ["lab", "oras://ghcr.io/lab"],
    ["site", "https://registry.example.org"],
    ["DinosaurCloud", "oras://never.example.org"],
    ["loop", "loop"],
    ["chain", "lab"],
  ]),
};
const NOBODY: KnownNames = { remotes: new Set(), own: new Map() };

/** `kind` and what is in it, on one line. */
function shown(registry: WantedRegistry): string {
  switch (registry.kind) {
    case "local":
      return "local";
    case "ask":
      return `ask ${registry.url.href}`;
    case "library":
      return `library ${registry.library.kind === "url" ? registry.library.url.href : registry.library.name}`;
    case "oras": {
      const { host, prefix, plainHttp } = registry;
      const scheme = plainHttp === undefined ? "" : plainHttp ? " over http" : " over https";
      return `oras ${host}${prefix === undefined ? "" : `/${prefix}`}${scheme}`;
    }
  }
}

/** The exit status of what `work` fails with. */
function exitStatus(work: () => unknown): number | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof SregistryError) return error.exitStatus;
    throw error;
  }
  return undefined;
}

/** The code, message and hint that `work` fails with. */
function failure(work: () => unknown): readonly (string | undefined)[] {
  try {
    work();
  } catch (error) {
    if (error instanceof SregistryError) return [error.code, error.message, error.hint];
    throw error;
  }
  return ["it did not fail"];
}

describe("parseRegistryName", () => {
  it.each([
    ["local", "local"],
    ["local://", "local"],
    ["DinosaurCloud", "library DinosaurCloud"],
    ["ghcr.io", "library ghcr.io"],
    ["lab", "oras ghcr.io/lab"],
    ["site", "ask https://registry.example.org/"],
    ["oras://ghcr.io", "oras ghcr.io"],
    ["oras://ghcr.io/", "oras ghcr.io"],
    ["oras://ghcr.io/org/team//", "oras ghcr.io/org/team"],
    ["docker://docker.io/library", "oras docker.io/library"],
    ["oras://127.0.0.1:5000", "oras 127.0.0.1:5000"],
    ["quay.io/org", "oras quay.io/org"],
    ["localhost:5000", "oras localhost:5000"],
    ["http://127.0.0.1:8088", "ask http://127.0.0.1:8088/"],
    ["https://registry.example.org/api", "ask https://registry.example.org/api"],
    ["library://library.example.org", "library https://library.example.org/"],
  ])("%s is %s", (text, registry) => {
    expect(shown(parseRegistryName(text, "--registry", NAMES))).toBe(registry);
  });

  it.each(["", "word", "oras://", "library://", "ftp://host/", "http://", "://", "a b", "shub://host/x"])(
    "refuses %j",
    (text) => {
      expect(exitStatus(() => parseRegistryName(text, "--registry", NOBODY))).toBe(2);
    },
  );

  it("names what it was given, where from, and what would do", () => {
    expect(failure(() => parseRegistryName("labb", "--registry", NAMES))).toEqual([
      "CONFIG_INVALID",
      '--registry "labb" names no registry',
      "did you mean lab? expected a remote (local, DinosaurCloud, ghcr.io, lab, site, loop, chain), oras://HOST[/PATH], http://HOST[:PORT] or https://HOST",
    ]);
  });

  it("follows a name of our configuration once, so not in circles", () => {
    for (const name of ["loop", "chain"]) {
      expect(failure(() => parseRegistryName(name, "--registry", NAMES)).slice(0, 2)).toEqual([
        "CONFIG_INVALID",
        `--registry (${name} in config.yaml) "${NAMES.own.get(name)}" names no registry`,
      ]);
    }
  });

  it("takes no login, query or fragment in an address", () => {
    for (const text of [
      "https://me@host",
      "https://me:hunter2@host",
      "https://:pw@host",
      "http://host/?a",
      "http://host/#a",
    ]) {
      expect(failure(() => parseRegistryName(text, "--registry", NOBODY))[0]).toBe("CONFIG_INVALID");
    }
  });
});

describe("webUrl", () => {
  it("is an http(s) address, or a failure that names where it was read", () => {
    expect(webUrl("https://h.example.org/x", "--library").href).toBe("https://h.example.org/x");
    expect(failure(() => webUrl("h.example.org", "--library"))).toEqual([
      "CONFIG_INVALID",
      '--library "h.example.org" is no http(s) address of a server',
      "write it as https://HOST[:PORT][/PATH], without user, query or fragment",
    ]);
  });
});

it("an address that turned out to speak OCI keeps its scheme, and its path as a prefix", () => {
  expect(shown(ociAt(new URL("http://127.0.0.1:5000")))).toBe("oras 127.0.0.1:5000 over http");
  expect(shown(ociAt(new URL("https://ghcr.io/org/team/")))).toBe("oras ghcr.io/org/team over https");
});

/** Strongest first: the setting alone, what it chooses, why. */
const ORDER: readonly (readonly [what: string, setting: Partial<Settings>, registry: string, why: string])[] = [
  [
    "--library",
    { typedLibrary: "https://typed.example.org" },
    "library https://typed.example.org/",
    "https://typed.example.org (--library)",
  ],
  ["--registry", { registry: "lab" }, "oras ghcr.io/lab", "lab (--registry or SREGISTRY_REGISTRY)"],
  [
    "SINGULARITY_LIBRARY",
    { library: "https://variable.example.org" },
    "library https://variable.example.org/",
    "https://variable.example.org (SREGISTRY_LIBRARY, APPTAINER_LIBRARY or SINGULARITY_LIBRARY)",
  ],
  [
    "SREGISTRY_REGISTRY_BASE",
    { oldVariable: new URL("http://old.example.org") },
    "library http://old.example.org/",
    "http://old.example.org/ (SREGISTRY_REGISTRY_BASE)",
  ],
  ["registry of config.yaml", { configured: "site" }, "ask https://registry.example.org/", "site (config.yaml)"],
  [
    "the active remote",
    { active: { name: "DinosaurCloud", chosen: true } },
    "library DinosaurCloud",
    "DinosaurCloud (the active remote of remote.yaml)",
  ],
  [
    "~/.sregistry",
    { oldFile: new URL("https://file.example.org") },
    "library https://file.example.org/",
    "https://file.example.org/ (~/.sregistry)",
  ],
];

describe("chooseDefault", () => {
  it.each(ORDER.map((row, index) => [row[0], index] as const))("%s goes before everything below it", (_what, index) => {
    const [, , registry, why] = ORDER[index] ?? ["", {}, "", ""];
    const settings = Object.assign({}, ...ORDER.slice(index).map(([, setting]) => setting), { known: NAMES });
    const { what, why: said } = chooseDefault(settings);
    expect([shown(what), said]).toEqual([registry, why]);
  });

  it("is the embedded store when nothing is set", () => {
    const { what, why } = chooseDefault({ known: NOBODY });
    expect([shown(what), why]).toEqual(["local", "the embedded store (nothing else is set)"]);
  });

  it("is not the system's active remote, which nobody chose", () => {
    const active = { name: "SylabsCloud", chosen: false };
    expect(shown(chooseDefault({ active, known: NOBODY }).what)).toBe("local");
    const oldFile = new URL("https://file.example.org");
    expect(shown(chooseDefault({ active, oldFile, known: NOBODY }).what)).toBe("library https://file.example.org/");
  });

  it("can be said to be the embedded store, whatever else is set", () => {
    const settings = Object.assign({}, ...ORDER.slice(2).map(([, setting]) => setting), { known: NAMES });
    expect(shown(chooseDefault({ ...settings, registry: "local" }).what)).toBe("local");
  });

  it.each([
    [{ typedLibrary: "nonsense" }, '--library "nonsense" is no http(s) address of a server'],
    [{ registry: "nonsense" }, '--registry "nonsense" names no registry'],
    [
      { library: "nonsense" },
      'SREGISTRY_LIBRARY, APPTAINER_LIBRARY or SINGULARITY_LIBRARY "nonsense" is no http(s) address of a server',
    ],
    [{ configured: "nonsense" }, 'registry in config.yaml "nonsense" names no registry'],
  ])("says which setting is wrong, and takes none below it: %j", (setting, message) => {
    const active = { name: "DinosaurCloud", chosen: true };
    expect(failure(() => chooseDefault({ ...setting, active, known: NAMES })).slice(0, 2)).toEqual([
      "CONFIG_INVALID",
      message,
    ]);
  });
});

describe("chooseLibrary", () => {
  const shownLibrary = (settings: Settings): readonly string[] => {
    const { what, why } = chooseLibrary(settings);
    return [what.kind === "url" ? what.url.href : `remote ${what.name}`, why];
  };

  it("is the variable's, the active remote also where nobody chose it, Singularity's own", () => {
    const active = { name: "SylabsCloud", chosen: false };
    expect(shownLibrary({ library: "https://variable.example.org", active, known: NOBODY })).toEqual([
      "https://variable.example.org/",
      "https://variable.example.org (SREGISTRY_LIBRARY, APPTAINER_LIBRARY or SINGULARITY_LIBRARY)",
    ]);
    expect(shownLibrary({ active, known: NOBODY })).toEqual([
      "remote SylabsCloud",
      "SylabsCloud (the active remote of remote.yaml)",
    ]);
    expect(shownLibrary({ known: NOBODY })).toEqual([
      "https://cloud.sylabs.io/",
      "cloud.sylabs.io (Singularity's own default)",
    ]);
  });
});
