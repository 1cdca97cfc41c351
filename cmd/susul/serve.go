package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"susul.dev/susul/server"
	"susul.dev/susul/server/config"
)

func newServeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a node",
		Long: `Run a node: gRPC, REST, EngageLab's callbacks, and the follow-ups.

Every setting is a key of the YAML file, an environment variable (SUSUL_GRPC_LISTEN for grpc.listen) and a flag; a flag
wins over a variable, a variable over the file. docs/susul.example.yaml shows them all.`,
		Args: cobra.NoArgs,
	}
	config.RegisterFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(config.Sources{Environ: os.Environ(), Flags: cmd.Flags()})
		if err != nil {
			return err
		}
		s, err := server.New(cmd.Context(), server.Options{Config: cfg, Logger: newLogger(os.Stderr, cfg.Log)})
		if err != nil {
			return err
		}
		return s.Run(cmd.Context())
	}
	return cmd
}

func newLogger(w io.Writer, log config.Log) *slog.Logger {
	options := &slog.HandlerOptions{Level: log.Level}
	if log.Format == config.FormatText {
		return slog.New(slog.NewTextHandler(w, options))
	}
	options.ReplaceAttr = readableDuration
	return slog.New(slog.NewJSONHandler(w, options))
}

// readableDuration has JSON tell durations as text does, such as 1.5s, and not in nanoseconds.
func readableDuration(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}
