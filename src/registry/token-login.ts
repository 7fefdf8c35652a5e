/** What to type where a server of tokens wants a login: its token belongs to a remote, which may have to be made first. */
export function tokenLogin({ protocol, host }: URL): string {
  const insecure = protocol === "http:" ? "--insecure " : "";
  return `sregistry remote login NAME (made by: sregistry remote add ${insecure}NAME ${host})`;
}
