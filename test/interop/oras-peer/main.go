// The library inside oras, as a peer: it reads what sregistry wrote and writes what sregistry reads.
//
//	oras-peer push FILE HOST/REPOSITORY:TAG   pushes FILE as a SIF artifact, prints the manifest's digest
//	oras-peer pull HOST/REPOSITORY:TAG DIR    pulls every titled layer into DIR, prints the manifest's digest
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/file"
	"oras.land/oras-go/v2/registry/remote"
)

const (
	layerType  = "application/vnd.sylabs.sif.layer.v1.sif"
	configType = "application/vnd.sylabs.sif.config.v1+json"
)

func main() {
	if len(os.Args) != 4 {
		fail(fmt.Errorf("usage: oras-peer push FILE REF | pull REF DIR"))
	}
	ctx := context.Background()
	var digest string
	var err error
	switch os.Args[1] {
	case "push":
		digest, err = push(ctx, os.Args[2], os.Args[3])
	case "pull":
		digest, err = pull(ctx, os.Args[2], os.Args[3])
	default:
		err = fmt.Errorf("unknown verb %q", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
	fmt.Println(digest)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func repository(name string) (*remote.Repository, error) {
	repo, err := remote.NewRepository(name)
	if err != nil {
		return nil, err
	}
	repo.PlainHTTP = true
	return repo, nil
}

func push(ctx context.Context, path, name string) (string, error) {
	repo, err := repository(name)
	if err != nil {
		return "", err
	}
	store, err := file.New(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	defer store.Close()
	layer, err := store.Add(ctx, filepath.Base(path), layerType, path)
	if err != nil {
		return "", err
	}
	options := oras.PackManifestOptions{Layers: []v1.Descriptor{layer}}
	config, err := oras.PushBytes(ctx, store, configType, []byte("{}"))
	if err != nil {
		return "", err
	}
	options.ConfigDescriptor = &config
	manifest, err := oras.PackManifest(ctx, store, oras.PackManifestVersion1_1, "", options)
	if err != nil {
		return "", err
	}
	tag := repo.Reference.Reference
	if err := store.Tag(ctx, manifest, tag); err != nil {
		return "", err
	}
	_, err = oras.Copy(ctx, store, tag, repo, tag, oras.DefaultCopyOptions)
	return manifest.Digest.String(), err
}

func pull(ctx context.Context, name, dir string) (string, error) {
	repo, err := repository(name)
	if err != nil {
		return "", err
	}
	store, err := file.New(dir)
	if err != nil {
		return "", err
	}
	defer store.Close()
	manifest, err := oras.Copy(ctx, repo, repo.Reference.Reference, store, "", oras.DefaultCopyOptions)
	return manifest.Digest.String(), err
}
