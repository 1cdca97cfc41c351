package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's console commands work as they stand there, but for the ports, which must be free.
func TestTheReadmesConsoleWorks(t *testing.T) {
	requireCurl(t)
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```console\n")
	require.True(t, found)
	console, _, _ := strings.Cut(rest, "```")

	lab := freeAddress(t)
	env := map[string]string{
		"SUSUL_GRPC_LISTEN": freeAddress(t), "SUSUL_HTTP_LISTEN": freeAddress(t), "SUSUL_OPS_LISTEN": freeAddress(t),
	}
	env["ADDRESS"] = env["SUSUL_GRPC_LISTEN"]
	console = strings.NewReplacer("127.0.0.1:7080", env["SUSUL_HTTP_LISTEN"], "127.0.0.1:7099", lab,
		"susul sandbox", "susul sandbox --listen "+lab).Replace(console)

	var output string
	for _, command := range strings.Split(strings.TrimPrefix(console, "$ "), "\n$ ") {
		name, arguments, _ := strings.Cut(strings.TrimSpace(command), " ")
		switch name {
		case "export":
			key, value, _ := strings.Cut(arguments, "=")
			env[key] = strings.Trim(value, "'")
		case "susul":
			if arguments == "serve" {
				serveWith(t, assignments(env)).awaitReady(t)
			} else {
				launch(t, assignments(env), strings.Fields(arguments)...)
			}
		default:
			shell := exec.Command("sh", "-c", command)
			shell.Dir, shell.Env = "../..", append(os.Environ(), assignments(env)...)
			answer, err := shell.CombinedOutput()
			require.NoError(t, err, "%s: %s", command, answer)
			output += string(answer)
		}
	}
	require.Contains(t, output, `"name": "resendPolicies/morning-news"`)
	require.Contains(t, output, `"msg_id":"`)
}

func assignments(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}
