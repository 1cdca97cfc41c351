package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNames(t *testing.T) {
	var device string
	app, id, err := parsePush(recipientName("app-1", 77, "dev.ice_~1"), recipientPattern, &device)
	require.NoError(t, err)
	require.Equal(t, "app-1", app)
	require.EqualValues(t, 77, id)
	require.Equal(t, "dev.ice_~1", device)

	app, id, err = parsePush(reportName("a", 1), reportPattern)
	require.NoError(t, err)
	require.Equal(t, "a", app)
	require.EqualValues(t, 1, id)

	for _, name := range []string{"", "apps", "apps/", "apps/a", "apps/a/pushes/", "apps/a/pushes/x", "apps/a/pushes/1/more", "apps/a/pushes/9223372036854775808"} {
		_, _, err := parsePush(name, pushPattern)
		require.Error(t, err, name)
	}
	for _, name := range []string{"", "apps", "apps/a/b", "pushes/a"} {
		_, err := parseApp(name)
		require.Error(t, err, name)
	}
}

func TestPageTokensBelongToTheirList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, otherList := rapid.String().Draw(t, "list"), rapid.String().Draw(t, "other list")
		after := rapid.Int64().Draw(t, "after")
		token := pageToken{Of: list, After: msgID(after)}.encode()
		got, err := decodeNumberToken("page_token", token, list)
		require.NoError(t, err)
		require.Equal(t, after, got)
		if list != otherList {
			_, err = decodePageToken("page_token", token, otherList)
			require.Error(t, err)
		}
	})
	require.LessOrEqual(t, len(pageToken{Of: strings.Repeat("é", 5000), After: strings.Repeat("p", 63)}.encode()), 512, "what the rules allow")
	_, err := decodeNumberToken("page_token", pageToken{Of: "l", After: "x"}.encode(), "l")
	require.Error(t, err)
	_, err = decodePageToken("page_token", pageToken{Of: "l", After: "x\x00"}.encode(), "l")
	require.Error(t, err, "no list has it")
}

func FuzzPageToken(f *testing.F) {
	f.Add(pageToken{Of: "list", After: "1"}.encode())
	f.Add("bnVsbA")
	f.Fuzz(func(t *testing.T, token string) {
		if after, err := decodePageToken("page_token", token, "list"); err == nil && token != "" {
			again, err := decodePageToken("page_token", pageToken{Of: "list", After: after}.encode(), "list")
			require.NoError(t, err)
			require.Equal(t, after, again)
		}
	})
}
