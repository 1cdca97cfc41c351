package callback_test

import (
	"encoding/json"
	"net/http"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/clients/go/callback"
)

// faults are the errors as callback_vectors.json names them.
var faults = map[string]error{
	"MISSING_HEADER":   callback.ErrMissingHeader,
	"MALFORMED_HEADER": callback.ErrMalformedHeader,
	"STALE":            callback.ErrStale,
	"WRONG_SIGNATURE":  callback.ErrWrongSignature,
	"MALFORMED_BODY":   callback.ErrMalformedBody,
}

type vector struct {
	Name     string
	Now      int64
	Username string
	Secrets  []string
	Headers  map[string]string
	Body     string
	Rows     []any
	Error    string
}

func (v vector) verify() ([]callback.Row, error) {
	header := http.Header{}
	for name, value := range v.Headers {
		header.Set(name, value)
	}
	now := func() time.Time { return time.Unix(v.Now, 0) }
	return callback.Verifier{Username: v.Username, Secrets: v.Secrets, Now: now}.Verify(header, []byte(v.Body))
}

func vectors(t *testing.T) []vector {
	t.Helper()
	text, err := os.ReadFile("../../callback_vectors.json")
	require.NoError(t, err)
	var all struct{ Vectors []vector }
	require.NoError(t, json.Unmarshal(text, &all))
	require.NotEmpty(t, all.Vectors)
	return all.Vectors
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			rows, err := v.verify()
			if v.Error != "" {
				require.ErrorIs(t, err, faults[v.Error])
				require.Empty(t, rows)
				return
			}
			require.NoError(t, err)
			require.Len(t, rows, len(v.Rows))
			for i, row := range rows {
				var found any
				require.NoError(t, json.Unmarshal(row.Raw, &found))
				require.True(t, isPart(v.Rows[i], found), "%v is not in %s", v.Rows[i], row.Raw)
			}
		})
	}
}

// isPart tells whether each member that is expected was found.
func isPart(expected, found any) bool {
	members, ok := expected.(map[string]any)
	if !ok {
		return reflect.DeepEqual(expected, found)
	}
	has, _ := found.(map[string]any)
	for name, member := range members {
		if value, ok := has[name]; !ok || !isPart(member, value) {
			return false
		}
	}
	return has != nil
}

func TestARowHasAllThatIsTold(t *testing.T) {
	rows, err := vectors(t)[0].verify()
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.NotEmpty(t, rows[0].Raw)
	rows[0].Raw = nil
	require.Equal(t, callback.Row{
		EventID: "9007199254740993", MsgID: "7340001", RegistrationID: "device-1", Status: "delivered", From: "news", Channel: "FCM",
		Time: time.Date(2026, 9, 21, 14, 13, 10, 0, time.UTC), CustomArgs: json.RawMessage(`{"kind":"news"}`), UpstreamID: "18100512",
	}, rows[0])
	second := rows[1]
	require.Equal(t, []any{3007, "NotRegistered", "FCM", 2, "b", `"a string"`},
		[]any{second.ErrorCode, second.ErrorMessage, second.LossSource, second.Step, second.Variant, string(second.CustomArgs)})
}

func TestASecretIsNeeded(t *testing.T) {
	v := vectors(t)[0]
	for _, secrets := range [][]string{nil, {""}, {v.Secrets[0], ""}} {
		v.Secrets = secrets
		_, err := v.verify()
		require.ErrorContains(t, err, "at least one secret")
	}
}

func TestVerifyKnowsTheTime(t *testing.T) {
	v := vectors(t)[0]
	header := http.Header{}
	for name, value := range v.Headers {
		header.Set(name, value)
	}
	_, err := callback.Verify(header, []byte(v.Body), v.Username, v.Secrets...)
	require.ErrorIs(t, err, callback.ErrStale)
}

func FuzzVerify(f *testing.F) {
	f.Add("timestamp=1790000000;nonce=1;username=susul;signature=00", "1790000000", "v1,AA==", `{"rows":[]}`)
	f.Fuzz(func(t *testing.T, id, timestamp, signature, body string) {
		v := vector{Now: 1790000000, Username: "susul", Secrets: []string{"a-secret"}, Body: body, Headers: map[string]string{
			"X-CALLBACK-ID": id, "webhook-id": "1", "webhook-timestamp": timestamp, "webhook-signature": signature,
		}}
		rows, err := v.verify()
		require.Error(t, err)
		require.Empty(t, rows)
	})
}
