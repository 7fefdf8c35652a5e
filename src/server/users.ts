/** Who has a token of an own: `<store>/.sregistry/users.json`. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { type Decoder, field, object, string } from "../decode.ts";
import { SregistryError } from "../errors.ts";
import { isRepoPath } from "../reference/name.ts";
import { Secret } from "../secret.ts";
import { numericId } from "./ids.ts";
import { recordFile, stateFile } from "./record-file.ts";

export interface User {
  readonly name: string;
  /** 40 hex digits, as Singularity Registry Server's are; kept as it is, since it is the key of HMAC signatures. */
  readonly token: Secret;
  /** RFC 3339. */
  readonly created: string;
  readonly id: number;
}

export interface Users {
  list(): Promise<readonly User[]>;
  byName(name: string): Promise<User | undefined>;
  byToken(token: string): Promise<User | undefined>;
  /** @throws SregistryError USAGE for a name that cannot be one, CONFLICT for one that is taken. */
  add(name: string): Promise<User>;
  /** False when there is none of this name. What belongs to the user stays the user's. */
  remove(name: string): Promise<boolean>;
}

export function openUsers(root: string): Users {
  const file = recordFile(stateFile(root, "users.json"), user, ({ name, token, created }) => ({
    name,
    token: token.reveal(),
    created,
  }));
  return {
    list: file.read,
    byName: async (name) => (await file.read()).find((one) => one.name === name),
    async byToken(token) {
      const wanted = fingerprint(token);
      // All are compared, each in constant time, so that the time tells nothing.
      const [found] = (await file.read()).filter((one) => timingSafeEqual(fingerprint(one.token.reveal()), wanted));
      return found;
    },
    async add(name) {
      if (!isUserName(name)) {
        throw new SregistryError("USAGE", `user name ${JSON.stringify(name.slice(0, 80))} cannot be one`, {
          hint: 'lower-case letters and digits, with ".", "_" or "-" between them',
        });
      }
      const created = new Date().toISOString();
      const token = new Secret(randomBytes(20).toString("hex"));
      const added = { name, token, created, id: numericId(name) };
      await file.edit((users) => {
        if (users.some((one) => one.name === name)) {
          throw new SregistryError("CONFLICT", `there is a user ${name} already`, {
            hint: `for a new token: sregistry serve user remove ${name}, then add it again`,
          });
        }
        return [...users, added];
      });
      return added;
    },
    async remove(name) {
      let gone = false;
      await file.edit((users) => {
        const others = users.filter((one) => one.name !== name);
        gone = others.length < users.length;
        return gone ? others : users;
      });
      return gone;
    },
  };
}

const LONGEST_NAME = 64;

function isUserName(name: string): boolean {
  return name.length <= LONGEST_NAME && !name.includes("/") && isRepoPath(name, "library");
}

const user: Decoder<User> = (value, where) => {
  const json = object(value, where);
  const name = field(json, "name", string, where);
  return {
    name,
    id: numericId(name),
    token: new Secret(field(json, "token", string, where)),
    created: field(json, "created", string, where),
  };
};

export function fingerprint(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
