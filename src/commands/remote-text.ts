/** The tables of `remote list` and `remote status`, in the words and columns that Singularity's users know. */
import type { RemoteStatus } from "../client/accounts.ts";
import type { RemoteList } from "../client/remotes.ts";
import { alignedTable, type Column } from "../terminal/table.ts";

const yes = (value: boolean): string => (value ? "YES" : "NO");

const URI: Column = { title: "URI", cut: "middle", least: 24 };

/** As `singularity remote list` prints it; registries of our own configuration follow. `room`: columns of the terminal. */
export function remoteTables(
  { remotes, keyservers, keyserversUnknown = "none is set", registries }: RemoteList,
  room: number,
): string {
  const endpoints = alignedTable(
    ["NAME", URI, "ACTIVE", { title: "GLOBAL", drop: 1 }, { title: "EXCLUSIVE", drop: 2 }, "INSECURE"],
    remotes.map(({ name, uri, active, global, exclusive, insecure }) => [
      name,
      uri,
      ...[active, global, exclusive, insecure].map(yes),
    ]),
    { room },
  );
  const servers = alignedTable(
    [URI, "GLOBAL", "INSECURE", "ORDER"],
    keyservers.map(({ uri, global, insecure, order, active }) => [
      uri,
      yes(global),
      yes(insecure),
      `${order}${active ? "*" : ""}`,
    ]),
    { room },
  );
  const sections = [
    section("Cloud Services Endpoints", endpoints),
    section("Keyservers", keyservers.length === 0 ? `(unknown: ${keyserversUnknown})\n` : servers),
    ...(keyservers.some(({ active }) => active) ? ["* Active cloud services keyserver\n"] : []),
    ...(registries.length === 0
      ? []
      : [
          section(
            "Registries of sregistry",
            alignedTable(
              ["NAME", URI, "DEFAULT"],
              registries.map(({ name, uri, isDefault }) => [name, uri, yes(isDefault)]),
              { room },
            ),
          ),
        ]),
  ];
  return `\n${sections.join("\n")}`;
}

function section(title: string, body: string): string {
  return `${title}\n${"=".repeat(title.length)}\n\n${body}`;
}

const LOGIN_WORDS: Readonly<Record<RemoteStatus["login"], string>> = {
  valid: "Valid authentication token set (logged in).",
  none: "No authentication token set (logged out).",
  invalid: "Authentication token is invalid (please login again).",
};

/** As `singularity remote status` prints it. `room`: columns of the terminal. */
export function statusTable({ services, user, login }: RemoteStatus, room: number): string {
  const table = alignedTable(
    ["SERVICE", "STATUS", "VERSION", URI],
    services.map(({ name, version, uri, answers }) => [name, answers ? "OK" : "N/A", version ?? "", uri]),
    { room },
  );
  const who = user === undefined ? "" : `\nLogged in as: ${user}\n`;
  return `${table}${who}\n${LOGIN_WORDS[login]}\n`;
}
