/** The page of `list --usage --html` in a real browser: drawn, opened by mouse and keys, quiet, readable. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Usage, UsageImage } from "../../src/client/usage.ts";
import { usagePage } from "../../src/client/usage-page.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { Browser } from "../support/browser.ts";
import { missingPeers } from "../support/peers.ts";

const HOSTILE = `</script><img src=x onerror="document.title='taken'">`;

/** Collections of containers of images, each half the size of the one before. */
function made(collections: readonly (readonly [string, readonly string[]])[], images: number): Usage {
  const contents = (name: string, largest: number): readonly UsageImage[] =>
    Array.from({ length: images }, (_, at) => ({
      tags: [`1.${at}`],
      size: Math.max(1, Math.floor(largest / 2 ** at)),
      digest: digestOf(`${name} ${at}`),
      created: "2026-11-21T10:00:00Z",
    }));
  const counted = (all: readonly UsageImage[]) => {
    const size = all.reduce((sum, image) => sum + (image.size ?? 0), 0);
    return { tags: all.length, images: all.length, size, tagged: size };
  };
  const built = collections.map(([name, names], first) => {
    const containers = names.map((own, at) => {
      const inside = contents(`${name}/${own}`, 2 ** 30 / 2 ** (first + at));
      return { name: `${name}/${own}`, ...counted(inside), contents: inside };
    });
    return { name, ...counted(containers.flatMap((one) => one.contents)), containers };
  });
  const all = built.flatMap(({ containers }) => containers.flatMap((one) => one.contents));
  const containers = built.reduce((sum, one) => sum + one.containers.length, 0);
  return {
    registry: "the local store",
    total: { collections: built.length, containers, ...counted(all), unknown: 0 },
    collections: built,
  };
}

let directory: string;
const file = (name: string): string => join(directory, name);

const TEXTS = (selector: string): string =>
  `Array.from(document.querySelectorAll(${JSON.stringify(selector)}), (one) => one.textContent)`;

/** Where the page is, once it got there: an address that changes is told to it when there is time. */
function at(browser: Browser, path: readonly unknown[]): Promise<void> {
  return expect.poll(() => browser.value(TEXTS("#crumbs button")), { timeout: 10_000 }).toEqual(path);
}

describe.skipIf(missingPeers("chromium").length > 0)("the page of usage, in Chromium", () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "sregistry-page-"));
    const usage = made(
      [
        ["genomics", ["bwa", "samtools", "star"]],
        ["chemistry", ["gromacs", HOSTILE]],
        [HOSTILE, ["x"]],
      ],
      4,
    );
    await writeFile(file("page.html"), usagePage(usage, new Date()));
    await writeFile(file("many.html"), usagePage(made([["lab", ["tool"]]], 10_000), new Date()));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("opens by mouse and by keys, tells of each box, asks for nothing and complains of nothing", async () => {
    await using browser = await Browser.open(file("page.html"));
    expect(await browser.value(TEXTS(".tile > b"))).toEqual(["genomics", "chemistry", HOSTILE]);
    await browser.pointAt(".tile .inner");
    expect(await browser.value("document.getElementById('tip').innerText")).toMatch(
      /^bwa\n1\.9 GiB \(2,013,\d{3},\d{3} bytes\), 57\.1 % of genomics\n4 images, 4 tags$/,
    );
    await browser.pointAt(".tile > b", true);
    await at(browser, ["All", "genomics"]);
    expect(await browser.value(TEXTS("tbody th"))).toEqual(["bwa", "samtools", "star"]);
    await browser.press("ArrowRight");
    await browser.press("Enter");
    await at(browser, ["All", "genomics", "samtools"]);
    expect(await browser.value(TEXTS("tbody tr:first-child > :not(.bar)"))).toEqual([
      ...["1.0", "512.0 MiB", "53.3 %", "2026-11-21"],
      expect.stringMatching(/^[0-9a-f]{12}$/),
    ]);
    await browser.press("Escape");
    await browser.press("Escape");
    await at(browser, ["All"]);
    expect(await browser.value(TEXTS("tbody th"))).toEqual(["genomics", "chemistry", HOSTILE]);
    expect(await browser.value("[document.title, document.images.length]")).toEqual(["Usage of the local store", 0]);
    expect(browser.complaints).toEqual([]);
    expect(browser.requests.filter((url) => !url.startsWith(`file://${file("page.html")}`))).toEqual([]);
  });

  it("of 10,000 images draws those that can be seen, and the rest as one", async () => {
    await using browser = await Browser.open(`${file("many.html")}#/0/0`);
    expect(await browser.value("document.querySelectorAll('.tile').length")).toBeLessThan(50);
    expect(await browser.value(TEXTS("tbody tr:last-child"))).toEqual(["9,500 more are in the map above"]);
    await browser.value("document.querySelector('.tile.rest').click()");
    await browser.settled();
    await at(browser, ["All", "lab", "tool", expect.stringMatching(/more$/)]);
    expect(browser.complaints).toEqual([]);
  });

  it.each([{ dark: false }, { dark: true, width: 400 }])("can be read: $dark, $width", async (look) => {
    await using browser = await Browser.open(file("page.html"), look);
    const wide = "[document.documentElement.scrollWidth, innerWidth]";
    const [scroll, inner] = (await browser.value(wide)) as readonly number[];
    expect(scroll).toBeLessThanOrEqual(inner ?? 0);
    // WCAG 2.2, 1.4.3: 4.5 to 1.
    const contrasts = await browser.value(`(() => {
      const light = (colour) => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => part / 255)
          .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = (one) => {
        const colour = getComputedStyle(one).backgroundColor;
        return /, 0\\)$/.test(colour) && one.parentElement ? ground(one.parentElement) : colour;
      };
      return Array.from(document.querySelectorAll("h1, .made, .facts span, #crumbs button, .tile > b, .inner bdi, th, td.number, .keys"), (one) => {
        const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
      });
    })()`);
    expect(Math.min(...(contrasts as readonly number[]))).toBeGreaterThanOrEqual(4.5);
  });
});
