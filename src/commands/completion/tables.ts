/** What bash and zsh have in common: the tables that say what a flag takes and what stands behind a verb. */
import { actionSteps, type FlagModel, type Offer, type ProgramModel, type VerbModel } from "./model.ts";

type Say = (offer: Offer | undefined) => string;

/** Cases over `VERB FLAG`, verbs first: what a verb says of a flag goes before what all say. */
export function valueCases({ globals, verbs }: ProgramModel, say: Say): string {
  const lines = (verb: string, flags: readonly FlagModel[]): readonly string[] =>
    flags.map(({ names, offer, valued }) => {
      const labels = names.map((name) => (verb === "*" ? `*" ${name}"` : `"${verb} ${name}"`)).join(" | ");
      return `    ${labels}) ${valued ? say(offer) : "return 1"} ;;`;
    });
  // The switches are written down only where they hide a global flag of the same name.
  const taken = new Set(globals.flatMap(({ names }) => names));
  const own = ({ name, flags }: VerbModel): readonly string[] =>
    lines(
      name,
      flags.filter((flag) => flag.valued || flag.names.some((one) => taken.has(one))),
    );
  return [
    ...verbs.flatMap(own),
    ...lines(
      "*",
      globals.filter(({ valued }) => valued),
    ),
  ].join("\n");
}

/** Cases over `VERB@COUNT WORD...`: how many words are typed already, and which. */
export function argumentCases({ verbs }: ProgramModel, say: Say): string {
  return verbs.flatMap((verb) => (verb.actions.length > 0 ? ofActions(verb, say) : ofPlaces(verb, say))).join("\n");
}

function ofActions(verb: VerbModel, say: Say): readonly string[] {
  return actionSteps(verb).flatMap(({ before, next, kind }) => {
    const typed = `"${verb.name}@${before.length} ${before.join(" ")}"`;
    if (kind !== undefined) return [`    ${typed}) ${say({ kind })} ;;`];
    return next.length === 0 ? [] : [`    ${typed}) ${say({ choices: next })} ;;`];
  });
}

function ofPlaces({ name, takes, repeats }: VerbModel, say: Say): readonly string[] {
  return takes.flatMap((kind, at) => {
    const any = repeats && at === takes.length - 1;
    return kind === undefined ? [] : [`    "${name}@${any ? "" : `${at} `}"*) ${say({ kind })} ;;`];
  });
}

/** What a word before the cursor is, in a loop over them: a flag that waits for its value, the verb, or one of its words. */
export const TYPED_WORD = `    if [[ -n $flag ]]; then
      flag=""
    elif [[ -z $ended && $word == -- ]]; then
      ended=1
    elif [[ -z $ended && $word == -?* ]]; then
      [[ $word == --*=* ]] || ! _sregistry_value "$verb" "$word" || flag=$word
    elif [[ -z $verb ]]; then
      verb=$word
    else
      typed+=("$word")
    fi`;
