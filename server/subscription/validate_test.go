package subscription_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/subscription"
)

const secret = "0123456789abcdef"

func coupons() subscription.Subscription {
	return subscription.Subscription{
		App: "app1", ID: "coupons", DisplayName: "Coupons", URL: "https://coupons.example/clicked?tenant=1",
		Filter:  `event.milestone == "CLICKED" && custom_args.kind == "promotion"`,
		Secrets: []subscription.Secret{{Key: secret}}, Start: 41,
	}
}

func whsec(bytes int) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, bytes))
}

func TestValid(t *testing.T) {
	require.NoError(t, coupons().Validate())
	for name, change := range map[string]func(*subscription.Subscription){
		"no filter":         func(s *subscription.Subscription) { s.Filter = "" },
		"largest":           func(s *subscription.Subscription) { s.MaxConcurrency, s.RequestsPerSecond = 32, 100_000 },
		"long":              func(s *subscription.Subscription) { s.URL += strings.Repeat("x", 2048-len(s.URL)) },
		"wide":              func(s *subscription.Subscription) { s.DisplayName = strings.Repeat("é", 200) },
		"plain HTTP":        func(s *subscription.Subscription) { s.URL = "http://[2001:db8::1]:65535" },
		"a private address": func(s *subscription.Subscription) { s.URL = "http://10.0.0.1:1/x" }, // it is refused when it is dialled
		"format":            func(s *subscription.Subscription) { s.Format = subscription.StandardWebhooks },
		"username":          func(s *subscription.Subscription) { s.Username = "A.b_c-9" },
		"an odd app key":    func(s *subscription.Subscription) { s.App = "A.b_c-9" },
		"keys in base64": func(s *subscription.Subscription) {
			s.Secrets = []subscription.Secret{{Key: whsec(24)}, {Key: whsec(64), ExpireTime: time.Now()}}
		},
		"one made up": func(s *subscription.Subscription) { s.Secrets[0].Key = subscription.NewSecret() },
	} {
		s := coupons()
		change(&s)
		require.NoError(t, s.Validate(), name)
	}
}

func TestInvalid(t *testing.T) {
	url := func(text string) func(*subscription.Subscription) {
		return func(s *subscription.Subscription) { s.URL = text }
	}
	secrets := func(secrets ...string) func(*subscription.Subscription) {
		return func(s *subscription.Subscription) {
			s.Secrets = nil
			for _, key := range secrets {
				s.Secrets = append(s.Secrets, subscription.Secret{Key: key})
			}
		}
	}
	for i, c := range []struct {
		field, description string
		change             func(*subscription.Subscription)
	}{
		{"name", "must be apps/", func(s *subscription.Subscription) { s.App = "" }},
		{"name", "must be apps/", func(s *subscription.Subscription) { s.App = "a/b" }},
		{"name", "must be apps/", func(s *subscription.Subscription) { s.ID = "Coupons" }},
		{"name", "must be apps/", func(s *subscription.Subscription) { s.ID = strings.Repeat("x", 64) }},
		{"display_name", "201 characters", func(s *subscription.Subscription) { s.DisplayName = strings.Repeat("x", 201) }},
		{"description", "2001 characters", func(s *subscription.Subscription) { s.Description = strings.Repeat("x", 2001) }},
		{"description", "UTF-8", func(s *subscription.Subscription) { s.Description = "\xff" }},
		{"url", "http or https", url("")},
		{"url", "http or https", url("coupons.example/x")},
		{"url", "http or https", url("ftp://coupons.example/x")},
		{"url", "http or https", url("https:///x")},
		{"url", "http or https", url("https://:8080/x")},
		{"url", "http or https", url("https:coupons.example")},
		{"url", "http or https", url("https://coupons.example/\n")},
		{"url", "http or https", url("https://coupons.example/\xff")},
		{"url", "http or https", url("https://coupons.example:http/")},
		{"url", "port", url("https://coupons.example:0/")},
		{"url", "port", url("https://coupons.example:65536/")},
		{"url", "user name", url("https://me@coupons.example/")},
		{"url", "user name", url("https://me:pass@coupons.example/")},
		{"url", "fragment", url("https://coupons.example/#x")},
		{"url", "fragment", url("https://coupons.example/#")},
		{"url", "2049 bytes", url("https://coupons.example/" + strings.Repeat("x", 2025))},
		{"filter", "undeclared reference", func(s *subscription.Subscription) { s.Filter = `event.milstone == "SENT"` }},
		{"filter", "must yield bool", func(s *subscription.Subscription) { s.Filter = `event.step` }},
		{"filter", "4097 bytes", func(s *subscription.Subscription) { s.Filter = strings.Repeat(" ", 4093) + "true" }},
		{"filter", "UTF-8", func(s *subscription.Subscription) { s.Filter = "\"\xff\" == \"\"" }},
		{"format", "no format", func(s *subscription.Subscription) { s.Format = "XML" }},
		{"username", "must match", func(s *subscription.Subscription) { s.Username = "me;" }},
		{"username", "must match", func(s *subscription.Subscription) { s.Username = strings.Repeat("x", 65) }},
		{"secrets", "between 1 and 2, not 0", secrets()},
		{"secrets", "between 1 and 2, not 3", secrets(secret, secret+"2", secret+"3")},
		{"secrets[0]", "16 to 256 visible", secrets("short")},
		{"secrets[0]", "16 to 256 visible", secrets("with a space in it")},
		{"secrets[1]", "16 to 256 visible", secrets(secret, strings.Repeat("x", 257))},
		{"secrets[0]", "base64 after whsec_", secrets("whsec_0123456789-_")},
		{"secrets[0]", "24 to 64 bytes", secrets(whsec(23))},
		{"secrets[1]", "24 to 64 bytes", secrets(secret, whsec(65))},
		{"secrets[1]", "same as the first", secrets(secret, secret)},
		{"secrets[0]", "must not expire", func(s *subscription.Subscription) { s.Secrets[0].ExpireTime = time.Now() }},
		{"max_concurrency", "between 1 and 32", func(s *subscription.Subscription) { s.MaxConcurrency = -1 }},
		{"max_concurrency", "between 1 and 32", func(s *subscription.Subscription) { s.MaxConcurrency = 33 }},
		{"requests_per_second", "between 0 and", func(s *subscription.Subscription) { s.RequestsPerSecond = -0.1 }},
		{"requests_per_second", "between 0 and", func(s *subscription.Subscription) { s.RequestsPerSecond = math.NaN() }},
		{"requests_per_second", "between 0 and", func(s *subscription.Subscription) { s.RequestsPerSecond = math.Inf(1) }},
	} {
		s := coupons()
		c.change(&s)
		var invalid *subscription.InvalidError
		require.ErrorAs(t, s.Validate(), &invalid, "case %d", i)
		require.Len(t, invalid.Violations, 1, "case %d: %v", i, invalid)
		require.Equal(t, c.field, invalid.Violations[0].Field, "case %d", i)
		require.Contains(t, invalid.Violations[0].Description, c.description, "case %d", i)
	}
}

func TestEveryFaultIsTold(t *testing.T) {
	s := subscription.Subscription{
		URL: "https://me:hunter2hunter2@h/?token=hush", Filter: "1", Username: "?", MaxConcurrency: 99, RequestsPerSecond: -1,
		Secrets: []subscription.Secret{{Key: "whsec_hush"}, {Key: "hush"}},
	}
	err := s.Validate()
	var invalid *subscription.InvalidError
	require.ErrorAs(t, err, &invalid)
	var fields []string
	for _, v := range invalid.Violations {
		fields = append(fields, v.Field)
	}
	require.Equal(t, []string{
		"name", "url", "username", "secrets[0]", "secrets[1]", "max_concurrency", "requests_per_second", "filter",
	}, fields)
	require.NotContains(t, err.Error(), "hush")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestSecretsAreNotPrinted(t *testing.T) {
	s := coupons()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, s), secret, verb)
		require.NotContains(t, fmt.Sprintf(verb, &s), secret, verb)
	}
	require.NotContains(t, errors.Join(fmt.Errorf("%v", s)).Error(), secret)
}

func TestLive(t *testing.T) {
	s := coupons()
	require.Equal(t, []string{secret}, s.Live(start))
	s.Secrets = append(s.Secrets, subscription.Secret{Key: "old", ExpireTime: start})
	require.Equal(t, []string{secret, "old"}, s.Live(start.Add(-1)))
	require.Equal(t, []string{secret}, s.Live(start))
	made, another := subscription.NewSecret(), subscription.NewSecret()
	require.NotEqual(t, made, another)
}
