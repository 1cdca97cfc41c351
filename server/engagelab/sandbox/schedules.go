package sandbox

import (
	"cmp"
	"container/heap"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"susul.dev/susul/server/engagelab"
)

const (
	maxSchedules    = 1_000
	maxFired        = 10_000 // messages remembered of one schedule
	schedulesOnPage = 50
	horizon         = 3 * 366 // days that the next moment of a schedule is looked for
)

// schedule is a push that is sent at one moment or at many. Its times are read as UTC.
type schedule struct {
	ID      string          `json:"schedule_id"`
	Name    string          `json:"name"`
	Enabled bool            `json:"enabled"`
	Trigger json.RawMessage `json:"trigger"`
	Push    json.RawMessage `json:"push"`

	app     *app
	created int64 // orders the list
	times   trigger
	next    *firing
	fired   []string
}

// trigger says when.
type trigger struct {
	Single *struct {
		Time string `json:"time"`
	} `json:"single"`
	Periodical *struct {
		Start     string   `json:"start"`
		End       string   `json:"end"`
		Time      string   `json:"time"`
		TimeUnit  string   `json:"time_unit"`
		Frequency int      `json:"frequency"`
		Point     []string `json:"point"` // MON… of a week, 01… of a month
	} `json:"periodical"`
}

// firing is a moment of a schedule.
type firing struct {
	schedule *schedule
	at       int64 // ns since the epoch
}

func (f *firing) due() int64 { return f.at }

// fire sends the pushes of the schedules that are due, and returns when the next one is, if there is one. The caller
// holds the lock.
func (s *Sandbox) fire(now time.Time) (next time.Time, more bool) {
	for len(s.firings) > 0 {
		f := s.firings[0]
		if f.at > now.UnixNano() {
			return time.Unix(0, f.at), true
		}
		heap.Pop(&s.firings)
		if f.schedule.next != f {
			continue // it was changed or deleted
		}
		s.firePush(f.schedule)
		s.arm(f.schedule, time.Unix(0, f.at))
	}
	return time.Time{}, false
}

func (s *Sandbox) firePush(c *schedule) {
	p, err := readPush(c.Push)
	if err != nil {
		return // it was checked when the schedule was made
	}
	p.cid = "" // each firing is a push of its own
	recipients := s.resolve(c.app, p.audience)
	if len(recipients) == 0 || len(c.fired) >= maxFired {
		return
	}
	if id, err := s.acceptLocked(c.app, p, recipients); err == nil {
		c.fired = append(c.fired, id)
	}
}

// arm plans the next moment after the given one.
func (s *Sandbox) arm(c *schedule, after time.Time) {
	c.next = nil
	at, ok := c.times.after(after)
	if !c.Enabled || !ok {
		return
	}
	c.next = &firing{c, at.UnixNano()}
	heap.Push(&s.firings, c.next)
	poke(s.wake)
}

// after returns the trigger's first moment after t.
func (t trigger) after(moment time.Time) (time.Time, bool) {
	if t.Single != nil {
		at, err := time.Parse(wallTime, t.Single.Time)
		return at, err == nil && at.After(moment)
	}
	p := t.Periodical
	start, _ := time.Parse(wallTime, p.Start)
	end, _ := time.Parse(wallTime, p.End)
	clock, _ := time.Parse(time.TimeOnly, p.Time)
	day := start.Truncate(24 * time.Hour)
	if from := moment.UTC().Truncate(24 * time.Hour); from.After(day) {
		day = from
	}
	for range horizon {
		at := day.Add(time.Duration(clock.Hour())*time.Hour + time.Duration(clock.Minute())*time.Minute + time.Duration(clock.Second())*time.Second)
		if at.After(end) {
			return time.Time{}, false
		}
		if at.After(moment) && !at.Before(start) && t.falls(start, day) {
			return at, true
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}, false
}

// falls reports whether a day is one of a periodical trigger's.
func (t trigger) falls(start, day time.Time) bool {
	p := t.Periodical
	first := start.Truncate(24 * time.Hour)
	days := int(day.Sub(first) / (24 * time.Hour))
	switch strings.ToLower(p.TimeUnit) {
	case "day":
		return days%p.Frequency == 0
	case "week":
		monday := func(t time.Time) time.Time { return t.AddDate(0, 0, -(int(t.Weekday())+6)%7) }
		weeks := int(monday(day).Sub(monday(first)) / (7 * 24 * time.Hour))
		return weeks%p.Frequency == 0 && slices.ContainsFunc(p.Point, func(name string) bool {
			return strings.EqualFold(name, day.Weekday().String()[:3])
		})
	default:
		months := (day.Year()-first.Year())*12 + int(day.Month()) - int(first.Month())
		return months%p.Frequency == 0 && slices.ContainsFunc(p.Point, func(name string) bool {
			n, err := strconv.Atoi(name)
			return err == nil && n == day.Day()
		})
	}
}

func (t trigger) check(r *reader) {
	moment := func(path, text, layout string) {
		if _, err := time.Parse(layout, text); err != nil {
			r.invalid(path, "like "+layout)
		}
	}
	switch p := t.Periodical; {
	case (t.Single == nil) == (p == nil):
		r.invalid("trigger", "single or periodical")
	case t.Single != nil:
		moment("trigger.single.time", t.Single.Time, wallTime)
	default:
		moment("trigger.periodical.start", p.Start, wallTime)
		moment("trigger.periodical.end", p.End, wallTime)
		moment("trigger.periodical.time", p.Time, time.TimeOnly)
		if p.Frequency < 1 || p.Frequency > 100 {
			r.invalid("trigger.periodical.frequency", "1 to 100")
		}
		unit := strings.ToLower(p.TimeUnit)
		if !slices.Contains([]string{"day", "week", "month"}, unit) {
			r.invalid("trigger.periodical.time_unit", "day, week or month")
		} else if unit != "day" && len(p.Point) == 0 {
			r.missing("trigger.periodical.point")
		}
	}
}

// change lays what a request says over the schedule. Nothing changes if any of it is wrong.
func (c *schedule) change(body []byte) error {
	param, err := readBody[object](body, "an object with name, enabled, trigger and push")
	if err != nil {
		return err
	}
	changed := *c
	r := &reader{}
	if name, ok := read[string](r, param, "name", "name", "a string"); ok {
		changed.Name = name
	}
	if enabled, ok := read[bool](r, param, "enabled", "enabled", "true or false"); ok {
		changed.Enabled = enabled
	}
	if times, ok := read[trigger](r, param, "trigger", "trigger", "an object"); ok {
		times.check(r)
		changed.times, changed.Trigger = times, param["trigger"]
	}
	if param.has("push") {
		if _, err := readPush(param["push"]); err != nil {
			return err
		}
		changed.Push = param["push"]
	}
	if changed.Name == "" {
		r.missing("name")
	}
	if changed.Trigger == nil {
		r.missing("trigger")
	}
	if changed.Push == nil {
		r.missing("push")
	}
	if err := r.refusal(); err != nil {
		return err
	}
	*c = changed
	return nil
}

func (s *Sandbox) createSchedule(a *app, _ *http.Request, body []byte) (any, error) {
	if len(a.schedules) >= maxSchedules {
		return nil, badRequest("there are %d schedules already", maxSchedules)
	}
	s.lastID++
	c := &schedule{ID: fmt.Sprintf("%016x-%016x", rand.Uint64(), rand.Uint64()), Enabled: true, app: a, created: s.lastID}
	if err := c.change(body); err != nil {
		return nil, err
	}
	a.schedules[c.ID] = c
	s.arm(c, s.cfg.Clock.Now())
	return map[string]string{"schedule_id": c.ID, "name": c.Name}, nil
}

func (s *Sandbox) updateSchedule(a *app, r *http.Request, body []byte) (any, error) {
	c, err := a.schedule(r)
	if err != nil {
		return nil, err
	}
	if err := c.change(body); err != nil {
		return nil, err
	}
	s.arm(c, s.cfg.Clock.Now())
	return *c, nil
}

func (a *app) schedule(r *http.Request) (*schedule, error) {
	c := a.schedules[r.PathValue("id")]
	if c == nil {
		return nil, refuse(http.StatusNotFound, engagelab.CodeInvalidParameter, "there is no schedule of this id")
	}
	return c, nil
}

// getSchedule answers with a list of one, as EngageLab does.
func (s *Sandbox) getSchedule(a *app, r *http.Request, _ []byte) (any, error) {
	c, err := a.schedule(r)
	if err != nil {
		return nil, err
	}
	return []schedule{*c}, nil
}

func (s *Sandbox) deleteSchedule(a *app, r *http.Request, _ []byte) (any, error) {
	c, err := a.schedule(r)
	if err != nil {
		return nil, err
	}
	c.next = nil
	delete(a.schedules, c.ID)
	return nil, nil //nolint:nilnil // an empty answer
}

func (s *Sandbox) listSchedules(a *app, r *http.Request, _ []byte) (any, error) {
	page := 1
	if err := number(r, "page", &page); err != nil {
		return nil, err
	}
	if page < 1 {
		return nil, badRequest("page must be 1 or more")
	}
	list := make([]schedule, 0, len(a.schedules))
	for _, c := range a.schedules {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(x, y schedule) int { return cmp.Compare(x.created, y.created) })
	total := len(list)
	from := min((page-1)*schedulesOnPage, total)
	return map[string]any{
		"total_count": total, "total_pages": (total + schedulesOnPage - 1) / schedulesOnPage, "page": page,
		"schedules": list[from:min(from+schedulesOnPage, total)],
	}, nil
}

func (s *Sandbox) scheduleMessages(a *app, r *http.Request, _ []byte) (any, error) {
	c, err := a.schedule(r)
	if err != nil {
		return nil, err
	}
	messages := []map[string]string{}
	for _, id := range c.fired {
		messages = append(messages, map[string]string{"msg_id": id})
	}
	return map[string]any{"count": len(messages), "MsgIds": messages}, nil
}
