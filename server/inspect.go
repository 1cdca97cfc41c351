package server

import (
	"context"

	"susul.dev/susul/storage/sqlite"
)

// What `susul inspect` shows of the database.
type (
	Inspector        = sqlite.Inspector
	LogQuery         = sqlite.LogQuery
	Overview         = sqlite.Overview
	PushContent      = sqlite.PushContent
	Funnel           = sqlite.Funnel
	StepMilestones   = sqlite.StepMilestones
	RecipientContent = sqlite.RecipientContent
	DispatchContent  = sqlite.DispatchContent
	SegmentContent   = sqlite.SegmentContent
	EventContent     = sqlite.EventContent
)

// OpenInspector opens the database that storage.dsn names, to be read beside a server or without one.
func OpenInspector(ctx context.Context, dsn string) (*Inspector, error) {
	return sqlite.OpenInspector(ctx, dsn)
}
