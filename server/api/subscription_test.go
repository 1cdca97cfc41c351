package api_test

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

// subscription returns one of OtherApp's that is fine, and posts to nowhere.
func subscription() *susulv1.Subscription {
	return &susulv1.Subscription{
		DisplayName: "coupons", Url: "http://127.0.0.1:9/coupons?shop=1", Filter: `event.milestone == "CLICKED"`, Paused: true,
		Secrets: []string{subscriptionSecret},
	}
}

// subscriptionSecret signs for those who bring their own.
const subscriptionSecret = "a-subscriptions-own-secret"

func subscribe(id string, change func(*susulv1.Subscription)) *susulv1.CreateSubscriptionRequest {
	s := subscription()
	if change != nil {
		change(s)
	}
	return &susulv1.CreateSubscriptionRequest{Parent: other, SubscriptionId: id, Subscription: s}
}

// secret notes a secret that a call has told, which the log must not.
func (w world) secret(t testing.TB, told string) string {
	t.Helper()
	require.NotEmpty(t, told)
	*w.secrets = append(*w.secrets, told)
	return told
}

// subscribe stores a subscription of OtherApp's.
func (w world) subscribe(t testing.TB, id string, change func(*susulv1.Subscription)) *susulv1.Subscription {
	t.Helper()
	resp, outcome := w.grpc(t, asOther, subscribe(id, change))
	require.Zero(t, outcome)
	created := resp.(*susulv1.CreateSubscriptionResponse).GetSubscription()
	for _, secret := range created.GetSecrets() {
		w.secret(t, secret)
	}
	return created
}

func (w world) subscription(t testing.TB, name string) *susulv1.Subscription {
	t.Helper()
	return w.alike(t, asOther, &susulv1.GetSubscriptionRequest{Name: name}).(*susulv1.GetSubscriptionResponse).GetSubscription()
}

func (w world) TestSubscriptions(t *testing.T) {
	full := &susulv1.Subscription{
		Name: "apps/forged/subscriptions/forged", Uid: "forged", DisplayName: "Coupons", Description: "Who clicks gets one.",
		Url: "http://127.0.0.1:9/coupons?shop=1", Filter: `event.milestone == "CLICKED" && custom_args.kind == "promotion"`,
		Format:   susulv1.SubscriptionFormat_SUBSCRIPTION_FORMAT_STANDARD_WEBHOOKS,
		Username: "coupon-service", Secrets: []string{subscriptionSecret, "the-one-before-that-one"}, Paused: true,
		MaxConcurrency: 7, RequestsPerSecond: 12.5, RelayEndpoint: "forged",
	}
	overGRPC, outcome := w.grpc(t, asOther, &susulv1.CreateSubscriptionRequest{Parent: other, SubscriptionId: "full", Subscription: full})
	require.Zero(t, outcome)
	created := overGRPC.(*susulv1.CreateSubscriptionResponse).GetSubscription()
	want := proto.CloneOf(full)
	want.Name, want.RelayEndpoint, want.Secrets = other+"/subscriptions/full", other+"/relayEndpoints/sub-full", nil
	want.Uid, want.Etag, want.CreateTime, want.UpdateTime = created.GetUid(), created.GetEtag(), created.GetCreateTime(), created.GetUpdateTime()
	require.True(t, proto.Equal(want, created), "want %v\ngot  %v", want, created)
	require.NotEqual(t, "forged", created.GetUid())
	require.NotEmpty(t, created.GetUid())
	require.NotEmpty(t, created.GetEtag())
	require.WithinDuration(t, time.Now(), created.GetCreateTime().AsTime(), time.Minute)
	require.Equal(t, created.GetCreateTime().AsTime(), created.GetUpdateTime().AsTime())
	require.True(t, proto.Equal(created, w.subscription(t, created.GetName())))

	least := &susulv1.CreateSubscriptionRequest{
		Parent: other, SubscriptionId: "least", Subscription: &susulv1.Subscription{Url: "http://127.0.0.1:9/", Paused: true},
	}
	overREST, outcome := w.rest(t, asAdmin, least)
	require.Zero(t, outcome, overREST.Body)
	require.Equal(t, other+"/subscriptions/least", member(t, overREST.Body, "name"))
	shown := w.subscription(t, other+"/subscriptions/least")
	require.EqualValues(t, 4, shown.GetMaxConcurrency())
	require.Equal(t, "susul", shown.GetUsername())
	require.Equal(t, susulv1.SubscriptionFormat_SUBSCRIPTION_FORMAT_ENGAGELAB, shown.GetFormat())
	require.Zero(t, shown.GetRequestsPerSecond())

	exists := failure(codes.AlreadyExists, http.StatusConflict, "ALREADY_EXISTS")
	w.refuses(t, asOther, least, exists)
	elsewhere := &susulv1.CreateSubscriptionRequest{Parent: app, SubscriptionId: "least", Subscription: subscription()}
	_, outcome = w.grpc(t, asApp, elsewhere)
	require.Zero(t, outcome, "another app may use the same name")
	w.refuses(t, asApp, &susulv1.GetSubscriptionRequest{Name: app + "/subscriptions/full"}, missing)

	for _, req := range []proto.Message{
		&susulv1.GetSubscriptionRequest{Name: other + "/subscriptions/nobody"},
		&susulv1.DeleteSubscriptionRequest{Name: other + "/subscriptions/nobody"},
		&susulv1.RotateSubscriptionSecretRequest{Name: other + "/subscriptions/nobody"},
		&susulv1.UpdateSubscriptionRequest{Subscription: &susulv1.Subscription{Name: other + "/subscriptions/nobody", Paused: true}},
	} {
		told := w.refuses(t, asOther, req, missing)
		require.Equal(t, other+"/subscriptions/nobody", told.Metadata["resource"])
	}
	for _, req := range []proto.Message{
		&susulv1.CreateSubscriptionRequest{Parent: "apps/nobody", SubscriptionId: "s", Subscription: subscription()},
		&susulv1.ListSubscriptionsRequest{Parent: "apps/nobody"},
		&susulv1.GetSubscriptionRequest{Name: "apps/nobody/subscriptions/full"},
	} {
		told := w.refuses(t, asAdmin, req, missing)
		require.Equal(t, "apps/nobody", told.Metadata["resource"])
	}
	w.refuses(t, asOther, &susulv1.GetSubscriptionRequest{Name: other + "/subscriptions/No-body"}, invalid("name"))
}

func failure(code codes.Code, status int, reason string) want {
	return want{code: code, http: status, reason: reason}
}

func (w world) TestListSubscriptions(t *testing.T) {
	for i := range 3 {
		w.subscribe(t, fmt.Sprintf("list-%d", i), nil)
	}
	var names []string
	for token := ""; ; {
		req := &susulv1.ListSubscriptionsRequest{Parent: other, PageSize: 2, PageToken: token}
		page := w.alike(t, asOther, req).(*susulv1.ListSubscriptionsResponse)
		require.LessOrEqual(t, len(page.GetSubscriptions()), 2)
		for _, found := range page.GetSubscriptions() {
			require.Empty(t, found.GetSecrets())
			names = append(names, found.GetName())
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
		w.refuses(t, asAdmin, &susulv1.ListSubscriptionsRequest{Parent: app, PageToken: token}, invalid("page_token"))
	}
	require.True(t, slices.IsSorted(names), names)
	require.Subset(t, names, []string{other + "/subscriptions/list-0", other + "/subscriptions/list-1", other + "/subscriptions/list-2"})
	require.Len(t, slices.Compact(slices.Clone(names)), len(names))
	for _, name := range names {
		require.True(t, strings.HasPrefix(name, other+"/"), "only the app's: %s", name)
	}
	w.refuses(t, asOther, &susulv1.ListSubscriptionsRequest{Parent: other, PageToken: "x"}, invalid("page_token"))
	w.refuses(t, asOther, &susulv1.ListSubscriptionsRequest{Parent: other, PageSize: 1001}, invalid("page_size"))
	w.refuses(t, asOther, &susulv1.ListSubscriptionsRequest{Parent: other, PageSize: -1}, invalid("page_size"))
}

// invalidSubscriptions are changes that make a sound subscription unsound, and the fields that are at fault.
var invalidSubscriptions = map[string]struct {
	change func(*susulv1.Subscription)
	fields []string
	// becoming are the fields that are at fault when it becomes so by a change; nil for the same.
	becoming []string
}{
	"no URL":         {func(s *susulv1.Subscription) { s.Url = "" }, []string{"url"}, nil},
	"no scheme":      {func(s *susulv1.Subscription) { s.Url = "example.com/events" }, []string{"url"}, nil},
	"other scheme":   {func(s *susulv1.Subscription) { s.Url = "ftp://example.com/" }, []string{"url"}, nil},
	"no host":        {func(s *susulv1.Subscription) { s.Url = "https:///events" }, []string{"url"}, nil},
	"user in URL":    {func(s *susulv1.Subscription) { s.Url = "https://user:" + subscriptionSecret + "@example.com/" }, []string{"url"}, nil},
	"only a user":    {func(s *susulv1.Subscription) { s.Url = "https://user@example.com/" }, []string{"url"}, nil},
	"long URL":       {func(s *susulv1.Subscription) { s.Url = "https://example.com/" + text(2029) }, []string{"url"}, nil},
	"filter":         {func(s *susulv1.Subscription) { s.Filter = "event.milestone ==" }, []string{"filter"}, nil},
	"filter type":    {func(s *susulv1.Subscription) { s.Filter = "event.milestone" }, []string{"filter"}, nil},
	"unknown name":   {func(s *susulv1.Subscription) { s.Filter = `device.tier == "gold"` }, []string{"filter"}, nil},
	"long filter":    {func(s *susulv1.Subscription) { s.Filter = `"` + text(4096) + `" == ""` }, []string{"filter"}, nil},
	"format":         {func(s *susulv1.Subscription) { s.Format = 9 }, []string{"format"}, nil},
	"username":       {func(s *susulv1.Subscription) { s.Username = "a;b=c" }, []string{"username"}, nil},
	"long username":  {func(s *susulv1.Subscription) { s.Username = text(65) }, []string{"username"}, nil},
	"short secret":   {func(s *susulv1.Subscription) { s.Secrets = []string{text(15)} }, []string{"secrets[0]"}, nil},
	"long secret":    {func(s *susulv1.Subscription) { s.Secrets = []string{subscriptionSecret, text(257)} }, []string{"secrets[1]"}, nil},
	"secret's bytes": {func(s *susulv1.Subscription) { s.Secrets = []string{"a secret with spaces"} }, []string{"secrets[0]"}, nil},
	"not base64":     {func(s *susulv1.Subscription) { s.Secrets = []string{"whsec_!!!!!!!!!!!!!!!!"} }, []string{"secrets[0]"}, nil},
	"three secrets": {
		func(s *susulv1.Subscription) { s.Secrets = []string{text(16), text(17), text(18)} }, []string{"secrets"}, nil,
	},
	"the same twice": {func(s *susulv1.Subscription) { s.Secrets = []string{text(16), text(16)} }, []string{"secrets"}, []string{"secrets[1]"}},
	"concurrency":    {func(s *susulv1.Subscription) { s.MaxConcurrency = 33 }, []string{"max_concurrency"}, nil},
	"below none":     {func(s *susulv1.Subscription) { s.MaxConcurrency = -1 }, []string{"max_concurrency"}, nil},
	"rate":           {func(s *susulv1.Subscription) { s.RequestsPerSecond = -0.5 }, []string{"requests_per_second"}, nil},
	"high rate":      {func(s *susulv1.Subscription) { s.RequestsPerSecond = 100_001 }, []string{"requests_per_second"}, nil},
	"no number":      {func(s *susulv1.Subscription) { s.RequestsPerSecond = math.NaN() }, []string{"requests_per_second"}, nil},
	"endless":        {func(s *susulv1.Subscription) { s.RequestsPerSecond = math.Inf(1) }, []string{"requests_per_second"}, nil},
	"display name":   {func(s *susulv1.Subscription) { s.DisplayName = text(201) }, []string{"display_name"}, nil},
	"description":    {func(s *susulv1.Subscription) { s.Description = text(2001) }, []string{"description"}, nil},
	"all at once": {
		func(s *susulv1.Subscription) {
			s.Url, s.Filter, s.Format, s.Username = "https://u:p@example.com", "1", 9, "?"
			s.Secrets = []string{"whsec_????????????????", "short"}
			s.MaxConcurrency, s.RequestsPerSecond, s.DisplayName, s.Description = 33, -1, text(201), text(2001)
		},
		[]string{
			"url", "filter", "format", "username", "secrets[0]", "secrets[1]", "max_concurrency", "requests_per_second", "display_name",
			"description",
		}, nil,
	},
}

// under puts something before each field.
func under(prefix string, fields []string) []string {
	all := make([]string, len(fields))
	for i, field := range fields {
		all[i] = prefix + field
	}
	return all
}

func (w world) TestInvalidSubscriptions(t *testing.T) {
	created := w.subscribe(t, "to-be-spoilt", nil)
	all := mask("display_name", "description", "url", "filter", "format", "username", "secrets", "max_concurrency", "requests_per_second")
	for name, c := range invalidSubscriptions {
		t.Run(name, func(t *testing.T) {
			told := w.refuses(t, asOther, subscribe("invalid", c.change), invalid(under("subscription.", c.fields)...))
			require.NotContains(t, told.Message, subscriptionSecret)
			// The rules hold for what becomes of a subscription, too.
			change := subscription()
			c.change(change)
			change.Name = created.GetName()
			fields := c.fields
			if c.becoming != nil {
				fields = c.becoming
			}
			req := &susulv1.UpdateSubscriptionRequest{Subscription: change, UpdateMask: all}
			told = w.refuses(t, asOther, req, invalid(under("subscription.", fields)...))
			require.NotContains(t, told.Message, subscriptionSecret)
		})
	}
	require.True(t, proto.Equal(created, w.subscription(t, created.GetName())), "nothing has changed")
	w.refuses(t, asOther, subscribe("Not An ID", nil), invalid("subscription_id"))
	w.refuses(t, asOther, subscribe("", nil), invalid("subscription_id"))
	w.refuses(t, asOther, subscribe("Not An ID", func(s *susulv1.Subscription) { s.Filter = "?" }), invalid("subscription_id", "subscription.filter"))
	_, outcome := w.grpc(t, asOther, &susulv1.CreateSubscriptionRequest{Parent: other, SubscriptionId: "nothing"})
	require.Equal(t, []string{"subscription"}, outcome.Fields)
	w.refuses(t, asOther, &susulv1.GetSubscriptionRequest{Name: other + "/subscriptions/invalid"}, missing)
}

func (w world) TestUpdateSubscription(t *testing.T) {
	created := w.subscribe(t, "update", nil)
	update := func(m *fieldmaskpb.FieldMask, change *susulv1.Subscription) *susulv1.Subscription {
		t.Helper()
		change.Name = created.GetName()
		resp, outcome := w.grpc(t, asOther, &susulv1.UpdateSubscriptionRequest{Subscription: change, UpdateMask: m})
		require.Zero(t, outcome)
		updated := resp.(*susulv1.UpdateSubscriptionResponse).GetSubscription()
		require.True(t, proto.Equal(updated, w.subscription(t, created.GetName())))
		require.Equal(t, created.GetUid(), updated.GetUid())
		require.Equal(t, created.GetCreateTime().AsTime(), updated.GetCreateTime().AsTime())
		require.Empty(t, updated.GetSecrets())
		return updated
	}
	updated := update(mask("paused"), &susulv1.Subscription{DisplayName: "not meant", Etag: created.GetEtag()})
	require.False(t, updated.GetPaused())
	require.Equal(t, "coupons", updated.GetDisplayName())
	require.NotEqual(t, created.GetEtag(), updated.GetEtag())

	all := &susulv1.Subscription{
		DisplayName: "all", Description: "of it", Url: "http://127.0.0.1:9/all", Filter: "event.step > 0", Username: "all",
		Format: susulv1.SubscriptionFormat_SUBSCRIPTION_FORMAT_STANDARD_WEBHOOKS, MaxConcurrency: 9, RequestsPerSecond: 3, Paused: true,
	}
	fields := all.ProtoReflect().Descriptor().Fields()
	for _, path := range []string{
		"display_name", "description", "url", "filter", "format", "username", "paused", "max_concurrency", "requests_per_second",
	} { // each by itself, and nothing else
		want := proto.CloneOf(updated)
		field := fields.ByTextName(path)
		want.ProtoReflect().Set(field, all.ProtoReflect().Get(field))
		updated = update(mask(path), proto.CloneOf(all))
		want.Etag, want.UpdateTime = updated.GetEtag(), updated.GetUpdateTime()
		require.True(t, proto.Equal(want, updated), "%s\nwant %v\ngot  %v", path, want, updated)
	}
	updated = update(mask("name", "uid", "etag", "relay_endpoint", "create_time", "update_time"), &susulv1.Subscription{
		Uid: "forged", RelayEndpoint: "forged",
	})
	require.Equal(t, created.GetRelayEndpoint(), updated.GetRelayEndpoint())

	updated = update(nil, &susulv1.Subscription{DisplayName: "part"})
	require.Equal(t, "part", updated.GetDisplayName())
	require.True(t, updated.GetPaused(), "what is not set stays")
	require.EqualValues(t, 9, updated.GetMaxConcurrency())

	updated = update(mask("max_concurrency", "username", "format", "filter"), &susulv1.Subscription{})
	require.EqualValues(t, 4, updated.GetMaxConcurrency(), "what is taken away has its default again")
	require.Equal(t, "susul", updated.GetUsername())
	require.Equal(t, susulv1.SubscriptionFormat_SUBSCRIPTION_FORMAT_ENGAGELAB, updated.GetFormat())
	require.Empty(t, updated.GetFilter())

	updated = update(mask("*"), &susulv1.Subscription{Url: "http://127.0.0.1:9/whole", Paused: true})
	require.Equal(t, "http://127.0.0.1:9/whole", updated.GetUrl())
	require.Empty(t, updated.GetDisplayName())

	// PATCH without a mask changes what its body holds.
	resp := w.Do(t, http.MethodPatch, "/v1/"+created.GetName(), []byte(`{"displayName":"patched","paused":false}`), "Authorization", asOther)
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)
	patched := w.subscription(t, created.GetName())
	require.Equal(t, "patched", patched.GetDisplayName())
	require.False(t, patched.GetPaused())
	require.Equal(t, "http://127.0.0.1:9/whole", patched.GetUrl())
	update(mask("paused"), &susulv1.Subscription{Paused: true})

	stale := failure(codes.Aborted, http.StatusConflict, "ETAG_MISMATCH")
	for name, c := range map[string]struct {
		mask   *fieldmaskpb.FieldMask
		change *susulv1.Subscription
		want   want
	}{
		"stale etag":      {mask("paused"), &susulv1.Subscription{Etag: created.GetEtag()}, stale},
		"odd etag":        {mask("paused"), &susulv1.Subscription{Etag: "x"}, invalid("subscription.etag")},
		"no such field":   {mask("paws"), &susulv1.Subscription{}, invalid("update_mask")},
		"within a string": {mask("url.host"), &susulv1.Subscription{}, invalid("update_mask")},
		"URL removed":     {mask("url"), &susulv1.Subscription{}, invalid("subscription.url")},
		"secrets removed": {mask("secrets"), &susulv1.Subscription{}, invalid("subscription.secrets")},
		"several": {
			mask("url", "filter"), &susulv1.Subscription{Filter: "?"}, invalid("subscription.url", "subscription.filter"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.change.Name = created.GetName()
			w.refuses(t, asOther, &susulv1.UpdateSubscriptionRequest{Subscription: c.change, UpdateMask: c.mask}, c.want)
		})
	}
	_, outcome := w.grpc(t, asOther, &susulv1.UpdateSubscriptionRequest{Subscription: &susulv1.Subscription{Name: "x"}})
	require.Equal(t, []string{"subscription.name"}, outcome.Fields)
	_, outcome = w.grpc(t, asOther, &susulv1.UpdateSubscriptionRequest{})
	require.Equal(t, []string{"subscription.name"}, outcome.Fields)

	w.refuses(t, asOther, &susulv1.DeleteSubscriptionRequest{Name: created.GetName(), Etag: created.GetEtag()}, stale)
	w.refuses(t, asOther, &susulv1.DeleteSubscriptionRequest{Name: created.GetName(), Etag: "x"}, invalid("etag"))
	_, outcome = w.rest(t, asOther, &susulv1.DeleteSubscriptionRequest{
		Name: created.GetName(), Etag: w.subscription(t, created.GetName()).GetEtag(),
	})
	require.Zero(t, outcome)
	w.refuses(t, asOther, &susulv1.DeleteSubscriptionRequest{Name: created.GetName()}, missing)
	again := w.subscribe(t, "update", nil)
	require.NotEqual(t, created.GetUid(), again.GetUid())
}

// Secrets are told where they are made up, and nowhere else.
func (w world) TestSubscriptionSecrets(t *testing.T) {
	w.secret(t, subscriptionSecret)
	own := w.subscribe(t, "own-secret", nil)
	require.Empty(t, own.GetSecrets(), "who gave it knows it")

	none := func(s *susulv1.Subscription) { s.Secrets = nil }
	made := w.subscribe(t, "made-up", none)
	require.Len(t, made.GetSecrets(), 1)
	require.True(t, strings.HasPrefix(made.GetSecrets()[0], "whsec_"), "a Standard Webhooks secret")
	overREST, outcome := w.rest(t, asOther, subscribe("made-up-over-rest", none))
	require.Zero(t, outcome, overREST.Body)
	other1 := w.secret(t, jsonList(t, overREST.Body, "secrets")[0])
	require.NotEqual(t, made.GetSecrets()[0], other1)
	require.Empty(t, w.subscription(t, made.GetName()).GetSecrets())

	rotate := &susulv1.RotateSubscriptionSecretRequest{Name: made.GetName()}
	resp, outcome := w.grpc(t, asOther, rotate)
	require.Zero(t, outcome)
	rotated := resp.(*susulv1.RotateSubscriptionSecretResponse)
	require.NotEqual(t, made.GetSecrets()[0], w.secret(t, rotated.GetSecret()))
	require.WithinDuration(t, time.Now().Add(24*time.Hour), rotated.GetPreviousExpireTime().AsTime(), time.Minute)
	require.Empty(t, rotated.GetSubscription().GetSecrets())
	require.NotEqual(t, made.GetEtag(), rotated.GetSubscription().GetEtag())
	require.True(t, proto.Equal(rotated.GetSubscription(), w.subscription(t, made.GetName())))

	rotate.KeepPrevious = durationpb.New(time.Hour)
	again, outcome := w.rest(t, asOther, rotate)
	require.Zero(t, outcome, again.Body)
	require.NotEqual(t, rotated.GetSecret(), w.secret(t, member(t, again.Body, "secret")))
	until, err := time.Parse(time.RFC3339, member(t, again.Body, "previousExpireTime"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), until, time.Minute)

	rotate.KeepPrevious = durationpb.New(0)
	resp, outcome = w.grpc(t, asOther, rotate)
	require.Zero(t, outcome)
	w.secret(t, resp.(*susulv1.RotateSubscriptionSecretResponse).GetSecret())
	require.Nil(t, resp.(*susulv1.RotateSubscriptionSecretResponse).GetPreviousExpireTime(), "it ended at once")

	for _, keep := range []time.Duration{-time.Second, 31 * 24 * time.Hour} {
		rotate.KeepPrevious = durationpb.New(keep)
		w.refuses(t, asOther, rotate, invalid("keep_previous"))
	}

	// An update changes secrets only where it has some.
	change := subscription()
	change.Name, change.Secrets = own.GetName(), []string{w.secret(t, "another-one-of-its-own"), subscriptionSecret}
	updated, outcome := w.grpc(t, asOther, &susulv1.UpdateSubscriptionRequest{Subscription: change, UpdateMask: mask("secrets")})
	require.Zero(t, outcome)
	require.Empty(t, updated.(*susulv1.UpdateSubscriptionResponse).GetSubscription().GetSecrets())
}
