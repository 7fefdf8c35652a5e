/** Drawn faults as rules of the faults proxy. */
import { Transform } from "node:stream";
import {
  cutRequest,
  cutResponse,
  delay,
  type Fault,
  type Faults,
  forgedRange,
  ignoreRange,
  type Match,
  redirectTo,
  reply,
  replyEarly,
  type SeenRequest,
  slow,
  stall,
  wrongByte,
  wrongLength,
} from "../support/faults.ts";
import type { FaultPlan, Plan } from "./plan.ts";

const WHERE: Readonly<Record<FaultPlan["where"], Match>> = {
  body: { method: "GET", path: /\/blobs\/(?!uploads\/)|\/v1\/imagefile\/|\/download\// },
  upload: {
    path: /\/uploads\/|imagefile|\/upload|\/manifests\//,
    when: ({ method }) => /^(?:POST|PUT|PATCH)$/.test(method),
  },
  any: {},
};

/** Whatever a server says of a document that is none is the right answer. */
const IMAGE_SENT: Match = {
  path: /\/blobs\/uploads\/.|\/_upload\//,
  when: ({ method }) => /^(?:PUT|PATCH)$/.test(method),
};

/** As long as `lasts` says so. */
export function misbehave(faults: Faults, upstream: string, { faults: plans, size }: Plan, lasts: () => boolean): void {
  for (const plan of plans) {
    const { skip, times } = plan;
    const where = plan.what === "wrong byte sent" ? IMAGE_SENT : WHERE[plan.where];
    const when = (request: SeenRequest): boolean => lasts() && (where.when?.(request) ?? true);
    faults.on({ ...where, when, skip, times }, faultFor(plan, upstream, size));
  }
}

function faultFor({ what, value, how, retryAfter }: FaultPlan, upstream: string, size: number): Fault {
  switch (what) {
    case "cut the answer":
      return cutResponse({ after: value, how });
    case "cut the request":
      return cutRequest({ after: value, how });
    case "cut at once":
      return ({ cut }) => cut(how);
    case "stall":
      return value === 0 ? stall() : stall({ after: value });
    case "status": {
      const headers = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
      return how === "rst" ? replyEarly(value, { headers }) : reply(value, { headers });
    }
    case "lose the answer":
      return loseAnswer(value, how);
    case "wrong byte":
      return wrongByte(value);
    case "wrong byte sent":
      return (exchange) => exchange.forward({ requestBody: flip(value) });
    case "wrong length":
      return wrongLength(value);
    case "forged range":
      return forgedRange(`bytes ${Math.min(value, size)}-${Math.max(size, 1) - 1}/${size}`);
    case "ignored range":
      return ignoreRange;
    case "redirect":
      return redirectTo((path) => new URL(path, upstream).href);
    case "slow":
      return slow(value);
    case "delay":
      return delay(value);
  }
}

/** The server has done it, and the client does not hear of it. */
function loseAnswer(status: number, how: "rst" | "fin"): Fault {
  if (status === 0) return cutResponse({ after: 0, how });
  return (exchange) =>
    exchange.forward({
      head: (head) => {
        head.status = status;
        head.headers = { "content-length": "0" };
      },
      responseBody: new Transform({ transform: (_chunk, _encoding, done) => done() }),
    });
}

function flip(offset: number): Transform {
  let at = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const copy = Buffer.from(chunk);
      const inside = offset - at;
      if (inside >= 0 && inside < copy.length) copy.writeUInt8(copy.readUInt8(inside) ^ 1, inside);
      at += copy.length;
      done(null, copy);
    },
  });
}
