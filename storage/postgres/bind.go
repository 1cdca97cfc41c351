package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ErrOtherElection says that the database's nodes are elected elsewhere. Two that know nothing of each other would both lead.
var ErrOtherElection = errors.New("the database belongs to nodes that share another etcd: all nodes of one database must have the same" +
	" etcd.endpoints. If the former etcd is gone for good, and every node is stopped, UPDATE leadership SET election = '' hands the" +
	" database over")

// binding is whose elections lead the database.
type binding struct {
	election   string
	base, term int64
}

// Bind ties the database to those elections that the name, which is not empty, tells from others, unless it is tied already; if it is
// tied to others it returns ErrOtherElection. Terms of elections begin anew where these are others than before: what Lead gets is the
// election's term plus the base.
func (s *Store) Bind(ctx context.Context, election string) (base int64, err error) {
	return writeUnfenced(ctx, s, func(t *tx) (int64, error) {
		bound, err := first(t.ctx, t, func(row pgx.CollectableRow) (b binding, err error) {
			err = row.Scan(&b.election, &b.base, &b.term)
			return b, err
		}, `SELECT election, election_base, term FROM leadership FOR NO KEY UPDATE`)
		switch {
		case err != nil:
			return 0, err
		case bound.election == election:
			return bound.base, nil
		case bound.election != "":
			return 0, fmt.Errorf("%w (it has %s, this node %s)", ErrOtherElection, bound.election, election)
		}
		_, err = t.exec(`UPDATE leadership SET election = $1, election_base = term`, election)
		return bound.term, err
	})
}
