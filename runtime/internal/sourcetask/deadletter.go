package sourcetask

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
	"millrace/runtime/internal/pipeline"
)

// letters counts dead letters on their way.
type letters struct {
	mu      sync.Mutex
	pending int
	none    chan struct{} // closed when pending is 0 again and somebody waits
}

func (l *letters) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending += n
	if l.pending == 0 && l.none != nil {
		close(l.none)
		l.none = nil
	}
}

// await waits until none is on its way.
func (l *letters) await(ctx context.Context) error {
	l.mu.Lock()
	if l.pending == 0 {
		l.mu.Unlock()
		return nil
	}
	if l.none == nil {
		l.none = make(chan struct{})
	}
	none := l.none
	l.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// decide sends a record that failed to the dead letter queue, if there is one, and asks the policy. produced is nil unless the record
// was converted. The chunk's offsets are not committed before the queue has the record.
func (t *Task) decide(ctx context.Context, c *chunk, f *pipeline.Failure, produced *kgo.Record) error {
	if t.cfg.DeadLetters == nil || f.Source == nil || ctx.Err() != nil {
		err := t.cfg.Pipeline.Errors.Decide(ctx, f)
		if err == nil {
			c.became.Skipped++
		}
		return err
	}
	if produced == nil {
		produced = t.raw(f.Source)
	}
	c.open.Add(1)
	t.letters.add(1)
	t.cfg.DeadLetters.Send(f, produced, func(err error) {
		if err != nil {
			c.lost.Store(true)
			t.fail(err)
		}
		t.settle(c)
		t.letters.add(-1)
	})
	err := t.cfg.Pipeline.Errors.Decide(ctx, f)
	if err == nil {
		c.became.DeadLettered++
	}
	return err
}

// raw is a record as the task gave it: what the converters can write as they do, bytes and text as they are, other values as text.
func (t *Task) raw(sr *connectors.SourceRecord) *kgo.Record {
	p := t.cfg.Pipeline
	out := &kgo.Record{Timestamp: time.Now()}
	if sr.Timestamp >= 0 {
		out.Timestamp = time.UnixMilli(sr.Timestamp)
	}
	out.Key = rawValue(sr.Key, func() ([]byte, error) { return p.Key.FromConnect(sr.Topic, sr.Headers, sr.KeySchema, sr.Key) })
	out.Value = rawValue(sr.Value, func() ([]byte, error) { return p.Value.FromConnect(sr.Topic, sr.Headers, sr.ValueSchema, sr.Value) })
	for _, h := range sr.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: rawValue(h.Value, func() ([]byte, error) {
			return p.Header.FromConnectHeader(sr.Topic, h.Key, h.Schema, h.Value)
		})})
	}
	return out
}

func rawValue(v any, convert func() ([]byte, error)) []byte {
	if data, err := convert(); err == nil {
		return data
	}
	switch v := v.(type) {
	case nil:
		return nil
	case []byte:
		return v
	case string:
		return []byte(v)
	}
	return []byte(connectors.Text(v))
}
