package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
)

const (
	// maxBody bounds a document: 200 rows, each with the custom_args of its push.
	maxBody = 16 << 20
	// maxSeen is how many events are remembered. Those that are repeated come within hours, not years.
	maxSeen = 100_000
)

// document is what is read of what Susul posts. It is EngageLab's callback document, with an object susul in each row.
type document struct {
	Rows []row `json:"rows"`
}

type row struct {
	MsgID          string `json:"message_id"`
	RegistrationID string `json:"to"`
	Status         struct {
		Name string `json:"message_status"`
	} `json:"status"`
	Susul struct {
		EventID string `json:"event_id"`
		Test    bool   `json:"test"`
	} `json:"susul"`
}

// claim is what there is one coupon for: a person's click on a promotion, in whichever step of the push it was.
type claim struct {
	MsgID          string `json:"msg_id"`
	RegistrationID string `json:"registration_id"`
}

type coupon struct {
	claim
	Code string `json:"code"`
}

// service hands out coupons. A real one has tables where this one has maps, with the same keys, and one transaction for a document.
type service struct {
	secrets []string
	stock   int // coupons there are

	mu      sync.Mutex
	claimed map[claim]bool
	given   []coupon
	seen    map[string]bool
	latest  []string // the ids that were seen, in a ring
	oldest  int      // where the ring begins
}

func newService(secrets []string, stock int) *service {
	return &service{secrets: secrets, stock: stock, claimed: map[claim]bool{}, seen: map[string]bool{}}
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /events", s.take)
	mux.HandleFunc("GET /coupons", s.list)
	return mux
}

// take handles a document. Whatever is not answered by 2xx comes again, so an answer is given when all is done.
func (s *service) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	switch tooLarge := (*http.MaxBytesError)(nil); {
	case errors.As(err, &tooLarge):
		http.Error(w, "the document is too large", http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		return // nobody is there any more
	}
	if err := verify(s.secrets, r.Header, body); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		http.Error(w, "the body is not a callback document", http.StatusBadRequest)
		return
	}
	s.handOut(d.Rows)
	w.WriteHeader(http.StatusNoContent)
}

// handOut gives a coupon for each click that has none yet. A row that comes again changes nothing, and what TestRelayEndpoint made up
// is nobody's click.
func (s *service) handOut(rows []row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range rows {
		if row.Susul.Test {
			continue
		}
		c := claim{row.MsgID, row.RegistrationID}
		if !s.isNew(row.Susul.EventID) || row.Status.Name != "click" || s.claimed[c] || len(s.given) == s.stock {
			continue
		}
		s.claimed[c] = true
		s.given = append(s.given, coupon{c, rand.Text()})
	}
}

// isNew remembers an event and reports whether it had not come before.
func (s *service) isNew(event string) bool {
	if s.seen[event] {
		return false
	}
	s.seen[event] = true
	if len(s.latest) < maxSeen {
		s.latest = append(s.latest, event)
		return true
	}
	delete(s.seen, s.latest[s.oldest])
	s.latest[s.oldest] = event
	s.oldest = (s.oldest + 1) % maxSeen
	return true
}

// list tells all coupons, the earliest first.
func (s *service) list(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	given := append([]coupon{}, s.given...)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(given) // whoever is gone does not want to know
}
