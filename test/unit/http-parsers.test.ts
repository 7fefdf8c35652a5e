/** Everything that a stranger writes into a header, and the lists a user writes into the environment. */
import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { string } from "../../src/decode.ts";
import { SregistryError } from "../../src/errors.ts";
import { baseUrl, scopeOf } from "../../src/http/address.ts";
import { readJson } from "../../src/http/body.ts";
import { parseChallenges } from "../../src/http/challenge.ts";
import { mergeHeaders } from "../../src/http/headers.ts";
import { nextPage, parseLink } from "../../src/http/link.ts";
import { bypassesProxy } from "../../src/http/no-proxy.ts";
import { proxyFor } from "../../src/http/proxy.ts";
import { parseContentRange, parseUnsatisfiedRange, parseUploadRange } from "../../src/http/range.ts";
import { parseRetryAfter } from "../../src/http/retry-after.ts";
import type { HttpResponse } from "../../src/http/transport.ts";
import { serverWords } from "../../src/http/words.ts";

/** Text full of what the grammars care about. */
const hostile = fc.oneof(
  fc.string({ maxLength: 300 }),
  fc.array(fc.constantFrom(...'=,;"\\<> \tab0-/*:.[]%'), { maxLength: 300 }).map((parts) => parts.join("")),
);
const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const quotable = fc.string({ maxLength: 20 });

function answer(headers: Readonly<Record<string, string>>, body = ""): HttpResponse {
  return {
    status: 200,
    headers: new Map(Object.entries(headers)),
    url: new URL("https://reg.example/v2/_catalog"),
    body: Readable.from([Buffer.from(body)]),
  };
}

describe("WWW-Authenticate", () => {
  const read = (value: string) =>
    parseChallenges(value).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

  test.each([
    ['Basic realm="sregistry-test"', [["basic", { realm: "sregistry-test" }]]],
    [
      'BEARER Realm="https://a/token",SERVICE=reg.io,scope="repository:a/b:pull,push"',
      [["bearer", { realm: "https://a/token", service: "reg.io", scope: "repository:a/b:pull,push" }]],
    ],
    [
      'Negotiate, Basic realm="a b", Bearer realm="https://a"',
      [
        ["negotiate", {}],
        ["basic", { realm: "a b" }],
        ["bearer", { realm: "https://a" }],
      ],
    ],
    [
      "Negotiate oYIB/abc==, NTLM, Basic realm=x",
      [
        ["negotiate", {}],
        ["ntlm", {}],
        ["basic", { realm: "x" }],
      ],
    ],
    [
      'Basic realm="say \\"hi\\", friend" , charset=UTF-8',
      [["basic", { realm: 'say "hi", friend', charset: "UTF-8" }]],
    ],
    ['bearer realm="x",realm="y"', [["bearer", { realm: "x" }]]],
    ["Basic", [["basic", {}]]],
    ["", []],
    [",, ,", []],
    ['Bearer realm="unfinished', [["bearer", {}]]],
  ])("%s", (value, expected) => {
    expect(read(value)).toEqual(expected);
  });

  test("what is written can be read", () => {
    const parameters = fc.dictionary(token, quotable, { minKeys: 1, maxKeys: 4, noNullPrototype: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(token, parameters), { maxLength: 4 }), (challenges) => {
        const quote = (text: string) => `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
        const written = challenges
          .map(
            ([scheme, pairs]) =>
              `${scheme} ${Object.entries(pairs)
                .map(([name, text]) => `${name}=${quote(text)}`)
                .join(", ")}`,
          )
          .join(", ");
        expect(read(written)).toEqual(challenges);
      }),
    );
  });

  test("nothing makes it throw or dawdle", () => {
    fc.assert(fc.property(hostile, (value) => void parseChallenges(value)));
    for (const unit of ["a=", '"', "a ", "=,", '\\"', 'a="\\', ", "]) parseChallenges(unit.repeat(8000 / unit.length));
  });
});

describe("Link", () => {
  test.each([
    ['</v2/_catalog?last=b&n=2>; rel="next"', "https://reg.example/v2/_catalog?last=b&n=2"],
    ["<https://reg.example:443/x>;rel=next", "https://reg.example/x"],
    ['</first>; rel="first", </x,y>; title="a, b"; rel="prev NEXT"', "https://reg.example/x,y"],
    ['</first>; rel="first"', undefined],
    ["", undefined],
    ["garbage", undefined],
  ])("%s", (value, expected) => {
    expect(nextPage(answer({ link: value }))?.href).toBe(expected);
  });

  test.each([
    "https://evil.test/x",
    "http://reg.example/x",
    "https://reg.example:8443/x",
    "//evil.test/x",
    "data:text/plain,x",
  ])("a next page at %s is refused", (target) => {
    expect(() => nextPage(answer({ link: `<${target}>; rel="next"` }))).toThrow(
      /^reg\.example names a next page that is not its own: "/,
    );
  });

  test("what is written can be read", () => {
    const target = fc.string({ maxLength: 30 }).map((text) => text.replaceAll(/[<>]/g, ""));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(target, fc.array(token, { minLength: 1, maxLength: 3 })), { maxLength: 4 }),
        (links) => {
          const written = links.map(([to, rel]) => `<${to}>; title="a, <b>"; rel="${rel.join(" ")}"`).join(", ");
          expect(parseLink(written)).toEqual(links.map(([to, rel]) => ({ target: to, rel })));
        },
      ),
    );
  });

  test("nothing makes it throw or dawdle", () => {
    fc.assert(fc.property(hostile, (value) => void parseLink(value)));
    for (const unit of ["<>", "<>;a=", '<>;a="', ";", "<", "<>; rel"]) parseLink(unit.repeat(16_000 / unit.length));
  });
});

describe("ranges", () => {
  test.each([
    ["bytes 0-0/1", { start: 0, end: 1, total: 1 }],
    ["Bytes 5-9/*", { start: 5, end: 10, total: undefined }],
    ["bytes 5-4/10", undefined],
    ["bytes 5-10/10", undefined],
    ["bytes */10", undefined],
    ["bytes 0-9007199254740991/*", undefined],
    ["bytes=0-1/2", undefined],
    ["bytes 0-1/2, bytes 3-4/5", undefined],
    ["bytes -1-2/3", undefined],
    ["bytes 0x1-2/3", undefined],
    [undefined, undefined],
  ])("Content-Range %s", (value, expected) => {
    expect(parseContentRange(value)).toEqual(expected);
  });

  test.each([
    ["0-0", 0],
    ["0-4194303", 4_194_304],
    ["bytes=0-99", 100],
    ["1-99", undefined],
    ["0-", undefined],
    ["0--1", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("Range of an upload session %s", (value, expected) => {
    expect(parseUploadRange(value)).toBe(expected);
  });

  test("416", () => {
    expect([
      parseUnsatisfiedRange("bytes */10"),
      parseUnsatisfiedRange("bytes 0-1/10"),
      parseUnsatisfiedRange(undefined),
    ]).toEqual([10, undefined, undefined]);
  });

  test("what is written can be read, and nothing else is", () => {
    const size = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(size, size, size, (a, b, c) => {
        const [start, last, total] = [a, b, c].sort((x, y) => x - y);
        if (start === undefined || last === undefined || total === undefined || last === total) return;
        expect(parseContentRange(`bytes ${start}-${last}/${total}`)).toEqual({ start, end: last + 1, total });
      }),
    );
    fc.assert(
      fc.property(hostile, (value) => {
        const range = parseContentRange(value);
        expect(
          range === undefined || (range.start < range.end && range.end <= (range.total ?? Number.MAX_SAFE_INTEGER)),
        ).toBe(true);
        const held = parseUploadRange(value);
        expect(held === undefined || Number.isSafeInteger(held)).toBe(true);
      }),
    );
  });
});

describe("Retry-After", () => {
  const now = Date.UTC(2026, 10, 21, 12, 0, 0);

  test.each([
    ["0", 0],
    ["120", 120_000],
    [" 5 ", 5000],
    ["Sat, 21 Nov 2026 12:01:00 GMT", 60_000],
    ["Saturday, 21-Nov-26 12:01:00 GMT", 60_000],
    ["Sat Nov 21 12:01:00 2026", 60_000],
    ["Sat, 21 Nov 2026 11:00:00 GMT", 0],
    ["-5", undefined],
    ["1.5", undefined],
    ["soon", undefined],
    ["", undefined],
    ["99999999999", undefined],
    [undefined, undefined],
  ])("%s", (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });

  test("dates as they are written, whatever the zone of this machine", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000_000 }), (seconds) => {
        expect(parseRetryAfter(new Date(now + seconds * 1000).toUTCString(), now)).toBe(seconds * 1000);
      }),
    );
    fc.assert(fc.property(hostile, (value) => (parseRetryAfter(value, now) ?? 0) >= 0));
  });
});

describe("NO_PROXY", () => {
  test.each([
    ["*", "https://reg.example/", true],
    ["reg.example", "https://reg.example/", true],
    ["REG.example", "https://reg.EXAMPLE/", true],
    ["reg.example", "https://reg.example./", true],
    ["example", "https://reg.example/", true],
    ["example", "https://regexample/", false],
    [".example", "https://reg.example/", true],
    [".example", "https://example/", false],
    ["*.example", "https://reg.example/", true],
    ["ample", "https://reg.example/", false],
    ["reg.example:443", "https://reg.example/", true],
    ["reg.example:80", "https://reg.example/", false],
    ["reg.example:5000", "https://reg.example:5000/", true],
    ["10.0.0.0/8", "http://10.1.2.3/", true],
    ["10.0.0.0/8", "http://11.1.2.3/", false],
    ["10.0.0.0/8", "http://[::ffff:10.1.2.3]/", true],
    ["10.1.2.3", "http://[::ffff:a01:203]/", true],
    ["::ffff:10.1.2.3", "http://10.1.2.3/", true],
    ["10.1.2.3:8080", "http://10.1.2.3:8080/", true],
    ["10.1.2.3:8080", "http://10.1.2.3/", false],
    ["fd00::/8", "http://[fd00::1]/", true],
    ["[fd00::1]:80", "http://[fd00::1]/", true],
    ["fd00::1", "http://[fd00:0::1]/", true],
    ["fd00::1", "http://[fd00::2]/", false],
    ["10.1.2", "http://10.1.2.3/", false],
    ["2.3", "http://10.1.2.3/", false],
    ["10.0.0.0/33,10.0.0.0/x,/8,:80,.", "http://10.1.2.3/", false],
    ["a.b, , reg.example c.d", "https://reg.example/", true],
    ["", "https://reg.example/", false],
  ])("%s for %s: %s", (list, url, expected) => {
    expect(bypassesProxy(new URL(url), list)).toBe(expected);
  });

  const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,6}[a-z0-9]$/);
  const host = fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join("."));
  const octet = fc.integer({ min: 0, max: 255 });
  const address = fc.tuple(octet, octet, octet, octet);

  test("a host is covered by itself, by each of its domains, and by nothing that only ends alike", () => {
    fc.assert(
      fc.property(host, label, fc.integer({ min: 1, max: 65_535 }), (name, other, port) => {
        const url = new URL(`https://${name}:${port}/`);
        const domain = name.slice(name.indexOf("."));
        expect(bypassesProxy(url, `x.invalid, ${name}`)).toBe(true);
        expect(bypassesProxy(url, domain)).toBe(true);
        expect(bypassesProxy(url, `${name}:${port}`)).toBe(true);
        expect(bypassesProxy(url, `${name}:${port === 1 ? 2 : port - 1}`)).toBe(false);
        expect(bypassesProxy(new URL(`https://${other}${name}/`), name)).toBe(false);
        expect(bypassesProxy(url, `${other}.${name}`)).toBe(false);
      }),
    );
  });

  test("an address is in the networks that its bits say, also mapped into IPv6", () => {
    fc.assert(
      fc.property(address, address, fc.integer({ min: 0, max: 32 }), (a, b, bits) => {
        const number = (octets: readonly number[]) => octets.reduce((sum, part) => sum * 256 + part, 0);
        const inside = Math.floor(number(a) / 2 ** (32 - bits)) === Math.floor(number(b) / 2 ** (32 - bits));
        expect(bypassesProxy(new URL(`http://${a.join(".")}/`), `${b.join(".")}/${bits}`)).toBe(inside);
        expect(bypassesProxy(new URL(`http://[::ffff:${a.join(".")}]/`), `${b.join(".")}/${bits}`)).toBe(inside);
      }),
    );
  });

  test("nothing makes it throw", () => {
    fc.assert(fc.property(hostile, host, (list, name) => void bypassesProxy(new URL(`http://${name}/`), list)));
    fc.assert(fc.property(hostile, (list) => void bypassesProxy(new URL("http://[::1]/"), list)));
  });
});

describe("the proxy of a URL", () => {
  const https = new URL("https://reg.example/");
  const found = (url: URL, env: Record<string, string>) => {
    const proxy = proxyFor(url, env);
    return proxy === undefined ? undefined : [proxy.url.href, proxy.authorization, proxy.from];
  };

  test("by scheme, lower case first, never for loopback", () => {
    const env = { HTTPS_PROXY: "http://upper:3128", https_proxy: "lower:3128", HTTP_PROXY: "http://plain" };
    expect(found(https, env)).toEqual(["http://lower:3128/", undefined, "https_proxy"]);
    expect(found(new URL("http://reg.example/"), env)).toEqual(["http://plain/", undefined, "HTTP_PROXY"]);
    expect(found(https, { HTTP_PROXY: "http://plain", https_proxy: " " })).toBeUndefined();
    expect(found(new URL("https://localhost/"), env)).toBeUndefined();
    expect(found(new URL("http://[::1]:5000/"), env)).toBeUndefined();
    expect(found(https, { ...env, NO_PROXY: ".example" })).toBeUndefined();
    expect(found(https, { ...env, NO_PROXY: ".example", no_proxy: ".test" })).toBeDefined();
  });

  test("its password is for the proxy alone and not part of its URL", () => {
    expect(found(https, { HTTPS_PROXY: "http://al%40ice:p%25ss@proxy:3128/" })).toEqual([
      "http://proxy:3128/",
      `Basic ${Buffer.from("al@ice:p%ss").toString("base64")}`,
      "HTTPS_PROXY",
    ]);
  });

  test.each(["socks5://proxy:1080", "http://", "http://a:b%@proxy", "http://proxy:99999"])(
    "%s is refused without being repeated",
    (value) => {
      expect(() => proxyFor(https, { HTTPS_PROXY: value })).toThrow(/HTTPS_PROXY/);
      expect(() => proxyFor(https, { HTTPS_PROXY: value })).not.toThrow(/:\/\//);
    },
  );
});

describe("hosts", () => {
  test.each([
    ["localhost", "loopback"],
    ["a.localhost.", "loopback"],
    ["127.9.9.9", "loopback"],
    ["0.0.0.0", "loopback"],
    ["[::1]", "loopback"],
    ["[::ffff:127.0.0.1]", "loopback"],
    ["169.254.169.254", "link-local"],
    ["[fe80::1]", "link-local"],
    ["10.0.0.1", "private"],
    ["172.31.0.1", "private"],
    ["172.32.0.1", "public"],
    ["[fd00::1]", "private"],
    ["8.8.8.8", "public"],
    ["[2001:db8::1]", "public"],
    ["localhost.example", "name"],
    ["10.example", "name"],
  ])("%s is %s", (host, scope) => {
    expect(scopeOf(host)).toBe(scope);
  });

  test.each([
    ["localhost:5000", {}, "http://localhost:5000/"],
    ["reg.localhost", {}, "http://reg.localhost/"],
    ["127.0.0.1:8088", {}, "http://127.0.0.1:8088/"],
    ["[::1]:8088", {}, "http://[::1]:8088/"],
    ["reg.example", {}, "https://reg.example/"],
    ["reg.example:80", {}, "https://reg.example:80/"],
    ["10.0.0.1:5000", {}, "https://10.0.0.1:5000/"],
    ["reg.example", { plainHttp: true }, "http://reg.example/"],
  ])("%s %j is asked at %s", (host, options, url) => {
    expect(baseUrl(host, options).href).toBe(url);
  });

  test.each(["", "a/b", "a?b", "user@a", "a b", "a:99999", "a\\b", "a#b"])("%j is no host", (host) => {
    expect(() => baseUrl(host)).toThrow(/is not a host or host:port$/);
  });
});

test("header records are merged in lower case, and hold no line breaks", () => {
  expect({ ...mergeHeaders({ Accept: "a" }, undefined, { accept: "b", "X-Y": "ü" }) }).toEqual({
    accept: "b",
    "x-y": "ü",
  });
  expect(() => mergeHeaders({ "a b": "c" })).toThrow('"a b" is not a header name');
  fc.assert(
    fc.property(fc.string(), (value) => {
      try {
        expect(mergeHeaders({ a: value })["a"]).toMatch(/^[\t\x20-\x7e\x80-\xff]*$/);
      } catch (error) {
        expect(error).toBeInstanceOf(SregistryError);
        expect(value).toMatch(/[^\t\x20-\x7e\x80-\xff]/);
      }
    }),
  );
});

test("JSON passes its decoder, which names host, path and field", async () => {
  expect(await readJson(answer({}, '"x"'), string)).toBe("x");
  await expect(readJson(answer({}, "5"), string)).rejects.toThrow(
    "answer of reg.example to /v2/_catalog: expected a string, got number",
  );
  await expect(readJson(answer({}, "<html>"), string)).rejects.toThrow(
    "answer of reg.example to /v2/_catalog: not JSON",
  );
});

describe("a server's words", () => {
  test.each([
    [
      '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"x"}}]}',
      "MANIFEST_UNKNOWN: manifest unknown",
    ],
    ['{"errors":[{"code":"DENIED","message":"a"},{"code":"UNKNOWN","message":"b"}]}', "DENIED: a; UNKNOWN: b"],
    ['{"status":"error","errors":[{"title":"unauthorized","detail":"no token","code":401}]}', "401: no token"],
    ['{"error":{"code":404,"message":"not found"}}', "404: not found"],
    ['{"error":"invalid_grant","error_description":"the token is stale"}', "invalid_grant: the token is stale"],
    ['{"message":"toomanyrequests: slow down"}', "toomanyrequests: slow down"],
    ['{"details":"incorrect username or password"}', "incorrect username or password"],
    ['{"detail":"Invalid token."}', "Invalid token."],
    ['{"tag":["This field is required."]}', '{"tag":["This field is required."]}'],
    ["<html><head><TITLE>413 Request Entity\n Too Large</TITLE></head>", "413 Request Entity Too Large"],
    ["<!DOCTYPE html><h1>403 Forbidden</h1><p>x", "403 Forbidden"],
    [
      '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>',
      "AccessDenied: Request has expired",
    ],
    ["404 page not found\n", "404 page not found"],
    ["\u001b[31mred\u001b[0m\u202e", "[31mred [0m"],
    ['{"message":"\\u001b]0;title\\u0007"}', "]0;title"],
    ["", ""],
    ["{broken", "{broken"],
  ])("%s", (body, expected) => {
    expect(serverWords(Buffer.from(body))).toBe(expected);
  });

  test("are one printable line, whatever came", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 500 }),
          hostile.map((text) => Buffer.from(text)),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          expect(serverWords(bytes)).toMatch(/^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]{0,403}$/);
        },
      ),
    );
  });
});
