package rig

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// BuildSusul builds the server that is measured.
func BuildSusul(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "susul")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "susul.dev/susul/cmd/susul") //nolint:gosec // nothing foreign
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build susul: %w\n%s", err, out)
	}
	return path, nil
}
