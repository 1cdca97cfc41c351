package delivery

import (
	"context"
	"time"

	"susul.dev/susul/storage"
)

// maxFinish is how far ahead a finish is foreseen at most.
const maxFinish = 365 * 24 * time.Hour

// ExpectedFinish returns when the last of what is queued of a push will probably have gone out, by the app's quota and by what is
// queued before it; ok is false when nothing is queued.
func (s *Service) ExpectedFinish(ctx context.Context, push storage.Push) (finish time.Time, ok bool, err error) {
	queue, err := s.Store.Queue(ctx, push.App, push.ID)
	if err != nil || queue.Units == 0 {
		return time.Time{}, false, err
	}
	start := s.Clock.Now()
	if queue.DueTime.After(start) {
		start = queue.DueTime
	}
	seconds := min(float64(queue.Ahead+queue.Units)/s.Apps[push.App].quota(), maxFinish.Seconds())
	return start.Add(time.Duration(seconds * float64(time.Second))), true, nil
}
