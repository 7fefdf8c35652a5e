/** The script for zsh. */
import type { FlagModel, Offer, ProgramModel } from "./model.ts";
import { argumentCases, TYPED_WORD, valueCases } from "./tables.ts";

export function zshScript(program: ProgramModel): string {
  const flagLines = (flags: readonly FlagModel[]): string =>
    flags
      .filter(({ hidden }) => !hidden)
      .flatMap(({ names, description }) => names.map((name) => `      ${described(name, description)}`))
      .join("\n");
  const verbFlags = program.verbs.flatMap(({ name, flags }) => {
    const lines = flagLines(flags);
    return lines === "" ? [] : [`    ${name}) flags+=(\n${lines}\n    ) ;;`];
  });
  return `#compdef sregistry
# zsh completion for sregistry. Made from its verbs' definitions; sregistry completion zsh prints it.

_sregistry_verbs() {
  local -a verbs=(
${program.verbs.map(({ name, summary }) => `    ${described(name, summary)}`).join("\n")}
  )
  _describe -t verbs verb verbs
}

# What a flag takes: sets kind and choices. False for one that takes nothing.
_sregistry_value() {
  kind="" choices=()
  case "$1 $2" in
${valueCases(program, said)}
    *) return 1 ;;
  esac
}

# What stands behind a verb and the words typed already.
_sregistry_argument() {
  kind="" choices=()
  case "$1@\${#typed} \${typed[*]}" in
${argumentCases(program, said)}
  esac
}

_sregistry_flags() {
  local -a flags=(
${flagLines(program.globals)}
  )
  case $1 in
${verbFlags.join("\n")}
  esac
  _describe -o -t flags flag flags
}

# Words that the program finds: remotes, collections, containers, tags, cached digests.
_sregistry_find() {
  local word says
  local -a open closed
  while IFS=$'\\t' read -r word says; do
    says=\${word//:/\\\\:}\${says:+:$says}
    if [[ $word == *[/:] ]]; then open+=("$says"); else closed+=("$says"); fi
  done < <("\${program/#\\~/$HOME}" completion words "$kind" -- "\${(Q)PREFIX}" "\${before[@]}" 2>/dev/null)
  local found=1
  (( $#closed )) && _describe -t words "$kind" closed && found=0
  (( $#open )) && _describe -t words "$kind" open -S '' && found=0
  return found
}

_sregistry_offer() {
  case $kind in
    "") (( $#choices )) && _describe -t words word choices ;;
    file) _files ;;
    directory) _files -/ ;;
    image)
      local found=1
      _sregistry_find && found=0
      _files && found=0
      return found
      ;;
    *) _sregistry_find ;;
  esac
}

_sregistry() {
  local verb="" flag="" ended="" kind="" word program=\${(Q)words[1]}
  local -a typed choices before
  before=("\${(@Q)words[2,CURRENT-1]}")
  (( CURRENT > 2 )) || before=()
  for word in "\${before[@]}"; do
${TYPED_WORD}
  done
  if [[ -n $flag ]]; then
    _sregistry_value "$verb" "$flag"
    _sregistry_offer
  elif [[ -z $ended && $PREFIX == --*=* ]]; then
    _sregistry_value "$verb" "\${PREFIX%%=*}" || return 1
    compset -P 1 '*='
    _sregistry_offer
  elif [[ -z $ended && $PREFIX == -* ]]; then
    _sregistry_flags "$verb"
  elif [[ -z $verb ]]; then
    _sregistry_verbs
  else
    _sregistry_argument "$verb"
    _sregistry_offer
  fi
}

# Read as a file of fpath it is called at once; sourced, it is made known.
if [[ $funcstack[1] == _sregistry ]]; then
  _sregistry "$@"
else
  compdef _sregistry sregistry
fi
`;
}

/** For _describe: a colon ends the word, and the whole is quoted. */
function described(word: string, says: string): string {
  return `'${`${word.replaceAll(":", "\\:")}${says === "" ? "" : `:${says}`}`.replaceAll("'", "'\\''")}'`;
}

function said(offer: Offer | undefined): string {
  if (offer === undefined) return ":";
  return "kind" in offer
    ? `kind=${offer.kind}`
    : `choices=(${offer.choices.map(({ word, says }) => described(word, says)).join(" ")})`;
}
