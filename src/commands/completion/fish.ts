/** The script for fish, which knows flags by itself; what stands behind a verb is told by the words before. */
import { actionSteps, type Choice, type FlagModel, type Offer, type ProgramModel, type VerbModel } from "./model.ts";

export function fishScript(program: ProgramModel): string {
  const globals = program.globals.filter(({ hidden }) => !hidden).map((flag) => flagLine(flag, undefined));
  const verbs = program.verbs.flatMap((verb) => [
    "",
    `# ${verb.name}`,
    ...verb.flags.filter(({ hidden }) => !hidden).map((flag) => flagLine(flag, verb.name)),
    ...(verb.actions.length > 0 ? actionLines(verb) : placeLines(verb)),
  ]);
  return `# fish completion for sregistry. Made from its verbs' definitions; sregistry completion fish prints it.

# The verb and the words behind it, up to the cursor, one a line.
function __sregistry_typed
    set -l verb
    set -l skip
    set -l ended
    set -l line (commandline -opc)
    for word in $line[2..-1]
        if test -n "$skip"
            set skip
        else if test -z "$ended"; and test "$word" = --
            set ended yes
        else if test -z "$ended"; and string match -qr -- '^-.' $word
            switch "$verb $word"
${valuedCases(program)}
            end
        else
            test -n "$verb"; or set verb $word
            echo -- $word
        end
    end
end

# True behind a verb.
function __sregistry_in
    set -l typed (__sregistry_typed)
    test "$typed[1]" = $argv[1]
end

# True behind a verb and so many words.
function __sregistry_at
    set -l typed (__sregistry_typed)
    test "$typed[1]" = $argv[1]; and test (count $typed) -eq (math $argv[2] + 1)
end

# True behind a verb and so many words, or more.
function __sregistry_from
    set -l typed (__sregistry_typed)
    test "$typed[1]" = $argv[1]; and test (count $typed) -gt $argv[2]
end

# True behind just these words.
function __sregistry_after
    set -l typed (__sregistry_typed)
    test "$typed" = "$argv"
end

# Words that the program finds: remotes, collections, containers, tags, cached digests.
function __sregistry_find
    set -l line (commandline -opc)
    set -l typed (string replace -r -- '^--[a-z-]+=' '' (commandline -ct))
    set -l program (string replace -r -- '^~' $HOME $line[1])
    command $program completion words $argv[1] -- "$typed" $line[2..-1] 2>/dev/null
end

complete -c sregistry -f
complete -c sregistry -n 'test -z "$(__sregistry_typed)"' -a ${choices(program.verbs.map(verbChoice))}
${[...globals, ...verbs].join("\n")}
`;
}

function verbChoice({ name, summary }: VerbModel): Choice {
  return { word: name, says: summary };
}

function flagLine({ names, description, valued, offer }: FlagModel, verb: string | undefined): string {
  const condition = verb === undefined ? [] : ["-n", quoted(`__sregistry_in ${verb}`)];
  const spelled = names.map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const value = valued ? valueWords(offer) : [];
  return ["complete -c sregistry", ...condition, ...spelled, ...value, "-d", quoted(description)].join(" ");
}

function valueWords(offer: Offer | undefined): readonly string[] {
  if (offer === undefined) return ["-x"];
  if ("choices" in offer) return ["-x", "-a", choices(offer.choices)];
  return kindWords(offer.kind, "-r", "-x");
}

function kindWords(kind: string, withFiles: string, without: string): readonly string[] {
  if (kind === "file") return [withFiles, "-F"];
  if (kind === "directory") return [without, "-a", quoted("(__fish_complete_directories)")];
  const found = ["-a", quoted(`(__sregistry_find ${kind})`)];
  return kind === "image" ? [withFiles, "-F", ...found] : [without, ...found];
}

function actionLines(verb: VerbModel): readonly string[] {
  return actionSteps(verb).flatMap(({ before, next, kind }) => {
    const condition = `complete -c sregistry -n ${quoted(`__sregistry_after ${[verb.name, ...before].join(" ")}`)}`;
    if (kind !== undefined) return [[condition, ...kindWords(kind, "", "")].join(" ").replace(/ +/g, " ")];
    return next.length === 0 ? [] : [`${condition} -a ${choices(next)}`];
  });
}

function placeLines({ name, takes, repeats }: VerbModel): readonly string[] {
  return takes.flatMap((kind, at) => {
    if (kind === undefined) return [];
    const last = repeats && at === takes.length - 1;
    const condition = `complete -c sregistry -n ${quoted(`__sregistry_${last ? "from" : "at"} ${name} ${at}`)}`;
    return [[condition, ...kindWords(kind, "", "")].join(" ").replace(/ +/g, " ")];
  });
}

/** A flag with its value behind it: the value is no word of the verb's. */
function valuedCases({ globals, verbs }: ProgramModel): string {
  const taken = new Set(globals.flatMap(({ names }) => names));
  const line = (labels: readonly string[], valued: boolean): string =>
    `                case ${labels.map(quoted).join(" ")}\n                    ${valued ? "set skip yes" : "true"}`;
  const own = verbs.flatMap(({ name, flags }) =>
    flags
      .filter(({ valued, names }) => valued || names.some((one) => taken.has(one)))
      .map(({ names, valued }) =>
        line(
          names.map((one) => `${name} ${one}`),
          valued,
        ),
      ),
  );
  const all = globals
    .filter(({ valued }) => valued)
    .map(({ names }) =>
      line(
        names.map((one) => `* ${one}`),
        true,
      ),
    );
  return [...own, ...all].join("\n");
}

/** One argument of -a: words, or what prints words with a tab before what they mean. */
function choices(words: readonly Choice[]): string {
  if (words.every(({ says }) => says === "")) return quoted(words.map(({ word }) => word).join(" "));
  return quoted(`(printf '%s\\t%s\\n' ${words.map(({ word, says }) => `${word} ${quoted(says)}`).join(" ")})`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
