package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's console commands work as they stand there, but for the ports, which must be free.
func TestTheReadmesConsoleWorks(t *testing.T) {
	requireCurl(t)
	lab := freeAddress(t)
	env := map[string]string{
		"SUSUL_GRPC_LISTEN": freeAddress(t), "SUSUL_HTTP_LISTEN": freeAddress(t), "SUSUL_OPS_LISTEN": freeAddress(t),
	}
	env["ADDRESS"] = env["SUSUL_GRPC_LISTEN"]
	free := strings.NewReplacer("127.0.0.1:7080", env["SUSUL_HTTP_LISTEN"], "127.0.0.1:7099", lab,
		"susul sandbox", "susul sandbox --listen "+lab)

	var output string
	for _, command := range consoleCommands(t, "../../README.md") {
		command = free.Replace(command)
		name, arguments, _ := strings.Cut(command, " ")
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
			output += runInShell(t, command, assignments(env)...)
		}
	}
	require.Contains(t, output, `"name": "resendPolicies/morning-news"`)
	require.Contains(t, output, `"msg_id":"`)
}

// consoleBlock is a block of commands on a page; never written to.
var consoleBlock = regexp.MustCompile("(?s)```console\n\\$ (.*?)```")

// consoleCommands returns the commands that a page shows, each of which may have several lines.
func consoleCommands(t *testing.T, page string) (commands []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	for _, block := range consoleBlock.FindAllStringSubmatch(string(text), -1) {
		commands = append(commands, strings.Split(strings.TrimSpace(block[1]), "\n$ ")...)
	}
	require.NotEmpty(t, commands)
	return commands
}

// runInShell runs a command at the root of the repository, as a user would, and returns what it said.
func runInShell(t *testing.T, command string, env ...string) string {
	t.Helper()
	shell := exec.Command("sh", "-c", command)
	shell.Dir, shell.Env = "../..", append(os.Environ(), env...)
	answer, err := shell.CombinedOutput()
	require.NoError(t, err, "%s: %s", command, answer)
	return string(answer)
}

func assignments(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}
