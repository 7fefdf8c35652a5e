/** A user of the program who is logged in to a library, as the manual does it. */
import type { User } from "./program.ts";

/** @returns the path of remote.yaml, which the program names. @throws with what the program said when it fails. */
export async function logInToLibrary(user: User, name: string, url: string, token: string): Promise<string> {
  await succeed(user, ["remote", "add", "--insecure", "--no-login", name, url]);
  const said = await succeed(user, ["remote", "login", name, "--token-stdin"], token);
  await succeed(user, ["remote", "use", name]);
  const path = /Token stored in (.+)/.exec(said)?.[1];
  if (path === undefined) throw new Error(`remote login did not say where the token is: ${said}`);
  return path;
}

async function succeed(user: User, words: readonly string[], input = ""): Promise<string> {
  const { status, stdout, stderr } = await user.run(words, { input });
  if (status !== 0) throw new Error(`sregistry ${words.join(" ")} ended with ${status}: ${stderr}${stdout}`);
  return stderr;
}
