/** What went wrong below HTTP, as one clear sentence: the codes of Node's sockets, OpenSSL, undici and its parser. */
import { type ErrorCode, SregistryError, systemCode } from "../errors.ts";

interface Meaning {
  readonly code: ErrorCode;
  readonly words: (host: string) => string;
  readonly hint?: (host: string) => string;
}

const lost = (words: string): Meaning => ({ code: "NETWORK", words: (host) => `${host} ${words}` });
const cut: Meaning = lost("closed the connection before everything was transferred");
const handshakeCut: Meaning = {
  ...lost("closed the connection during the TLS handshake"),
  hint: () => "if it is a plain http registry, add --plain-http",
};
const unreachable = (words: string): Meaning => ({
  code: "NETWORK",
  words: (host) => `${host} cannot be reached: ${words}`,
});

const withoutPort = (host: string): string => host.replace(/:\d+$/, "");

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: {
    ...lost("refused the connection: nothing listens there"),
    hint: (host) => `check the port of ${host}`,
  },
  ENOTFOUND: {
    code: "NETWORK",
    words: (host) => `the host name ${withoutPort(host)} is not known to DNS`,
    hint: (host) => `check the spelling of ${withoutPort(host)}; a compute node may need HTTPS_PROXY`,
  },
  EAI_AGAIN: { code: "NETWORK", words: (host) => `the name server gave no answer for ${withoutPort(host)}` },
  ETIMEDOUT: { code: "TIMEOUT", words: (host) => `${host} did not answer in time` },
  EHOSTUNREACH: unreachable("no route to the host"),
  ENETUNREACH: unreachable("the network is unreachable"),
  EHOSTDOWN: unreachable("the host is down"),
  EACCES: unreachable("the system forbids the connection (firewall)"),
  EADDRNOTAVAIL: unreachable("no local address is left for the connection"),
  ECONNRESET: lost("reset the connection"),
  ECONNABORTED: lost("aborted the connection"),
  EPIPE: lost("closed the connection while data was sent"),
  UND_ERR_SOCKET: cut,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: cut,
  UND_ERR_CLOSED: lost("was given up: the transport is closed"),
  UND_ERR_DESTROYED: lost("was given up: the transport is closed"),
  UND_ERR_CONNECT_TIMEOUT: { code: "TIMEOUT", words: (host) => `${host} did not accept the connection in time` },
  UND_ERR_HEADERS_TIMEOUT: { code: "TIMEOUT", words: (host) => `${host} did not answer in time` },
  UND_ERR_HEADERS_OVERFLOW: { code: "REPLY_INVALID", words: (host) => `the headers of ${host} are too long` },
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: {
    code: "INTEGRITY",
    words: (host) => `what was to be sent to ${host} is not as long as announced: it changed meanwhile`,
  },
  ERR_SSL_WRONG_VERSION_NUMBER: {
    code: "REPLY_INVALID",
    words: (host) => `${host} does not speak TLS`,
    hint: () => "if it is a plain http registry, add --plain-http",
  },
};

/** OpenSSL's verification results as Node names them, and Node's own check of the name in the certificate. */
const CERTIFICATE =
  /^(?:CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(?:GET|VERIFY|DECRYPT|DECODE)|ERR_TLS_CERT_|INVALID_(?:CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH_EXCEEDED|ERROR_IN_CERT_|ERR_SSL_CERT)/;

/** `host` as the user knows it: `host[:port]`. An error of ours passes through unchanged. */
export function networkError(error: unknown, host: string): SregistryError {
  if (error instanceof SregistryError) return error;
  const code = systemCode(error) ?? "";
  const reason = error instanceof Error ? error.message : String(error);
  const meaning =
    code === "ECONNRESET" && reason.includes("before secure TLS connection") ? handshakeCut : MEANINGS[code];
  if (meaning !== undefined) {
    const hint = meaning.hint?.(host);
    return new SregistryError(meaning.code, meaning.words(host), {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  if (CERTIFICATE.test(code)) {
    return new SregistryError("TLS_UNVERIFIED", `the TLS certificate of ${host} cannot be verified: ${reason}`, {
      hint: "--ca-file FILE with the certificate authority of the registry",
      cause: error,
    });
  }
  // undici 7.30 forgets the code of its parser's errors.
  if (error instanceof Error && error.name === "HTTPParserError") {
    if (reason.includes("Invalid EOF state")) return new SregistryError(cut.code, cut.words(host), { cause: error });
    return new SregistryError("REPLY_INVALID", `${host} did not answer in HTTP/1.1 (${reason})`, { cause: error });
  }
  if (code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_") || code === "EPROTO") {
    return new SregistryError("REPLY_INVALID", `no TLS connection with ${host}: ${reason}`, { cause: error });
  }
  return new SregistryError("NETWORK", `the connection with ${host} failed: ${reason}`, { cause: error });
}

/** Why a signal was aborted: our own error as it is, AbortSignal.timeout's as TIMEOUT, anything else INTERRUPTED. */
export function abortError(signal: AbortSignal): SregistryError {
  const reason: unknown = signal.reason;
  if (reason instanceof SregistryError) return reason;
  if (reason instanceof Error && reason.name === "TimeoutError") {
    return new SregistryError("TIMEOUT", "the time set with --timeout is over", { cause: reason });
  }
  return new SregistryError("INTERRUPTED", "stopped before it was done", { cause: reason });
}
