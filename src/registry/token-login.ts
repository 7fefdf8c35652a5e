/** What to type where a server of tokens wants a login: its token belongs to a remote, which may have to be made first. `remote`: the one that is there. */
export function tokenLogin({ protocol, host }: URL, remote?: string): string {
  if (remote !== undefined) return `sregistry remote login ${remote}`;
  const insecure = protocol === "http:" ? "--insecure " : "";
  return `sregistry remote add ${insecure}NAME ${host}, which asks for the token`;
}
