/** The keyring's own process: one question as JSON on standard input, one answer on standard output. See credentials/keyring.ts. */
import { field, object, optional, parseJson, string } from "./decode.ts";

async function answer(text: string): Promise<object> {
  try {
    const question = object(parseJson(text, "question"), "question");
    const member = (name: string): string => field(question, name, string, "question");
    // Optional: not on every platform, and nothing needs it.
    const { Entry } = await import("@napi-rs/keyring");
    const entry = new Entry(member("service"), member("account"));
    switch (member("action")) {
      case "get":
        return { secret: entry.getPassword() };
      case "set":
        entry.setPassword(field(question, "secret", optional(string), "question") ?? "");
        return {};
      case "delete":
        return { deleted: entry.deletePassword() };
      default:
        return { error: "the question is not known" };
    }
  } catch (error) {
    // Every failure is an answer: the program then goes on without a keyring, and says why.
    return { error: error instanceof Error ? (error.message.split("\n", 1)[0] ?? "it failed") : String(error) };
  }
}

const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
process.stdout.write(JSON.stringify(await answer(Buffer.concat(chunks).toString("utf8"))));
