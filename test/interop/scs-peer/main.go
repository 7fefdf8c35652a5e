// The library inside SingularityCE, as a peer: it reads what sregistry wrote and writes what sregistry reads.
//
//	scs-peer push BASE TOKEN FILE ENTITY/COLLECTION/CONTAINER TAG[,TAG] [ARCH]   prints the server's last answer
//	scs-peer pull BASE TOKEN FILE PATH TAG ARCH       prints the hash of the file, which is the one announced
//	scs-peer image BASE TOKEN PATH TAG ARCH           prints the metadata of an image
//	scs-peer search BASE TOKEN WORD [ARCH]            prints what was found
//	scs-peer delete BASE TOKEN PATH TAG ARCH
//	scs-peer version BASE TOKEN
//	scs-peer remote REMOTE.YAML                       prints the active remote, its library and its token
//	scs-peer token-status REMOTE.YAML                 fails unless the active remote knows the token
//
// Answers are JSON on standard output; a failure is a line on standard error and status 1.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/sylabs/scs-library-client/client"
)

func main() {
	answer, err := run(context.Background(), os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// takes is the fewest words after each verb.
var takes = map[string]int{
	"push": 5, "pull": 6, "image": 5, "search": 3, "delete": 5, "version": 2, "remote": 1, "token-status": 1,
}

func run(ctx context.Context, words []string) (any, error) {
	if len(words) == 0 || takes[words[0]] == 0 || len(words) <= takes[words[0]] {
		return nil, fmt.Errorf("usage: see the head of main.go; got %q", words)
	}
	verb, words := words[0], words[1:]
	switch verb {
	case "remote":
		return activeRemote(ctx, words[0])
	case "token-status":
		return tokenStatus(ctx, words[0])
	}
	c, err := client.NewClient(&client.Config{
		BaseURL:   words[0],
		AuthToken: words[1],
		UserAgent: "Singularity-Ce/4.5.0 (Linux amd64) Go/1.26.8",
	})
	if err != nil {
		return nil, err
	}
	words = words[2:]
	switch verb {
	case "push":
		return push(ctx, c, words[0], words[1], words[2], optional(words, 3))
	case "pull":
		return pull(ctx, c, words[0], words[1], words[2], words[3])
	case "image":
		return c.GetImage(ctx, words[2], words[0]+":"+words[1])
	case "search":
		return search(ctx, c, words[0], optional(words, 1))
	case "delete":
		return "deleted", c.DeleteImage(ctx, words[0]+":"+words[1], words[2])
	default:
		return c.GetVersion(ctx)
	}
}

func optional(words []string, at int) string {
	if len(words) > at {
		return words[at]
	}
	return "amd64"
}
