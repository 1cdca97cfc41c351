// Command susul closes the loop on push notifications: it sends them through EngageLab, takes EngageLab's callbacks, and
// follows up with those whom a push did not reach.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // quiet hours need time zones, also on machines that have none

	"github.com/spf13/cobra"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	if err := newCommand().ExecuteContext(ctx); err != nil {
		if !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "susul:", err)
		}
		return 1
	}
	return 0
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "susul",
		Short:         "Push notifications with a closed loop: status, follow-ups, proof",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newServeCommand(), newSandboxCommand(), newDemoCommand(), newInspectCommand(), newMigrateCommand())
	return root
}
