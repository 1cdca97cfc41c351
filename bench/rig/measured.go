package rig

import (
	"bufio"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"
)

// Own is this process.
type Own struct{}

// Usage returns the CPU time that this process has taken.
func (Own) Usage() (Usage, error) { return Usage{CPU: OwnCPU()}, nil }

// ForgetPeak does nothing.
func (Own) ForgetPeak() error { return nil }

// Machine is all that runs on this machine.
type Machine struct{}

// Usage returns for how long the processors have been busy, together. What waits for a disk is not busy.
func (Machine) Usage() (u Usage, err error) {
	file, err := os.Open("/proc/stat")
	if err != nil {
		return u, err
	}
	defer file.Close()
	line, err := bufio.NewReader(file).ReadString('\n')
	if err != nil {
		return u, err
	}
	// They are user, nice, system, idle, iowait, irq, softirq and steal; guests are in the first two.
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return u, errors.New("/proc/stat is not understood")
	}
	for i, field := range fields[1:8] {
		if i == 3 || i == 4 {
			continue
		}
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, err
		}
		u.CPU += time.Duration(ticks) * clockTick
	}
	return u, nil
}

// ForgetPeak does nothing.
func (Machine) ForgetPeak() error { return nil }
