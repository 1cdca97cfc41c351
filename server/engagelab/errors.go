package engagelab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// EngageLab's error codes, from its public documentation and not verified: tell refusals apart by HTTP status, and use
// these only to write an answer or to explain one.
const (
	CodeUnsupportedMethod    = 21001
	CodeMissingParameter     = 21002
	CodeInvalidParameter     = 21003
	CodeAuthenticationFailed = 21004
	CodeBodyTooLarge         = 21005
	CodeUnknownAppKey        = 21008
	CodeInternal             = 21009
	CodeNoTarget             = 21011
	CodeCannotWithdraw       = 21016 // not found, too old, or withdrawn before
	CodeTimeout              = 21030
	CodeOverQuota            = 23008
	CodeAddressNotAllowed    = 23009 // the caller's IP address is not on the app's list
)

// Error is EngageLab's refusal of a request.
type Error struct {
	HTTPStatus int
	// Code is EngageLab's own, or 0 if the answer named none.
	Code int
	// Message is EngageLab's text; of an answer that is not EngageLab's JSON, an excerpt of at most 200 characters.
	Message string
	// RetryAfter is what the answer asked for, 0 if nothing.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	return fmt.Sprintf("engagelab: HTTP %d, code %d: %s", e.HTTPStatus, e.Code, e.Message)
}

// Temporary reports whether the same request may succeed later: 429 and 5xx.
func (e *Error) Temporary() bool {
	return e.HTTPStatus == http.StatusTooManyRequests || e.HTTPStatus >= http.StatusInternalServerError
}

type errorBody struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// WriteError answers a request with an error in EngageLab's shape.
func WriteError(w http.ResponseWriter, httpStatus, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(httpStatus)
	// The client may be gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(struct {
		Error errorBody `json:"error"`
	}{errorBody{code, message}})
}

// refusal reads an answer that is not a success, in either of EngageLab's shapes or in none of them.
func refusal(answer *http.Response, body []byte) *Error {
	var read struct {
		errorBody
		Error errorBody `json:"error"`
	}
	e := &Error{HTTPStatus: answer.StatusCode, RetryAfter: retryAfter(answer.Header)}
	if err := json.Unmarshal(body, &read); err == nil {
		e.Code, e.Message = read.Error.Code, read.Error.Message
		if read.Error == (errorBody{}) {
			e.Code, e.Message = read.Code, read.Message
		}
	}
	if e.Code == 0 && e.Message == "" {
		e.Message = excerpt(body)
	}
	if e.Message == "" {
		e.Message = strings.ToLower(http.StatusText(e.HTTPStatus))
	}
	return e
}

// retryAfter reads both forms of the header, seconds and a date, up to a day; what it cannot read counts as absent.
func retryAfter(header http.Header) time.Duration {
	const longest = 24 * time.Hour
	asked := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(asked); err == nil {
		return time.Duration(min(max(seconds, 0), int(longest.Seconds()))) * time.Second
	}
	at, err := http.ParseTime(asked)
	answered, answeredErr := http.ParseTime(header.Get("Date"))
	if err != nil || answeredErr != nil {
		return 0
	}
	return min(max(at.Sub(answered), 0), longest) // by the server's own clock
}

// excerpt makes a foreign body fit for a log line and for an answer: bounded, valid UTF-8, on one line.
func excerpt(body []byte) string {
	const maxRunes = 200
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(body[:min(len(body), 4*maxRunes)]), " "))
	runes := []rune(strings.Join(strings.Fields(clean), " "))
	return string(runes[:min(len(runes), maxRunes)])
}
