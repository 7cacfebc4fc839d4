package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
)

// profileLength is in seconds: shorter than a round, so that a profile has nothing else in it.
const profileLength = 5

// profile takes CPU profiles of kube-apiserver, and of the operator if there is one, when profiles are wanted. It returns at once.
func (s *stage) profile(ctx context.Context, name string, o *operator) {
	if s.settings.profiles == "" {
		return
	}
	go func() {
		api, err := rest.HTTPClientFor(s.cluster.Config)
		if err == nil {
			err = s.writeProfile(ctx, api, strings.TrimSuffix(s.cluster.Config.Host, "/"), name+"-kube-apiserver")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench: no profile of kube-apiserver:", err)
		}
	}()
	if o == nil {
		return
	}
	go func() {
		if err := s.writeProfile(ctx, http.DefaultClient, "http://"+s.pprof, name); err != nil {
			fmt.Fprintln(os.Stderr, "bench: no profile of the operator:", err)
		}
	}()
}

func (s *stage) writeProfile(ctx context.Context, by *http.Client, host, name string) error {
	if err := os.MkdirAll(s.settings.profiles, 0o755); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(s.settings.profiles, name+".pprof"))
	if err != nil {
		return err
	}
	return errors.Join(getBy(ctx, by, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", host, profileLength), file), file.Close())
}
