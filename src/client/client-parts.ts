/** The parts of a client: its cache, the remotes, and the store of the embedded registry. */
import { parseReference } from "../reference/parse.ts";
import { loginPassword, loginRemote, logoutRemote, remoteStatus, tokenOf, tokenPage } from "./accounts.ts";
import { cacheDirectory, cleanCache, listCache, pruneCache, verifyCache } from "./cache-care.ts";
import type { CacheClient, RemotesClient, StoreClient } from "./interface.ts";
import { addRemote, listRemotes, removeRemote, useRemote } from "./remotes.ts";
import { addUser, checkEmbedded, freezeTag, listUsers, removeUser } from "./serve.ts";
import type { Session } from "./session.ts";

export function cacheClient(session: Session): CacheClient {
  return {
    path: (input = {}) => session.run(input, cacheDirectory),
    list: (input = {}) => session.run(input, listCache),
    verify: (input = {}) => session.run(input, verifyCache),
    prune: (input = {}) => session.run(input, (services) => pruneCache(services, input)),
    clean: (input = {}) => session.run(input, cleanCache),
  };
}

export function remotesClient(session: Session): RemotesClient {
  return {
    list: (input = {}) => session.run(input, listRemotes),
    add: (name, uri, { insecure = false, use = false, ...input } = {}) =>
      session.change(input, (services, call) => addRemote(services, { name, uri, insecure, makeActive: use }, call)),
    use: (name, input = {}) => session.change(input, (services, call) => useRemote(services, name, call)),
    remove: (name, input = {}) => session.change(input, (services, call) => removeRemote(services, name, call)),
    status: (name, input = {}) => session.run(input, (services, call) => remoteStatus(services, name, call)),
    tokenPage: (name, input = {}) => session.run(input, (services) => tokenPage(services, name)),
    login: (name, { token, keyring, ...input }) =>
      session.change(input, async (services, call) => {
        const { remote } = await tokenPage(services, name);
        const { path } = await loginRemote(services, { remote, keyring, token: tokenOf(token, "token") }, call);
        return { remote, path };
      }),
    logout: (name, input = {}) => session.change(input, (services, call) => logoutRemote(services, name, call)),
    loginPassword: (input = {}) =>
      session.run(input, async (services, call) => (await loginPassword(services, call)).reveal()),
  };
}

export function storeClient(session: Session, path: string): StoreClient {
  return {
    path,
    check: ({ repair = true, ...input } = {}) =>
      session.run(input, (services, call) => checkEmbedded(services, repair, call)),
    freeze: (name, input = {}) => session.run(input, (services) => freezeTag(services, parseReference(name), true)),
    unfreeze: (name, input = {}) => session.run(input, (services) => freezeTag(services, parseReference(name), false)),
    users: (input = {}) => session.run(input, listUsers),
    addUser: (name, input = {}) => session.run(input, (services) => addUser(services, name)),
    removeUser: (name, input = {}) => session.run(input, (services) => removeUser(services, name)),
  };
}
