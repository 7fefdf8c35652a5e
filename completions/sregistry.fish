# fish completion for sregistry. Made from its verbs' definitions; sregistry completion fish prints it.

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
                case 'pull -o' 'pull --output'
                    set skip yes
                case 'pull --name'
                    set skip yes
                case 'pull --dir'
                    set skip yes
                case 'pull --from-file'
                    set skip yes
                case 'pull --arch'
                    set skip yes
                case 'push --name'
                    set skip yes
                case 'push --tag'
                    set skip yes
                case 'push --description'
                    set skip yes
                case 'list --columns'
                    set skip yes
                case 'list --sort'
                    set skip yes
                case 'list --limit'
                    set skip yes
                case 'list --html'
                    set skip yes
                case 'search --arch'
                    set skip yes
                case 'inspect --arch'
                    set skip yes
                case 'get --arch'
                    set skip yes
                case 'copy --tag'
                    set skip yes
                case 'copy --arch'
                    set skip yes
                case 'labels -k' 'labels --key'
                    set skip yes
                case 'labels --value'
                    set skip yes
                case 'bcast --program'
                    set skip yes
                case 'bcast --arch'
                    set skip yes
                case 'bcast --on-node'
                    set skip yes
                case 'cache --max-size'
                    set skip yes
                case 'cache --older-than'
                    set skip yes
                case 'login -u' 'login --username'
                    set skip yes
                case 'login --token-file'
                    set skip yes
                case 'login --tokenfile'
                    set skip yes
                case 'login -p' 'login --password'
                    set skip yes
                case 'remote --token-file'
                    set skip yes
                case 'remote --tokenfile'
                    set skip yes
                case 'serve --listen'
                    set skip yes
                case 'serve --token-file'
                    set skip yes
                case 'serve --allow-host'
                    set skip yes
                case 'completion --answer-within'
                    set skip yes
                case '* --registry'
                    set skip yes
                case '* --library'
                    set skip yes
                case '* --protocol'
                    set skip yes
                case '* -c' '* --config'
                    set skip yes
                case '* --store'
                    set skip yes
                case '* --format'
                    set skip yes
                case '* --progress'
                    set skip yes
                case '* --ca-file'
                    set skip yes
                case '* --trust-realm'
                    set skip yes
                case '* --parallel'
                    set skip yes
                case '* --timeout'
                    set skip yes
                case '* --authfile'
                    set skip yes
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
complete -c sregistry -n 'test -z "$(__sregistry_typed)"' -a '(printf \'%s\\t%s\\n\' pull \'fetch images to files: verified, resumable\' push \'send an image and set its tags\' list \'list containers, with their metadata if asked\' search \'find images by a part of their name or description\' inspect \'show what an image says of itself, remote or in a file\' get \'print the path of an image, fetching it only if needed\' copy \'copy images between any two endpoints, nothing kept on the way\' tag \'give an image more tags without sending it again\' labels \'show and find labels across images\' delete \'remove a tag or an image\' bcast \'put an image on the local disk of every node of a Slurm job\' cache \'the image cache: path, list, verify, prune, clean\' login \'check and keep the credentials of a remote or a host\' logout \'forget the credentials of a remote or a host\' remote \'name registries, and choose the default one\' serve \'run the embedded registry over HTTP\' collection \'create a collection\' completion \'print the script that completes words in a shell\' version \'print the version\' help \'print the help of a verb, or on a topic\')'
complete -c sregistry -l registry -x -a '(__sregistry_find registry)' -d 'default registry: a remote, local, oras://HOST or a URL'
complete -c sregistry -l library -x -d 'the library that library:// and names without scheme stand for in this run'
complete -c sregistry -l protocol -x -a 'auto library hmac' -d 'how a Singularity Registry Server is spoken to'
complete -c sregistry -s c -l config -r -F -d 'another remote.yaml than Singularity\'s'
complete -c sregistry -l store -x -a '(__fish_complete_directories)' -d 'directory of the embedded registry'
complete -c sregistry -s q -l quiet -d 'only the answer, warnings and errors'
complete -c sregistry -s v -l verbose -d 'say what is asked of whom, and which file a login came from'
complete -c sregistry -l debug -d 'every request, and stack traces; secrets are redacted'
complete -c sregistry -l json -d 'answer as one JSON document, errors too'
complete -c sregistry -l format -x -d 'answer in this form, each row of a list on a line: \'{{.name}} {{.digest}}\', \'{{json .}}\''
complete -c sregistry -l progress -x -a 'auto bar plain json none' -d 'how transfers show on stderr'
complete -c sregistry -l no-color -d 'no colour (also NO_COLOR)'
complete -c sregistry -l no-input -d 'never ask; refuse what would need an answer'
complete -c sregistry -l offline -d 'never open a connection'
complete -c sregistry -l plain-http -d 'http instead of https for the host that is named'
complete -c sregistry -l insecure-tls -d 'do not verify the certificate of the host that is named'
complete -c sregistry -l ca-file -r -F -d 'more certificate authorities to trust (PEM)'
complete -c sregistry -l trust-realm -x -d 'a token server of another domain that may get the login; may be given several times'
complete -c sregistry -l parallel -x -d 'connections for one image; default: as many as help'
complete -c sregistry -l timeout -x -d 'give up after this long altogether: 90s, 10m, 2h'
complete -c sregistry -l authfile -r -F -d 'credentials in docker\'s config.json form'
complete -c sregistry -s h -l help -d 'print help'
complete -c sregistry -l version -d 'print the version'

# pull
complete -c sregistry -n '__sregistry_in pull' -s o -l output -r -F -d 'name of the file; default lab-tool-1.0.sif, with a scheme tool_1.0.sif'
complete -c sregistry -n '__sregistry_in pull' -l dir -x -a '(__fish_complete_directories)' -d 'directory of the files'
complete -c sregistry -n '__sregistry_in pull' -s F -l force -d 'replace a file that holds something else'
complete -c sregistry -n '__sregistry_in pull' -l from-file -r -F -d 'references from a file, one a line; - is standard input'
complete -c sregistry -n '__sregistry_in pull' -l cache -d 'by way of the image cache, also where none is configured'
complete -c sregistry -n '__sregistry_in pull' -l no-cache -d 'past the image cache'
complete -c sregistry -n '__sregistry_in pull' -l cache-only -d 'into the cache and no further; prints where it is'
complete -c sregistry -n '__sregistry_in pull' -l arch -x -a 'amd64 arm64 arm 386 ppc64le riscv64 s390x' -d 'which one, where a name stands for several: amd64, arm64, ...'
complete -c sregistry -n '__sregistry_from pull 0' -a '(__sregistry_find reference)'

# push
complete -c sregistry -n '__sregistry_in push' -l name -x -a '(__sregistry_find reference)' -d 'where to, as the old client spells it'
complete -c sregistry -n '__sregistry_in push' -l tag -x -a '(__sregistry_find tag)' -d 'a tag to set; may be given several times'
complete -c sregistry -n '__sregistry_in push' -s U -l allow-unsigned -d 'send it unsigned where the endpoint asks for a signature'
complete -c sregistry -n '__sregistry_in push' -l description -x -d 'a line on what it is'
complete -c sregistry -n '__sregistry_in push' -l dry-run -d 'say what would be done; ask nobody'
complete -c sregistry -n '__sregistry_in push' -l any-file -d 'send a file that is no SIF'
complete -c sregistry -n '__sregistry_in push' -l plain-manifest -d 'exactly the manifest that Singularity writes, without metadata'
complete -c sregistry -n '__sregistry_at push 0' -F
complete -c sregistry -n '__sregistry_at push 1' -a '(__sregistry_find reference)'

# list
complete -c sregistry -n '__sregistry_in list' -s e -l env -d 'show the environment'
complete -c sregistry -n '__sregistry_in list' -s r -l runscript -d 'show the runscript'
complete -c sregistry -n '__sregistry_in list' -s t -l test -d 'show the test'
complete -c sregistry -n '__sregistry_in list' -s d -l deffile -d 'show the definition file'
complete -c sregistry -n '__sregistry_in list' -s l -l labels -d 'show the labels'
complete -c sregistry -n '__sregistry_in list' -l columns -x -a 'name size arch created digest reference registry collection container tag manifest format signed' -d 'what to tell of each, with commas between: name, size, arch, created, digest, reference, registry, collection, container, tag, manifest, format, signed'
complete -c sregistry -n '__sregistry_in list' -l sort -x -a 'name size arch created digest reference registry collection container tag manifest format signed' -d 'by name, size, created, ...; -size: the largest first'
complete -c sregistry -n '__sregistry_in list' -l limit -x -d 'no more than so many; nothing is asked for the rest'
complete -c sregistry -n '__sregistry_in list' -l usage -d 'what they take by collection or container, each once'
complete -c sregistry -n '__sregistry_in list' -l html -r -F -d 'the same as a page with a treemap; - is standard output'
complete -c sregistry -n '__sregistry_in list' -s f -l force -d 'with --html: replace a file that is there'
complete -c sregistry -n '__sregistry_at list 0' -a '(__sregistry_find pattern)'

# search
complete -c sregistry -n '__sregistry_in search' -l arch -x -a 'amd64 arm64 arm 386 ppc64le riscv64 s390x' -d 'only images for this one: amd64, arm64, ...'
complete -c sregistry -n '__sregistry_in search' -l signed -d 'only signed images, where the endpoint knows'
complete -c sregistry -n '__sregistry_at search 1' -a '(__sregistry_find endpoint)'

# inspect
complete -c sregistry -n '__sregistry_in inspect' -s e -l env -d 'show the environment'
complete -c sregistry -n '__sregistry_in inspect' -s r -l runscript -d 'show the runscript'
complete -c sregistry -n '__sregistry_in inspect' -s t -l test -d 'show the test'
complete -c sregistry -n '__sregistry_in inspect' -s d -l deffile -d 'show the definition file'
complete -c sregistry -n '__sregistry_in inspect' -s l -l labels -d 'show the labels'
complete -c sregistry -n '__sregistry_in inspect' -l arch -x -a 'amd64 arm64 arm 386 ppc64le riscv64 s390x' -d 'which one, where a name stands for several: amd64, arm64, ...'
complete -c sregistry -n '__sregistry_at inspect 0' -F -a '(__sregistry_find image)'

# get
complete -c sregistry -n '__sregistry_in get' -l arch -x -a 'amd64 arm64 arm 386 ppc64le riscv64 s390x' -d 'which one, where a name stands for several: amd64, arm64, ...'
complete -c sregistry -n '__sregistry_at get 0' -a '(__sregistry_find reference)'

# copy
complete -c sregistry -n '__sregistry_in copy' -l tag -x -a '(__sregistry_find tag)' -d 'a tag to set; may be given several times; with --all: one to copy'
complete -c sregistry -n '__sregistry_in copy' -l all -d 'every tag of a repository; what is there already costs requests only'
complete -c sregistry -n '__sregistry_in copy' -l arch -x -a 'amd64 arm64 arm 386 ppc64le riscv64 s390x' -d 'the one image of an index; default between OCI registries: all'
complete -c sregistry -n '__sregistry_in copy' -l referrers -d 'signatures and the like that are attached to the image, too'
complete -c sregistry -n '__sregistry_in copy' -s U -l allow-unsigned -d 'send it unsigned where the endpoint asks for a signature'
complete -c sregistry -n '__sregistry_in copy' -l any-file -d 'send a file that is no SIF'
complete -c sregistry -n '__sregistry_in copy' -l dry-run -d 'ask both sides what would be done, and do nothing'
complete -c sregistry -n '__sregistry_at copy 0' -a '(__sregistry_find reference)'
complete -c sregistry -n '__sregistry_at copy 1' -a '(__sregistry_find reference)'

# tag
complete -c sregistry -n '__sregistry_at tag 0' -a '(__sregistry_find reference)'
complete -c sregistry -n '__sregistry_from tag 1' -a '(__sregistry_find tag)'

# labels
complete -c sregistry -n '__sregistry_in labels' -s k -l key -x -d 'only this key, upper and lower case alike'
complete -c sregistry -n '__sregistry_in labels' -l value -x -d 'only this value'
complete -c sregistry -n '__sregistry_at labels 0' -a '(__sregistry_find pattern)'

# delete
complete -c sregistry -n '__sregistry_in delete' -s f -l force -d 'do not ask'
complete -c sregistry -n '__sregistry_at delete 0' -a '(__sregistry_find reference)'

# bcast
complete -c sregistry -n '__sregistry_in bcast' -s F -l force -d 'replace a file that holds something else'
complete -c sregistry -n '__sregistry_in bcast' -l program -r -F -d 'sregistry on the nodes, where it is elsewhere than here'
complete -c sregistry -n '__sregistry_in bcast' -l arch -x -a 'amd64 arm64 arm 386 ppc64le riscv64 s390x' -d 'which one, where a name stands for several: amd64, arm64, ...'
complete -c sregistry -n '__sregistry_at bcast 0' -a '(__sregistry_find reference)'
complete -c sregistry -n '__sregistry_at bcast 1' -F

# cache
complete -c sregistry -n '__sregistry_in cache' -l max-size -x -d 'prune: what may stay: 500M, 50GiB, 1T'
complete -c sregistry -n '__sregistry_in cache' -l older-than -x -d 'prune: what was not used for: 12h, 30d, 8w'
complete -c sregistry -n '__sregistry_in cache' -l dry-run -d 'prune: say what would go'
complete -c sregistry -n '__sregistry_in cache' -s f -l force -d 'clean: do not ask'
complete -c sregistry -n '__sregistry_after cache' -a '(printf \'%s\\t%s\\n\' path \'print its directory\' list \'show what is in it\' verify \'hash everything; what is damaged is removed\' prune \'remove what was not used for long\' clean \'remove everything\')'

# login
complete -c sregistry -n '__sregistry_in login' -s u -l username -x -d 'user name at a registry\'s host'
complete -c sregistry -n '__sregistry_in login' -l password-stdin -d 'read the password or token from standard input'
complete -c sregistry -n '__sregistry_in login' -l token-stdin -d 'read the token from standard input'
complete -c sregistry -n '__sregistry_in login' -l token-file -r -F -d 'read the token from a file\'s first line'
complete -c sregistry -n '__sregistry_in login' -l keyring -d 'keep the token in the system\'s keyring instead of remote.yaml'
complete -c sregistry -n '__sregistry_at login 0' -a '(__sregistry_find login)'

# logout
complete -c sregistry -n '__sregistry_at logout 0' -a '(__sregistry_find login)'

# remote
complete -c sregistry -n '__sregistry_in remote' -s i -l insecure -d 'add: plain http'
complete -c sregistry -n '__sregistry_in remote' -l no-login -d 'add: do not ask for a token'
complete -c sregistry -n '__sregistry_in remote' -l use -d 'add: make it the default registry at once'
complete -c sregistry -n '__sregistry_in remote' -l token-stdin -d 'read the token from standard input'
complete -c sregistry -n '__sregistry_in remote' -l token-file -r -F -d 'read the token from a file\'s first line'
complete -c sregistry -n '__sregistry_in remote' -l keyring -d 'keep the token in the system\'s keyring instead of remote.yaml'
complete -c sregistry -n '__sregistry_after remote' -a '(printf \'%s\\t%s\\n\' add \'keep a registry under a name of yours\' list \'show the remotes, and which is active\' use \'make a remote the default registry\' remove \'forget a remote\' login \'check and keep a token\' logout \'forget a token\' status \'say whether it answers, and who is logged in\' get-login-password \'print the password of a library\\\'s own OCI registry\')'
complete -c sregistry -n '__sregistry_after remote use' -a '(__sregistry_find remote)'
complete -c sregistry -n '__sregistry_after remote remove' -a '(__sregistry_find remote)'
complete -c sregistry -n '__sregistry_after remote login' -a '(__sregistry_find remote)'
complete -c sregistry -n '__sregistry_after remote logout' -a '(__sregistry_find remote)'
complete -c sregistry -n '__sregistry_after remote status' -a '(__sregistry_find remote)'

# serve
complete -c sregistry -n '__sregistry_in serve' -l listen -x -d 'HOST:PORT or PORT; default 127.0.0.1:5000, port 0 takes a free one'
complete -c sregistry -n '__sregistry_in serve' -l token-file -r -F -d 'tokens that may write, one a line; needed beyond loopback'
complete -c sregistry -n '__sregistry_in serve' -l public-read -d 'beyond loopback: anybody may read'
complete -c sregistry -n '__sregistry_in serve' -l allow-host -x -d 'a further name that this server is called by'
complete -c sregistry -n '__sregistry_in serve' -l check -d 'find and mend what a crash or a full disk left; do not serve'
complete -c sregistry -n '__sregistry_in serve' -l dry-run -d 'with --check: only say it'
complete -c sregistry -n '__sregistry_after serve' -a '(printf \'%s\\t%s\\n\' user \'add, list, remove\' freeze \'keep a tag as it is\' unfreeze \'let a tag change again\')'
complete -c sregistry -n '__sregistry_after serve user' -a '(printf \'%s\\t%s\\n\' add \'add a user; the token is shown only now\' list \'show who may push\' remove \'forget a user\')'
complete -c sregistry -n '__sregistry_after serve freeze' -a '(__sregistry_find reference)'
complete -c sregistry -n '__sregistry_after serve unfreeze' -a '(__sregistry_find reference)'

# collection
complete -c sregistry -n '__sregistry_in collection' -l private -d 'only its owner and contributors see it'
complete -c sregistry -n '__sregistry_after collection' -a '(printf \'%s\\t%s\\n\' create \'make a collection, at the default registry or library://HOST\')'

# completion
complete -c sregistry -n '__sregistry_in completion' -l answer-within -x -d 'how long a registry is waited for after TAB, in milliseconds; default 150'
complete -c sregistry -n '__sregistry_after completion' -a '(printf \'%s\\t%s\\n\' bash \'the script for bash\' zsh \'the script for zsh\' fish \'the script for fish\')'

# version

# help
complete -c sregistry -n '__sregistry_after help' -a '(printf \'%s\\t%s\\n\' pull \'fetch images to files: verified, resumable\' push \'send an image and set its tags\' list \'list containers, with their metadata if asked\' search \'find images by a part of their name or description\' inspect \'show what an image says of itself, remote or in a file\' get \'print the path of an image, fetching it only if needed\' copy \'copy images between any two endpoints, nothing kept on the way\' tag \'give an image more tags without sending it again\' labels \'show and find labels across images\' delete \'remove a tag or an image\' bcast \'put an image on the local disk of every node of a Slurm job\' cache \'the image cache: path, list, verify, prune, clean\' login \'check and keep the credentials of a remote or a host\' logout \'forget the credentials of a remote or a host\' remote \'name registries, and choose the default one\' serve \'run the embedded registry over HTTP\' collection \'create a collection\' completion \'print the script that completes words in a shell\' version \'print the version\' flags \'the flags that every verb takes\' names \'how images are named, and what the default registry is\' environment \'variables, and the flags that they stand for\' formatting \'answers for scripts: --json and --format\' exit \'the exit statuses\')'
complete -c sregistry -n '__sregistry_after help cache' -a '(printf \'%s\\t%s\\n\' path \'print its directory\' list \'show what is in it\' verify \'hash everything; what is damaged is removed\' prune \'remove what was not used for long\' clean \'remove everything\')'
complete -c sregistry -n '__sregistry_after help remote' -a '(printf \'%s\\t%s\\n\' add \'keep a registry under a name of yours\' list \'show the remotes, and which is active\' use \'make a remote the default registry\' remove \'forget a remote\' login \'check and keep a token\' logout \'forget a token\' status \'say whether it answers, and who is logged in\' get-login-password \'print the password of a library\\\'s own OCI registry\')'
complete -c sregistry -n '__sregistry_after help serve' -a '(printf \'%s\\t%s\\n\' user \'add, list, remove\' freeze \'keep a tag as it is\' unfreeze \'let a tag change again\')'
complete -c sregistry -n '__sregistry_after help serve user' -a '(printf \'%s\\t%s\\n\' add \'add a user; the token is shown only now\' list \'show who may push\' remove \'forget a user\')'
complete -c sregistry -n '__sregistry_after help collection' -a '(printf \'%s\\t%s\\n\' create \'make a collection, at the default registry or library://HOST\')'
complete -c sregistry -n '__sregistry_after help completion' -a '(printf \'%s\\t%s\\n\' bash \'the script for bash\' zsh \'the script for zsh\' fish \'the script for fish\')'
