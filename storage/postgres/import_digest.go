package postgres

import (
	"context"
	"fmt"
	"math/big"
	"strings"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/transfer"
)

// Digests adds up a table's rows by their groups, in ascending order, in the database itself.
func (i *Import) Digests(ctx context.Context, table *transfer.Table, yield func(transfer.Sum) error) error {
	group := "0::bigint"
	if table.Group != "" {
		group = fmt.Sprintf("%s::bigint / %d", table.Group, table.GroupSize)
	}
	rows, err := i.pool.Query(ctx, `SELECT `+group+`, count(*), coalesce(sum(`+digestOf(table)+`), 0)::text FROM `+table.Name+
		` GROUP BY 1 ORDER BY 1`)
	if err != nil {
		return unavailable(err)
	}
	var sum transfer.Sum
	var digests string
	_, err = pgx.ForEachRow(rows, []any{&sum.Group, &sum.Rows, &digests}, func() error {
		total, ok := new(big.Int).SetString(digests, 10)
		if !ok {
			return fmt.Errorf("a sum of digests is %q", digests)
		}
		sum.Digests = total.And(total, modulo).Uint64()
		return yield(sum)
	})
	return unavailable(err)
}

var modulo = new(big.Int).SetUint64(1<<64 - 1)

// digestOf is transfer.Sum's digest of a row, in SQL.
func digestOf(table *transfer.Table) string {
	var texts []string
	for _, c := range table.Columns {
		text := c.Name + "::text"
		switch c.Kind {
		case transfer.Bytes:
			text = "md5(" + c.Name + ")"
		case transfer.Texts:
			text = "array_to_string(" + c.Name + ", chr(30))"
		}
		texts = append(texts, "coalesce("+text+", '"+transfer.Null+"')")
	}
	return `('x' || left(md5(concat_ws(chr(31), ` + strings.Join(texts, ", ") + `)), 15))::bit(60)::bigint`
}

// Sums adds up a number per push, from other rows than those that a source has it from, in the order of the pushes.
func (i *Import) Sums(ctx context.Context, what transfer.Quantity, yield func(push, n int64) error) error {
	queries := map[transfer.Quantity]string{
		transfer.Recipients: `SELECT push_id, count(*) FROM recipient JOIN push p ON p.id = push_id WHERE p.forgotten = 0
			GROUP BY push_id ORDER BY push_id`,
		transfer.Events: `SELECT push_id, sum(events)::bigint FROM segment GROUP BY push_id ORDER BY push_id`,
		transfer.Clicks: fmt.Sprintf(`SELECT push_id, count(*) FROM progress JOIN push p ON p.id = push_id
			WHERE p.forgotten = 0 AND word & %d <> 0 GROUP BY push_id ORDER BY push_id`, clickedInAnyStep()),
	}
	rows, err := i.pool.Query(ctx, queries[what])
	if err != nil {
		return unavailable(err)
	}
	var push, n int64
	_, err = pgx.ForEachRow(rows, []any{&push, &n}, func() error { return yield(push, n) })
	return unavailable(err)
}

// clickedInAnyStep has the bits of the milestone Clicked of all steps.
func clickedInAnyStep() (mask storage.Progress) {
	for step := range storage.MaxSteps {
		mask = mask.With(step, storage.Clicked)
	}
	return mask
}

// Faults looks for what contradicts itself among what was derived from the rows.
func (i *Import) Faults(ctx context.Context) ([]string, error) {
	checks := []struct{ fault, query string }{
		{"progress: words that are not settled", `SELECT EXISTS (SELECT FROM progress WHERE was <> word)`},
		{"segment: days that are not those of the receive times",
			`SELECT EXISTS (SELECT FROM segment WHERE day <> floor(receive_time / 86400000.0))`},
		{"log_day: spans that are not those of the segments", `SELECT EXISTS (SELECT FROM log_day l FULL JOIN
			(SELECT day, min(sequence) AS first, max(sequence + events - 1) AS last FROM segment GROUP BY day) s USING (day)
			WHERE (l.first, l.last) IS DISTINCT FROM (s.first, s.last))`},
	}
	var faults []string
	for _, c := range checks {
		var found bool
		if err := i.pool.QueryRow(ctx, c.query).Scan(&found); err != nil {
			return nil, unavailable(err)
		}
		if found {
			faults = append(faults, c.fault)
		}
	}
	return faults, nil
}
