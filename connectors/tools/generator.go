package tools

import (
	"context"
	"fmt"
	"time"

	"millrace/connectors"
)

const (
	// maxBatch is the most records of one poll.
	maxBatch = 500
	// pollTime is how long a poll waits at most.
	pollTime = time.Second
	// minWait keeps tasks from waking up for each single record of a high rate.
	minWait = 2 * time.Millisecond
)

// A generator counts the records of one task.
type generator struct {
	id        int32
	topic     string
	partition *connectors.SourcePartition
	first     int64 // the number of the first record since the start
	next      int64
	pace      pace
}

// start finds the number to go on from.
func (g *generator) start(ctx context.Context, tc connectors.SourceTaskContext, values connectors.Values) error {
	g.id, g.topic = values.Int(keyID), values.String(keyTopic)
	g.partition = connectors.NewSourcePartition(map[string]any{"id": int64(g.id)})
	offset, err := tc.Offset(ctx, g.partition)
	if err != nil {
		return err
	}
	g.first = 0
	if offset != nil {
		last, ok := offset["seqno"].(int64)
		if !ok {
			return fmt.Errorf("stored offset of task %d: seqno is %v; it has to be a whole number", g.id, offset["seqno"])
		}
		g.first = last + 1
	}
	g.next = g.first
	g.pace = pace{rate: values.Long(keyThroughput), begin: time.Now()}
	tc.Logger().Info("making records", "topic", g.topic, "seqno", g.first)
	return nil
}

// seqno is the offset of a record: its number.
type seqno int64

func (n *seqno) Map() map[string]any { return map[string]any{"seqno": int64(*n)} }

// records waits until records are due and returns up to limit of them, with offsets and without keys and values.
func (g *generator) records(ctx context.Context, limit int64) []connectors.SourceRecord {
	n := g.pace.due(ctx, g.next-g.first, limit)
	if n == 0 {
		return nil
	}
	records, offsets := make([]connectors.SourceRecord, n), make([]seqno, n)
	for i := range records {
		offsets[i] = seqno(g.next)
		records[i] = connectors.SourceRecord{
			Record:          connectors.Record{Topic: g.topic, Partition: connectors.NoPartition, Timestamp: connectors.NoTimestamp},
			SourcePartition: g.partition, SourceOffset: &offsets[i],
		}
		g.next++
	}
	return records
}

// A pace allows a number of records a second, on average since the beginning. A negative rate allows any number.
type pace struct {
	rate  int64
	begin time.Time
}

// due waits until more than made records are allowed, and returns how many more, up to limit. It returns 0 after a while, and when
// ctx ends.
func (p *pace) due(ctx context.Context, made, limit int64) int64 {
	limit = min(limit, maxBatch)
	for end := time.Now().Add(pollTime); ctx.Err() == nil; {
		now := time.Now()
		if p.rate < 0 {
			return limit
		}
		// One more than fit into the time, so that the first does not wait.
		if n := float64(p.rate)*now.Sub(p.begin).Seconds() + 1 - float64(made); n >= 1 {
			return min(limit, int64(min(n, maxBatch)))
		}
		left := end.Sub(now)
		if left <= 0 {
			return 0
		}
		wait := left
		if p.rate > 0 {
			// The moment may be far away: it is compared before it becomes a Duration.
			seconds := float64(made)/float64(p.rate) - now.Sub(p.begin).Seconds()
			wait = max(minWait, time.Duration(min(seconds, left.Seconds())*float64(time.Second)))
		}
		sleep(ctx, wait)
	}
	return 0
}

// sleep returns after d, or when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
