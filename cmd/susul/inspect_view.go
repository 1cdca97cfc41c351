package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"susul.dev/susul/server"
)

const (
	dispatchColumns  = "\nDISPATCH\tSTEP\tCHUNK\tSTATE\tATTEMPT\tUPSTREAM ID\tSENT\tVARIANT\tSINGLES\tORDINALS"
	recipientColumns = "\nORDINAL\tREGISTRATION ID\tFOLDED\tNOW"
	segmentColumns   = "SEQUENCE\tMSG_ID\tAPP\tEVENTS\tORDINALS\tFIRST\tLAST\tRECEIVED\tSTEP/DISPATCH\tBYTES"
	eventColumns     = "SEQUENCE\tMSG_ID\tAPP\tSTEP/DISPATCH\tUPSTREAM ID\tORDINAL\tREGISTRATION ID\tMILESTONE\tSTATUS\tTIME\tRECEIVED\tDETAILS"
	endpointColumns  = "APP\tENDPOINT\tSTATE\tCURSOR\tATTEMPTS\tFAILED\tDELIVERED\tLAST SUCCESS\tFAILURES\tSINCE\t" +
		"NEXT ATTEMPT\tLAST ERROR\tAT\tURL\tUID\tCREATED"
	spanColumns = "\nAPP\tENDPOINT\tSPAN\tKIND\tMSG_ID\tNEXT\tLAST\tFROM\tUNTIL\tEVENTS\tFAILURES\tSINCE\t" +
		"NEXT ATTEMPT\tLAST ERROR\tCREATED"

	// maxRuns is how many runs of ordinals a line shows.
	maxRuns = 6
)

func showOverview(w io.Writer, o server.Overview) {
	fmt.Fprintf(w, "file\t%s\n", o.File)
	fmt.Fprintf(w, "size\t%d bytes, %d of them free; write-ahead log %d bytes\n", o.FileBytes, o.FreeBytes, o.WALBytes)
	fmt.Fprintf(w, "schema\tversion %d\n", o.Schema)
	fmt.Fprintf(w, "log\tsequences %d..%d: %d events in %d segments\n", o.Log.FirstSequence, o.Log.LastSequence, o.Log.Events, o.Log.Segments)
	fmt.Fprintf(w, "fold\tthrough sequence %d; %d events are not folded yet\n", o.Log.FoldedThrough, o.Log.Unfolded)
	for _, p := range o.Pushes {
		fmt.Fprintf(w, "pushes\t%s: %d\n", p.State, p.N)
	}
	fmt.Fprintf(w, "recipients\t%d\n", o.Recipients)
	fmt.Fprintf(w, "devices\t%d set, %d invalid\n", o.Devices.Set, o.Devices.Invalid)
	for _, h := range o.Held {
		fmt.Fprintf(w, "held\t%s of %s: %d\n", h.Reason, plain(h.App), h.N)
	}
	fmt.Fprintf(w, "relay\tthrough sequence %d\n", o.Relay.Head)
	for _, e := range o.Relay.Endpoints {
		fmt.Fprintf(w, "endpoints\t%s: %d\n", e.State, e.N)
	}
	for _, s := range o.Relay.Spans {
		fmt.Fprintf(w, "spans\t%s: %d\n", s.Kind, s.N)
	}
	fmt.Fprintf(w, "bytes\t%.1f per event, %.1f per recipient\n", o.Bytes.Event, o.Bytes.Recipient)
	fmt.Fprintln(w, "\nTABLE\tROWS\tBYTES")
	for _, t := range o.Tables {
		fmt.Fprintf(w, "%s\t%d\t%d\n", t.Table, t.Rows, t.Bytes)
	}
}

func showPush(w io.Writer, p server.PushContent) {
	fmt.Fprintf(w, "push\t%d of %s\n", p.MsgID, plain(p.App))
	fmt.Fprintf(w, "state\t%s\n", p.State)
	fmt.Fprintf(w, "created\t%s\n", stamp(p.CreateTime))
	fmt.Fprintf(w, "first sent\t%s\n", stamp(p.FirstSentTime))
	fmt.Fprintf(w, "request_id\t%s\n", plain(p.RequestID))
	fmt.Fprintf(w, "policy\t%s\n", plain(p.Policy))
	fmt.Fprintf(w, "recipients\t%d (listed: %t, external: %t)\n", p.Recipients, p.Listed, p.External)
	fmt.Fprintf(w, "document\t%d bytes\n", p.DocumentBytes)

	fmt.Fprintln(w, "\nSTEP\tSTATE\tDUE\tHELD\tMEASURED\tTARGETS\tSENT\tDELIVERED\tDISPLAYED\tCLICKED\tFAILED\tDISPATCHES\tPASSED OVER")
	for _, s := range p.Steps {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Step, s.State, stamp(s.DueTime), stamp(s.HoldTime), stamp(s.MeasureTime),
			funnel(s.Counters), counts(s.Dispatches), counts(s.PassedOver))
	}
	fmt.Fprintf(w, "all\t\t\t\t\t%s\t\t\n", funnel(p.Total))

	fmt.Fprintln(w, "\nTABLE\tROWS\tPACKED BYTES")
	for _, part := range p.Parts {
		fmt.Fprintf(w, "%s\t%d\t%d\n", part.Table, part.Rows, part.Bytes)
	}
	if len(p.Marks) > 0 {
		fmt.Fprintln(w, "\nMARK: STEP\tSTATUS\tRECIPIENTS\tBYTES")
	}
	for _, m := range p.Marks {
		fmt.Fprintf(w, "%d\t%s\t%d\t%d%s\n", m.Step, plain(m.Status), m.Recipients, m.Bytes, damage(m.Damage))
	}
}

func showDispatch(w io.Writer, d server.DispatchContent) {
	fmt.Fprintf(w, "%d\t%d\t%d\t%s\t%d\t%s\t%s\t%s\t%s\t%s%s\n", d.ID, d.Step, d.Chunk, d.State, d.Attempt, plain(d.UpstreamID),
		stamp(d.SentTime), plain(d.Variant), singles(d), runs(d), damage(d.Damage))
}

// singles tells what became of the messages of a batch.
func singles(d server.DispatchContent) string {
	if d.Singles == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d, %d refused", d.Taken, d.Singles, d.SinglesRefused)
}

func showRecipient(w io.Writer, r server.RecipientContent) {
	fmt.Fprintf(w, "%d\t%s\t%s\t%s%s\n", r.Ordinal, plain(r.RegistrationID), milestones(r.Folded), milestones(r.Now), damage(r.Damage))
}

func showSegment(w io.Writer, s server.SegmentContent) {
	var dispatches []string
	for _, d := range s.Dispatches {
		dispatches = append(dispatches, fmt.Sprintf("%d/%d", d.Step, d.ID))
	}
	fmt.Fprintf(w, "%d\t%d\t%s\t%d\t%d..%d\t%s\t%s\t%s\t%s\t%d%s\n", s.Sequence, s.MsgID, plain(s.App), s.Events, s.Low, s.High,
		stamp(s.FirstTime), stamp(s.LastTime), stamp(s.ReceiveTime), strings.Join(dispatches, ","), s.Bytes, damage(s.Damage))
}

func showEvent(w io.Writer, e server.EventContent) {
	var details []string
	for _, detail := range []struct{ name, value string }{
		{"variant", e.Variant}, {"error", e.ErrorMessage}, {"channel", e.Channel}, {"loss", e.LossSource}, {"raw", e.Raw},
	} {
		if detail.value != "" {
			details = append(details, detail.name+"="+plain(detail.value))
		}
	}
	if e.ErrorCode != 0 {
		details = append([]string{fmt.Sprintf("code=%d", e.ErrorCode)}, details...)
	}
	fmt.Fprintf(w, "%d\t%d\t%s\t%d/%d\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s%s\n", e.Sequence, e.MsgID, plain(e.App), e.Step, e.Dispatch,
		plain(e.UpstreamID), e.Ordinal, plain(e.RegistrationID), plain(e.Milestone), plain(e.Status), stamp(e.Time),
		stamp(e.ReceiveTime), strings.Join(details, " "), damage(e.Damage))
}

func showEndpoint(w io.Writer, e server.EndpointContent) {
	fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", plain(e.App), plain(e.Endpoint), e.State,
		e.Cursor, e.Attempts, e.Failed, e.Delivered, stamp(e.LastSuccess), e.Failures, stamp(e.FailingSince), stamp(e.NextAttempt),
		plain(e.LastError), stamp(e.LastErrorTime), plain(e.URL), plain(e.UID), stamp(e.CreateTime))
}

func showSpan(w io.Writer, s server.SpanContent) {
	fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%d\t%d\t%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\n", plain(s.App), plain(s.Endpoint), s.Span, s.Kind,
		s.MsgID, s.Next, s.Last, stamp(s.StartTime), stamp(s.EndTime), s.Events, s.Failures, stamp(s.FailingSince), stamp(s.NextAttempt),
		plain(s.LastError), stamp(s.CreateTime))
}

// plain is a text that others chose, on one line and without anything that a terminal would obey.
func plain(text string) string {
	if text == "" {
		return "-"
	}
	if quoted := strconv.Quote(text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05.999Z")
}

func damage(what string) string {
	if what == "" {
		return ""
	}
	return "\tDAMAGED: " + plain(what)
}

func funnel(f server.Funnel) string {
	return fmt.Sprintf("%d\t%d\t%d\t%d\t%d\t%d", f.Targets, f.Sent, f.Delivered, f.Displayed, f.Clicked, f.Failed)
}

func counts[K ~string](n map[K]int) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%s: %d", key, n[key]))
	}
	return strings.Join(parts, ", ")
}

func milestones(steps []server.StepMilestones) string {
	var parts []string
	for _, s := range steps {
		parts = append(parts, fmt.Sprintf("%d:%s", s.Step, strings.Join(s.Milestones, ",")))
	}
	if parts == nil {
		return "-"
	}
	return strings.Join(parts, " ")
}

// runs are the ordinals of a dispatch's recipients.
func runs(d server.DispatchContent) string {
	if d.Recipients == nil {
		if d.Damage != "" {
			return "?"
		}
		return "all"
	}
	var parts []string
	for _, run := range d.Recipients[:min(len(d.Recipients), maxRuns)] {
		parts = append(parts, fmt.Sprintf("%d..%d", run[0], run[1]))
	}
	if more := len(d.Recipients) - maxRuns; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more runs", more))
	}
	return strings.Join(parts, " ")
}
