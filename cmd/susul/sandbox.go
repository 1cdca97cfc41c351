package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/engagelab/sandbox"
)

// closeTimeout bounds the end of requests under way.
const closeTimeout = 5 * time.Second

func newSandboxCommand() *cobra.Command {
	var (
		listen string
		apps   []string
		groups []string
		speed  float64
		cfg    = sandbox.Config{Behaviour: sandbox.DefaultBehaviour()}
	)
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run a stand-in EngageLab to develop against",
		Long: `Run a stand-in EngageLab: its whole API, with simulated devices that receive, display and click, and its signed
callbacks. GET /sandbox/requests tells what arrived, GET /sandbox/devices/{registration_id} what reached a device.`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:7099", "`address` to listen on")
	flags.StringArrayVar(&apps, "app", nil, "an app's `KEY:SECRET`; repeatable")
	flags.StringArrayVar(&groups, "group", nil, "`KEY:SECRET` of a group that has all apps in it; repeatable")
	flags.StringVar(&cfg.Callback.URL, "callback", "", "`URL` to report to, besides a push's own callback_url; {app_key} in it is replaced")
	flags.StringVar(&cfg.Callback.Username, "callback-username", "", "user name that callbacks are signed with")
	flags.StringVar(&cfg.Callback.Secret, "callback-secret", "", "secret that callbacks are signed with")
	flags.Float64Var(&cfg.CallbackLoss, "callback-loss", 0, "share of callback rows that get lost on their way")
	flags.IntVar(&cfg.Devices, "devices", 1000, "size of the population behind \"all\", tags, aliases and segments")
	flags.Uint64Var(&cfg.Seed, "seed", 1, "decides how devices behave; the same seed gives the same run")
	flags.Float64Var(&speed, "speed", 1, "how many times faster than real time the devices live")
	flags.IntVar(&cfg.RequestsPerSecond, "quota", 500, "requests per second and app before 429")
	addBehaviourFlags(cmd, &cfg.Behaviour)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var appsErr, groupsErr error
		cfg.Apps, appsErr = parsePairs("--app", apps)
		cfg.Groups, groupsErr = parsePairs("--group", groups)
		if err := errors.Join(appsErr, groupsErr); err != nil {
			return err
		}
		if speed <= 0 {
			return fmt.Errorf("--speed must be more than 0, not %v", speed)
		}
		cfg.Clock = clock.Scaled(speed)
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
		return runSandbox(cmd.Context(), cfg, listen)
	}
	return cmd
}

func addBehaviourFlags(cmd *cobra.Command, b *sandbox.Behaviour) {
	flags := cmd.Flags()
	flags.Float64Var(&b.DeadShare, "dead", b.DeadShare, "share of devices whose token is dead")
	flags.Float64Var(&b.OfflineShare, "offline", b.OfflineShare, "share of devices that are offline at first")
	flags.DurationVar(&b.OfflineMin, "offline-min", b.OfflineMin, "the shortest time offline")
	flags.DurationVar(&b.OfflineMax, "offline-max", b.OfflineMax, "the longest time offline")
	flags.DurationVar(&b.DeliverWithin, "deliver-within", b.DeliverWithin, "the longest time to delivery")
	flags.Float64Var(&b.DisplayRate, "display-rate", b.DisplayRate, "share of the delivered that is displayed")
	flags.DurationVar(&b.DisplayWithin, "display-within", b.DisplayWithin, "the longest time to display")
	flags.Float64Var(&b.ClickRate, "click-rate", b.ClickRate, "share of the displayed that is clicked")
	flags.DurationVar(&b.ClickWithin, "click-within", b.ClickWithin, "the longest time to a click")
}

// parsePairs reads the KEY:SECRET pairs that a flag was given.
func parsePairs(flag string, pairs []string) (map[string]string, error) {
	secrets := make(map[string]string, len(pairs))
	var faults []error
	for _, pair := range pairs {
		key, secret, ok := strings.Cut(pair, ":")
		switch _, repeated := secrets[key]; {
		case !ok || key == "" || secret == "":
			faults = append(faults, fmt.Errorf("%s wants KEY:SECRET", flag))
		case repeated:
			faults = append(faults, fmt.Errorf("%s %s is given twice", flag, key))
		default:
			secrets[key] = secret
		}
	}
	return secrets, errors.Join(faults...)
}

func runSandbox(ctx context.Context, cfg sandbox.Config, listen string) error {
	s, err := sandbox.New(cfg)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	cfg.Logger.Info("sandbox is listening", "address", listener.Addr().String(), "apps", len(cfg.Apps), "devices", cfg.Devices)
	return serveSandbox(ctx, s, listener)
}

// serveSandbox serves a sandbox and lets its devices live until the context ends.
func serveSandbox(ctx context.Context, s *sandbox.Sandbox, listener net.Listener) error {
	web := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: closeTimeout}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.Run(ctx) })
	group.Go(func() error {
		if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		return web.Shutdown(closing)
	})
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
