package sqlite

import (
	"database/sql"
	"maps"
	"slices"

	"susul.dev/susul/storage"
)

// upstream is an upstream id as an app's callbacks name it.
type upstream struct{ app, id string }

var selectTargets = bulk{`WITH named (i, app, upstream_id) AS (`, 3, `)
	SELECT n.i, d.id, d.push_id, d.step, p.listed, p.recipients FROM named n
	CROSS JOIN dispatch d ON d.app = n.app AND d.upstream_id = n.upstream_id
	CROSS JOIN push p ON p.id = d.push_id`}

// resolveTargets finds out which dispatch each row is about.
func (t *tx) resolveTargets(rows []row) error {
	var named []upstream
	targets := map[upstream]*target{}
	for i := range rows {
		u := upstream{rows[i].app, rows[i].UpstreamID}
		if _, seen := targets[u]; !seen {
			targets[u] = nil
			named = append(named, u)
		}
	}
	audiences := map[int64]*audience{}
	err := selectTargets.query(t, len(named), func(args []any, i int) []any {
		return append(args, i, named[i].app, named[i].id)
	}, func(found *sql.Rows) error {
		var i int
		var to target
		var a audience
		if err := found.Scan(&i, &to.dispatch, &to.push, &to.step, &a.listed, &a.size); err != nil {
			return err
		}
		if audiences[to.push] == nil {
			a.push = to.push
			audiences[to.push] = &a
		}
		to.audience = audiences[to.push]
		targets[named[i]] = &to
		return nil
	})
	for i := range rows {
		rows[i].target = targets[upstream{rows[i].app, rows[i].UpstreamID}]
	}
	return err
}

// member is a registration id that rows name for a push.
type member struct {
	audience *audience
	id       string
}

var selectMembers = bulk{`WITH named (i, push_id, registration_id) AS (`, 3, `)
	SELECT n.i, r.ordinal, r.progress FROM named n
	CROSS JOIN member m ON m.push_id = n.push_id AND m.registration_id = n.registration_id
	CROSS JOIN recipient r ON r.push_id = m.push_id AND r.ordinal = m.ordinal`}

// resolveRecipients finds out whom each row is about. A push without a list gains those whom it did not know.
func (t *tx) resolveRecipients(rows []row) error {
	var named []member
	recipients := map[member]*recipient{}
	for i := range rows {
		if rows[i].target == nil || rows[i].RegistrationID == "" {
			continue
		}
		m := member{rows[i].target.audience, rows[i].RegistrationID}
		r, seen := recipients[m]
		if !seen {
			r = &recipient{push: m.audience.push}
			recipients[m] = r
			named = append(named, m)
		}
		rows[i].recipient = r
	}
	if err := selectMembers.query(t, len(named), func(args []any, i int) []any {
		return append(args, i, named[i].audience.push, named[i].id)
	}, func(found *sql.Rows) error {
		var i int
		var ordinal uint32
		var progress storage.Progress
		err := found.Scan(&i, &ordinal, &progress)
		r := recipients[named[i]]
		r.ordinal, r.progress, r.before, r.known = ordinal, progress, progress, true
		return err
	}); err != nil {
		return err
	}
	if err := t.gain(named, recipients); err != nil {
		return err
	}
	for i := range rows {
		if r := rows[i].recipient; r != nil && !r.known {
			rows[i].recipient = nil
		}
	}
	return nil
}

// gain stores new recipients of pushes that are not listed.
func (t *tx) gain(named []member, recipients map[member]*recipient) error {
	var gained []member
	grown := map[*audience]bool{}
	for _, m := range named {
		r := recipients[m]
		if r.known || m.audience.listed {
			continue
		}
		r.ordinal, r.known = uint32(m.audience.size), true
		m.audience.size++
		grown[m.audience] = true
		gained = append(gained, m)
	}
	if _, err := insertRecipients.exec(t, len(gained), func(args []any, i int) []any {
		r := recipients[gained[i]]
		return append(args, r.push, r.ordinal, gained[i].id)
	}); err != nil {
		return err
	}
	if _, err := insertMembers.exec(t, len(gained), func(args []any, i int) []any {
		r := recipients[gained[i]]
		return append(args, r.push, gained[i].id, r.ordinal)
	}); err != nil {
		return err
	}
	pushes := slices.Collect(maps.Keys(grown))
	_, err := updateSizes.exec(t, len(pushes), func(args []any, i int) []any {
		return append(args, pushes[i].push, pushes[i].size)
	})
	return err
}

var updateSizes = bulk{`WITH grown (push_id, size) AS (`, 2, `)
	UPDATE push SET recipients = g.size FROM grown g WHERE push.id = g.push_id`}
