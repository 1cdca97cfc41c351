package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"unsafe"

	lru "github.com/hashicorp/golang-lru/v2"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// pushInfo is what is kept of a push.
type pushInfo struct {
	*subscription.Push
	endpoints []string // the ids of its callback URLs' endpoints, each once
	weight    int64    // about how many bytes it keeps in memory
}

// pushes remembers what is told of the pushes that events named last.
type pushes struct {
	store  Store
	logger *slog.Logger
	recent *lru.Cache[int64, *pushInfo]
}

func newPushes(store Store, logger *slog.Logger, size int) *pushes {
	recent, err := lru.New[int64, *pushInfo](size)
	if err != nil {
		panic(fmt.Sprintf("a cache of %d pushes: %v", size, err)) // only for a size below 1
	}
	return &pushes{store: store, logger: logger, recent: recent}
}

// of returns what is told of a push. One that the store does not have any more has its id and app only.
func (c *pushes) of(ctx context.Context, app string, id int64) (*pushInfo, error) {
	if info, ok := c.recent.Get(id); ok {
		return info, nil
	}
	told := &subscription.Push{ID: id, App: app}
	switch stored, err := c.store.PushOf(ctx, id); {
	case errors.Is(err, storage.ErrNotFound):
	case err != nil:
		return nil, fmt.Errorf("read push %d: %w", id, err)
	default:
		if read, err := subscription.PushOf(stored); err == nil {
			told = read
		} else {
			c.logger.Error("a push can't be read: its events are told without it", "app", app, "msg_id", id, "error", err)
		}
	}
	info := &pushInfo{Push: told, weight: weightOfPush(told)}
	for _, url := range told.CallbackURLs {
		if id, _ := urlEndpointID(url); !slices.Contains(info.endpoints, id) {
			info.endpoints = append(info.endpoints, id)
		}
	}
	c.recent.Add(id, info)
	return info, nil
}

// all returns the pushes of events by their ids.
func (c *pushes) all(ctx context.Context, events []storage.Event) (map[int64]*pushInfo, error) {
	found := map[int64]*pushInfo{}
	for i := range events {
		e := &events[i]
		if i > 0 && e.PushID == events[i-1].PushID || found[e.PushID] != nil {
			continue
		}
		info, err := c.of(ctx, e.App, e.PushID)
		if err != nil {
			return nil, err
		}
		found[e.PushID] = info
	}
	return found, nil
}

// decoded is how much larger a JSON value is in memory than as a text, about.
const decoded = 4

func weightOfPush(p *subscription.Push) int64 {
	weight := int(unsafe.Sizeof(*p)) + (1+decoded)*len(p.CustomArgsAs) + len(p.From) + len(p.RequestID) + len(p.PlanID) + len(p.Policy)
	for _, texts := range [][]string{p.Platform, p.CallbackURLs} {
		for _, text := range texts {
			weight += int(unsafe.Sizeof(text)) + len(text)
		}
	}
	return int64(weight + weightOfJSON(p.Extras))
}

// weightOfJSON estimates the size of a value of encoding/json.
func weightOfJSON(value any) int {
	const word = 16
	switch v := value.(type) {
	case string:
		return word + len(v)
	case map[string]any:
		sum := 3 * word
		for key, member := range v {
			sum += 2*word + len(key) + weightOfJSON(member)
		}
		return sum
	case []any:
		sum := 2 * word
		for _, member := range v {
			sum += word + weightOfJSON(member)
		}
		return sum
	default:
		return word
	}
}
