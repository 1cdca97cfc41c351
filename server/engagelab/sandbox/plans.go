package sandbox

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"susul.dev/susul/server/engagelab"
)

const (
	maxPlans        = 1_000
	maxPlanMessages = 10_000 // remembered of one plan
	maxPlanPage     = 100
	maxPlansAsked   = 1_000
)

// What send_source may ask for. The sandbox has no console, so no plan was made in it.
const (
	madeByAPI     = 0
	madeByConsole = 1
)

// plan is a push plan: a name under which pushes are counted together.
type plan struct {
	id, description   string
	created, lastUsed time.Time
	messages          []int64
}

// use counts a message to its plan, if the app has that.
func (a *app) use(planID string, message int64, now time.Time) {
	if p := a.plans[planID]; p != nil {
		p.lastUsed = now
		if len(p.messages) < maxPlanMessages {
			p.messages = append(p.messages, message)
		}
	}
}

// setPlan makes a plan or changes one's description.
func (s *Sandbox) setPlan(a *app, _ *http.Request, body []byte) (any, error) {
	param, err := readBody[struct {
		ID          string `json:"plan_id"`
		Description string `json:"plan_description"`
	}](body, "an object with plan_id and plan_description")
	if err != nil {
		return nil, err
	}
	if param.ID == "" {
		return nil, refuse(http.StatusBadRequest, engagelab.CodeMissingParameter, "plan_id is missing")
	}
	p := a.plans[param.ID]
	if p == nil {
		if len(a.plans) >= maxPlans {
			return nil, badRequest("there are %d plans already", maxPlans)
		}
		p = &plan{id: param.ID, created: s.cfg.Clock.Now()}
		a.plans[p.id] = p
	}
	p.description = param.Description
	return map[string]string{"plan_id": p.id}, nil
}

func (s *Sandbox) listPlans(a *app, r *http.Request, _ []byte) (any, error) {
	page, size, source := 1, maxPlanPage, madeByAPI
	for name, to := range map[string]*int{"page_index": &page, "page_size": &size, "send_source": &source} {
		if err := number(r, name, to); err != nil {
			return nil, err
		}
	}
	if page < 1 || size < 1 || size > maxPlanPage || source < madeByAPI || source > madeByConsole {
		return nil, badRequest("page_index must be 1 or more, page_size 1 to %d, send_source 0 or 1", maxPlanPage)
	}
	search := r.URL.Query().Get("search_description")
	infos := []map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(a.plans)) {
		p := a.plans[id]
		if source == madeByConsole || !strings.Contains(p.id, search) && !strings.Contains(p.description, search) {
			continue
		}
		info := map[string]any{
			"plan_id": p.id, "push_id": p.id, "plan_description": p.description, "count": len(p.messages),
			"create_time": p.created.UnixMilli(),
		}
		if !p.lastUsed.IsZero() {
			info["last_used_time"] = p.lastUsed.UnixMilli()
		}
		infos = append(infos, info)
	}
	total := len(infos)
	from := min((page-1)*size, total)
	return map[string]any{"push_plan_info": infos[from:min(from+size, total)], "total": total}, nil
}

// number reads a query parameter that may be absent.
func number(r *http.Request, name string, to *int) error {
	text := r.URL.Query().Get(name)
	if text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return badRequest("%s must be a number", name)
	}
	*to = n
	return nil
}

// deletePlans deletes all of a list, or none.
func (s *Sandbox) deletePlans(a *app, r *http.Request, _ []byte) (any, error) {
	list := strings.Split(r.PathValue("ids"), ",")
	for _, id := range list {
		if a.plans[id] == nil {
			return nil, badRequest("there is no plan %q", id)
		}
	}
	for _, id := range list {
		delete(a.plans, id)
	}
	return map[string]string{"plan_id": r.PathValue("ids")}, nil
}

// messagesOfPlans returns the plans that a request asks for, each with its messages of the days that it names.
func (s *Sandbox) messagesOfPlans(a *app, r *http.Request) (map[string][]*message, error) {
	list, err := ids(r, "plan_ids", maxPlansAsked)
	if err != nil {
		return nil, err
	}
	from, to := time.Time{}, s.cfg.Clock.Now().AddDate(1, 0, 0)
	for name, moment := range map[string]*time.Time{"start_date": &from, "end_date": &to} {
		if text := r.URL.Query().Get(name); text != "" {
			if *moment, err = time.Parse(time.DateOnly, text); err != nil {
				return nil, badRequest("%s must be a date such as 2026-03-02", name)
			}
		}
	}
	found := map[string][]*message{}
	for _, id := range list {
		p := a.plans[id]
		if p == nil {
			continue
		}
		found[id] = nil
		for _, m := range p.messages {
			if at := s.messages[m].acceptedAt; !at.Before(from) && at.Before(to.AddDate(0, 0, 1)) {
				found[id] = append(found[id], s.messages[m])
			}
		}
	}
	return found, nil
}

func (s *Sandbox) planMessages(a *app, r *http.Request, _ []byte) (any, error) {
	plans, err := s.messagesOfPlans(a, r)
	answer := map[string]any{}
	for id, messages := range plans {
		msgIDs := []string{}
		for _, m := range messages {
			msgIDs = append(msgIDs, strconv.FormatInt(m.id, 10))
		}
		answer[id] = map[string]any{"msg_ids": msgIDs}
	}
	return answer, err
}

func (s *Sandbox) planDetail(a *app, r *http.Request, _ []byte) (any, error) {
	plans, err := s.messagesOfPlans(a, r)
	answer := map[string]engagelab.Totals{}
	for id, messages := range plans {
		var sum engagelab.Totals
		for _, m := range messages {
			t := m.totals()
			sum.Targets += t.Targets
			sum.Sent += t.Sent
			sum.Delivered += t.Delivered
			sum.Impressions += t.Impressions
			sum.Clicks += t.Clicks
		}
		answer[id] = sum
	}
	return answer, err
}
