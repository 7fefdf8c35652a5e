/** JSON that clients send, whatever Content-Type they give it: those in Go give none. */
import { type Decoder, parseJson } from "../../decode.ts";
import { type Exchange, readBody } from "../exchange.ts";
import { meaning } from "../failure.ts";

/** Bytes; records carry descriptions of any length. */
const LARGEST = 1024 * 1024;

/** @throws Failure 400 naming the member that is wrong. */
export async function jsonBody<T>(exchange: Exchange, decode: Decoder<T>): Promise<T> {
  const bytes = await readBody(exchange, LARGEST);
  const decoding = async (): Promise<T> => decode(parseJson(Buffer.from(bytes).toString("utf8"), "body"), "body");
  return await meaning({ REPLY_INVALID: [400, "UNSUPPORTED"] }, decoding());
}
