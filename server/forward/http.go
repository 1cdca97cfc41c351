package forward

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc/metadata"
)

// headers that end at each connection.
var connectionHeaders = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Forwarded", "X-Forwarded-For",
}

// HTTP forwards a request whose body was read, and writes the leader's answer. The source is the address that the request is taken
// to come from; the leader believes it.
func (l *Link) HTTP(w http.ResponseWriter, r *http.Request, body []byte, source string) error {
	message, err := encodeRequest(r, body)
	if err != nil {
		return err
	}
	ctx := context.WithValue(r.Context(), ownKey{}, metadata.Pairs(sourceKey, source))
	frame := &Frame{}
	if _, _, err := l.invoke(ctx, MethodHTTP, message, frame); err != nil {
		return err
	}
	defer frame.Free()
	answer, err := http.ReadResponse(bufio.NewReader(frame.data.Reader()), r)
	if err != nil {
		return fmt.Errorf("read the leader's answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	_, err = io.Copy(w, answer.Body)
	return err
}

// ownKey is of metadata that a node adds.
type ownKey struct{}

// encodeRequest writes a request as HTTP has it.
func encodeRequest(r *http.Request, body []byte) (*Frame, error) {
	out := &http.Request{
		Method: r.Method, URL: r.URL, Host: r.Host, Header: r.Header.Clone(), ContentLength: int64(len(body)),
		ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(bytes.NewReader(body)),
	}
	if out.Host == "" {
		out.Host = "susul" // callers of HTTP/1.0 need not say
	}
	for _, name := range connectionHeaders {
		out.Header.Del(name)
	}
	if len(body) == 0 {
		out.Body = http.NoBody
	}
	if _, given := out.Header["User-Agent"]; !given {
		out.Header["User-Agent"] = []string{""} // else one would be added
	}
	var text bytes.Buffer
	text.Grow(len(body) + 1<<10)
	if err := out.Write(&text); err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	return NewFrame(text.Bytes()), nil
}

// ServeHTTP answers a request that a node forwarded, by a handler. One that aborts, as handlers may within net/http, gets ErrBroken.
func ServeHTTP(ctx context.Context, message *Frame, handler http.Handler) (frame *Frame, err error) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler { //nolint:errorlint // a panic's value
			frame, err = nil, ErrBroken
		} else if p != nil {
			frame, err = nil, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	r, err := http.ReadRequest(bufio.NewReader(message.data.Reader()))
	if err != nil {
		return nil, fmt.Errorf("read forwarded request: %w", err)
	}
	r.RemoteAddr = strings.Join(metadata.ValueFromIncomingContext(ctx, sourceKey), "")
	var w recorder
	handler.ServeHTTP(&w, r.WithContext(ctx))
	return w.encode(r)
}

// recorder keeps what a handler answers.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.body.Len()+len(p) > maxAnswer {
		return 0, fmt.Errorf("an answer to a forwarded request has more than %d bytes", maxAnswer)
	}
	return r.body.Write(p)
}

// maxAnswer bounds what is kept of an answer.
const maxAnswer = 32 << 20

func (r *recorder) encode(request *http.Request) (*Frame, error) {
	r.WriteHeader(http.StatusOK)
	response := http.Response{
		StatusCode: r.status, ProtoMajor: 1, ProtoMinor: 1, Request: request, Header: r.Header(),
		ContentLength: int64(r.body.Len()), Body: io.NopCloser(&r.body),
	}
	text, err := httputil.DumpResponse(&response, true)
	if err != nil {
		return nil, fmt.Errorf("write answer: %w", err)
	}
	return NewFrame(text), nil
}
