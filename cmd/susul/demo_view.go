package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab/sandbox"
)

// errDisagree is the demo's failure: Susul's report is not what happened on the devices.
var errDisagree = errors.New("Susul's report and the sandbox's own count disagree") //nolint:staticcheck // Susul is a name

// printPolicy writes a policy as a timeline.
func printPolicy(out io.Writer, p *susulv1.ResendPolicy) {
	within := p.GetTrigger().GetWithin().AsDuration()
	fmt.Fprintf(out, "policy %s: unless %s within %s", strings.TrimPrefix(p.GetName(), "resendPolicies/"),
		strings.TrimPrefix(p.GetTrigger().GetUnless().String(), "MILESTONE_"), hours(within))
	for i, step := range p.GetSteps() {
		fmt.Fprintf(out, ", step %d at T+%s", i+1, hours(within+step.GetAfter().AsDuration()))
	}
	fmt.Fprintln(out)
}

func hours(d time.Duration) string { return fmt.Sprintf("%gh", d.Hours()) }

// demoView shows progress: a picture that is redrawn on a terminal, a line per demo hour elsewhere.
type demoView struct {
	out      io.Writer
	terminal bool
	drawn    int // lines that the picture has
	lastHour int
}

func newDemoView(out io.Writer) *demoView {
	file, ok := out.(*os.File)
	fmt.Fprintln(out)
	return &demoView{out: out, terminal: ok && term.IsTerminal(int(file.Fd())), lastHour: -1}
}

func (v *demoView) show(now time.Time, cases []*demoCase, last bool) {
	if v.terminal {
		v.draw(now, cases)
		return
	}
	hour := int(now.Sub(cases[0].sent).Hours())
	if hour == v.lastHour && !last {
		return
	}
	v.lastHour = hour
	for _, c := range cases {
		fmt.Fprintf(v.out, "T+%2dh %-12s", hour, firstWords(c.title))
		for _, step := range c.report.GetSteps() {
			f := step.GetFunnel()
			fmt.Fprintf(v.out, "  step %d: %d sent %d displayed %d clicked", step.GetStep(), f.GetSent(), f.GetDisplayed(), f.GetClicked())
		}
		fmt.Fprintln(v.out)
	}
}

func firstWords(title string) string {
	words, _, _ := strings.Cut(title, ",")
	return words
}

const barWidth = 40

func (v *demoView) draw(now time.Time, cases []*demoCase) {
	var picture strings.Builder
	lines := 0
	for _, c := range cases {
		elapsed := now.Sub(c.sent).Truncate(time.Minute)
		fmt.Fprintf(&picture, "\x1b[2K%s   T+%02d:%02d\n", c.title, int(elapsed.Hours()), int(elapsed.Minutes())%60)
		lines++
		people := max(c.report.GetTotal().GetTargets(), 1)
		for _, step := range c.report.GetSteps() {
			f := step.GetFunnel()
			fmt.Fprintf(&picture, "\x1b[2K  step %d %s %6d sent %6d displayed %6d clicked  %s\n", step.GetStep(), bar(f, people),
				f.GetSent(), f.GetDisplayed(), f.GetClicked(), strings.ToLower(strings.TrimPrefix(step.GetState().String(), "STEP_STATE_")))
			lines++
		}
	}
	if v.drawn > 0 {
		fmt.Fprintf(v.out, "\x1b[%dA", v.drawn)
	}
	fmt.Fprint(v.out, picture.String())
	v.drawn = lines
}

// bar draws clicked in displayed in delivered in sent, of all people.
func bar(f *susulv1.Funnel, people int64) string {
	var b strings.Builder
	for i := range int64(barWidth) {
		share := i * people / barWidth
		switch {
		case share < f.GetClicked():
			b.WriteRune('█')
		case share < f.GetDisplayed():
			b.WriteRune('▓')
		case share < f.GetDelivered():
			b.WriteRune('▒')
		case share < f.GetSent():
			b.WriteRune('░')
		default:
			b.WriteRune('·')
		}
	}
	return b.String()
}

// report prints each case's funnel beside the sandbox's own count, and fails if they disagree.
func (d *demo) report(cases []*demoCase) error {
	totals := d.sandbox.Totals()
	agree := d.sandbox.Dropped() == 0
	for _, c := range cases {
		fmt.Fprintf(d.out, "\n%s (msg_id %s)\n", c.title, c.msgID)
		table := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(table, "step\ttargets\tsent\tdelivered\tdisplayed\tclicked\tfailed\tpassed over\tsandbox's count\t\n")
		for _, step := range c.report.GetSteps() {
			f, theirs := step.GetFunnel(), sandboxTotals(totals, c.msgID, step.GetStep())
			verdict := "the same"
			if theirs != funnelTotals(f) {
				verdict, agree = fmt.Sprintf("%+v", theirs), false
			}
			fmt.Fprintf(table, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", step.GetStep(), f.GetTargets(), f.GetSent(),
				f.GetDelivered(), f.GetDisplayed(), f.GetClicked(), f.GetFailed(), sum(step.GetPassedOver()), verdict)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		before, after := c.report.GetSteps()[0].GetFunnel(), c.report.GetTotal()
		fmt.Fprintf(d.out, "click rate: %.1f %% from the first sending, %.1f %% with the follow-ups\n",
			100*before.GetClickRate(), 100*after.GetClickRate())
	}
	if !agree {
		return errDisagree
	}
	fmt.Fprintln(d.out, "\nSusul's report and the sandbox's own count agree.")
	return nil
}

func funnelTotals(f *susulv1.Funnel) sandbox.Totals {
	return sandbox.Totals{
		Targets: int(f.GetTargets()), Sent: int(f.GetSent()), Delivered: int(f.GetDelivered()),
		Displayed: int(f.GetDisplayed()), Clicked: int(f.GetClicked()), Failed: int(f.GetFailed()),
	}
}

func sum(counts map[string]int64) (n int64) {
	for _, count := range counts {
		n += count
	}
	return n
}
