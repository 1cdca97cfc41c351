package postgres

import (
	"github.com/jackc/pgx/v5"
)

// inPipeline bounds how many statements are sent ahead of their answers, and pipelineBytes what they carry, about.
const (
	inPipeline    = 256
	pipelineBytes = 4 << 20
)

// pipeline is a list of statements that do not wait for each other's answers.
type pipeline struct {
	batches []*pgx.Batch
	size    int // of the last
}

// add adds a statement.
func (p *pipeline) add(statement string, args ...any) { p.addLarge(0, statement, args...) }

// query adds a query, and what reads its rows.
func (p *pipeline) query(read func(pgx.Rows) error, statement string, args ...any) {
	p.addLarge(0, statement, args...).Query(read)
}

// addLarge adds a statement that carries a number of bytes.
func (p *pipeline) addLarge(size int, statement string, args ...any) *pgx.QueuedQuery {
	if n := len(p.batches); n == 0 || p.batches[n-1].Len() == inPipeline || p.size >= pipelineBytes {
		p.batches, p.size = append(p.batches, &pgx.Batch{}), 0
	}
	p.size += size
	return p.batches[len(p.batches)-1].Queue(statement, args...)
}

// run runs the statements in their order, up to the first that fails.
func (p *pipeline) run(t *tx) error {
	return send(t, p.batches)
}

// runLast is run for the last statements of a transaction: it commits unless one of them fails. What comes of them must be right to commit.
func (p *pipeline) runLast(t *tx) error {
	if len(p.batches) == 0 {
		p.batches = []*pgx.Batch{{}}
	}
	last := len(p.batches) - 1
	if err := send(t, p.batches[:last]); err != nil {
		return err
	}
	return t.sendLast(t.ctx, p.batches[last])
}

func send(t *tx, batches []*pgx.Batch) error {
	for _, batch := range batches {
		if err := t.SendBatch(t.ctx, batch).Close(); err != nil {
			return err
		}
	}
	return nil
}
