package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/server/policy"
)

func zone(t require.TestingT, name string) *time.Location {
	z, err := time.LoadLocation(name)
	require.NoError(t, err)
	return z
}

func timeOfDay(t require.TestingT, text string) policy.TimeOfDay {
	d, err := policy.ParseTimeOfDay(text)
	require.NoError(t, err)
	return d
}

func TestTimeOfDay(t *testing.T) {
	for _, text := range []string{"00:00", "07:05", "22:00", "23:59"} {
		require.Equal(t, text, timeOfDay(t, text).String())
	}
	for _, text := range []string{"", "7:05", "07:5", "24:00", "12:60", "-1:00", "07:05:00", "noon", "0７:05"} {
		d, err := policy.ParseTimeOfDay(text)
		require.Error(t, err, text)
		p := news()
		p.Limits.QuietHours = &policy.QuietHours{From: d, Until: 60}
		require.ErrorContains(t, p.Validate(), "limits.quiet_hours.start", text)
	}
}

// Times are written with their offsets: where clocks are put back, the same time is shown twice.
func TestQuietHoursEnd(t *testing.T) {
	const awake = ""
	for name, c := range map[string]struct {
		zone, from, until string
		at, end           string
	}{
		"before":              {"Asia/Jakarta", "22:00", "08:00", "2026-11-24T21:59:59+07:00", awake},
		"they begin":          {"Asia/Jakarta", "22:00", "08:00", "2026-11-24T22:00:00+07:00", "2026-11-25T08:00:00+07:00"},
		"after midnight":      {"Asia/Jakarta", "22:00", "08:00", "2026-11-24T21:30:00Z", "2026-11-25T08:00:00+07:00"},
		"to the last":         {"Asia/Jakarta", "22:00", "08:00", "2026-11-25T07:59:59.999999999+07:00", "2026-11-25T08:00:00+07:00"},
		"they end":            {"Asia/Jakarta", "22:00", "08:00", "2026-11-25T08:00:00+07:00", awake},
		"within a day":        {"UTC", "12:00", "14:00", "2026-11-25T13:00:00Z", "2026-11-25T14:00:00Z"},
		"all but a minute":    {"UTC", "12:01", "12:00", "2026-11-25T12:01:00Z", "2026-11-26T12:00:00Z"},
		"from midnight":       {"UTC", "00:00", "06:00", "2026-11-25T00:00:00Z", "2026-11-25T06:00:00Z"},
		"until midnight":      {"UTC", "20:00", "00:00", "2026-11-25T23:00:00Z", "2026-11-26T00:00:00Z"},
		"an odd offset":       {"Asia/Kathmandu", "22:00", "07:30", "2026-11-24T18:00:00Z", "2026-11-25T07:30:00+05:45"},
		"an odd offset's day": {"Asia/Kathmandu", "22:00", "07:30", "2026-11-24T16:14:00Z", awake},

		// Berlin's clocks go from 02:00 to 03:00 on 29 March, and from 03:00 back to 02:00 on 25 October.
		"nine hours":                     {"Europe/Berlin", "22:00", "08:00", "2026-03-28T22:00:00+01:00", "2026-03-29T08:00:00+02:00"},
		"eleven hours":                   {"Europe/Berlin", "22:00", "08:00", "2026-10-24T22:00:00+02:00", "2026-10-25T08:00:00+01:00"},
		"end is skipped":                 {"Europe/Berlin", "22:00", "02:30", "2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"},
		"after a skipped end":            {"Europe/Berlin", "22:00", "02:30", "2026-03-29T03:00:00+02:00", awake},
		"end is where the gap begins":    {"Europe/Berlin", "22:00", "02:00", "2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00"},
		"end is where the gap ends":      {"Europe/Berlin", "22:00", "03:00", "2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00"},
		"before a skipped start":         {"Europe/Berlin", "02:30", "08:00", "2026-03-29T01:59:59+01:00", awake},
		"start is skipped":               {"Europe/Berlin", "02:30", "08:00", "2026-03-29T03:00:00+02:00", "2026-03-29T08:00:00+02:00"},
		"all is skipped":                 {"Europe/Berlin", "02:10", "02:40", "2026-03-29T03:00:00+02:00", awake},
		"the break is skipped":           {"Europe/Berlin", "02:40", "02:10", "2026-03-29T01:00:00+01:00", "2026-03-30T02:10:00+02:00"},
		"end is shown twice":             {"Europe/Berlin", "22:00", "02:30", "2026-10-25T01:00:00+02:00", "2026-10-25T02:30:00+02:00"},
		"between both ends":              {"Europe/Berlin", "22:00", "02:30", "2026-10-25T02:45:00+02:00", awake},
		"they do not begin again":        {"Europe/Berlin", "22:00", "02:30", "2026-10-25T02:15:00+01:00", awake},
		"before a start shown twice":     {"Europe/Berlin", "02:30", "08:00", "2026-10-25T02:15:00+02:00", awake},
		"start is shown twice":           {"Europe/Berlin", "02:30", "08:00", "2026-10-25T02:30:00+02:00", "2026-10-25T08:00:00+01:00"},
		"they go on":                     {"Europe/Berlin", "02:30", "08:00", "2026-10-25T02:15:00+01:00", "2026-10-25T08:00:00+01:00"},
		"both are shown twice":           {"Europe/Berlin", "02:15", "02:45", "2026-10-25T02:20:00+02:00", "2026-10-25T02:45:00+02:00"},
		"between both":                   {"Europe/Berlin", "02:15", "02:45", "2026-10-25T02:50:00+02:00", awake},
		"and they begin again":           {"Europe/Berlin", "02:15", "02:45", "2026-10-25T02:20:00+01:00", "2026-10-25T02:45:00+01:00"},
		"end is where clocks go back to": {"Europe/Berlin", "22:00", "02:00", "2026-10-25T01:00:00+02:00", "2026-10-25T02:00:00+02:00"},
		"end is where they go back":      {"Europe/Berlin", "22:00", "03:00", "2026-10-25T02:59:00+02:00", "2026-10-25T03:00:00+01:00"},

		"New York, gap":        {"America/New_York", "21:00", "02:30", "2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00"},
		"New York, shown once": {"America/New_York", "21:00", "01:30", "2026-11-01T00:00:00-04:00", "2026-11-01T01:30:00-04:00"},
		"New York, longer":     {"America/New_York", "21:00", "07:00", "2026-10-31T21:00:00-04:00", "2026-11-01T07:00:00-05:00"},

		// Lord Howe's clocks go by half an hour: from 02:00 back to 01:30 on 5 April, from 02:00 to 02:30 on 4 October.
		"half an hour, gap":          {"Australia/Lord_Howe", "22:00", "02:15", "2026-10-04T01:00:00+10:30", "2026-10-04T02:30:00+11:00"},
		"half an hour, start in gap": {"Australia/Lord_Howe", "02:15", "06:00", "2026-10-04T02:30:00+11:00", "2026-10-04T06:00:00+11:00"},
		"half an hour, twice":        {"Australia/Lord_Howe", "22:00", "01:45", "2026-04-05T01:00:00+11:00", "2026-04-05T01:45:00+11:00"},
		"half an hour, start twice":  {"Australia/Lord_Howe", "01:45", "06:00", "2026-04-05T01:30:00+10:30", "2026-04-05T06:00:00+10:30"},

		// Samoa had no 30 December 2011.
		"the day that was not":      {"Pacific/Apia", "22:00", "07:00", "2011-12-29T23:00:00-10:00", "2011-12-31T07:00:00+14:00"},
		"noon of it":                {"Pacific/Apia", "12:00", "23:00", "2011-12-29T22:30:00-10:00", "2011-12-29T23:00:00-10:00"},
		"awake all the day":         {"Pacific/Apia", "12:00", "13:00", "2011-12-31T00:00:00+14:00", awake},
		"its break is skipped":      {"Pacific/Apia", "13:00", "12:00", "2011-12-29T23:00:00-10:00", "2011-12-31T12:00:00+14:00"},
		"its end is where it began": {"Pacific/Apia", "22:00", "00:00", "2011-12-29T23:00:00-10:00", "2011-12-31T00:00:00+14:00"},
	} {
		t.Run(name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339Nano, c.at)
			require.NoError(t, err)
			hours := policy.QuietHours{From: timeOfDay(t, c.from), Until: timeOfDay(t, c.until)}
			end, quiet := hours.End(at, zone(t, c.zone))
			require.Equal(t, c.end != awake, quiet)
			if quiet {
				require.Equal(t, c.end, end.Format(time.RFC3339Nano))
			}
		})
	}
}

// A person who looks at the clock each minute, and notes when it shows the one time or the other, agrees with End.
func TestQuietHoursFollowTheClock(t *testing.T) {
	changes := map[string][]time.Time{ // around which most times are drawn
		"Europe/Berlin":       {date(2026, 3, 29, 1), date(2026, 10, 25, 1)},
		"America/New_York":    {date(2026, 3, 8, 7), date(2026, 11, 1, 6)},
		"Australia/Lord_Howe": {date(2026, 4, 4, 15), date(2026, 10, 3, 15)},
		"Asia/Kathmandu":      {date(2026, 6, 1, 0)},
		"Pacific/Apia":        {date(2011, 12, 30, 10)},
		"Africa/Casablanca":   {date(2026, 2, 15, 2), date(2026, 3, 22, 2)},
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{
			"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca",
		}).Draw(t, "zone")
		z := zone(t, name)
		minutes := rapid.OneOf(rapid.IntRange(0, 24*60-1), rapid.IntRange(90, 190))
		from := policy.TimeOfDay(minutes.Draw(t, "from"))
		until := policy.TimeOfDay(minutes.Filter(func(m int) bool { return policy.TimeOfDay(m) != from }).Draw(t, "until"))
		change := rapid.SampledFrom(changes[name]).Draw(t, "change")
		at := change.Add(time.Duration(rapid.IntRange(-36*60, 36*60).Draw(t, "minutes from it")) * time.Minute)
		hours := policy.QuietHours{From: from, Until: until}
		watched := watch(hours, at.Add(-3*24*time.Hour), at, z)

		end, quiet := hours.End(at, z)
		require.Equal(t, watched.quiet, quiet)
		if !quiet {
			return
		}
		require.True(t, end.After(at))
		want := at
		for watched.quiet {
			want = want.Add(time.Minute)
			watched.look(want)
		}
		require.Equal(t, want.UTC(), end.UTC(), "%s from %s until %s at %s", name, from, until, at.In(z))
		require.Equal(t, z, end.Location())
	})
}

func date(year int, month time.Month, day, hour int) time.Time {
	return time.Date(year, month, day, hour, 0, 0, 0, time.UTC)
}

// watcher looks at a clock.
type watcher struct {
	hours policy.QuietHours
	zone  *time.Location
	shown time.Time // what the clock shows, as if it were UTC's
	quiet bool
}

// watch looks at the clock each minute from a time on.
func watch(hours policy.QuietHours, since, until time.Time, zone *time.Location) *watcher {
	w := &watcher{hours: hours, zone: zone}
	w.shown = w.clock(since)
	for t := since; !t.After(until); t = t.Add(time.Minute) {
		w.look(t)
	}
	return w
}

func (w *watcher) clock(t time.Time) time.Time {
	t = t.In(w.zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
}

// look notes what the clock shows, and what it skipped since.
func (w *watcher) look(t time.Time) {
	now := w.clock(t)
	if now.Before(w.shown) { // it was put back
		w.shown = now.Add(-time.Minute)
	}
	for w.shown.Before(now) {
		w.shown = w.shown.Add(time.Minute)
		switch policy.TimeOfDay(w.shown.Hour()*60 + w.shown.Minute()) {
		case w.hours.From:
			w.quiet = true
		case w.hours.Until:
			w.quiet = false
		}
	}
}

func BenchmarkQuietHoursEnd(b *testing.B) {
	z := zone(b, "Europe/Berlin")
	hours := policy.QuietHours{From: 22 * 60, Until: 8 * 60}
	at := date(2026, 10, 24, 22)
	b.ReportAllocs()
	for b.Loop() {
		if _, quiet := hours.End(at, z); !quiet {
			b.Fatal("awake")
		}
	}
}
