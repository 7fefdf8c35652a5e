/** The script for bash. Words with colons, equals signs and at signs are put together again: readline takes them apart. */
import type { Offer, ProgramModel } from "./model.ts";
import { argumentCases, TYPED_WORD, valueCases } from "./tables.ts";

export function bashScript(program: ProgramModel): string {
  const names = program.verbs.map(({ name }) => name).join(" ");
  const flagsOf = (flags: ProgramModel["globals"]): string =>
    flags.flatMap(({ hidden, names: all }) => (hidden ? [] : all)).join(" ");
  const verbFlags = program.verbs.flatMap(({ name, flags }) => {
    const all = flagsOf(flags);
    return all === "" ? [] : [`    ${name}) flags="${all} $flags" ;;`];
  });
  return `# bash completion for sregistry. Made from its verbs' definitions; sregistry completion bash prints it.

# The words up to the cursor, as they were typed.
_sregistry_line() {
  local rest=\${COMP_LINE:0:COMP_POINT} trimmed word i
  line=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    trimmed=\${rest#"\${rest%%[![:space:]]*}"}
    word=\${COMP_WORDS[i]}
    ((i < COMP_CWORD)) || word=$trimmed
    if ((i > 0)) && [[ $trimmed == "$rest" ]]; then
      line[\${#line[@]}-1]+=$word
    else
      line+=("$word")
    fi
    rest=\${trimmed:\${#word}}
  done
}

# What a flag takes: sets kind and choices. False for one that takes nothing.
_sregistry_value() {
  kind="" choices=""
  case "$1 $2" in
${valueCases(program, spaced)}
    *) return 1 ;;
  esac
}

# What stands behind a verb and the words typed already.
_sregistry_argument() {
  kind="" choices=""
  case "$1@\${#typed[@]} \${typed[*]}" in
${argumentCases(program, spaced)}
  esac
}

_sregistry_flags() {
  flags="${flagsOf(program.globals)}"
  case $1 in
${verbFlags.join("\n")}
  esac
}

# Words that the program finds: remotes, collections, containers, tags, cached digests.
_sregistry_find() {
  local word program=\${line[0]/#\\~/$HOME}
  while IFS=$'\\t' read -r word _; do
    COMPREPLY+=("$word")
  done < <("$program" completion words "$kind" -- "$1" "\${line[@]:1:\${#line[@]}-2}" 2>/dev/null)
}

_sregistry_files() {
  local name
  while IFS= read -r name; do
    COMPREPLY+=("$name")
  done < <(compgen "$1" -- "$2")
  compopt -o filenames 2>/dev/null
}

_sregistry_offer() {
  case $kind in
    "") read -ra COMPREPLY < <(compgen -W "$choices" -- "$1" | tr '\\n' ' ') ;;
    file) _sregistry_files -f "$1" ;;
    directory) _sregistry_files -d "$1" ;;
    image)
      _sregistry_find "$1"
      ((\${#COMPREPLY[@]} > 0)) || _sregistry_files -f "$1"
      [[ \${#COMPREPLY[@]} -gt 0 && ! -e \${1:-.} ]] || _sregistry_beside "$1"
      ;;
    *) _sregistry_find "$1" ;;
  esac
}

# Files next to references, which are not quoted as files are.
_sregistry_beside() {
  local name known=" \${COMPREPLY[*]} "
  while IFS= read -r name; do
    [[ $known == *" $name "* || $name == *[[:space:]]* ]] || COMPREPLY+=("$name")
  done < <(compgen -f -- "$1")
}

_sregistry() {
  local cur word verb="" flag="" ended="" kind choices flags quote="" i
  local -a line typed=()
  COMPREPLY=()
  _sregistry_line
  cur=\${line[\${#line[@]}-1]}
  [[ $cur != [\\"\\']* ]] || quote=\${cur:0:1} cur=\${cur:1}
  for ((i = 1; i < \${#line[@]} - 1; i++)); do
    word=\${line[i]}
${TYPED_WORD}
  done
  if [[ -n $flag ]]; then
    _sregistry_value "$verb" "$flag"
    _sregistry_offer "$cur"
  elif [[ -z $ended && $cur == --*=* ]]; then
    _sregistry_value "$verb" "\${cur%%=*}" || return 0
    _sregistry_offer "\${cur#*=}"
    COMPREPLY=("\${COMPREPLY[@]/#/\${cur%%=*}=}")
  elif [[ -z $ended && $cur == -* ]]; then
    _sregistry_flags "$verb"
    kind="" choices=$flags
    _sregistry_offer "$cur"
  elif [[ -z $verb ]]; then
    kind="" choices="${names}"
    _sregistry_offer "$cur"
  else
    _sregistry_argument "$verb"
    _sregistry_offer "$cur"
  fi
  # readline replaces only what stands behind the last of its break characters, or all between quotes.
  local last=$cur breaks=\${COMP_WORDBREAKS//[[:space:]\\"\\'\\\\]/} prefix
  last=\${last##*["$breaks"]}
  prefix=\${cur%"$last"}
  [[ -z $quote ]] || prefix=""
  for i in "\${!COMPREPLY[@]}"; do
    [[ \${COMPREPLY[i]} != *[/:] ]] || compopt -o nospace 2>/dev/null
    COMPREPLY[i]=\${COMPREPLY[i]#"$prefix"}
  done
}

complete -F _sregistry sregistry
`;
}

function spaced(offer: Offer | undefined): string {
  if (offer === undefined) return ":";
  return "kind" in offer ? `kind=${offer.kind}` : `choices="${offer.choices.map(({ word }) => word).join(" ")}"`;
}
