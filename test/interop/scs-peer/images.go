package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sylabs/scs-library-client/client"
)

func push(ctx context.Context, c *client.Client, path, name, tags, arch string) (*client.UploadImageComplete, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return c.UploadImage(ctx, file, name, arch, strings.Split(tags, ","), "No Description", nil)
}

// pull asks what SingularityCE 4.5 asks of a cold cache, in its order, with the settings of its singularity.conf.
func pull(ctx context.Context, c *client.Client, path, name, tag, arch string) (string, error) {
	announced, err := c.GetImage(ctx, arch, name+":"+tag)
	if errors.Is(err, client.ErrNotFound) {
		return "", fmt.Errorf("image does not exist in the library: %s:%s (%s)", name, tag, arch)
	}
	if err != nil {
		return "", err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o777)
	if err != nil {
		return "", err
	}
	defer file.Close()
	spec := &client.Downloader{Concurrency: 3, PartSize: 5242880}
	if err := c.ConcurrentDownloadImage(ctx, file, arch, name, tag, spec, nil); err != nil {
		return "", fmt.Errorf("error downloading image: %w", err)
	}
	hash, err := client.ImageHash(path)
	if err != nil {
		return "", err
	}
	if hash != announced.Hash {
		return "", fmt.Errorf("cached file hash(%s) and expected hash(%s) does not match", hash, announced.Hash)
	}
	return hash, nil
}

func search(ctx context.Context, c *client.Client, word, arch string) (*client.SearchResults, error) {
	return c.Search(ctx, map[string]string{"value": word, "arch": arch})
}
