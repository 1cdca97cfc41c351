package relay

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/server/webhook"
	"susul.dev/susul/storage"
)

func TestEventsReachSubscriptionsAndCallbackURLs(t *testing.T) {
	r := newRig(t)
	r.push(1, "https://shop.example/a?key=1")
	r.push(2, "https://shop.example/a?key=2", "https://crm.example/")
	all := r.subscribe(subscription.Subscription{ID: "all"})
	one := r.subscribe(subscription.Subscription{ID: "one", Filter: `push.msg_id == "1"`})
	r.run()
	r.store.commit(testApp, 1, 0, 300)
	r.store.commit(testApp, 2, 5, 50)
	for url, want := range map[string]int{
		all: 350, one: 300, "https://shop.example/a?key=1": 300, "https://shop.example/a?key=2": 50, "https://crm.example/": 50,
	} {
		r.eventually(func() bool { return r.receivers.has(url) == want }, "%s has not all", url)
	}
	id, address := urlEndpointID("https://shop.example/a?key=1")
	r.eventually(func() bool { return r.health(id).LagEvents == 0 }, "there is a lag")
	h := r.health(id)
	r.Equal(address, h.Address)
	r.EqualValues(350, h.Delivered)
	r.Equal(1.0, h.SuccessRate)
	posts := r.receivers.postsTo(all)

	r.stop()
	r.EqualValues(355, r.store.head)
	for _, e := range r.store.endpoints {
		r.EqualValues(355, e.Cursor, e.ID)
	}
	r.run()
	r.store.commit(testApp, 1, 0, 1)
	r.eventually(func() bool { return r.receivers.has(all) == 351 }, "the new event does not come")
	r.Equal(posts+1, r.receivers.postsTo(all), "something was posted again")
}

// What the end-to-end test does with processes, here with goroutines: receivers that fail at random, and crashes at random moments.
func TestNothingIsLostWhateverFails(t *testing.T) {
	r := newRig(t)
	var mu sync.Mutex
	healed := false
	r.receivers.answers = func(url string, _ []int64) webhook.Result {
		mu.Lock()
		defer mu.Unlock()
		moody := url != "https://well.example/in"
		switch {
		case !moody || healed:
			return answer(200, 0)
		case url == "https://dead.example/in":
			return answer(0, 0)
		}
		switch rand.IntN(8) {
		case 0, 1, 2:
			return answer(500, 0)
		case 3:
			return answer(429, 20*time.Second)
		default:
			return answer(200, 0)
		}
	}
	const pushes, rounds, each = 30, 12, 20
	urls := []string{
		r.subscribe(subscription.Subscription{ID: "well"}), r.subscribe(subscription.Subscription{ID: "moody", MaxConcurrency: 8}),
		r.subscribe(subscription.Subscription{ID: "single", MaxConcurrency: 1}), r.subscribe(subscription.Subscription{ID: "dead"}),
	}
	for push := int64(1); push <= pushes; push++ {
		r.push(push, "https://url.example/?x", "https://other.example/")
	}
	urls = append(urls, "https://url.example/?x", "https://other.example/")
	r.run()
	total := 0
	for round := range rounds {
		for push := int64(1); push <= pushes; push++ {
			r.store.commit(testApp, push, 0, each)
			total += each
		}
		r.eventually(func() bool { return r.receivers.has(urls[0]) == total }, "a healthy endpoint waits")
		if round%3 == 2 {
			r.kill()
			r.run()
		}
	}
	r.Zero(r.receivers.has("https://dead.example/in"))
	mu.Lock()
	healed = true
	mu.Unlock()
	for _, id := range r.relay.sorted(testApp) {
		_, err := r.relay.Resume(t.Context(), testApp, id)
		r.NoError(err)
	}
	for _, url := range urls {
		r.eventually(func() bool { return r.receivers.has(url) == total }, "%s has not all", url)
	}
	for _, id := range r.relay.sorted(testApp) {
		r.eventually(func() bool { h := r.health(id); return h.LagEvents == 0 && h.Retrying == 0 && !h.Open }, "%s is behind", id)
	}
	r.stop()
	r.Empty(r.store.spans)
}

func TestDeadLettersAndReplays(t *testing.T) {
	r := newRig(t)
	r.maxAge = time.Hour
	var mu sync.Mutex
	status := 500
	r.receivers.answers = func(string, []int64) webhook.Result {
		mu.Lock()
		defer mu.Unlock()
		return answer(status, 0)
	}
	url := r.subscribe(subscription.Subscription{ID: "s"})
	r.run()
	for push := range int64(3) {
		r.store.commit(testApp, push+1, 0, 10)
	}
	letters := func() []storage.RelaySpan {
		spans, err := r.relay.Spans(t.Context(), testApp, "sub-s", storage.SpanDead, 0, 100)
		r.NoError(err)
		return spans
	}
	dead := func() (n int64) {
		for _, s := range letters() {
			n += s.Events
		}
		return n
	}
	// The events of the memory store were received in 1970.
	r.eventually(func() bool { return dead() == 30 }, "not all are dead letters")
	r.Equal(len(letters()), r.health("sub-s").DeadLetters)
	r.Zero(r.receivers.has(url))

	mu.Lock()
	status = 200
	mu.Unlock()
	r.NoError(r.relay.DropSpan(t.Context(), testApp, "sub-s", storage.SpanDead, letters()[0].ID))
	left := dead()
	for _, s := range letters() {
		replay, err := r.relay.Replay(t.Context(), testApp, "sub-s", Selection{DeadLetter: s.ID})
		r.NoError(err)
		r.Equal(storage.SpanReplay, replay.Kind)
		_, err = r.relay.Replay(t.Context(), testApp, "sub-s", Selection{DeadLetter: s.ID})
		r.ErrorIs(err, storage.ErrNotFound)
	}
	_, err := r.relay.Resume(t.Context(), testApp, "sub-s")
	r.NoError(err)
	r.eventually(func() bool { return int64(r.receivers.has(url)) == left }, "they do not come")
	r.eventually(func() bool { return r.health("sub-s").Replays == 0 }, "replays stay")
	r.Empty(letters())
}

// brokenSubscriptions are one that can't be read.
type brokenSubscriptions struct {
	id      string
	waiting chan struct{} // closed when somebody waits for news
}

func (brokenSubscriptions) Snapshot() *subscription.Snapshot { return &subscription.Snapshot{} }

func (b brokenSubscriptions) Wait(ctx context.Context, _ int64) (*subscription.Snapshot, error) {
	close(b.waiting)
	<-ctx.Done()
	return nil, ctx.Err()
}

func (b brokenSubscriptions) Broken(app, id string) bool { return app == testApp && id == b.id }

// A version of Susul may not know what a later one has stored. Where a subscription was is not forgotten for that.
func TestASubscriptionThatCantBeReadGoesOnWhereItWas(t *testing.T) {
	r := newRig(t)
	urls := []string{r.subscribe(subscription.Subscription{ID: "broken"}), r.subscribe(subscription.Subscription{ID: "deleted"})}
	r.run()
	r.store.commit(testApp, 1, 0, 300)
	for _, url := range urls {
		r.eventually(func() bool { return r.receivers.has(url) == 300 }, "%s has not all", url)
	}
	r.stop()

	subs, waiting := r.subs, make(chan struct{})
	r.subs, r.subscriptions = nil, brokenSubscriptions{"broken", waiting}
	r.run()
	<-waiting
	r.NoError(r.relay.saver.flush(t.Context()))
	r.Len(r.store.endpoints, 1, "the other was deleted")
	_, err := r.relay.Endpoint(t.Context(), testApp, "sub-broken")
	r.ErrorIs(err, storage.ErrNotFound)
	r.store.commit(testApp, 1, 0, 10)
	posts := r.receivers.postsTo(urls[0])
	r.relay.subscribe(subs[:1])
	r.eventually(func() bool { return r.receivers.has(urls[0]) == 310 }, "the new events do not come")
	r.Equal(posts+1, r.receivers.postsTo(urls[0]), "something was posted again")
}
