package rig

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of /proc/…/stat on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// stat is what /proc/…/stat says.
type stat struct {
	parent   int
	cpu      time.Duration
	children time.Duration // CPU of those that have ended
}

func readStat(pid int) (s stat, err error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return s, err
	}
	// The name before the last parenthesis can hold anything. After it come the state, the parent, and as the 12th to 15th utime,
	// stime, cutime and cstime.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if s.parent, err = strconv.Atoi(fields[1]); err != nil {
		return s, err
	}
	for i, to := range []*time.Duration{&s.cpu, &s.cpu, &s.children, &s.children} {
		ticks, err := strconv.ParseInt(fields[11+i], 10, 64)
		if err != nil {
			return s, err
		}
		*to += time.Duration(ticks) * clockTick
	}
	return s, nil
}

// Tree is a process and all that descend from it, such as a PostgreSQL.
type Tree struct{ PID int }

// Usage returns the CPU time that all of them have taken, also those that have ended. Memory is not told: they share it.
func (t Tree) Usage() (u Usage, err error) {
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return u, err
	}
	all := map[int]stat{}
	for _, folder := range folders {
		pid, _ := strconv.Atoi(filepath.Base(folder))
		if s, err := readStat(pid); err == nil { // else it has just ended
			all[pid] = s
		}
	}
	for pid, s := range all {
		for ancestor := pid; ancestor != 0; ancestor = all[ancestor].parent {
			if ancestor == t.PID {
				u.CPU += s.cpu + s.children
				break
			}
		}
	}
	return u, nil
}

// ForgetPeak does nothing.
func (Tree) ForgetPeak() error { return nil }
