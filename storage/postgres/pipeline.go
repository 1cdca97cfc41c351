package postgres

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
func (p *pipeline) add(statement string, args ...any) { p.addLarge(0, nil, statement, args...) }

// addLarge adds a statement that carries a number of bytes, and what looks at its result; nil does not.
func (p *pipeline) addLarge(size int, then func(pgconn.CommandTag) error, statement string, args ...any) {
	if n := len(p.batches); n == 0 || p.batches[n-1].Len() == inPipeline || p.size >= pipelineBytes {
		p.batches, p.size = append(p.batches, &pgx.Batch{}), 0
	}
	p.size += size
	queued := p.batches[len(p.batches)-1].Queue(statement, args...)
	if then != nil {
		queued.Exec(then)
	}
}

// run runs the statements in their order, up to the first that fails.
func (p *pipeline) run(t *tx) error {
	for _, batch := range p.batches {
		if err := t.SendBatch(t.ctx, batch).Close(); err != nil {
			return err
		}
	}
	return nil
}
