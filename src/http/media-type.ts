/** What kind of body an answer has: looked at before the body is. */
import type { HttpResponse } from "./transport.ts";

/** `text/html` of `Text/HTML; charset=utf-8`; "" when the answer does not say. */
export function mediaType({ headers }: HttpResponse): string {
  return (headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

export function isJson(response: HttpResponse): boolean {
  return /^application\/(?:[\w.-]+\+)?json$/.test(mediaType(response));
}

export function isHtml(response: HttpResponse): boolean {
  return /^(?:text\/html|application\/xhtml\+xml)$/.test(mediaType(response));
}
