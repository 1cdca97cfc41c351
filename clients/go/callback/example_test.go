package callback_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"

	"susul.dev/susul/clients/go/callback"
)

// A web server takes what Susul posts to a push's callback_urls and to subscriptions.
func Example() {
	http.HandleFunc("POST /susul", receive)
}

const username = "susul"

// secrets are those that are good. While they are being changed there are two.
var secrets = []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}

// seen are the events that were dealt with: a database, rather.
var seen sync.Map

func receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rows, err := callback.Verify(r.Header, body, username, secrets...)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	for _, row := range rows {
		if _, again := seen.LoadOrStore(row.EventID, true); !again { // each comes at least once
			fmt.Println(row.RegistrationID, row.Status)
		}
	}
}
