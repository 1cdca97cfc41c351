// Command coupons is a receiver of events, as a business could have one: whoever clicks on a promotion gets a coupon. README.md tells
// how it is subscribed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7095", "host:port to listen on")
	stock := flag.Int("stock", 10_000, "how many coupons there are")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *listen, *stock, strings.Fields(os.Getenv("COUPON_SECRETS")))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "coupons:", err)
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, listen string, stock int, secrets []string) error {
	if len(secrets) == 0 {
		return errors.New("set COUPON_SECRETS to the subscription's secret; while it is rotated, to the new and the old one")
	}
	server := &http.Server{
		Addr: listen, Handler: newService(secrets, stock).handler(), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(rest)
}
