package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sync/errgroup"

	"susul.dev/susul/bench/rig"
)

// bareWork is what the yardstick posts.
type bareWork struct {
	URLs        []string `json:"urls"`
	Posts       int      `json:"posts"` // to each
	Connections int      `json:"connections"`
	Body        []byte   `json:"body"`
}

// bareResult is what it took.
type bareResult struct {
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"`
}

// measureBareLoop has another process do the work.
func measureBareLoop(ctx context.Context, w bareWork) (r bareResult, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	input, err := json.Marshal(w)
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, self, "--bare") //nolint:gosec // this program
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("bare loop: %w", err)
	}
	return r, json.Unmarshal(out, &r)
}

// postBare does the work: connections that post, one request after the other, and nothing else.
func postBare(ctx context.Context, in io.Reader, out io.Writer) error {
	var w bareWork
	if err := json.NewDecoder(in).Decode(&w); err != nil {
		return err
	}
	began, cpu := time.Now(), rig.OwnCPU()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: w.Connections}}
	group, ctx := errgroup.WithContext(ctx)
	turns := make(chan string, w.Connections)
	for range w.Connections {
		group.Go(func() error {
			for url := range turns {
				if err := postOnce(ctx, client, url, w.Body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(turns)
		for range w.Posts {
			for _, url := range w.URLs {
				select {
				case turns <- url:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(bareResult{time.Since(began).Seconds(), (rig.OwnCPU() - cpu).Seconds()})
}

func postOnce(ctx context.Context, client *http.Client, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	got, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, got.Body)
	return errors.Join(err, got.Body.Close())
}
