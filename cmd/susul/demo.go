package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"susul.dev/susul/examples/policies"
	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server"
	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/config"
	"susul.dev/susul/server/engagelab/sandbox"
)

// Who the demo is to Susul and to the sandbox.
const (
	demoApp            = "demo"
	demoSecret         = "demo-master-secret"
	demoToken          = "demo-admin-token"
	demoCallbackUser   = "engagelab"
	demoCallbackSecret = "demo-callback-secret" //nolint:gosec // it guards nothing
)

type demoOptions struct {
	exit   bool
	people int
	speed  float64
	seed   uint64
	limit  time.Duration
}

func newDemoCommand() *cobra.Command {
	o := demoOptions{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the loop closing, all in one process",
		Long: `Start Susul and a stand-in EngageLab in this process, at high clock speed; send a morning's news and a promotion to
simulated people, let callbacks flow and follow-ups fire, and compare Susul's report with what the devices say.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), cmd.OutOrStdout(), o) },
	}
	cmd.Flags().BoolVar(&o.exit, "exit", false, "end after the report, instead of waiting for you to look around")
	cmd.Flags().IntVar(&o.people, "people", 10_000, "people per push")
	cmd.Flags().Float64Var(&o.speed, "speed", 2400, "how many times faster than real time to run")
	cmd.Flags().Uint64Var(&o.seed, "seed", 1, "decides how people behave; the same seed gives the same people")
	cmd.Flags().DurationVar(&o.limit, "limit", time.Minute, "give up when the loop has not closed by then")
	return cmd
}

// demo is a running pair of Susul and sandbox.
type demo struct {
	demoOptions
	out     io.Writer
	clock   clockwork.Clock
	server  *server.Server
	sandbox *sandbox.Sandbox
	sandURL string
	conn    *grpc.ClientConn
}

func runDemo(ctx context.Context, out io.Writer, o demoOptions) (err error) {
	if o.people < 1 || o.people > 100_000 {
		return fmt.Errorf("--people must be 1 to 100000, not %d", o.people)
	}
	dir, err := os.MkdirTemp("", "susul-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d := &demo{demoOptions: o, out: out, clock: clock.Scaled(o.speed)}

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.sandURL = "http://" + listener.Addr().String()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	if d.server, err = server.New(ctx, server.Options{Config: demoConfig(dir, d.sandURL, o.speed), Logger: log, Clock: d.clock}); err != nil {
		return err
	}
	if d.sandbox, err = sandbox.New(sandbox.Config{
		Apps: map[string]string{demoApp: demoSecret},
		Callback: sandbox.Callback{
			URL:      "http://" + d.server.HTTPAddress() + "/v1/apps/" + demoApp + "/callbacks",
			Username: demoCallbackUser, Secret: demoCallbackSecret,
		},
		Seed: o.seed, Clock: d.clock, Behaviour: sandbox.DefaultBehaviour(), Logger: log,
	}); err != nil {
		return err
	}
	if d.conn, err = grpc.NewClient(d.server.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.conn.Close()) }()

	running, stop := context.WithCancel(ctx)
	group, running := errgroup.WithContext(running)
	group.Go(func() error { return d.server.Run(running) })
	group.Go(func() error { return serveSandbox(running, d.sandbox, listener) })
	group.Go(func() error {
		defer stop()
		return d.play(running)
	})
	return group.Wait()
}

func demoConfig(dir, engageLab string, speed float64) config.Config {
	return config.Config{
		DataDir: dir,
		GRPC:    config.Listener{Listen: "127.0.0.1:0"},
		HTTP:    config.HTTP{Listen: "127.0.0.1:0"},
		Ops:     config.Listener{Listen: "127.0.0.1:0"},
		Storage: config.Storage{Driver: config.DriverSQLite, DSN: config.NewSecret(dir + "/susul.db")},
		Admin:   config.Admin{Tokens: []config.Secret{config.NewSecret(demoToken)}},
		Apps: []config.App{{
			AppKey: demoApp, MasterSecret: config.NewSecret(demoSecret), BaseURL: engageLab, RequestsPerSecond: 500,
			Callback: config.Callback{Username: demoCallbackUser, Secret: config.NewSecret(demoCallbackSecret)},
		}},
		Callbacks: config.Callbacks{MaxAge: time.Hour, MaxAhead: time.Minute, Nonces: 100_000},
		Clock:     config.Clock{Speed: speed},
		Shutdown:  config.Shutdown{Timeout: 10 * time.Second},
		Advertise: "127.0.0.1:0",
	}
}

// play is the demo's script.
func (d *demo) play(ctx context.Context) error {
	select {
	case <-d.server.Working():
	case <-ctx.Done():
		return ctx.Err()
	}
	fmt.Fprintf(d.out, "Susul, embedded etcd, SQLite and a stand-in EngageLab run in this process; an hour takes %.1f s.\n\n",
		time.Hour.Seconds()/d.speed)
	if err := d.createPolicies(ctx); err != nil {
		return err
	}
	cases, err := d.sendPushes(ctx)
	if err != nil {
		return err
	}
	if err := d.follow(ctx, cases); err != nil {
		return err
	}
	if err := d.report(cases); err != nil {
		return err
	}
	if d.exit {
		return nil
	}
	d.invite(cases)
	<-ctx.Done()
	return nil
}

// invite says how to look around.
func (d *demo) invite(cases []*demoCase) {
	fmt.Fprintf(d.out, `
Look around; Ctrl-C ends it.
  gRPC %s   REST http://%s   metrics http://%s/metrics   EngageLab stand-in %s

  curl -s -u %s:%s http://%s/v1/apps/%s/pushes/%s/report
  curl -s %s/sandbox/devices/%s
`, d.server.GRPCAddress(), d.server.HTTPAddress(), d.server.OpsAddress(), d.sandURL,
		demoApp, demoSecret, d.server.HTTPAddress(), demoApp, cases[0].msgID,
		d.sandURL, cases[1].people[0])
}

func asAdmin(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+demoToken)
}

func (d *demo) createPolicies(ctx context.Context) error {
	requests, err := policies.All()
	if err != nil {
		return err
	}
	client := susulv1.NewResendPolicyServiceClient(d.conn)
	for _, request := range requests {
		request.ResendPolicy.Limits = nil // whatever the time, nobody sleeps here: the follow-ups are what is to be seen
		created, err := client.CreateResendPolicy(asAdmin(ctx), request)
		if err != nil {
			return fmt.Errorf("create resend policy %s: %w", request.GetResendPolicyId(), err)
		}
		printPolicy(d.out, created.GetResendPolicy())
	}
	return nil
}
