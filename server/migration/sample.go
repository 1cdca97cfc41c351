package migration

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"susul.dev/susul/storage"
)

// samplePage is how much of a list is compared.
const samplePage = 500

// someday is later than anything that is due.
var someday = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// reading is one call of the storage interface.
type reading struct {
	what string
	call func(storage.Store) (any, error)
}

// sampler compares what both sides answer.
type sampler struct {
	ctx            context.Context
	source, target storage.Store
	page           int // how much of a list is compared
	found          *Mismatch
}

// verifySample reads a sample from both sides as a server does.
func (m *migration) verifySample(ctx context.Context, found *Mismatch) (err error) {
	target, err := m.Target.Reader(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	apps, err := m.Source.Apps(ctx)
	if err != nil {
		return err
	}
	pushes, err := m.Source.SampleOfPushes(ctx, m.Sample)
	if err != nil {
		return err
	}
	s := &sampler{ctx: ctx, source: m.Source.Store(), target: target, page: samplePage, found: found}
	return s.compareAll(apps, pushes)
}

func (s *sampler) compareAll(apps []string, pushes []int64) error {
	if _, err := s.compare(ofTheWhole(s.ctx, s.page)...); err != nil {
		return err
	}
	for _, app := range apps {
		if _, err := s.compare(ofAnApp(s.ctx, app, s.page)...); err != nil {
			return err
		}
	}
	for _, id := range pushes {
		if err := s.comparePush(id); err != nil {
			return err
		}
	}
	return nil
}

// compare makes calls on both sides and returns what the source answered.
func (s *sampler) compare(readings ...reading) (answers []any, err error) {
	for _, r := range readings {
		want, err := answer(r, s.source)
		if err != nil {
			return nil, fmt.Errorf("%s, from the source: %w", r.what, err)
		}
		got, err := answer(r, s.target)
		if err != nil {
			return nil, fmt.Errorf("%s, from the target: %w", r.what, err)
		}
		if where, w, g := difference(want, got); where != "" {
			s.found.add("%s%s is %s from the source, %s from the target", r.what, where, w, g)
		}
		answers = append(answers, want)
	}
	return answers, nil
}

// answer is a call's result; that there is nothing is one.
func answer(r reading, store storage.Store) (any, error) {
	value, err := r.call(store)
	if errors.Is(err, storage.ErrNotFound) {
		return "not found", nil
	}
	return value, err
}

func ofTheWhole(ctx context.Context, page int) []reading {
	return []reading{
		{"LastSequence", func(s storage.Store) (any, error) { return s.LastSequence(ctx) }},
		{"ListEvents", func(s storage.Store) (any, error) { return s.ListEvents(ctx, storage.EventQuery{Limit: page}) }},
		{"ListEventRuns", func(s storage.Store) (any, error) { return s.ListEventRuns(ctx, 0, page) }},
		{"DueSteps", func(s storage.Store) (any, error) { return s.DueSteps(ctx, someday, page) }},
		{"StepsToMeasure", func(s storage.Store) (any, error) { return s.StepsToMeasure(ctx, someday, page) }},
		{"NextStepTime", func(s storage.Store) (any, error) { return timeOr(s.NextStepTime(ctx)) }},
		{"NextMeasureTime", func(s storage.Store) (any, error) { return timeOr(s.NextMeasureTime(ctx)) }},
		{"RelayHead", func(s storage.Store) (any, error) { return s.RelayHead(ctx) }},
		{"ListRelayEndpoints", func(s storage.Store) (any, error) {
			return s.ListRelayEndpoints(ctx, storage.RelayEndpointKey{}, page)
		}},
		{"ListRelaySpans", func(s storage.Store) (any, error) {
			return s.ListRelaySpans(ctx, storage.RelaySpanQuery{Limit: page})
		}},
	}
}

func ofAnApp(ctx context.Context, app string, page int) []reading {
	of := func(what string) string { return what + " of app " + app }
	return []reading{
		{of("ListPushes"), func(s storage.Store) (any, error) {
			return s.ListPushes(ctx, storage.PushQuery{App: app, Limit: page})
		}},
		{of("NextDispatchTime"), func(s storage.Store) (any, error) { return timeOr(s.NextDispatchTime(ctx, app)) }},
		{of("ListHeldCallbacks"), func(s storage.Store) (any, error) {
			return s.ListHeldCallbacks(ctx, storage.HeldQuery{App: app, Limit: page})
		}},
		{of("StrayMessages"), func(s storage.Store) (any, error) {
			stray, err := s.StrayMessages(ctx, app, someday, page)
			if len(stray) == page {
				return nil, err // which of those of one moment come first is not said
			}
			for i := range stray {
				stray[i].Raw = nil // it may be any of a message's rows
			}
			slices.SortFunc(stray, func(a, b storage.StrayMessage) int { return strings.Compare(a.UpstreamID, b.UpstreamID) })
			return stray, err
		}},
		{of("ListInvalidDevices"), func(s storage.Store) (any, error) {
			return s.ListInvalidDevices(ctx, storage.InvalidQuery{App: app, Limit: page})
		}},
	}
}

func timeOr(t time.Time, ok bool, err error) (any, error) {
	if !ok {
		return "none", err
	}
	return t, err
}

// comparePush compares what is told of a push, and of some of its recipients.
func (s *sampler) comparePush(id int64) error {
	push, err := s.source.PushOf(s.ctx, id)
	if err != nil {
		return err
	}
	first, err := s.compare(ofAPush(s.ctx, push, s.page)...)
	if err != nil {
		return err
	}
	recipients, _ := first[0].([]storage.Recipient)
	middle, err := s.source.ScanRecipients(s.ctx, id, uint32(push.Recipients/2), 3)
	if err != nil {
		return err
	}
	var ids []string
	for _, r := range append(recipients[:min(len(recipients), 3)], middle...) {
		ids = append(ids, r.RegistrationID)
		if _, err := s.compare(ofARecipient(s.ctx, push, r, s.page)...); err != nil {
			return err
		}
	}
	_, err = s.compare(reading{fmt.Sprintf("FindRecipients of push %d", id), func(s2 storage.Store) (any, error) {
		return s2.FindRecipients(s.ctx, id, ids)
	}}, reading{fmt.Sprintf("GetDevices of app %s", push.App), func(s2 storage.Store) (any, error) {
		return s2.GetDevices(s.ctx, push.App, ids)
	}}, reading{fmt.Sprintf("CountMessages of app %s", push.App), func(s2 storage.Store) (any, error) {
		return s2.CountMessages(s.ctx, push.App, ids, push.CreateTime)
	}})
	return err
}

func ofAPush(ctx context.Context, push storage.Push, page int) []reading {
	id := push.ID
	of := func(what string) string { return fmt.Sprintf("%s of push %d", what, id) }
	readings := []reading{
		{of("ScanRecipients"), func(s storage.Store) (any, error) { return s.ScanRecipients(ctx, id, 0, page) }},
		{of("GetPush"), func(s storage.Store) (any, error) { return s.GetPush(ctx, push.App, id) }},
		{of("Report"), func(s storage.Store) (any, error) { return s.Report(ctx, push.App, id) }},
		{of("Queue"), func(s storage.Store) (any, error) { return s.Queue(ctx, push.App, id) }},
		{of("Outcomes"), func(s storage.Store) (any, error) { return s.Outcomes(ctx, id) }},
		{of("ListDispatches"), func(s storage.Store) (any, error) { return s.ListDispatches(ctx, id, 0, page) }},
		{of("ListEvents"), func(s storage.Store) (any, error) {
			return s.ListEvents(ctx, storage.EventQuery{PushID: id, Limit: page})
		}},
	}
	for step := 1; step < storage.MaxSteps; step++ {
		readings = append(readings, reading{of("LastMessages"), func(s storage.Store) (any, error) {
			return s.LastMessages(ctx, id, step, 0, page)
		}})
	}
	return readings
}

func ofARecipient(ctx context.Context, push storage.Push, r storage.Recipient, page int) []reading {
	of := func(what string) string {
		return fmt.Sprintf("%s of recipient %d of push %d", what, r.Ordinal, push.ID)
	}
	return []reading{
		{of("History"), func(s storage.Store) (any, error) { return s.History(ctx, push.App, push.ID, r.RegistrationID) }},
		{of("ListEvents"), func(s storage.Store) (any, error) {
			return s.ListEvents(ctx, storage.EventQuery{PushID: push.ID, RegistrationID: r.RegistrationID, Limit: page})
		}},
	}
}

// difference returns where two answers differ first, and what they have there; nothing if they do not. No items are an empty list.
func difference(want, got any) (where, w, g string) {
	return differ("", reflect.ValueOf(want), reflect.ValueOf(got))
}

func differ(at string, want, got reflect.Value) (where, w, g string) {
	if !want.IsValid() || !got.IsValid() || want.Type() != got.Type() {
		return orRoot(at, plain(want), plain(got))
	}
	if moment, ok := want.Interface().(time.Time); ok {
		if other, _ := got.Interface().(time.Time); !moment.Equal(other) {
			return orRoot(at, plain(want), plain(got))
		}
		return "", "", ""
	}
	switch want.Kind() {
	case reflect.Struct:
		for i := range want.NumField() {
			if where, w, g := differ(at+"."+want.Type().Field(i).Name, want.Field(i), got.Field(i)); where != "" {
				return where, w, g
			}
		}
	case reflect.Pointer, reflect.Interface:
		if want.IsNil() != got.IsNil() {
			return orRoot(at, plain(want), plain(got))
		}
		if !want.IsNil() {
			return differ(at, want.Elem(), got.Elem())
		}
	case reflect.Slice:
		if want.Len() != got.Len() {
			return orRoot(at, fmt.Sprint(want.Len(), " long"), fmt.Sprint(got.Len(), " long"))
		}
		for i := range want.Len() {
			if where, w, g := differ(fmt.Sprintf("%s[%d]", at, i), want.Index(i), got.Index(i)); where != "" {
				return where, w, g
			}
		}
	case reflect.Map:
		if want.Len() != got.Len() {
			return orRoot(at, plain(want), plain(got))
		}
		for _, key := range want.MapKeys() {
			if where, w, g := differ(fmt.Sprintf("%s[%v]", at, key), want.MapIndex(key), got.MapIndex(key)); where != "" {
				return where, w, g
			}
		}
	default:
		if w, g := plain(want), plain(got); w != g {
			return orRoot(at, w, g)
		}
	}
	return "", "", ""
}

// orRoot names the whole answer where no part of it is meant.
func orRoot(at, w, g string) (where, want, got string) {
	if at == "" {
		at = " as a whole"
	}
	return at, w, g
}

// plain shows a value; of texts, what can be kept by every database.
func plain(v reflect.Value) string {
	if !v.IsValid() {
		return "nothing"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(fmt.Sprintf("%v", v.Interface()), "\uFFFD"), "\x00", "\uFFFD")
}
