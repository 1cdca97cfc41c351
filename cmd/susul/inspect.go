package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"susul.dev/susul/server"
	"susul.dev/susul/server/config"
	"susul.dev/susul/storage"
)

// errNoInspector says what to do instead with PostgreSQL.
var errNoInspector = errors.New("inspect reads SQLite's packed content only; what PostgreSQL holds psql shows (\\d lists the tables)," +
	" and a recipient's whole story the API (GetPushReport, ListEvents, ExplainRecipient)")

// inspectOptions are the flags that all of inspect's commands have.
type inspectOptions struct {
	config string
	dsn    string
	json   bool
}

func newInspectCommand() *cobra.Command {
	o := &inspectOptions{}
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Show what the database holds, its packed content included",
		Long: `Show what the database holds, its packed content included. The file is only read; a server may be at work on it. Without
--dsn it is the one that serve would use with the same --config and SUSUL_… variables. What is damaged is told in its
place, and does not hide the rest.`,
		Args: cobra.NoArgs,
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&o.config, "config", "", "YAML `file` to read the configuration from")
	flags.StringVar(&o.dsn, "dsn", "", "path of the database `file`, instead of a configuration")
	flags.BoolVar(&o.json, "json", false, "print lines of JSON")
	cmd.MarkFlagsMutuallyExclusive("config", "dsn")
	cmd.RunE = o.run(func(ctx context.Context, i *server.Inspector, out io.Writer, _ []string) error {
		overview, err := i.Overview(ctx)
		if err != nil {
			return err
		}
		return o.print(out, overview, func(w io.Writer) { showOverview(w, overview) })
	})
	cmd.AddCommand(newInspectPushCommand(o), newInspectSegmentsCommand(o), newInspectEventsCommand(o),
		newInspectRelayCommand(o))
	return cmd
}

func newInspectPushCommand(o *inspectOptions) *cobra.Command {
	var recipients, dispatches bool
	var from uint32
	var limit uint
	cmd := &cobra.Command{
		Use:   "push MSG_ID",
		Short: "Show a push, its counters, and whom it reached",
		Args:  cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&recipients, "recipients", false, "list the recipients: the milestones of each step as they are "+
		"folded, and with the end of the log that is not")
	cmd.Flags().BoolVar(&dispatches, "dispatches", false, "list the dispatches, with the ordinals of their recipients")
	cmd.Flags().Uint32Var(&from, "from", 0, "`ordinal` of the first recipient to list")
	cmd.Flags().UintVar(&limit, "limit", 0, "how many to list at most; 0: all")
	cmd.RunE = o.run(func(ctx context.Context, i *server.Inspector, out io.Writer, args []string) error {
		id, err := parsePushID(args[0])
		if err != nil {
			return err
		}
		push, err := i.Push(ctx, id)
		if errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("there is no push %d", id)
		}
		if err != nil {
			return err
		}
		if err := o.print(out, push, func(w io.Writer) { showPush(w, push) }); err != nil {
			return err
		}
		if dispatches {
			if err := list(o, out, dispatchColumns, i.Dispatches(ctx, id, clamp(limit)), showDispatch); err != nil {
				return err
			}
		}
		if recipients {
			return list(o, out, recipientColumns, i.Recipients(ctx, id, from, clamp(limit)), showRecipient)
		}
		return nil
	})
	return cmd
}

func newInspectSegmentsCommand(o *inspectOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "segments",
		Short: "List the segments of the event log",
		Args:  cobra.NoArgs,
	}
	query := logFlags(cmd)
	cmd.RunE = o.run(func(ctx context.Context, i *server.Inspector, out io.Writer, _ []string) error {
		q, err := query()
		if err != nil {
			return err
		}
		return list(o, out, segmentColumns, i.Segments(ctx, q), showSegment)
	})
	return cmd
}

func newInspectEventsCommand(o *inspectOptions) *cobra.Command {
	var registrationID string
	cmd := &cobra.Command{
		Use:   "events",
		Short: "List the events of the log; those of a registration id push by push",
		Args:  cobra.NoArgs,
	}
	query := logFlags(cmd)
	cmd.Flags().StringVar(&registrationID, "registration-id", "", "`id` whose events to list")
	cmd.RunE = o.run(func(ctx context.Context, i *server.Inspector, out io.Writer, _ []string) error {
		q, err := query()
		if err != nil {
			return err
		}
		q.RegistrationID = registrationID
		return list(o, out, eventColumns, i.Events(ctx, q), showEvent)
	})
	return cmd
}

func newInspectRelayCommand(o *inspectOptions) *cobra.Command {
	var spans bool
	var limit uint
	cmd := &cobra.Command{
		Use:   "relay",
		Short: "List the endpoints that get events, and how far they have come",
		Args:  cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&spans, "spans", false, "list their retries, replays and dead letters, too")
	cmd.Flags().UintVar(&limit, "limit", 0, "how many to list at most; 0: all")
	cmd.RunE = o.run(func(ctx context.Context, i *server.Inspector, out io.Writer, _ []string) error {
		err := list(o, out, endpointColumns, i.Endpoints(ctx, clamp(limit)), showEndpoint)
		if err != nil || !spans {
			return err
		}
		return list(o, out, spanColumns, i.Spans(ctx, clamp(limit)), showSpan)
	})
	return cmd
}

// logFlags adds the flags that select from the log.
func logFlags(cmd *cobra.Command) func() (server.LogQuery, error) {
	var push string
	var after int64
	var limit uint
	cmd.Flags().StringVar(&push, "push", "", "`msg_id` of the push to list")
	cmd.Flags().Int64Var(&after, "after", 0, "`sequence` after which to begin")
	cmd.Flags().UintVar(&limit, "limit", 100, "how many to list at most; 0: all")
	return func() (q server.LogQuery, err error) {
		if push != "" {
			q.PushID, err = parsePushID(push)
		}
		if after < 0 {
			err = errors.Join(err, fmt.Errorf("--after must not be negative, as %d is", after))
		}
		q.After, q.Limit = after, clamp(limit)
		return q, err
	}
}

func clamp(limit uint) int { return int(min(limit, math.MaxInt32)) }

func parsePushID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return 0, fmt.Errorf("%q is no msg_id: that is a positive decimal number", text)
	}
	return id, nil
}

// run opens the database for a command.
func (o *inspectOptions) run(do func(context.Context, *server.Inspector, io.Writer, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		dsn := o.dsn
		if dsn == "" {
			cfg, err := config.Load(config.Sources{File: o.config, Environ: os.Environ()})
			if err != nil {
				return fmt.Errorf("%w\nor name the database with --dsn", err)
			}
			if cfg.Storage.Driver != config.DriverSQLite {
				return errNoInspector
			}
			dsn = cfg.Storage.DSN.Reveal()
		}
		if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
			return errNoInspector
		}
		i, err := server.OpenInspector(cmd.Context(), dsn)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, i.Close()) }()
		return do(cmd.Context(), i, cmd.OutOrStdout(), args)
	}
}

// print writes a value as a line of JSON, or as text.
func (o *inspectOptions) print(out io.Writer, value any, show func(io.Writer)) error {
	if o.json {
		return json.NewEncoder(out).Encode(value)
	}
	table := newTable(out)
	show(table)
	return table.Flush()
}

func newTable(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 0, 0, 2, ' ', 0) }

// rowsAligned is how many rows of a listing are aligned together, and held in memory for it.
const rowsAligned = 1000

// list writes rows as lines of JSON, or as a table.
func list[T any](o *inspectOptions, out io.Writer, columns string, rows iter.Seq2[T, error], show func(io.Writer, T)) error {
	encoder, table := json.NewEncoder(out), newTable(out)
	if !o.json {
		fmt.Fprintln(table, columns)
	}
	n := 0
	for row, err := range rows {
		if err != nil {
			return errors.Join(err, table.Flush())
		}
		if o.json {
			err = encoder.Encode(row)
		} else {
			show(table, row)
			if n++; n%rowsAligned == 0 {
				err = table.Flush()
			}
		}
		if err != nil {
			return err // nobody reads any more
		}
	}
	return table.Flush()
}
