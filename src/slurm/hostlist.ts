/** Slurm's lists of nodes: `n[1-3,07],login1` (slurm.conf(5), "NodeName"; hostlists of `scontrol show hostnames`). */
import { SregistryError } from "../errors.ts";

/** More nodes than any machine has: a list that was cut or made up ends here. */
const MOST = 100_000;

/** The names in order. @throws SregistryError USAGE for what is no list of nodes. */
export function expandHostlist(text: string): readonly string[] {
  const names = splitOutside(text).flatMap((one) => expandOne(one, text));
  if (names.length > MOST) throw notAList(text);
  return names;
}

/** At the commas that are not within brackets. */
function splitOutside(text: string): readonly string[] {
  return text.match(/(?:\[[^\]]*\]|[^,[])+|,,|^,|,$|\[/g) ?? [];
}

/** Of `rack[1-2]n[1-4]` the last bracket turns fastest. */
function expandOne(text: string, whole: string): readonly string[] {
  const open = text.indexOf("[");
  if (open < 0) {
    if (!/^[A-Za-z0-9._-]+$/.test(text)) throw notAList(whole);
    return [text];
  }
  const close = text.indexOf("]", open);
  if (close < 0) throw notAList(whole);
  const head = text.slice(0, open);
  const rest = text.slice(close + 1);
  const tails = rest === "" ? [""] : expandOne(rest, whole);
  const numbers = text.slice(open + 1, close).split(",");
  const heads = numbers.flatMap((range) => numbersOf(range, whole)).map((number) => `${head}${number}`);
  if (head !== "" && !/^[A-Za-z0-9._-]+$/.test(head)) throw notAList(whole);
  if (heads.length * tails.length > MOST) throw notAList(whole);
  return heads.flatMap((one) => tails.map((tail) => `${one}${tail}`));
}

/** `07-11` keeps its width. */
function numbersOf(range: string, whole: string): readonly string[] {
  const [, first, last] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(range) ?? [];
  if (first === undefined) throw notAList(whole);
  const [from, to] = [Number(first), Number(last ?? first)];
  if (to < from || to - from >= MOST) throw notAList(whole);
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index).padStart(first.length, "0"));
}

function notAList(text: string): SregistryError {
  return new SregistryError("USAGE", `SLURM_JOB_NODELIST is ${JSON.stringify(text.slice(0, 200))}: no list of nodes`, {
    hint: "scontrol show hostnames",
  });
}
