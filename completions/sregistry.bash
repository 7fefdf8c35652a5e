# bash completion for sregistry. Made from its verbs' definitions; sregistry completion bash prints it.

# The words up to the cursor, as they were typed.
_sregistry_line() {
  local rest=${COMP_LINE:0:COMP_POINT} trimmed word i
  line=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    trimmed=${rest#"${rest%%[![:space:]]*}"}
    word=${COMP_WORDS[i]}
    ((i < COMP_CWORD)) || word=$trimmed
    if ((i > 0)) && [[ $trimmed == "$rest" ]]; then
      line[${#line[@]}-1]+=$word
    else
      line+=("$word")
    fi
    rest=${trimmed:${#word}}
  done
}

# What a flag takes: sets kind and choices. False for one that takes nothing.
_sregistry_value() {
  kind="" choices=""
  case "$1 $2" in
    "pull -o" | "pull --output") kind=file ;;
    "pull --name") kind=file ;;
    "pull --dir") kind=directory ;;
    "pull --from-file") kind=file ;;
    "pull --arch") choices="amd64 arm64 arm 386 ppc64le riscv64 s390x" ;;
    "push --name") kind=reference ;;
    "push --tag") kind=tag ;;
    "push --description") : ;;
    "list --columns") choices="name size arch created digest reference registry collection container tag manifest format signed" ;;
    "list --sort") choices="name size arch created digest reference registry collection container tag manifest format signed" ;;
    "list --limit") : ;;
    "list --html") kind=file ;;
    "search --arch") choices="amd64 arm64 arm 386 ppc64le riscv64 s390x" ;;
    "inspect --arch") choices="amd64 arm64 arm 386 ppc64le riscv64 s390x" ;;
    "get --arch") choices="amd64 arm64 arm 386 ppc64le riscv64 s390x" ;;
    "copy --tag") kind=tag ;;
    "copy --arch") choices="amd64 arm64 arm 386 ppc64le riscv64 s390x" ;;
    "labels -k" | "labels --key") : ;;
    "labels --value") : ;;
    "bcast --program") kind=file ;;
    "bcast --arch") choices="amd64 arm64 arm 386 ppc64le riscv64 s390x" ;;
    "bcast --on-node") : ;;
    "cache --max-size") : ;;
    "cache --older-than") : ;;
    "login -u" | "login --username") : ;;
    "login --token-file") kind=file ;;
    "login --tokenfile") kind=file ;;
    "login -p" | "login --password") : ;;
    "remote --token-file") kind=file ;;
    "remote --tokenfile") kind=file ;;
    "serve --listen") : ;;
    "serve --token-file") kind=file ;;
    "serve --allow-host") : ;;
    "completion --answer-within") : ;;
    *" --registry") kind=registry ;;
    *" --library") : ;;
    *" --protocol") choices="auto library hmac" ;;
    *" -c" | *" --config") kind=file ;;
    *" --store") kind=directory ;;
    *" --format") : ;;
    *" --progress") choices="auto bar plain json none" ;;
    *" --ca-file") kind=file ;;
    *" --trust-realm") : ;;
    *" --parallel") : ;;
    *" --timeout") : ;;
    *" --authfile") kind=file ;;
    *) return 1 ;;
  esac
}

# What stands behind a verb and the words typed already.
_sregistry_argument() {
  kind="" choices=""
  case "$1@${#typed[@]} ${typed[*]}" in
    "pull@"*) kind=reference ;;
    "push@0 "*) kind=file ;;
    "push@1 "*) kind=reference ;;
    "list@0 "*) kind=pattern ;;
    "search@1 "*) kind=endpoint ;;
    "inspect@0 "*) kind=image ;;
    "get@0 "*) kind=reference ;;
    "copy@0 "*) kind=reference ;;
    "copy@1 "*) kind=reference ;;
    "tag@0 "*) kind=reference ;;
    "tag@"*) kind=tag ;;
    "labels@0 "*) kind=pattern ;;
    "delete@0 "*) kind=reference ;;
    "bcast@0 "*) kind=reference ;;
    "bcast@1 "*) kind=file ;;
    "cache@0 ") choices="path list verify prune clean" ;;
    "login@0 "*) kind=login ;;
    "logout@0 "*) kind=login ;;
    "remote@0 ") choices="add list use remove login logout status get-login-password" ;;
    "remote@1 use") kind=remote ;;
    "remote@1 remove") kind=remote ;;
    "remote@1 login") kind=remote ;;
    "remote@1 logout") kind=remote ;;
    "remote@1 status") kind=remote ;;
    "serve@0 ") choices="user freeze unfreeze" ;;
    "serve@1 user") choices="add list remove" ;;
    "serve@1 freeze") kind=reference ;;
    "serve@1 unfreeze") kind=reference ;;
    "collection@0 ") choices="create" ;;
    "completion@0 ") choices="bash zsh fish" ;;
    "help@0 ") choices="pull push list search inspect get copy tag labels delete bcast cache login logout remote serve collection completion version flags names environment formatting exit" ;;
    "help@1 cache") choices="path list verify prune clean" ;;
    "help@1 remote") choices="add list use remove login logout status get-login-password" ;;
    "help@1 serve") choices="user freeze unfreeze" ;;
    "help@2 serve user") choices="add list remove" ;;
    "help@1 collection") choices="create" ;;
    "help@1 completion") choices="bash zsh fish" ;;
  esac
}

_sregistry_flags() {
  flags="--registry --library --protocol -c --config --store -q --quiet -v --verbose --debug --json --format --progress --no-color --no-input --offline --plain-http --insecure-tls --ca-file --trust-realm --parallel --timeout --authfile -h --help --version"
  case $1 in
    pull) flags="-o --output --dir -F --force --from-file --cache --no-cache --cache-only --arch $flags" ;;
    push) flags="--name --tag -U --allow-unsigned --description --dry-run --any-file --plain-manifest $flags" ;;
    list) flags="-e --env -r --runscript -t --test -d --deffile -l --labels --columns --sort --limit --usage --html -f --force $flags" ;;
    search) flags="--arch --signed $flags" ;;
    inspect) flags="-e --env -r --runscript -t --test -d --deffile -l --labels --arch $flags" ;;
    get) flags="--arch $flags" ;;
    copy) flags="--tag --all --arch --referrers -U --allow-unsigned --any-file --dry-run $flags" ;;
    labels) flags="-k --key --value $flags" ;;
    delete) flags="-f --force $flags" ;;
    bcast) flags="-F --force --program --arch $flags" ;;
    cache) flags="--max-size --older-than --dry-run -f --force $flags" ;;
    login) flags="-u --username --password-stdin --token-stdin --token-file --keyring $flags" ;;
    remote) flags="-i --insecure --no-login --use --token-stdin --token-file --keyring $flags" ;;
    serve) flags="--listen --token-file --public-read --allow-host --check --dry-run $flags" ;;
    collection) flags="--private $flags" ;;
    completion) flags="--answer-within $flags" ;;
  esac
}

# Words that the program finds: remotes, collections, containers, tags, cached digests.
_sregistry_find() {
  local word program=${line[0]/#\~/$HOME}
  while IFS=$'\t' read -r word _; do
    COMPREPLY+=("$word")
  done < <("$program" completion words "$kind" -- "$1" "${line[@]:1:${#line[@]}-2}" 2>/dev/null)
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
    "") read -ra COMPREPLY < <(compgen -W "$choices" -- "$1" | tr '\n' ' ') ;;
    file) _sregistry_files -f "$1" ;;
    directory) _sregistry_files -d "$1" ;;
    image)
      _sregistry_find "$1"
      ((${#COMPREPLY[@]} > 0)) || _sregistry_files -f "$1"
      [[ ${#COMPREPLY[@]} -gt 0 && ! -e ${1:-.} ]] || _sregistry_beside "$1"
      ;;
    *) _sregistry_find "$1" ;;
  esac
}

# Files next to references, which are not quoted as files are.
_sregistry_beside() {
  local name known=" ${COMPREPLY[*]} "
  while IFS= read -r name; do
    [[ $known == *" $name "* || $name == *[[:space:]]* ]] || COMPREPLY+=("$name")
  done < <(compgen -f -- "$1")
}

_sregistry() {
  local cur word verb="" flag="" ended="" kind choices flags quote="" i
  local -a line typed=()
  COMPREPLY=()
  _sregistry_line
  cur=${line[${#line[@]}-1]}
  [[ $cur != [\"\']* ]] || quote=${cur:0:1} cur=${cur:1}
  for ((i = 1; i < ${#line[@]} - 1; i++)); do
    word=${line[i]}
    if [[ -n $flag ]]; then
      flag=""
    elif [[ -z $ended && $word == -- ]]; then
      ended=1
    elif [[ -z $ended && $word == -?* ]]; then
      [[ $word == --*=* ]] || ! _sregistry_value "$verb" "$word" || flag=$word
    elif [[ -z $verb ]]; then
      verb=$word
    else
      typed+=("$word")
    fi
  done
  if [[ -n $flag ]]; then
    _sregistry_value "$verb" "$flag"
    _sregistry_offer "$cur"
  elif [[ -z $ended && $cur == --*=* ]]; then
    _sregistry_value "$verb" "${cur%%=*}" || return 0
    _sregistry_offer "${cur#*=}"
    COMPREPLY=("${COMPREPLY[@]/#/${cur%%=*}=}")
  elif [[ -z $ended && $cur == -* ]]; then
    _sregistry_flags "$verb"
    kind="" choices=$flags
    _sregistry_offer "$cur"
  elif [[ -z $verb ]]; then
    kind="" choices="pull push list search inspect get copy tag labels delete bcast cache login logout remote serve collection completion version help"
    _sregistry_offer "$cur"
  else
    _sregistry_argument "$verb"
    _sregistry_offer "$cur"
  fi
  # readline replaces only what stands behind the last of its break characters, or all between quotes.
  local last=$cur breaks=${COMP_WORDBREAKS//[[:space:]\"\'\\]/} prefix
  last=${last##*["$breaks"]}
  prefix=${cur%"$last"}
  [[ -z $quote ]] || prefix=""
  for i in "${!COMPREPLY[@]}"; do
    [[ ${COMPREPLY[i]} != *[/:] ]] || compopt -o nospace 2>/dev/null
    COMPREPLY[i]=${COMPREPLY[i]#"$prefix"}
  done
}

complete -F _sregistry sregistry
