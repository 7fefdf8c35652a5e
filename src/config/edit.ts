/** Changes to the user's config.yaml: what `remote add`, `use` and `remove` keep there. Comments and order stay. */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { SregistryError } from "../errors.ts";
import { writeFileAtomic } from "../transfer/atomic.ts";
import { diskError } from "../transfer/disk.ts";
import { withFileLock } from "../transfer/file-lock.ts";
import { readSmallFile } from "../transfer/small-file.ts";
import { editYaml, type YamlEdit } from "../yaml/document.ts";
import { type ConfigOptions, userConfigFile } from "./config.ts";
import { parseSettings } from "./settings.ts";
import { isRemoteName } from "./values.ts";

export interface ConfigEdits {
  /** Undefined: back to what there is without it. */
  setRegistry(name: string | undefined): Promise<void>;
  /** @throws SregistryError USAGE for a name that cannot be one. */
  addRemote(name: string, uri: string): Promise<void>;
  removeRemote(name: string): Promise<void>;
  /** Tokens are looked for in the system's keyring from now on. */
  useKeyring(): Promise<void>;
}

export function configEdits(options: Pick<ConfigOptions, "env" | "home">, signal: AbortSignal): ConfigEdits {
  const path = userConfigFile(options);
  const change = (work: (edit: YamlEdit) => void): Promise<void> => editFile(path, options.home, signal, work);
  return {
    setRegistry: (name) =>
      change((edit) => (name === undefined ? edit.delete(["registry"]) : edit.set(["registry"], name))),
    async addRemote(name, uri) {
      if (!isRemoteName(name)) {
        throw new SregistryError("USAGE", `invalid name: ${JSON.stringify(name.slice(0, 140))}`, {
          hint: 'letters, digits, "_", "." and "-"; "local" is the embedded registry',
        });
      }
      await change((edit) => edit.set(["remotes", name], uri));
    },
    useKeyring: () => change((edit) => edit.set(["keyring"], true)),
    removeRemote: (name) => change((edit) => edit.delete(["remotes", name])),
  };
}

async function editFile(
  path: string,
  home: string,
  signal: AbortSignal,
  work: (edit: YamlEdit) => void,
): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw diskError(path, error);
  }
  await withFileLock(
    path,
    async () => {
      const text = (await readSmallFile(path))?.text ?? "";
      const changed = editYaml(text, path, work);
      if (changed === text) return;
      parseSettings(changed, path, home);
      await writeFileAtomic(path, changed);
    },
    { signal },
  );
}
