package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"susul.dev/susul/bench/load"
	"susul.dev/susul/bench/rig"
)

// runLoad measures a load, and takes the nodes' CPU profiles meanwhile if they are asked for.
func (c *cluster) runLoad(ctx context.Context, name string, p load.Plan) (m load.Measurement, err error) {
	if c.profiles == "" {
		return load.Run(ctx, c.say, p, c.parts()...)
	}
	var profiles errgroup.Group
	for i, s := range c.members {
		profiles.Go(func() error {
			if err := rig.Rest(ctx, p.WarmUp); err != nil {
				return err
			}
			file := fmt.Sprintf("%s-%s-%d.pprof", c.name, strings.ReplaceAll(name, " ", "-"), i)
			return profile(ctx, s, int(p.Measure.Seconds()), filepath.Join(c.profiles, file))
		})
	}
	m, err = load.Run(ctx, c.say, p, c.parts()...)
	return m, errors.Join(err, profiles.Wait())
}

// profile writes a node's CPU profile of some seconds into a file.
func profile(ctx context.Context, s *rig.Susul, seconds int, path string) error {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.Ops, seconds)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, got.Body)
	return errors.Join(err, file.Close())
}
