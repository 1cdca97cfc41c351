package api

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
)

func text(n int) string { return strings.Repeat("a", n) }

// requireFree requires that nothing is held.
func (b bodies) requireFree(t *testing.T) {
	t.Helper()
	require.True(t, b.small.TryAcquire(maxSmallBytes))
	require.True(t, b.large.TryAcquire(maxLargeBytes))
	b.small.Release(maxSmallBytes)
	b.large.Release(maxLargeBytes)
}

func TestBodiesAreReadUnderTheirLimits(t *testing.T) {
	const limit = 1 << 20
	broken := io.MultiReader(strings.NewReader("{"), iotest.ErrReader(errors.New("gone")))
	for name, c := range map[string]struct {
		body      io.Reader
		announced int64
		encoding  string
		size      int
		status    int
	}{
		"nothing":                 {body: strings.NewReader(""), size: 0},
		"announced":               {body: strings.NewReader(text(33_000)), announced: 33_000, size: 33_000},
		"not announced":           {body: strings.NewReader(text(33_000)), announced: -1, size: 33_000},
		"announced and large":     {body: strings.NewReader(text(limit)), announced: limit, size: limit},
		"byte by byte":            {body: iotest.OneByteReader(strings.NewReader(text(3000))), announced: -1, size: 3000},
		"end with the last bytes": {body: iotest.DataErrReader(strings.NewReader(text(3000))), announced: 3000, size: 3000},
		"explicitly plain":        {body: strings.NewReader(text(2)), announced: 2, encoding: "identity", size: 2},
		"too large":               {body: strings.NewReader(text(limit + 1)), announced: -1, status: http.StatusRequestEntityTooLarge},
		"announced too large":     {body: iotest.ErrReader(errors.New("it is not read")), announced: limit + 1, status: http.StatusRequestEntityTooLarge},
		"packed":                  {body: iotest.ErrReader(errors.New("it is not read")), encoding: "gzip", status: http.StatusUnsupportedMediaType},
		"broken off":              {body: broken, announced: 10, status: http.StatusBadRequest},
		"too slow":                {body: iotest.ErrReader(os.ErrDeadlineExceeded), announced: 10, status: http.StatusRequestTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBodies()
			r := httptest.NewRequest(http.MethodPost, "/", c.body)
			r.ContentLength = c.announced
			r.Header.Set("Content-Encoding", c.encoding)
			body, done, err := b.read(httptest.NewRecorder(), r, limit)
			if c.status != 0 {
				require.Equal(t, c.status, httpStatus(faultOf(err)), "%v", err)
				b.requireFree(t)
				return
			}
			require.NoError(t, err)
			require.Equal(t, text(c.size), string(body))
			require.False(t, b.small.TryAcquire(maxSmallBytes-int64(min(c.size, firstBodyBytes))+1))
			require.False(t, b.large.TryAcquire(maxLargeBytes-int64(max(c.size-firstBodyBytes, 0))+1))
			done()
			b.requireFree(t)
		})
	}
}

// Many who announce much and send little take nothing from others.
func TestAnnouncedBodiesHoldNothing(t *testing.T) {
	b := newBodies()
	var stalled []*io.PipeWriter
	ended := make(chan error)
	for range 2 * maxLargeBytes / maxCallbackBytes {
		source, sink := io.Pipe()
		stalled = append(stalled, sink)
		r := httptest.NewRequest(http.MethodPost, "/", source)
		r.ContentLength = maxCallbackBytes
		go func() {
			_, _, err := b.read(httptest.NewRecorder(), r, maxCallbackBytes)
			ended <- err
		}()
		_, err := sink.Write([]byte("{")) // returns when it was read
		require.NoError(t, err)
	}
	_, done, err := b.readText(maxCallbackBytes)
	require.NoError(t, err)
	done()
	for _, sink := range stalled {
		require.NoError(t, sink.CloseWithError(errors.New("gone")))
		require.Error(t, <-ended)
	}
	b.requireFree(t)
}

// Large bodies that take all the room there is for them leave small ones theirs.
func TestLargeBodiesLeaveRoomForSmallOnes(t *testing.T) {
	b := newBodies()
	require.True(t, b.large.TryAcquire(maxLargeBytes))
	body, done, err := b.readText(33_000)
	require.NoError(t, err)
	require.Len(t, body, 33_000)
	done()
	_, _, err = b.readText(firstBodyBytes)
	require.Equal(t, codes.Unavailable, faultOf(err).Code)
	require.True(t, faultOf(err).Retry)
	b.large.Release(maxLargeBytes)

	require.True(t, b.small.TryAcquire(maxSmallBytes))
	_, _, err = b.readText(0)
	require.Equal(t, codes.Unavailable, faultOf(err).Code)
	b.small.Release(maxSmallBytes)
	b.requireFree(t)
}

func (b bodies) readText(size int) (body []byte, done func(), err error) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(text(size)))
	return b.read(httptest.NewRecorder(), r, maxCallbackBytes)
}
