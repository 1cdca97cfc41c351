package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"susul.dev/susul/bench/rig"
	"susul.dev/susul/server/engagelab"
)

const (
	// Callbacks come at a moderate rate, come what may: 10,000 rows a second.
	postsPerSecond = 100
	rowsPerPost    = 100

	// maxUnderWay bounds the posts without an answer.
	maxUnderWay = 1000

	postTimeout = time.Minute
)

// poster posts callbacks as EngageLab does, and notes how long they take.
type poster struct {
	url    string
	chunks []rig.Chunk // in the order of recipients
	web    *http.Client

	mu      sync.Mutex
	posts   []exchange
	refused int
}

// exchange is one post: when it was to begin, and how long it took from then on.
type exchange struct {
	turn time.Time
	took time.Duration
}

func newPoster(address string, chunks []rig.Chunk) *poster {
	return &poster{
		url: "http://" + address + rig.CallbackPath, chunks: chunks,
		web: &http.Client{Timeout: postTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: maxUnderWay}},
	}
}

var errRefused = errors.New("the callback was refused")

// post reports a status of some recipients.
func (p *poster) post(ctx context.Context, status string, numbers []uint64) error {
	batch := engagelab.CallbackBatch{Total: len(numbers)}
	now := time.Now()
	for _, number := range numbers {
		batch.Rows = append(batch.Rows, engagelab.CallbackRow{
			MessageID: p.chunks[number/rig.ChunkSize].MessageID, To: string(rig.AppendRegistrationID(nil, number)),
			Server: "AppPush", Channel: "FCM", ITime: now.Unix(), Status: engagelab.CallbackStatus{MessageStatus: status},
		})
	}
	body, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	signed := engagelab.Signature{Timestamp: strconv.FormatInt(now.Unix(), 10), Nonce: rand.Text(), Username: rig.CallbackUser}
	signed.Signature = engagelab.Sign(rig.CallbackSecret, signed.Timestamp, signed.Nonce, signed.Username)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(engagelab.SignatureHeader, signed.Header())
	got, err := p.web.Do(req)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	switch {
	case err != nil:
		return err
	case got.StatusCode == http.StatusServiceUnavailable:
		return errRefused
	case got.StatusCode != http.StatusOK:
		return fmt.Errorf("callback: %s: %s", got.Status, text)
	}
	return nil
}

// run posts new rows at the steady rate until ctx ends: of those who don't click, that the push was sent, then delivered, then
// displayed.
func (p *poster) run(ctx context.Context, recipients uint64) error {
	underWay := make(chan struct{}, maxUnderWay)
	failed := make(chan error, 1)
	var posts sync.WaitGroup
	defer p.web.CloseIdleConnections()
	defer posts.Wait()
	began, turns := time.Now(), 0
	for _, status := range []string{"sent", "delivered", "impression"} {
		for next := uint64(0); next < recipients; {
			var numbers []uint64
			for ; next < recipients && len(numbers) < rowsPerPost; next++ {
				if !clicks(next) {
					numbers = append(numbers, next)
				}
			}
			turns++
			turn := began.Add(time.Duration(turns) * time.Second / postsPerSecond)
			if rig.Rest(ctx, time.Until(turn)) != nil {
				return nil //nolint:nilerr // it is told to stop
			}
			select {
			case underWay <- struct{}{}:
			case err := <-failed:
				return err
			}
			posts.Go(func() {
				defer func() { <-underWay }()
				if err := p.timed(context.WithoutCancel(ctx), turn, status, numbers); err != nil {
					select {
					case failed <- err:
					default: // the first one will do
					}
				}
			})
		}
	}
	return errors.New("rows ran out before the step was sent")
}

// timed posts, and notes how long it took. A post that has begun is not broken off.
func (p *poster) timed(ctx context.Context, turn time.Time, status string, numbers []uint64) error {
	err := p.post(ctx, status, numbers)
	took := time.Since(turn)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case errors.Is(err, errRefused):
		p.refused++
		return nil
	case err != nil:
		return err
	}
	p.posts = append(p.posts, exchange{turn, took})
	return nil
}

// between describes the posts whose turn came within a time.
func (p *poster) between(from, until time.Time) rig.Latency {
	var took []time.Duration
	for _, e := range p.posts {
		if !e.turn.Before(from) && e.turn.Before(until) {
			took = append(took, e.took)
		}
	}
	return rig.LatencyOf(took)
}
