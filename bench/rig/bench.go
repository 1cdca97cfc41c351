package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Bench is what a benchmark stands on: a folder, the server's binary and a stand-in EngageLab.
type Bench struct {
	Dir    string
	Lab    *Lab
	binary string
}

// NewBench makes a folder in dir, or in the temporary folder if that is empty. Without a binary it builds one. The caller closes
// the bench.
func NewBench(ctx context.Context, dir, binary string) (*Bench, error) {
	folder, err := os.MkdirTemp(dir, "susul-bench-")
	if err != nil {
		return nil, err
	}
	b := &Bench{Dir: folder, binary: binary}
	if b.binary == "" {
		b.binary, err = build(ctx, folder)
	}
	if err == nil {
		b.Lab, err = startLab(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return b, nil
}

// Close stops EngageLab and removes the folder.
func (b *Bench) Close() error { return errors.Join(b.Lab.Close(), os.RemoveAll(b.Dir)) }

func build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "susul")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "susul.dev/susul/cmd/susul") //nolint:gosec // nothing foreign
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build susul: %w\n%s", err, out)
	}
	return path, nil
}
