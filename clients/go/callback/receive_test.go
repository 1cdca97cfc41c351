package callback_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The example takes what is signed as it should be, now, and nothing else.
func TestReceive(t *testing.T) {
	body := []byte(`{"total":1,"rows":[{"message_id":"7","to":"a-device","status":{"message_status":"click"},"susul":{"event_id":"12"}}]}`)
	post := func(body []byte, header http.Header) int {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/susul", bytes.NewReader(body))
		request.Header = header
		recorder := httptest.NewRecorder()
		receive(recorder, request)
		return recorder.Code
	}
	require.Equal(t, http.StatusOK, post(body, signed(t, body)))
	_, known := seen.Load("12")
	require.True(t, known)
	require.Equal(t, http.StatusUnauthorized, post(append(body, ' '), signed(t, body)))
	require.Equal(t, http.StatusUnauthorized, post(body, http.Header{}))
}

// signed returns the header by which a body is Susul's.
func signed(t *testing.T, body []byte) http.Header {
	t.Helper()
	now, nonce := strconv.FormatInt(time.Now().Unix(), 10), "123456789012345"
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secrets[0], "whsec_"))
	require.NoError(t, err)
	sum := func(key []byte, parts ...string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(strings.Join(parts, "")))
		return mac.Sum(nil)
	}
	header := http.Header{}
	header.Set("X-Callback-Id", "timestamp="+now+";nonce="+nonce+";username="+username+
		";signature="+hex.EncodeToString(sum([]byte(secrets[0]), now, nonce, username)))
	header.Set("Webhook-Id", "msg_1")
	header.Set("Webhook-Timestamp", now)
	header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(sum(key, "msg_1.", now, ".", string(body))))
	return header
}
