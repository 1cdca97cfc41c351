package rig

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	stopTimeout = time.Minute

	maxLogLine = 1 << 20
)

// Process is a child whose standard error is kept.
type Process struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
	err    error // how it ended; valid once exited is closed
}

// NewProcess prepares to run a command.
func NewProcess(cmd *exec.Cmd) *Process { return &Process{cmd: cmd} }

// Launch starts the process and hands out the first lines of its log; all of them go to the file.
func (p *Process) Launch(log string) (lines <-chan []byte, err error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	p.log, p.exited = log, make(chan struct{})
	stderr, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	first := make(chan []byte, 100)
	go func() {
		defer close(p.exited)
		scanner := bufio.NewScanner(stderr)
		scanner.Buffer(nil, maxLogLine)
		for scanner.Scan() {
			_, _ = file.Write(append(scanner.Bytes(), '\n')) // a log that is cut short does no harm
			select {
			case first <- bytes.Clone(scanner.Bytes()):
			default:
			}
		}
		close(first)
		p.err = errors.Join(p.cmd.Wait(), file.Close())
	}()
	return first, nil
}

// Stop asks the process to end, and kills it if it does not.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be gone
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	if p.err != nil {
		text, _ := os.ReadFile(p.log)
		return fmt.Errorf("%s: %w\n%s", p.cmd, p.err, text[max(0, len(text)-2000):])
	}
	return nil
}

// Kill ends the process at once.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may be gone
	<-p.exited
}

// Signal sends a signal to the process.
func (p *Process) Signal(signal syscall.Signal) error { return p.cmd.Process.Signal(signal) }

// Log is the file that has what the process, and those before it that had the same name, have written.
func (p *Process) Log() string { return p.log }

// Usage is what a process has taken.
type Usage struct {
	CPU       time.Duration
	RSS, Peak int64 // bytes; the peak is since the last call of ForgetPeak
}

// Usage returns what the process has taken up to now.
func (p *Process) Usage() (u Usage, err error) {
	stat, err := readStat(p.cmd.Process.Pid)
	if err != nil {
		return u, err
	}
	u.CPU = stat.cpu
	status, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kilobytes); n == 1 {
			u.RSS = kilobytes << 10
		}
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); n == 1 {
			u.Peak = kilobytes << 10
		}
	}
	return u, nil
}

// ForgetPeak lets the peak of the resident set begin anew.
func (p *Process) ForgetPeak() error { return os.WriteFile(p.proc("clear_refs"), []byte("5"), 0) }

func (p *Process) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), file)
}
