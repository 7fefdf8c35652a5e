package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v4"
)

// remotes is remote.yaml as SingularityCE 4.5 knows it: any other key is an error.
type remotes struct {
	Active      string             `yaml:"Active"`
	Remotes     map[string]*remote `yaml:"Remotes"`
	Credentials []credential       `yaml:"Credentials,omitempty"`
}

type remote struct {
	URI        string      `yaml:"URI,omitempty"`
	Token      string      `yaml:"Token,omitempty"`
	System     bool        `yaml:"System"`
	Exclusive  bool        `yaml:"Exclusive"`
	Insecure   bool        `yaml:"Insecure,omitempty"`
	Keyservers []keyserver `yaml:"Keyservers,omitempty"`
}

type keyserver struct {
	URI      string `yaml:"URI"`
	Skip     bool   `yaml:"Skip"`
	External bool   `yaml:"External"`
	Insecure bool   `yaml:"Insecure"`
}

type credential struct {
	URI      string `yaml:"URI"`
	Auth     string `yaml:"Auth,omitempty"`
	Insecure bool   `yaml:"Insecure"`
}

type resolved struct {
	Name    string `json:"name"`
	Library string `json:"library"`
	Token   string `json:"token"`
	tokens  string
}

// readRemotes refuses what SingularityCE refuses (a symbolic link, an unknown key) and what it puts right (the mode).
func readRemotes(path string) (*remotes, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		return nil, fmt.Errorf("file mode (%o) on %s needs to be 600", mode, path)
	}
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	var found remotes
	if err := decoder.Decode(&found); err != nil {
		return nil, fmt.Errorf("while parsing remote config data: %w", err)
	}
	return &found, nil
}

func activeRemote(ctx context.Context, path string) (*resolved, error) {
	found, err := readRemotes(path)
	if err != nil {
		return nil, err
	}
	active, ok := found.Remotes[found.Active]
	if !ok {
		return nil, fmt.Errorf("no default endpoint set: %q", found.Active)
	}
	base, err := url.Parse(active.URI)
	if err != nil {
		return nil, err
	}
	base.Scheme = "https"
	if active.Insecure {
		base.Scheme = "http"
	}
	services, err := discover(ctx, strings.TrimSuffix(base.String(), "/"))
	if err != nil {
		return nil, err
	}
	library, ok := services["libraryAPI"]
	if !ok {
		return nil, fmt.Errorf("unable to get library service URI: library is not a service at endpoint")
	}
	return &resolved{found.Active, library, active.Token, services["tokenAPI"]}, nil
}

// discover returns the services' URIs; an entry without one is passed over.
func discover(ctx context.Context, base string) (map[string]string, error) {
	response, err := get(ctx, base+"/assets/config/config.prod.json", "")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("error response from server: %s", response.Status)
	}
	var services map[string]map[string]any
	if err := json.NewDecoder(response.Body).Decode(&services); err != nil {
		return nil, err
	}
	uris := map[string]string{}
	for name, service := range services {
		if uri, ok := service["uri"].(string); ok {
			uris[name] = uri
		}
	}
	return uris, nil
}

func tokenStatus(ctx context.Context, path string) (string, error) {
	active, err := activeRemote(ctx, path)
	if err != nil {
		return "", err
	}
	if active.tokens == "" {
		return "", fmt.Errorf("no authentication service found")
	}
	response, err := get(ctx, active.tokens+"/v1/token-status", active.Token)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return "Access Token Verified!", nil
	case http.StatusNotFound:
		return "", fmt.Errorf("error response from server: Invalid Credentials")
	case http.StatusInternalServerError:
		return "", fmt.Errorf("error response from server: Internal Server Error")
	default:
		return "", fmt.Errorf("error response from server: Unknown")
	}
}

func get(ctx context.Context, address, token string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return (&http.Client{Timeout: 10 * time.Second}).Do(request)
}
