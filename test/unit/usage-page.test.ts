/** The page of `list --usage --html` as a text: names from servers stay names, and nothing is fetched. */
import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import type { Usage } from "../../src/client/usage.ts";
import { usagePage } from "../../src/client/usage-page.ts";
import { digestOf } from "../../src/reference/digest.ts";

const HOSTILE = `</script><img src=x onerror="alert(1)"><!--&amp;'\u2028`;
const counts = { tags: 2, images: 1, size: 1536, tagged: 3072 };
const usage: Usage = {
  registry: `registry ${HOSTILE}`,
  total: { collections: 1, containers: 1, ...counts, unknown: 1 },
  collections: [
    {
      name: HOSTILE,
      ...counts,
      containers: [
        {
          name: `${HOSTILE}/${HOSTILE}`,
          ...counts,
          contents: [
            { tags: [HOSTILE, "2"], size: 1536, digest: digestOf("x"), created: "2026-11-21T10:00:00Z" },
            { tags: ["3"], size: null, digest: null, created: null },
          ],
        },
      ],
    },
  ],
};
const page = usagePage(usage, new Date("2026-11-21T14:00:00Z"));

it("names that are markup are text, in the table and in the data", () => {
  expect(page.match(/<img/g)).toBeNull();
  expect(page.match(/<\/script>/g)).toHaveLength(2);
  expect(page).not.toContain("<!--");
  const name = "&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&lt;!--&amp;amp;&#39;\u2028";
  expect(page).toContain(`<h1>Usage of <bdi>registry ${name}</bdi></h1>`);
  expect(page).toContain(`<tr><th scope="row"><bdi>${name}</bdi></th><td class="number">1.5 KiB</td>`);
  const json = /<script type="application\/json" id="data">(.*)<\/script>/.exec(page)?.[1] ?? "";
  expect(JSON.parse(json)).toEqual({
    ...{ n: usage.registry, s: 1536, t: 2 },
    c: [
      {
        ...{ n: HOSTILE, s: 1536, t: 2 },
        c: [
          {
            ...{ n: HOSTILE, s: 1536, t: 2 },
            c: [
              { n: `${HOSTILE}, 2`, s: 1536, t: 2, d: digestOf("x"), a: "2026-11-21T10:00:00Z" },
              { n: "3", s: 0, t: 1, u: 1 },
            ],
          },
        ],
      },
    ],
  });
});

it("asks for nothing, and runs and shows its own script and style alone", () => {
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? "";
  const [style = ""] = /(?<=<style>)[\s\S]*?(?=<\/style>)/.exec(page) ?? [];
  const [script = ""] = /(?<=<script>)[\s\S]*?(?=<\/script>)/.exec(page) ?? [];
  const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  expect(policy).toBe(
    `default-src 'none'; style-src ${hash(style)}; script-src ${hash(script)}; base-uri 'none'; form-action 'none'`,
  );
  expect(page.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|url\(|@import|\ssrc=(?!x)/);
  expect(page).not.toMatch(/ style=/);
});

it("of nothing is a page too", () => {
  const none = { tags: 0, images: 0, size: 0, tagged: 0 };
  const empty = usagePage(
    { registry: "the local store", total: { collections: 0, containers: 0, ...none, unknown: 0 }, collections: [] },
    new Date(0),
  );
  expect(empty).toContain("<li><b>0 B</b><span>in all</span></li>");
});
