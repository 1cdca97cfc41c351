package relay

import (
	"context"

	"susul.dev/susul/storage"
)

// recount corrects how many dead letters there are: the store forgets them when they are as old as all that it forgets. Only the saver
// may call it, so that nothing is saved meanwhile.
func (r *Relay) recount(ctx context.Context) {
	for _, e := range r.all() {
		known, span := 0, int64(0)
		e.look(func(l *ledger) {
			if len(l.records) == 0 {
				known, span = l.letters, l.row.LastSpan
			}
		})
		if known == 0 {
			continue
		}
		stored, err := r.storedLetters(ctx, e.key())
		if err != nil {
			if ctx.Err() == nil {
				r.Logger.Error("dead letters can't be counted now", "error", err)
			}
			return
		}
		e.look(func(l *ledger) {
			if len(l.records) == 0 && l.row.LastSpan == span { // or else there are others by now
				l.letters = stored
			}
		})
	}
}

func (r *Relay) storedLetters(ctx context.Context, key storage.RelayEndpointKey) (n int, err error) {
	query := storage.RelaySpanQuery{
		App: key.App, Endpoint: key.ID, Kinds: []storage.RelaySpanKind{storage.SpanDead}, Limit: loadPage,
		After: storage.RelaySpanKey{RelayEndpointKey: key},
	}
	for {
		spans, err := r.Store.ListRelaySpans(ctx, query)
		if err != nil {
			return 0, err
		}
		if n += len(spans); len(spans) < loadPage {
			return n, nil
		}
		query.After.ID = spans[loadPage-1].ID
	}
}
