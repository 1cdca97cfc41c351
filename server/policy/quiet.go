package policy

import (
	"fmt"
	"time"
)

const day = 24 * time.Hour

// TimeOfDay is what a clock shows, in minutes since midnight: 0…1439. In JSON it reads "22:00".
type TimeOfDay int

// notATime is of the times that can't be read.
const notATime TimeOfDay = -1

// ParseTimeOfDay reads a time such as "22:00". With its error it returns a TimeOfDay that no policy may have.
func ParseTimeOfDay(text string) (TimeOfDay, error) {
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return notATime, fmt.Errorf("%q is not a time such as 22:00", text)
	}
	return TimeOfDay(t.Hour()*60 + t.Minute()), nil
}

// String returns the time as ParseTimeOfDay reads it.
func (d TimeOfDay) String() string { return fmt.Sprintf("%02d:%02d", d/60, d%60) }

// MarshalText writes the time as String returns it.
func (d TimeOfDay) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *TimeOfDay) UnmarshalText(b []byte) (err error) {
	*d, err = ParseTimeOfDay(string(b))
	return err
}

func (d TimeOfDay) valid() bool { return d >= 0 && d < TimeOfDay(day/time.Minute) }

// IsTimeZone reports whether a name is that of an IANA time zone that this system's data has. Empty is UTC; "Local" is none: it
// is the zone of whatever machine this is.
func IsTimeZone(name string) bool {
	_, err := time.LoadLocation(name)
	return err == nil && name != "Local"
}

// End reports whether t lies within the quiet hours by the clock of the zone, and if so, when they end.
func (q QuietHours) End(t time.Time, zone *time.Location) (end time.Time, quiet bool) {
	t = t.In(zone)
	if !q.quiet(t) {
		return time.Time{}, false
	}
	for {
		end := t.Add(day - sinceShown(q.Until, t))
		_, change := t.ZoneBounds()
		if change.IsZero() || end.Before(change) {
			return end, true
		}
		if !q.quiet(change) {
			return change, true
		}
		t = change
	}
}

// quiet reports whether the clock showed From later than Until.
func (q QuietHours) quiet(t time.Time) bool {
	for {
		sinceStart, sinceEnd := sinceShown(q.From, t), sinceShown(q.Until, t)
		changed, _ := t.ZoneBounds()
		latest := t.Add(-min(sinceStart, sinceEnd))
		if changed.IsZero() || !latest.Before(changed) || !putBack(changed) {
			return sinceStart < sinceEnd
		}
		// Neither was shown since the clock was put back, so that all is as it was just before.
		t = changed.Add(-1)
	}
}

// putBack reports whether the clock is put back at a change of the zone.
func putBack(change time.Time) bool {
	_, after := change.Zone()
	_, before := change.Add(-1).Zone()
	return after < before
}

// sinceShown is how long it is since a clock that nobody puts forward or back showed d: from 0 up to but not a day.
func sinceShown(d TimeOfDay, t time.Time) time.Duration {
	hour, minute, second := t.Clock()
	shown := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second +
		time.Duration(t.Nanosecond())
	return (shown - time.Duration(d)*time.Minute + day) % day
}
