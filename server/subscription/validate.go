package subscription

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"susul.dev/susul/server/expression"
)

// The limits of a subscription.
const (
	maxURL               = 2048 // bytes
	maxConcurrency       = 32
	maxRequestsPerSecond = 100_000
	maxSecrets           = 2

	maxDisplayName = 200 // characters
	maxDescription = 2000
	maxPort        = 1<<16 - 1

	minKey = 24 // bytes of a key in base64, as Standard Webhooks has it
	maxKey = 64
)

// The patterns of names and of secrets. They are never written to.
var (
	appPattern      = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	idPattern       = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	usernamePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{0,64}$`)
	secretPattern   = regexp.MustCompile(`^[!-~]{16,256}$`)
)

// Violation is one fault of a subscription. Field is its path in the API, such as "secrets[1]".
type Violation struct {
	Field       string
	Description string
}

// InvalidError lists every fault of a subscription. It holds neither secrets nor the URL.
type InvalidError struct {
	Violations []Violation
}

// Error names all violations.
func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		texts[i] = v.Field + ": " + v.Description
	}
	return "invalid subscription: " + strings.Join(texts, "; ")
}

// Validate returns an *InvalidError that lists every fault of the subscription, or nil.
func (s Subscription) Validate() error {
	_, err := Compile(s)
	return err
}

// faults collects violations.
type faults []Violation

func (f *faults) add(field, format string, args ...any) {
	*f = append(*f, Violation{Field: field, Description: fmt.Sprintf(format, args...)})
}

// all checks everything but whether the filter compiles.
func (f *faults) all(s Subscription) {
	if !appPattern.MatchString(s.App) || !idPattern.MatchString(s.ID) {
		f.add("name", "must be apps/{app_key}/subscriptions/{id}, with an app key like %s and an id like %s", appPattern, idPattern)
	}
	f.text("display_name", s.DisplayName, maxDisplayName)
	f.text("description", s.Description, maxDescription)
	if fault := urlFault(s.URL); fault != "" {
		f.add("url", "%s", fault)
	}
	if s.Format != EngageLab && s.Format != StandardWebhooks {
		f.add("format", "there is no format %q", s.Format)
	}
	if !usernamePattern.MatchString(s.Username) {
		f.add("username", "must match %s", usernamePattern)
	}
	f.secrets(s.Secrets)
	if s.MaxConcurrency < 0 || s.MaxConcurrency > maxConcurrency {
		f.add("max_concurrency", "must be between 1 and %d, or 0 for %d", maxConcurrency, DefaultConcurrency)
	}
	if !(s.RequestsPerSecond >= 0 && s.RequestsPerSecond <= maxRequestsPerSecond) { // NaN is neither
		f.add("requests_per_second", "must be between 0 and %d", maxRequestsPerSecond)
	}
}

func (f *faults) text(field, s string, limit int) {
	switch {
	case !utf8.ValidString(s):
		f.add(field, "is not valid UTF-8")
	case utf8.RuneCountInString(s) > limit:
		f.add(field, "is %d characters long, more than %d", utf8.RuneCountInString(s), limit)
	}
}

// urlFault says what is wrong with where events are to be posted. Which addresses are refused is decided when they are dialled: a name
// may lead anywhere by then.
func urlFault(text string) string {
	if len(text) > maxURL {
		return fmt.Sprintf("is %d bytes long, more than %d", len(text), maxURL)
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Hostname() == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") || !utf8.ValidString(text):
		return "must be an http or https URL"
	case parsed.User != nil:
		return "must not hold a user name or password"
	case strings.Contains(text, "#"):
		return "must not have a fragment"
	}
	if port := parsed.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > maxPort {
			return fmt.Sprintf("must have a port between 1 and %d", maxPort)
		}
	}
	return ""
}

func (f *faults) secrets(secrets []Secret) {
	if n := len(secrets); n < 1 || n > maxSecrets {
		f.add("secrets", "must be between 1 and %d, not %d", maxSecrets, n)
		return
	}
	for i, secret := range secrets {
		field := fmt.Sprintf("secrets[%d]", i)
		if fault := secretFault(secret.Key); fault != "" {
			f.add(field, "%s", fault)
		}
		switch {
		case i == 0 && !secret.ExpireTime.IsZero():
			f.add(field, "must not expire")
		case i > 0 && secret.Key == secrets[0].Key:
			f.add(field, "must not be the same as the first")
		}
	}
}

func secretFault(key string) string {
	if !secretPattern.MatchString(key) {
		return "must be 16 to 256 visible ASCII characters"
	}
	encoded, ok := strings.CutPrefix(key, SecretPrefix)
	if !ok {
		return ""
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case err != nil:
		return "must be base64 after " + SecretPrefix
	case len(decoded) < minKey || len(decoded) > maxKey:
		return fmt.Sprintf("must be the base64 of %d to %d bytes after %s, not of %d", minKey, maxKey, SecretPrefix, len(decoded))
	default:
		return ""
	}
}

// filter compiles a filter.
func (f *faults) filter(source string) *Filter {
	switch {
	case source == "":
		return nil
	case len(source) > expression.MaxSize:
		f.add("filter", "is %d bytes long, more than %d", len(source), expression.MaxSize)
		return nil
	case !utf8.ValidString(source):
		f.add("filter", "is not valid UTF-8")
		return nil
	}
	filter, err := CompileFilter(source)
	if err != nil {
		f.add("filter", "%s", err)
	}
	return filter
}
