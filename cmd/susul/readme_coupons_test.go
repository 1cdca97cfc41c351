package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// madeUp finds a secret in an answer; never written to.
var madeUp = regexp.MustCompile(`whsec_[A-Za-z0-9+/]+=*`)

// The commands on the page of the coupon service work as they stand there, but for the ports, and the secrets, which they bring forth.
func TestTheCouponsConsoleWorks(t *testing.T) {
	requireCurl(t)
	lab, grpc, http, receiver := freeAddress(t), freeAddress(t), freeAddress(t), freeAddress(t)
	launch(t, nil, "sandbox", "--listen", lab, "--app", "demo:secret", "--speed", "1200",
		"--callback", "http://"+http+"/v1/apps/demo/callbacks")
	serveWith(t, []string{
		`SUSUL_APPS=[{"app_key":"demo","master_secret":"secret","base_url":"http://` + lab + `"}]`,
		"SUSUL_RELAY_ALLOW_PRIVATE_NETWORKS=true",
	}, "--grpc.listen", grpc, "--http.listen", http, "--ops.listen", freeAddress(t), "--clock.speed", "1200").awaitReady(t)

	program := filepath.Join(t.TempDir(), "coupons")
	runInShell(t, "go build -o "+program+" ./examples/coupons")
	subscription, err := os.ReadFile("../../examples/coupons/subscription.json")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "subscription.json")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(subscription), "127.0.0.1:7095", receiver)), 0o600))
	free := strings.NewReplacer("127.0.0.1:7070", grpc, "127.0.0.1:7080", http, "127.0.0.1:7095", receiver,
		"examples/coupons/subscription.json", file, `"subscription_id":"coupons"`, `"subscription_id":"again"`)

	var service *process
	var secrets []string // the newest first
	var promote, look, output string
	for _, command := range consoleCommands(t, "../../examples/coupons/README.md") {
		command = free.Replace(command)
		switch {
		case strings.HasSuffix(command, "go run ./examples/coupons"):
			if service != nil {
				service.crash()
			}
			require.Contains(t, []string{"whsec_…", "whsec_NEW whsec_OLD"}, strings.Split(command, "'")[1])
			service = launchProgram(t, program, []string{"COUPON_SECRETS=" + strings.Join(secrets, " ")}, "--listen", receiver)
			eventually(t, "the service listens", func() bool { return listens(receiver) })
			continue
		case strings.Contains(command, "/v4/push"):
			promote = command
		case strings.HasSuffix(command, "/coupons"):
			look = command
			eventually(t, "somebody has a coupon", func() bool { return strings.Contains(runInShell(t, look), `"code"`) })
			continue
		}
		answer := runInShell(t, command)
		output += answer
		if secret := madeUp.FindString(answer); secret != "" && strings.HasPrefix(command, "curl") {
			secrets = append([]string{secret}, secrets...)
		}
	}
	require.Len(t, secrets, 2)
	require.Contains(t, output, `"success":true`)
	require.Contains(t, output, `"msg_id":"`)
	// The service that was started last has both secrets, and no coupon of before.
	runInShell(t, promote)
	eventually(t, "somebody has a coupon", func() bool { return strings.Contains(runInShell(t, look), `"code"`) })
}

func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	return err == nil && conn.Close() == nil
}
