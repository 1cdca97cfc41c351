package delivery_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/replica/etcdtest"
	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres/postgrestest"
)

// usualChecks is how often a property is checked here, unless -rapid.checks says otherwise: a chain takes seconds under the race detector.
const usualChecks = "40"

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", usualChecks); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(postgrestest.Tests{M: m})
}

// chain is some pushes to the same people under one policy, on their way through random events.
type chain struct {
	*house
	*witness
	model
	rt      *rapid.T
	n       int
	pushes  []storage.Push
	running bool
	calls   int // at EngageLab and at the store, of which some fail
	faulty  bool
}

// anyPolicy is a policy of two steps with whatever limits.
func anyPolicy(t *rapid.T) policy.Policy {
	often := func(label string) bool { return rapid.IntRange(0, 2).Draw(t, label) == 0 }
	p := news()
	p.Trigger = rapid.SampledFrom([]policy.Trigger{
		{Unless: storage.Clicked}, {Unless: storage.Displayed}, {Unless: storage.Delivered}, {OnFailure: true},
	}).Draw(t, "trigger")
	p.Trigger.Within = 2 * time.Hour
	text := "step {{ step }}"
	if rapid.Bool().Draw(t, "personal") {
		text += " for {{ device.registration_id }}"
	}
	for i := range p.Steps {
		p.Steps[i].Contents = says(policy.Content{Alert: text})
		if often("only gold") {
			p.Steps[i].OnlyIf = `device.attributes.tier == "gold"`
		}
		if often("step holdout") {
			p.Steps[i].HoldoutPermille = 300
		}
		if often("variants") {
			p.Steps[i].Contents = policy.Contents{}
			for _, id := range []string{"a", "b"} {
				p.Steps[i].Variants = append(p.Steps[i].Variants, policy.Variant{ID: id, Contents: says(policy.Content{Alert: text})})
			}
		}
	}
	p.Steps[1].Origin = rapid.SampledFrom([]policy.Origin{policy.FromTrigger, policy.FromPreviousStep}).Draw(t, "origin")
	p.Stack = rapid.Bool().Draw(t, "stack")
	if often("holdout") {
		p.HoldoutPermille = 300
	}
	if often("quiet hours") {
		p.Limits.QuietHours = &policy.QuietHours{
			From: policy.TimeOfDay(rapid.IntRange(0, 1439).Draw(t, "from")), Drop: rapid.Bool().Draw(t, "drop"), DefaultTimeZone: "Europe/Berlin",
		}
		p.Limits.QuietHours.Until = (p.Limits.QuietHours.From + policy.TimeOfDay(rapid.IntRange(1, 1000).Draw(t, "long"))) % 1440
	}
	if often("cap") {
		p.Limits.FrequencyCap = &policy.FrequencyCap{
			Messages: rapid.IntRange(1, 4).Draw(t, "messages"), Window: time.Duration(rapid.IntRange(1, 12).Draw(t, "window")) * time.Hour,
		}
	}
	if often("gap") {
		p.Limits.MinimumGap = time.Duration(rapid.IntRange(1, 300).Draw(t, "gap")) * time.Minute
	}
	if often("expiry") {
		p.Limits.ExpireAfter = 4 * time.Hour
	}
	return p
}

// Whatever happens, in whatever order, a step reaches a recipient at most once, and each decision about who gets it, and who
// does not and why, is what the reference says of a world in which it was decided. In the end everybody has got each step, or
// there is a reason.
func TestChainsUnderRandomEvents(t *testing.T) {
	etcd := etcdtest.Start(t)
	rapid.Check(t, func(rt *rapid.T) {
		h := newHouseOn(t, etcd.Client())
		defer h.close()
		c := &chain{house: h, rt: rt, running: true}
		c.begin()
		defer func() {
			if !c.world().deleted {
				require.NoError(t, h.policies.Delete(t.Context(), "news", 0))
			}
			_, err := h.policies.SetSwitch(t.Context(), policy.Switch{App: app})
			require.NoError(t, err)
		}()
		rt.Repeat(c.events())
		c.end()
		h.stop()
		c.check()
	})
}

// begin creates the policy and the pushes.
func (c *chain) begin() {
	w := world{
		now: c.clock.Now(), progress: map[int64]map[string]storage.Progress{}, unsure: map[int64]map[string]storage.Progress{},
		invalid: map[string]bool{}, doubted: map[string]bool{}, tier: map[string]string{}, zone: map[string]string{},
		withdrawn: map[int64]bool{},
	}
	c.witness = &witness{Store: c.store, worlds: []world{w}, claimed: map[int64]claimSeen{}, cids: map[string]bool{}}
	c.stop()
	c.store = c.witness
	c.start()
	c.engageLab.hook(nil, c.arrives)
	c.policy = c.createPolicy(anyPolicy(c.rt))
	c.firstSent = map[int64]time.Time{}
	c.n = rapid.IntRange(1, 6).Draw(c.rt, "people")
	for _, id := range people(c.n) {
		c.device(c.rt, id)
	}
	for range rapid.IntRange(1, 3).Draw(c.rt, "pushes") {
		push, _ := c.push(c.n, map[string]any{"body": map[string]any{
			"platform": "android", "notification": map[string]any{"android": map[string]any{"title": "News", "alert": "Read it"}},
			"options": map[string]any{"time_to_live": rapid.SampledFrom([]int{600, 86_400}).Draw(c.rt, "time to live")},
		}})
		c.settled(push)
		c.pushes = append(c.pushes, push)
		c.firstSent[push.ID] = push.FirstSentTime
		c.change(func(w *world) {
			w.progress[push.ID], w.unsure[push.ID] = map[string]storage.Progress{}, map[string]storage.Progress{}
		}, func() {})
		c.passes(time.Duration(rapid.IntRange(0, 40).Draw(c.rt, "minutes between")) * time.Minute)
	}
	c.crashing = func() bool { return c.fails(7) }
	c.engageLab.hook(
		func(sending) error { return c.error(errDown) },
		func(s sending) error {
			if err := c.arrives(s); err != nil {
				return err
			}
			return c.error(errLost)
		},
	)
}

// fails is true for every k-th call while there are faults.
func (c *chain) fails(k int) bool {
	c.engageLab.mu.Lock()
	defer c.engageLab.mu.Unlock()
	c.calls++
	return c.faulty && c.calls%k == 0
}

func (c *chain) error(err error) error {
	if c.fails(4) {
		return err
	}
	return nil
}

func (c *chain) passes(d time.Duration) {
	c.change(func(w *world) { w.now = w.now.Add(d) }, func() { c.clock.Advance(d) })
}

func (c *chain) someone(t *rapid.T) string {
	return fmt.Sprintf("r%d", rapid.IntRange(0, c.n-1).Draw(t, "who"))
}

// message draws a message that EngageLab took, and one of its recipients.
func (c *chain) message(t *rapid.T) (s sending, push int64, step int, id string) {
	c.engageLab.mu.Lock()
	s = rapid.SampledFrom(c.engageLab.sendings).Draw(t, "message")
	c.engageLab.mu.Unlock()
	_, err := fmt.Sscanf(s.cid, "%d-%d", &push, &step)
	require.NoError(c.t, err)
	return s, push, step, rapid.SampledFrom(s.ids).Draw(t, "who")
}

// events are what may happen.
func (c *chain) events() map[string]func(*rapid.T) {
	rarely := func(t *rapid.T, of int, do func()) {
		if rapid.IntRange(1, of).Draw(t, "rarely") == 1 {
			do()
		}
	}
	update := func(note func(*world, bool), set func(*policy.Policy, bool)) func(*rapid.T) {
		return func(t *rapid.T) {
			rarely(t, 3, func() {
				on := rapid.Bool().Draw(t, "on")
				if c.world().deleted {
					return
				}
				c.change(func(w *world) { note(w, on) }, func() {
					_, err := c.policies.Update(c.t.Context(), 0, "news", func(p policy.Policy) (policy.Policy, error) {
						set(&p, on)
						return p, nil
					})
					require.NoError(c.t, err)
				})
			})
		}
	}
	return map[string]func(*rapid.T){
		"report":         c.report,
		"another report": c.report,
		"a step comes due, and is sent": func(*rapid.T) {
			c.comesDue()
			c.plan()
			c.work()
		},
		"a step comes due, and queues": func(*rapid.T) {
			c.stop()
			c.running = false
			c.comesDue()
			c.plan()
		},
		"the queue goes on": func(*rapid.T) {
			c.stop()
			c.start()
			c.running = true
			c.work()
		},
		"a device changes": func(t *rapid.T) { c.device(t, c.someone(t)) },
		"time passes":      func(t *rapid.T) { c.passes(time.Duration(rapid.IntRange(1, 90).Draw(t, "minutes")) * time.Minute) },
		"a moment":         func(t *rapid.T) { c.passes(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second) },
		"plan":             func(*rapid.T) { c.plan() },
		"plan and send":    func(*rapid.T) { c.plan(); c.work() },
		"send":             func(*rapid.T) { c.work() },
		"stop":             func(*rapid.T) { c.stop(); c.running = false },
		"restart":          func(*rapid.T) { c.stop(); c.start(); c.running = true },
		"faults":           func(t *rapid.T) { c.engageLab.mu.Lock(); c.faulty = !c.faulty; c.engageLab.mu.Unlock() },
		"pause":            update(func(w *world, on bool) { w.paused = on }, func(p *policy.Policy, on bool) { p.Paused = on }),
		"pause step 1":     update(func(w *world, on bool) { w.stepPaused[1] = on }, func(p *policy.Policy, on bool) { p.Steps[0].Paused = on }),
		"pause step 2":     update(func(w *world, on bool) { w.stepPaused[2] = on }, func(p *policy.Policy, on bool) { p.Steps[1].Paused = on }),
		"other contents":   update(func(*world, bool) {}, func(p *policy.Policy, on bool) { p.Description, p.Stack = "changed", on }),
		"delete": func(t *rapid.T) {
			rarely(t, 12, func() {
				if !c.world().deleted {
					c.change(func(w *world) { w.deleted = true }, func() { require.NoError(c.t, c.policies.Delete(c.t.Context(), "news", 0)) })
				}
			})
		},
		"stop follow-ups": func(t *rapid.T) {
			rarely(t, 3, func() {
				on := rapid.Bool().Draw(t, "on")
				c.change(func(w *world) { w.stopped = on }, func() {
					_, err := c.policies.SetSwitch(c.t.Context(), policy.Switch{App: app, Stopped: on})
					require.NoError(c.t, err)
				})
			})
		},
		"withdraw": func(t *rapid.T) {
			rarely(t, 12, func() {
				push := rapid.SampledFrom(c.pushes).Draw(t, "push")
				if !c.world().withdrawn[push.ID] {
					c.change(func(w *world) { w.withdrawn[push.ID] = true }, func() {
						_, err := c.service.WithdrawPush(c.t.Context(), app, push.ID)
						require.NoError(c.t, err)
					})
				}
			})
		},
	}
}

// device sets what is known of a device.
func (c *chain) device(t *rapid.T, id string) {
	tier := rapid.SampledFrom([]string{"gold", "gold", "gold", "tin", ""}).Draw(t, "tier")
	zone := rapid.SampledFrom([]string{"", "Asia/Jakarta", "America/New_York", "Pacific/Auckland"}).Draw(t, "zone")
	attributes := map[string]any{}
	if tier != "" {
		attributes["tier"] = tier
	}
	c.change(func(w *world) { w.tier[id], w.zone[id] = tier, zone }, func() { c.knows(id, attributes, zone) })
}

// report lets a device report something, whether Susul learns it from a callback or not. It takes a second, so that no two
// reports are of the same time.
func (c *chain) report(t *rapid.T) {
	s, push, step, id := c.message(t)
	status := rapid.SampledFrom([]string{"sent", "delivered", "displayed", "click", "click", "sent_failed", "target_invalid"}).Draw(t, "status")
	lost := rapid.IntRange(0, 4).Draw(t, "lost") == 0
	milestone := map[string]storage.Milestone{
		"sent": storage.Sent, "delivered": storage.Delivered, "displayed": storage.Displayed, "click": storage.Clicked,
	}[status]
	if milestone == storage.MilestoneUnknown {
		milestone, lost = storage.Failed, false
	}
	c.passes(time.Second)
	if lost {
		c.change(func(w *world) { w.unsure[push][id] = w.unsure[push][id].With(step, milestone) },
			func() { c.engageLab.saw(s, status, id) })
		return
	}
	// A report of a message whose answer has not arrived yet is held until then, so that it is open when it counts.
	c.change(func(w *world) { w.unsure[push][id] = w.unsure[push][id].With(step, milestone); w.doubted[id] = true }, func() {
		c.engageLab.saw(s, status, id)
		_, err := c.service.RecordCallbacks(c.t.Context(), app, []storage.Callback{
			{UpstreamID: s.upstream, RegistrationID: id, Status: status, Time: c.clock.Now()},
		})
		require.NoError(c.t, err)
		invalid, err := c.store.InvalidDevices(c.t.Context(), app, []string{id})
		require.NoError(c.t, err)
		recipients, err := c.store.FindRecipients(c.t.Context(), push, []string{id})
		require.NoError(c.t, err)
		c.mu.Lock()
		defer c.mu.Unlock()
		w := c.worlds[len(c.worlds)-1].clone()
		w.invalid[id] = len(invalid) > 0
		w.doubted[id] = recipients[0].Progress.At(step)&storage.MilestonesOf(milestone) == 0
		if !w.doubted[id] {
			w.progress[push][id] = w.progress[push][id].With(step, milestone)
		}
		c.worlds = append(c.worlds, w)
	})
}

// comesDue lets time pass until the next step is due, if there is one.
func (c *chain) comesDue() {
	due, ok, err := c.store.NextStepTime(c.t.Context())
	require.NoError(c.t, err)
	if wait := due.Sub(c.clock.Now()); ok && wait > 0 {
		c.passes(wait)
	}
}

// plan plans what is due, unless Susul crashes at it.
func (c *chain) plan() {
	if err := c.service.PlanDueSteps(c.t.Context()); err != nil {
		require.ErrorIs(c.t, err, errCrash)
	}
}

// work waits until nothing is due to be sent any more.
func (c *chain) work() {
	if !c.running {
		return
	}
	require.Eventually(c.t, func() bool {
		next, ok, err := c.store.NextDispatchTime(c.t.Context(), app)
		require.NoError(c.t, err)
		return !ok || next.After(c.clock.Now())
	}, patience, time.Millisecond)
}

// end heals all and lets time pass until nothing is to come.
func (c *chain) end() {
	c.engageLab.mu.Lock()
	c.faulty = false
	c.engageLab.mu.Unlock()
	if !c.running {
		c.start()
	}
	before, still := time.Time{}, 0
	require.Eventually(c.t, func() bool {
		c.plan()
		next, ok, err := c.store.NextDispatchTime(c.t.Context(), app)
		require.NoError(c.t, err)
		step, due, err := c.store.NextStepTime(c.t.Context())
		require.NoError(c.t, err)
		if due && (!ok || step.Before(next)) {
			next, ok = step, true
		}
		if still++; !next.Equal(before) {
			before, still = next, 0
		}
		if ok && next.After(c.clock.Now()) && still > 3 { // what is in flight may end first
			c.passes(next.Sub(c.clock.Now()))
		}
		return !ok && still > 3
	}, 3*patience, time.Millisecond)
}
