// Package storagetest is the conformance suite: what it checks is what a storage.Store must hold, whatever it is made
// of. Every case gets a fresh database, so that none sees another's rows.
package storagetest

import (
	"testing"

	"susul.dev/susul/storage"
)

// Database opens handles onto one database. The suite closes them.
type Database func(tb testing.TB) storage.Store

// Factory makes an empty database for one case.
type Factory func(tb testing.TB) Database

// Traits are what backends may differ in.
type Traits struct {
	// SignalsFromOtherHandles says that handles work beside each other: SubscribeEvents also tells of events that another handle stored,
	// SubscribeWork and SubscribeAnswers tell at all, and StartDispatch sees what others have started.
	SignalsFromOtherHandles bool
}

// Run runs the whole suite, several guarantees at a time: each case has a database of its own.
func Run(t *testing.T, fresh Factory, traits Traits) {
	t.Helper()
	for _, suite := range []struct {
		name  string
		cases []testCase
	}{
		{"Pushes", pushCases},
		{"Large", largeCases},
		{"Idempotency", idempotencyCases},
		{"IDs", idCases},
		{"Dispatches", dispatchCases},
		{"Start", append(startCases, limitCases(traits)...)},
		{"Finish", finishCases},
		{"Singles", singleCases},
		{"History", historyCases},
		{"Queue", queueCases},
		{"Callbacks", callbackCases},
		{"Runs", runCases},
		{"Held", heldCases},
		{"Adoption", adoptionCases},
		{"Devices", deviceCases},
		{"Messages", messageCases},
		{"Report", reportCases},
		{"Retention", retentionCases},
		{"Planning", planningCases},
		{"Holds", holdCases},
		{"LastMessages", lastMessageCases},
		{"Measuring", measuringCases},
		{"Relay", relayCases},
		{"Fencing", fencingCases},
		{"Lists", listCases},
		{"Signals", signalCases(traits)},
		{"Parallel", parallelCases},
		{"Model", modelCases},
	} {
		t.Run(suite.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range suite.cases {
				t.Run(c.name, func(t *testing.T) { c.run(newWorld(t, fresh(t))) })
			}
		})
	}
}

type testCase struct {
	name string
	run  func(w *world)
}
