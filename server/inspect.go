package server

import (
	"context"

	"susul.dev/susul/storage/sqlite"
)

type (
	// Inspector shows what the database holds.
	Inspector = sqlite.Inspector
	// LogQuery selects what an Inspector lists of the log.
	LogQuery = sqlite.LogQuery
	// Overview is what an Inspector shows of the whole database.
	Overview = sqlite.Overview
	// PushContent is what an Inspector shows of a push.
	PushContent = sqlite.PushContent
	// Funnel is a step's or a push's counters.
	Funnel = sqlite.Funnel
	// StepMilestones is a recipient's progress in one step.
	StepMilestones = sqlite.StepMilestones
	// RecipientContent is a line of an Inspector's recipients.
	RecipientContent = sqlite.RecipientContent
	// DispatchContent is a line of an Inspector's dispatches.
	DispatchContent = sqlite.DispatchContent
	// SegmentContent is a line of an Inspector's segments.
	SegmentContent = sqlite.SegmentContent
	// EventContent is a line of an Inspector's events.
	EventContent = sqlite.EventContent
	// EndpointContent is a line of an Inspector's endpoints.
	EndpointContent = sqlite.EndpointContent
	// SpanContent is a line of an Inspector's spans.
	SpanContent = sqlite.SpanContent
)

// OpenInspector opens the database that storage.dsn names, to be read beside a server or without one.
func OpenInspector(ctx context.Context, dsn string) (*Inspector, error) {
	return sqlite.OpenInspector(ctx, dsn)
}
