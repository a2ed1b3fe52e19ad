//go:build ackearly

package main

import (
	"context"

	"millrace/connectors"
)

// A build with this tag breaks the promise on purpose: its sources acknowledge records to the foreign system when they are
// polled, before the log has them. The crash test runs it to show that it would notice.
func init() { wrapSource = ackEarly }

func ackEarly(p connectors.Plugin) connectors.Plugin {
	if p.NewSource != nil {
		original := p.NewSource
		p.NewSource = func() connectors.Source { return earlySource{original()} }
	}
	return p
}

type earlySource struct{ connectors.Source }

func (s earlySource) NewTask() connectors.SourceTask {
	return &earlyTask{SourceTask: s.Source.NewTask()}
}

// An earlyTask acknowledges what it polls and hands it on one poll later: what it holds meanwhile exists nowhere else.
type earlyTask struct {
	connectors.SourceTask
	held []connectors.SourceRecord
}

func (t *earlyTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	records, err := t.SourceTask.Poll(ctx)
	if err != nil {
		return nil, err
	}
	if c, ok := t.SourceTask.(connectors.RecordCommitter); ok && len(records) > 0 {
		committed := make([]connectors.CommittedRecord, len(records))
		for i := range records {
			committed[i] = connectors.CommittedRecord{Record: &records[i], Partition: -1, Offset: -1}
		}
		if err := c.CommitRecords(ctx, committed); err != nil {
			return nil, err
		}
	}
	records, t.held = t.held, records
	return records, nil
}
