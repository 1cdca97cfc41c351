package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"susul.dev/susul/bench/rig"
	susulv1 "susul.dev/susul/gen/susul/v1"
)

// applyTimeout is how long a node may take to apply the last change.
const applyTimeout = 10 * time.Second

// changesResult tells of a policy's changes, made one after the other through a node that does not lead.
type changesResult struct {
	// Everywhere is from the beginning of a call until the last of the nodes has applied the change.
	Everywhere rig.Latency `json:"everywhere"`
	// Calls is what the calls took.
	Calls rig.Latency `json:"calls"`
}

// change is one of them.
type change struct {
	began    time.Time
	revision int64 // in etcd
}

// changePolicy measures changes of a policy. When a node applies one, its log says, to the microsecond: nobody has to ask.
func (c *cluster) changePolicy(ctx context.Context) (r changesResult, err error) {
	leader, err := c.leader(ctx)
	if err != nil {
		return r, err
	}
	through := c.members[(leader+1)%len(c.members)]
	const name = "changes"
	created, err := through.Policies.CreateResendPolicy(ctx, &susulv1.CreateResendPolicyRequest{
		ResendPolicyId: name, ResendPolicy: benchPolicy(0),
	})
	if err != nil {
		return r, err
	}
	defer func() { // the next arrangement has the same etcd
		_, deleted := through.Policies.DeleteResendPolicy(ctx, &susulv1.DeleteResendPolicyRequest{Name: created.GetResendPolicy().GetName()})
		err = errors.Join(err, deleted)
	}()
	var all []change
	var calls []time.Duration
	for i := range c.changes {
		policy := benchPolicy(i + 1)
		policy.Name = created.GetResendPolicy().GetName()
		began := time.Now()
		changed, err := through.Policies.UpdateResendPolicy(ctx, &susulv1.UpdateResendPolicyRequest{
			ResendPolicy: policy, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"steps"}},
		})
		if err != nil {
			return r, err
		}
		calls = append(calls, time.Since(began))
		revision, err := strconv.ParseInt(changed.GetResendPolicy().GetEtag(), 10, 64)
		if err != nil {
			return r, err
		}
		all = append(all, change{began, revision})
	}
	r.Calls = rig.LatencyOf(calls)
	everywhere, err := c.applied(ctx, all)
	r.Everywhere = rig.LatencyOf(everywhere)
	fmt.Fprintf(c.say, "%s: changes: p50 %.2f, p99 %.2f, max %.2f ms until all %d nodes have applied one\n",
		c.name, r.Everywhere.P50, r.Everywhere.P99, r.Everywhere.Max, len(c.members))
	return r, err
}

// benchPolicy is for no push. Its versions differ in what a step says.
func benchPolicy(version int) *susulv1.ResendPolicy {
	return &susulv1.ResendPolicy{
		Match:   `false`,
		Trigger: &susulv1.ResendTrigger{Unless: susulv1.Milestone_MILESTONE_CLICKED, Within: durationpb.New(time.Hour)},
		Steps: []*susulv1.ResendStep{{
			After: durationpb.New(time.Hour), Content: &susulv1.ResendContent{Title: fmt.Sprintf("Still unread, version %d", version)},
		}},
	}
}

// applied returns how long each change took to be applied by every node.
func (c *cluster) applied(ctx context.Context, all []change) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	last := make([]time.Duration, len(all))
	for _, s := range c.members {
		err := rig.Poll(ctx, func() (bool, error) {
			applied, err := applications(s.Log())
			if err != nil {
				return false, err
			}
			for i, change := range all {
				// A node that is behind may apply several at once.
				for len(applied) > 0 && applied[0].Revision < change.revision {
					applied = applied[1:]
				}
				if len(applied) == 0 {
					return false, nil
				}
				last[i] = max(last[i], applied[0].Time.Sub(change.began))
			}
			return true, nil
		})
		if err != nil {
			return nil, errors.Join(errors.New("a node has not applied every change"), err)
		}
	}
	return last, nil
}

// application is a line in which a node says that it has applied a change.
type application struct {
	Time     time.Time `json:"time"`
	Prefix   string    `json:"prefix"`
	Revision int64     `json:"revision"`
}

// policiesPrefix is what the log calls that of which policies are a part.
const policiesPrefix = "/susul/"

// applications reads those of resend policies from a log.
func applications(log string) (all []application, err error) {
	file, err := os.Open(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if !bytes.Contains(lines.Bytes(), []byte(`"a change in etcd is applied"`)) {
			continue
		}
		var a application
		if err := json.Unmarshal(lines.Bytes(), &a); err == nil && a.Prefix == policiesPrefix {
			all = append(all, a)
		}
	}
	return all, lines.Err()
}
