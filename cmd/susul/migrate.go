package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"susul.dev/susul/server"
	"susul.dev/susul/server/config"
)

// The variables that name the databases, for what is in a command line can be seen by others.
const (
	fromVariable = "SUSUL_MIGRATE_FROM_DSN"
	toVariable   = "SUSUL_MIGRATE_TO_DSN"
)

// migrateOptions are the flags of migrate-storage.
type migrateOptions struct {
	config, from, to, fromDSN, toDSN string
}

func newMigrateCommand() *cobra.Command {
	o := migrateOptions{}
	cmd := &cobra.Command{
		Use:   "migrate-storage --from sqlite --to postgres",
		Short: "Copy everything from SQLite to PostgreSQL, while all nodes are stopped",
		Long: `Copy everything from a SQLite database to a PostgreSQL one, while all nodes are stopped, and verify the copy. A run that was
interrupted is gone on with by the next. The SQLite database stays as it is. docs/postgresql.md tells when and how.

What is copied is the database that serve would use with the same --config and SUSUL_… variables, or --from-dsn. Where to is said by
--to-dsn, or, so that nobody sees its password among the processes, by ` + toVariable + `; or by the configuration, if its
storage.driver is postgres already.`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "YAML `file` to read the configuration from")
	flags.StringVar(&o.from, "from", "", "what to copy: sqlite")
	flags.StringVar(&o.to, "to", "", "where to: postgres")
	flags.StringVar(&o.fromDSN, "from-dsn", "", "path of SQLite's database `file`; or "+fromVariable)
	flags.StringVar(&o.toDSN, "to-dsn", "", "PostgreSQL's connection `string` or URL; or "+toVariable)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		m, log, err := o.complete(os.Environ())
		if err != nil {
			return err
		}
		view := newMigrateView(os.Stderr)
		m.Logger, m.Progress = newLogger(os.Stderr, log), view.show
		summary, err := server.MigrateStorage(cmd.Context(), m)
		view.end()
		if err != nil {
			if cmd.Context().Err() != nil {
				return errors.New("interrupted: run it again, and it goes on where it was")
			}
			return err
		}
		showMigration(cmd.OutOrStdout(), m, summary)
		return nil
	}
	return cmd
}

// complete finds out what is to be moved where. Its error has everything that is wrong.
func (o migrateOptions) complete(environ []string) (server.MigrationOptions, config.Log, error) {
	var faults []config.Fault
	fault := func(where, what string) { faults = append(faults, config.Fault{Where: where, What: what}) }
	if o.from != config.DriverSQLite {
		fault("--from", "must be sqlite: nothing else can be copied")
	}
	if o.to != config.DriverPostgres {
		fault("--to", "must be postgres: nothing can be copied to anything else")
	}
	cfg, err := config.Load(config.Sources{File: o.config, Environ: withoutMigrate(environ)})
	if wrong := (*config.Error)(nil); errors.As(err, &wrong) {
		faults = append(faults, wrong.Faults...)
	} else if err != nil {
		return server.MigrationOptions{}, config.Log{}, err
	}
	m := server.MigrationOptions{DataDir: cfg.DataDir}
	var where string
	m.From, where = chosen("--from-dsn", o.fromDSN, fromVariable, environ)
	if m.From == "" && err == nil {
		m.From, where = sourceOf(cfg)
	}
	if m.From != "" {
		if info, err := os.Stat(m.From); err != nil || !info.Mode().IsRegular() {
			fault(where, "there is no file "+m.From)
		}
	}
	m.To, where = chosen("--to-dsn", o.toDSN, toVariable, environ)
	if m.To == "" && cfg.Storage.Driver == config.DriverPostgres {
		m.To, where = cfg.Storage.DSN.Reveal(), "storage.dsn"
	}
	if m.To == "" {
		fault("--to-dsn", "is missing; say where to, such as postgres://susul@db.example.com/susul, or better with "+toVariable)
	} else if err := server.CheckPostgresDSN(m.To); err != nil {
		fault(where, err.Error())
	}
	if len(faults) > 0 {
		return m, cfg.Log, &config.Error{Faults: faults}
	}
	return m, cfg.Log, nil
}

// sourceOf returns the file that a configuration names, or named by default before it was changed to PostgreSQL.
func sourceOf(cfg config.Config) (path, where string) {
	if cfg.Storage.Driver == config.DriverSQLite {
		return cfg.Storage.DSN.Reveal(), "storage.dsn"
	}
	return filepath.Join(cfg.DataDir, "susul.db"), "data_dir"
}

// chosen returns what a flag, or else a variable, says.
func chosen(flag, value, variable string, environ []string) (chosen, where string) {
	if value != "" {
		return value, flag
	}
	for _, v := range environ {
		if text, ok := strings.CutPrefix(v, variable+"="); ok && text != "" {
			return text, variable
		}
	}
	return "", flag
}

// withoutMigrate returns the variables but for those that serve does not know.
func withoutMigrate(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		return strings.HasPrefix(v, fromVariable+"=") || strings.HasPrefix(v, toVariable+"=")
	})
}

// showMigration tells what was done, and what to do next.
func showMigration(out io.Writer, m server.MigrationOptions, s server.MigrationSummary) {
	p := message.NewPrinter(language.English)
	if s.Before {
		p.Fprintf(out, "Everything was copied and verified before: there is nothing to do.\n")
	} else {
		for _, table := range s.Tables {
			p.Fprintf(out, "%15d  %s\n", table.Rows, table.Name)
		}
		p.Fprintf(out, "%15d  rows\n\nCopied in %s and verified in %s: every row, and a sample as servers read it.\n", s.Rows,
			rounded(s.Copying), rounded(s.Verify))
	}
	fmt.Fprintf(out, `
Nodes use the copy with these settings, with the connection string that this command was given:

  storage.driver: postgres
  storage.dsn: postgres://…

%s is as it was. To go back to it, set:

  storage.driver: sqlite
  storage.dsn: %s

What nodes store in PostgreSQL from now on will not be in it.
`, m.From, m.From)
}

func rounded(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}
