package relay

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// page is a stretch of one app's log, immutable and shared.
type page struct {
	app            string
	first, through int64            // every event of the app with first ≤ Sequence ≤ through is in it
	entries        []entry          // ascending by Sequence
	urls           map[string][]int // by endpoint id ("url-…"): ascending indexes of the entries whose push names a URL of that endpoint
}

// entry is an event and its push.
type entry struct {
	storage.Event
	push *subscription.Push // never nil
}

// row returns an entry's row as it is posted, rendered once for all. It must not be changed.
func (p *page) row(i int) []byte { return nil }

// after returns the index of the first entry with a sequence greater than the given one.
func (p *page) after(sequence int64) int { return 0 }

// urlEndpointID returns the id of the endpoint of a callback URL, and its address: the URL without query and fragment.
func urlEndpointID(url string) (id, address string) {
	address = url
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		address = url[:i]
	}
	sum := sha256.Sum256([]byte(address))
	return "url-" + hex.EncodeToString(sum[:8]), address
}
