/** The store looked at as a whole: what a crash, a full disk or a bad disk left, and its repair. */
import type { Call } from "../../call.ts";
import type { RepoPath } from "../../reference/reference.ts";
import { examineLayout } from "./examine.ts";
import { onDisk } from "./files.ts";
import type { Finding, ProblemKind } from "./findings.ts";
import { examineBlobs } from "./health.ts";
import { leftovers } from "./leftovers.ts";
import type { Store } from "./store.ts";

export interface CheckOptions {
  /** Mends what can be; nothing whole is moved or removed but blobs that no manifest needs. */
  readonly repair: boolean;
  /** Milliseconds for which unused blobs and resting uploads are left to those who may still come for them. */
  readonly minimumAge?: number;
}

export interface Problem {
  readonly kind: ProblemKind;
  readonly repository: RepoPath;
  /** One line: where, what, and what was done about it. */
  readonly message: string;
  readonly repaired: boolean;
}

export interface CheckReport {
  readonly problems: readonly Problem[];
  readonly repositories: number;
  readonly blobs: number;
  /** Bytes that were read. */
  readonly bytes: number;
  /** Problems that are still there. */
  readonly remaining: number;
  /** One line with the counts. */
  readonly summary: string;
}

const DAY = 24 * 60 * 60_000;

/** Safe beside running servers and pushes. */
export async function checkStore(store: Store, options: CheckOptions, call: Call): Promise<CheckReport> {
  const { repair, minimumAge = DAY } = options;
  return await onDisk(`cannot check ${store.root}`, async () => {
    const repositories = (await store.directories()).map((path) => store.repository(path));
    const health = await examineBlobs(
      repositories.map(({ layout }) => layout),
      call,
    );
    const problems: Problem[] = [];
    for (const repository of repositories) {
      for (const look of [examineLayout(repository, health, minimumAge), leftovers(repository.layout, minimumAge)]) {
        for await (const finding of look) {
          call.signal.throwIfAborted();
          problems.push(await settle(finding, repair));
        }
      }
    }
    const remaining = problems.filter(({ repaired }) => !repaired).length;
    const counts = { repositories: repositories.length, blobs: health.blobs, bytes: health.bytes };
    return { problems, ...counts, remaining, summary: summary(counts, problems.length, remaining) };
  });
}

async function settle({ kind, repository, message, repair }: Finding, mend: boolean): Promise<Problem> {
  const done = mend ? `: ${await repair()}` : "";
  return { kind, repository, message: `${repository}: ${message}${done}`, repaired: mend };
}

function summary(
  { repositories, blobs }: { readonly repositories: number; readonly blobs: number },
  found: number,
  remaining: number,
): string {
  const looked = `${count(repositories, "repository", "repositories")} and ${count(blobs, "blob", "blobs")} checked`;
  if (found === 0) return `${looked}: all is well`;
  return `${looked}: ${count(found, "problem", "problems")} found, ${found - remaining} repaired`;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
