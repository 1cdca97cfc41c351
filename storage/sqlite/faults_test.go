package sqlite

import (
	"context"
	"sync"
	"testing"
	"time"


	"susul.dev/susul/storage"
)

// TestIndexIsReadWhileRoomIsMade lets callers read an index again and again that the writer drops.
func TestIndexIsReadWhileRoomIsMade(t *testing.T) {
	const recipients = 2000
	s := fresh(t, Options{Memory: 400 << 10, foldPause: time.Millisecond})
	for id := range int64(8) {
		createListed(t, s, id+1, recipients)
	}
	sendAll(t, s)
	var wg sync.WaitGroup
	for caller := range 4 {
		wg.Go(func() {
			for i := range 200 {
				row := storage.Callback{RegistrationID: benchID((caller + 4*i) % recipients), Milestone: storage.Sent, Status: "sent",
					Time: time.Now(), UpstreamID: upstreamID(1 + (i+caller)%16)}
				if _, err := s.RecordCallbacks(context.Background(), benchApp, time.Now(), []storage.Callback{row}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
