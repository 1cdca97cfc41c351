package webhook_test

import (
	"bufio"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/webhook"
)

const (
	newSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	oldSecret = "the secret before it"
)

// posted is what a receiver got.
type posted struct {
	header http.Header
	body   []byte
}

// received posts once and returns what arrived.
func received(t *testing.T, change func(*webhook.Request)) posted {
	t.Helper()
	var got posted
	address := speaking(t, func(_ int, conn *net.TCPConn) {
		r, body, err := readRequest(conn)
		if err == nil {
			got = posted{r.Header, body}
			_, _ = conn.Write([]byte("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"))
		}
	})
	r := request("http://" + address)
	r.Secrets = []string{newSecret, oldSecret}
	change(&r)
	require.NoError(t, client(t, webhook.Options{AllowPrivateNetworks: true}).Post(t.Context(), r).Err)
	return got
}

func TestAPostIsSignedBothWays(t *testing.T) {
	got := received(t, func(r *webhook.Request) { r.Username = "shop" })
	require.Equal(t, "Susul", got.header.Get("User-Agent"))
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, "whk-1", got.header.Get("webhook-id"))
	require.NotContains(t, got.header, "Idempotency-Key")
	require.NotContains(t, got.header, "Accept-Encoding")

	signature, err := engagelab.ParseSignature(got.header.Get("X-CALLBACK-ID"))
	require.NoError(t, err)
	require.True(t, signature.Verify("shop", oldSecret), "by the oldest secret")
	require.False(t, signature.Verify("shop", newSecret))
	require.Regexp(t, `^[1-9][0-9]{14}$`, signature.Nonce)
	at, err := signature.Time()
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), at, time.Minute)

	current, err := standardwebhooks.NewWebhook(newSecret)
	require.NoError(t, err)
	require.NoError(t, current.Verify(got.body, got.header))
	before, err := standardwebhooks.NewWebhookRaw([]byte(oldSecret))
	require.NoError(t, err)
	require.NoError(t, before.Verify(got.body, got.header))
	other, err := standardwebhooks.NewWebhookRaw([]byte("another secret"))
	require.NoError(t, err)
	require.ErrorIs(t, other.Verify(got.body, got.header), standardwebhooks.ErrNoMatchingSignature)
	require.Error(t, current.Verify(append(got.body, ' '), got.header), "the body is signed")
	require.Len(t, strings.Fields(got.header.Get("webhook-signature")), 2)
}

func TestEachPostHasANonceOfItsOwn(t *testing.T) {
	same := func(*webhook.Request) {}
	first, second := received(t, same), received(t, same)
	require.NotEqual(t, first.header.Get("X-CALLBACK-ID"), second.header.Get("X-CALLBACK-ID"))
}

func TestAUserNameIsMadeUp(t *testing.T) {
	got := received(t, func(r *webhook.Request) { r.Username = "" })
	signature, err := engagelab.ParseSignature(got.header.Get("X-CALLBACK-ID"))
	require.NoError(t, err)
	require.True(t, signature.Verify("susul", oldSecret))
}

func TestWithoutSecretsNothingIsSigned(t *testing.T) {
	got := received(t, func(r *webhook.Request) { r.Secrets = nil })
	require.NotContains(t, got.header, http.CanonicalHeaderKey("X-CALLBACK-ID"))
	require.NotContains(t, got.header, http.CanonicalHeaderKey("webhook-signature"))
	require.Equal(t, "whk-1", got.header.Get("webhook-id"))
	require.NotEmpty(t, got.header.Get("webhook-timestamp"))
}

func TestASecretThatOnlyLooksLikeBase64IsBytes(t *testing.T) {
	const odd = "whsec_this is no base64"
	got := received(t, func(r *webhook.Request) { r.Secrets = []string{odd} })
	hook, err := standardwebhooks.NewWebhookRaw([]byte(odd))
	require.NoError(t, err)
	require.NoError(t, hook.Verify(got.body, got.header))
}

// Some receivers look headers up letter by letter.
func TestHeadersAreSpelledAsTheyAreDocumented(t *testing.T) {
	var lines []string
	address := speaking(t, func(_ int, conn *net.TCPConn) {
		text := textproto.NewReader(bufio.NewReader(conn))
		for {
			line, err := text.ReadLine()
			if err != nil || line == "" {
				break
			}
			name, _, _ := strings.Cut(line, ":")
			lines = append(lines, name)
		}
		_, _ = conn.Write([]byte("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"))
	})
	c := client(t, webhook.Options{AllowPrivateNetworks: true})
	require.NoError(t, c.Post(t.Context(), request("http://"+address)).Err)
	require.Subset(t, lines, []string{"X-CALLBACK-ID", "webhook-id", "webhook-timestamp", "webhook-signature"})
}
